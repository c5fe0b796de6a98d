//! The verbs of the prompt: how one is found, and how a line is carried out. The table is in [`table`], the handlers
//! are in files by subject.

mod files;
pub(super) mod local;
mod mirror;
mod remote;
mod session;
mod table;
mod view;

use super::error::{Trouble, is_interrupted};
use super::glob::{self, Name, Want};
use super::words::{Word, words};
use super::{Client, history, listing, names};
use crate::protocol::entry::Entry;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::ops::{ControlFlow, RangeInclusive};
pub use table::VERBS;

/// A verb of the prompt.
#[derive(Debug)]
pub struct Verb {
    /// Its name, in small letters.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// How it is written: arguments in capitals, those that may be left out in brackets, `...` behind one that may
    /// be repeated. How many arguments the verb takes is read from here.
    pub usage: &'static str,
    /// What it does: a short line, and perhaps another with the details.
    pub help: &'static str,
    /// What Tab offers for each argument; the last is for all that follow.
    pub completes: &'static [Completes],
    /// Whether it talks to the server.
    pub needs_connection: bool,
    /// Whether it takes the rest of the line as it is, with quotes and blanks.
    pub takes_line: bool,
    /// Its handler; `Break` ends the session.
    pub run: Handler,
}

/// What carries a verb out.
pub type Handler = fn(&mut Client, &[Word]) -> Result<ControlFlow<()>>;

/// What Tab offers for an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    /// Nothing.
    Nothing,
    /// Verbs.
    Verbs,
    /// Names on the server.
    Remote,
    /// Folders on the server.
    RemoteFolders,
    /// Names in the local folder.
    Local,
    /// Folders in the local folder.
    LocalFolders,
    /// Names in the folder that downloads go to.
    Downloads,
    /// Bookmarks, as `@name`.
    Bookmarks,
}

const DONE: Result<ControlFlow<()>> = Ok(ControlFlow::Continue(()));

impl Verb {
    /// The verb that `typed` means: its name or an alias in any letter case, or the beginning of just one name.
    ///
    /// # Errors
    /// [`Trouble::Usage`], with the verbs that may be meant.
    pub fn find(typed: &str) -> Result<&'static Self, Trouble> {
        let typed = typed.to_lowercase();
        if let Some(verb) = VERBS
            .iter()
            .find(|verb| verb.names().any(|name| name == typed))
        {
            return Ok(verb);
        }
        let meant: Vec<&Self> = VERBS
            .iter()
            .filter(|verb| verb.names().any(|name| name.starts_with(&typed)))
            .collect();
        let text = match meant[..] {
            [verb] => return Ok(verb),
            [] => match nearest(&typed) {
                Some(name) => format!("there is no verb \"{typed}\"; did you mean {name}?"),
                None => format!("there is no verb \"{typed}\"; help shows all"),
            },
            _ => {
                let names: Vec<&str> = meant
                    .iter()
                    .flat_map(|verb| verb.names().find(|name| name.starts_with(&typed)))
                    .collect();
                format!("\"{typed}\" may be {}", names.join(" or "))
            }
        };
        Err(Trouble::Usage(text))
    }

    /// Its name, and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// How many arguments it takes, as its usage says.
    #[must_use]
    pub fn arguments(&self) -> RangeInclusive<usize> {
        let words = || self.usage.split(' ').skip(1);
        let least = words().filter(|word| !word.starts_with('[')).count();
        let most = match self.usage.ends_with("...") {
            true => usize::MAX,
            false => words().count(),
        };
        least..=most
    }

    fn check(&self, arguments: &[Word]) -> Result<(), Trouble> {
        let takes = self.arguments();
        if !takes.contains(&arguments.len()) {
            let hint = match arguments.len() > *takes.end() {
                true if *takes.end() > 0 => " (a name with spaces goes in quotes)",
                _ => "",
            };
            return Err(Trouble::Usage(format!("usage: {}{hint}", self.usage)));
        }
        for Word { text, .. } in arguments {
            if text.contains(char::is_control) {
                let error = format!("\"{text}\" holds control characters, which no name may");
                return Err(Trouble::Usage(error));
            }
            if text.is_empty() {
                return Err(Trouble::Usage(format!("a name is empty: \"{text}\"")));
            }
        }
        Ok(())
    }
}

/// Carries out one line, the first word of which is the verb.
///
/// # Errors
/// The line makes no sense, or what the handler says, with the line before it.
pub fn run(client: &mut Client, line: &str) -> Result<ControlFlow<()>> {
    let line = line.trim();
    let (typed, rest) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest),
        None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
    };
    if typed.is_empty() {
        return DONE;
    }
    let verb = Verb::find(typed)?;
    let arguments = match rest.trim() {
        "" => Vec::new(),
        rest if verb.takes_line => vec![Word::literal(rest)],
        rest => words(rest)?,
    };
    let tried = match history::is_secret(line) {
        true => verb.name,
        false => line,
    };
    carry_out(client, verb, &arguments, tried)
}

