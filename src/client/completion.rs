//! Tab: verbs, names on the server and names here, as the verb's row in the table says.

use super::Client;
use super::bookmarks;
use super::commands::local;
use super::commands::{Completes, VERBS, Verb};
use super::glob::{Name, split};
use super::text::clean;
use super::words::{self, Typed, Word};
use rustyline::completion::Pair;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::cell::RefCell;

/// What the line editor asks on Tab. It holds the client, since Tab may have to ask the server.
pub(super) struct Completer {
    pub(super) client: RefCell<Client>,
}

impl Helper for Completer {}
impl Highlighter for Completer {}
impl Validator for Completer {}
impl Hinter for Completer {
    type Hint = String;
}

impl rustyline::completion::Completer for Completer {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        // Tab is only pressed while a line is read, and then no command runs.
        let Ok(mut client) = self.client.try_borrow_mut() else {
            return Ok((at, Vec::new()));
        };
        Ok(complete(&mut client, &line[..at]))
    }
}

/// Where the word under the cursor begins, and what it may become.
fn complete(client: &mut Client, line: &str) -> (usize, Vec<Pair>) {
    let trimmed = line.trim_start();
    // `-get` may fail and `!cat` is the shell's.
    let rest = trimmed.strip_prefix(['-', '!']).unwrap_or(trimmed);
    let skipped = line.len() - rest.len();
    let typed = words::typed(rest);
    let start = skipped + typed.start;
    let candidates = if trimmed.starts_with('!') {
        paths(&typed, |folder| {
            local::names_in(&local::path(folder, typed.last.bare))
        })
    } else if typed.words.is_empty() {
        verbs(&typed.last.text)
    } else {
        arguments(client, &typed)
    };
    (start, candidates)
}

fn arguments(client: &mut Client, typed: &Typed) -> Vec<Pair> {
    let Ok(verb) = Verb::find(&typed.words[0].text) else {
        return Vec::new();
    };
    // Options have no places of their own among the arguments.
    let is_option = |word: &&Word| word.bare && word.text.starts_with('-') && !word.is_stream();
    let options: Vec<&Word> = typed.words[1..].iter().take_while(is_option).collect();
    let place = typed.words.len() - 1 - options.len();
    let Some(&completes) = verb.completes.get(place).or(verb.completes.last()) else {
        return Vec::new();
    };
    let completes = match verb.name == "mirror" && options.iter().any(|word| word.text == "-R") {
        true => of_other_side(completes),
        false => completes,
    };
    let bare = typed.last.bare;
    let only_folders = |names: Vec<Name>| names.into_iter().filter(|name| name.folder).collect();
    match completes {
        Completes::Nothing => Vec::new(),
        Completes::Verbs => verbs(&typed.last.text),
        Completes::Bookmarks => bookmarked(&typed.last.text),
        Completes::Remote => paths(typed, |folder| client.names_for_tab(folder)),
        Completes::RemoteFolders => {
            paths(typed, |folder| only_folders(client.names_for_tab(folder)))
        }
        Completes::Local => paths(typed, |folder| local::names_in(&local::path(folder, bare))),
        Completes::LocalFolders => paths(typed, |folder| {
            only_folders(local::names_in(&local::path(folder, bare)))
        }),
        Completes::Downloads => paths(typed, |folder| {
            let downloads = &client.options().downloads;
            local::names_in(&downloads.join(local::path(folder, bare)))
        }),
    }
}

/// What is offered where the way is reversed.
const fn of_other_side(completes: Completes) -> Completes {
    match completes {
        Completes::RemoteFolders => Completes::LocalFolders,
        Completes::Downloads => Completes::RemoteFolders,
        other => other,
    }
}

fn verbs(begun: &str) -> Vec<Pair> {
    let begun = begun.to_lowercase();
    let names = VERBS.iter().flat_map(Verb::names);
    plain(names.filter(|name| name.starts_with(&begun)))
}

fn bookmarked(begun: &str) -> Vec<Pair> {
    let names = bookmarks::list().unwrap_or_default();
    let names: Vec<String> = names
        .into_iter()
        .map(|(name, _)| format!("@{name}"))
        .collect();
    plain(
        names
            .iter()
            .map(|name| &**name)
            .filter(|name| name.starts_with(begun)),
    )
}

fn plain<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Pair> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let end = if names.len() == 1 { " " } else { "" };
    let pair = |name: &&str| Pair {
        display: (*name).to_owned(),
        replacement: format!("{name}{end}"),
    };
    names.iter().map(pair).collect()
}

/// The paths that the last word may become; `list` gives the names in a folder.
fn paths(typed: &Typed, list: impl FnOnce(&str) -> Vec<Name>) -> Vec<Pair> {
    let (folder, begun) = split(&typed.last.text);
    let mut names = list(folder);
    names.retain(|name| {
        name.name.starts_with(begun)
            && (begun.starts_with('.') || !name.name.starts_with('.'))
            // What cannot be shown as it is cannot be typed either.
            && clean(&name.name) == name.name
    });
    names.sort_by(|a, b| a.name.cmp(&b.name));
    // A `~` has its meaning only before the quote.
    let home = if typed.last.bare && folder.starts_with("~/") {
        "~/"
    } else {
        ""
    };
    let path = |name: &Name| {
        let end = if name.folder { "/" } else { "" };
        format!("{}{}{end}", &folder[home.len()..], name.name)
    };
    // Of several candidates only what they have in common is put into the line, so that alone decides about quotes.
    let common = names
        .iter()
        .map(&path)
        .reduce(|a, b| common(&a, &b).to_owned());
    let quote = typed.quote.or_else(|| {
        let common = common.filter(|common| !common.is_empty())?;
        words::needs_quotes(&common).then_some('"')
    });
    let single = names.len() == 1;
    let pair = |name: &Name| {
        // A quote is closed behind a folder too: the word goes on behind it all the same.
        let mut typed = match quote {
            Some(quote) => words::quote(&path(name), quote),
            None => path(name),
        };
        if single && !name.folder {
            typed.push(' ');
        }
        Pair {
            display: format!("{}{}", name.name, if name.folder { "/" } else { "" }),
            replacement: format!("{home}{typed}"),
        }
    };
    names.iter().map(pair).collect()
}

/// What both begin with.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    &a[..same.map(|(a, _)| a.len_utf8()).sum()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str, names: &[(&str, bool)]) -> Vec<String> {
        let typed = words::typed(line);
        let names = names.iter().map(|&(name, folder)| Name {
            name: name.to_owned(),
            folder,
        });
        let pairs = paths(&typed, |_| names.collect());
        pairs.into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        let names = [
            ("a b", false),
            ("ab", false),
            ("c d", true),
            (".e", false),
            ("g\"'", false),
        ];
        assert_eq!(completed("get a", &names), ["a b", "ab"]);
        assert_eq!(completed("get ", &names)[..2], ["a b", "ab"]);
        let blanks = [("a b", false), ("a b c", false)];
        assert_eq!(completed("get a", &blanks), ["\"a b\"", "\"a b c\""]);
        assert_eq!(completed("get 'a", &names), ["'a b'", "'ab'"]);
        assert_eq!(completed("get ab", &names), ["ab "]);
        assert_eq!(completed("get c", &names), ["\"c d/\""]);
        assert_eq!(completed("get x/\"c ", &names), ["\"x/c d/\""]);
        assert_eq!(completed("get .", &names), [".e "]);
        assert_eq!(completed("put ~/a\" ", &names), ["~/\"a b\" "]);
        let typed = completed("get g", &names).remove(0);
        assert_eq!(words::words(&typed).unwrap()[0].text, "g\"'");
    }

    #[test]
    fn names_that_turn_around_are_not_offered() {
        assert_eq!(completed("get ", &[("a\u{202e}b", false)]), [""; 0]);
    }
}