/// Carries out a verb with these words; `tried` is what a failure is told of.
///
/// # Errors
/// The words are too few, too many or no names, or what the handler says.
pub(super) fn carry_out(
    client: &mut Client,
    verb: &Verb,
    arguments: &[Word],
    tried: &str,
) -> Result<ControlFlow<()>> {
    verb.check(arguments)?;
    let tried = || tried.to_owned();
    if verb.needs_connection {
        client.connect().with_context(tried)?;
    }
    (verb.run)(client, arguments).with_context(tried)
}

/// Does the same for each name. One that fails is told, and hides none of the others.
fn each<N: AsRef<str>>(
    client: &mut Client,
    names: &[N],
    mut one: impl FnMut(&mut Client, &str) -> Result<()>,
) -> Result<ControlFlow<()>> {
    if let [name] = names {
        one(client, name.as_ref())?;
        return DONE;
    }
    let (mut failed, mut first) = (0_usize, None);
    for name in names.iter().map(AsRef::as_ref) {
        let connected = client.connect();
        let is_gone = connected.is_err();
        if let Err(error) = connected.and_then(|()| one(client, name)) {
            let error = error.context(name.to_owned());
            if is_interrupted(&error) {
                return Err(error);
            }
            client.tell(&error);
            failed += 1;
            first.get_or_insert(error);
        }
        if is_gone {
            break;
        }
    }
    match first {
        None => DONE,
        Some(first) => {
            let count = format!("{failed} of {} failed, the first was", names.len());
            Err(first.context(count))
        }
    }
}

/// The names on the server that the words stand for.
fn remote_names(client: &mut Client, words: &[Word], want: Want) -> Result<Vec<String>> {
    remote_entries(client, words, want).map(|(names, _)| names)
}

/// The names on the server that the words stand for, and by the same names what was listed to find them.
fn remote_entries(
    client: &mut Client,
    words: &[Word],
    want: Want,
) -> Result<(Vec<String>, HashMap<String, Entry>)> {
    let (mut found, mut seen) = (Vec::new(), HashMap::new());
    for word in words {
        found.extend(glob::expand(word, want, |folder| {
            let entries = listing::entries(client.connection()?, names::listed(folder))?;
            client.listed(folder, &entries);
            let names = entries.iter().map(Name::from).collect();
            let path = |entry: Entry| (format!("{folder}{}", entry.name), entry);
            seen.extend(entries.into_iter().map(path));
            Ok(names)
        })?);
    }
    Ok((found, seen))
}

/// The name that `typed` is nearest to, if it is near any.
fn nearest(typed: &str) -> Option<&'static str> {
    VERBS
        .iter()
        .flat_map(Verb::names)
        .map(|name| (distance(typed, name), name))
        .filter(|&(distance, name)| distance <= 2 && distance < name.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// How many letters have to be put in, left out, replaced or swapped with the next to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_found_by_name_alias_and_beginning() {
        for (typed, name) in [
            ("LS", "ls"),
            ("Dir", "ls"),
            ("lp", "lpwd"),
            ("cd", "cd"),
            ("bye", "exit"),
            ("qui", "exit"),
            ("?", "help"),
            ("mk", "mkdir"),
            ("del", "rm"),
            ("ren", "rename"),
        ] {
            assert_eq!(Verb::find(typed).unwrap().name, name, "{typed}");
        }
    }

    #[test]
    fn a_verb_that_is_none_gets_a_hint() {
        let hint = |typed| Verb::find(typed).err().unwrap().to_string();
        assert!(hint("pu1").contains("did you mean put?"));
        assert!(hint("gte").contains("did you mean get?"));
        assert!(hint("exti").contains("did you mean exit?"));
        assert!(hint("frobnicate").contains("help shows all"));
        assert!(hint("cdd").contains("cd"));
        assert_eq!(hint("pw "), "there is no verb \"pw \"; did you mean pwd?");
        assert!(hint("mp1").contains("mput"));
        assert_eq!(hint("q"), "\"q\" may be quote or quit");
    }

    #[test]
    fn no_name_stands_for_two_verbs_and_every_usage_names_its_verb() {
        let mut names: Vec<&str> = VERBS.iter().flat_map(Verb::names).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for verb in &VERBS {
            assert_eq!(verb.usage.split(' ').next(), Some(verb.name));
            assert!(names.contains(&verb.name));
        }
    }

    #[test]
    fn usage_says_how_many_arguments_there_are() {
        let takes = |name| Verb::find(name).unwrap().arguments();
        assert_eq!(takes("get"), 1..=4);
        assert_eq!(takes("mirror"), 1..=5);
        assert_eq!(takes("pwd"), 0..=0);
        assert_eq!(takes("rm"), 1..=usize::MAX);
        assert_eq!(takes("ls"), 0..=usize::MAX);
        assert_eq!(takes("chmod"), 2..=usize::MAX);
    }
}
