//! The verbs of the prompt: one table, and a handler for each.

use super::error::Trouble;
use super::{Client, listing, text, transfer};
use crate::protocol::command::{Arg, Command};
use anyhow::{Context, Result};
use std::io::{self, IsTerminal};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

/// A verb of the prompt.
pub struct Verb {
    /// Its name, in small letters.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// How it is written, arguments in capitals.
    pub usage: &'static str,
    /// What it does.
    pub help: &'static str,
    /// How many arguments it takes.
    pub arguments: RangeInclusive<usize>,
    /// Whether it talks to the server.
    pub needs_connection: bool,
    /// Its handler; `Break` ends the session.
    pub run: fn(&mut Client, &[String]) -> Result<ControlFlow<()>>,
}

/// All verbs, in the order of `help`.
pub const VERBS: [Verb; 10] = [
    Verb {
        name: "ls",
        aliases: &["dir"],
        usage: "ls [FOLDER]",
        help: "List the server's current folder, or FOLDER; times are UTC",
        arguments: 0..=1,
        needs_connection: true,
        run: ls,
    },
    Verb {
        name: "get",
        aliases: &[],
        usage: "get FILE [LOCAL]",
        help: "Download FILE, as LOCAL if given",
        arguments: 1..=2,
        needs_connection: true,
        run: get,
    },
    Verb {
        name: "put",
        aliases: &[],
        usage: "put FILE [REMOTE]",
        help: "Upload FILE, as REMOTE if given",
        arguments: 1..=2,
        needs_connection: true,
        run: put,
    },
    Verb {
        name: "cd",
        aliases: &[],
        usage: "cd FOLDER",
        help: "Go to FOLDER on the server",
        arguments: 1..=1,
        needs_connection: true,
        run: cd,
    },
    Verb {
        name: "cdup",
        aliases: &[],
        usage: "cdup",
        help: "Go to the folder above, on the server",
        arguments: 0..=0,
        needs_connection: true,
        run: cdup,
    },
    Verb {
        name: "pwd",
        aliases: &[],
        usage: "pwd",
        help: "Show the server's current folder",
        arguments: 0..=0,
        needs_connection: true,
        run: pwd,
    },
    Verb {
        name: "mkdir",
        aliases: &[],
        usage: "mkdir FOLDER",
        help: "Make FOLDER on the server",
        arguments: 1..=1,
        needs_connection: true,
        run: mkdir,
    },
    Verb {
        name: "size",
        aliases: &[],
        usage: "size FILE",
        help: "Show how many bytes FILE holds",
        arguments: 1..=1,
        needs_connection: true,
        run: size,
    },
    Verb {
        name: "help",
        aliases: &["?"],
        usage: "help [VERB]",
        help: "Show the verbs, or how to use VERB",
        arguments: 0..=1,
        needs_connection: false,
        run: help,
    },
    Verb {
        name: "exit",
        aliases: &["quit", "bye"],
        usage: "exit",
        help: "Log out and end",
        arguments: 0..=0,
        needs_connection: false,
        run: exit,
    },
];

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
                let names: Vec<&str> = meant.iter().map(|verb| verb.name).collect();
                format!("\"{typed}\" may be {}", names.join(" or "))
            }
        };
        Err(Trouble::Usage(text))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// Carries out one line of words, the first of which is the verb.
///
/// # Errors
/// The words make no sense, or what the handler says, with the words before it.
pub fn run(client: &mut Client, words: &[String]) -> Result<ControlFlow<()>> {
    let Some((typed, arguments)) = words.split_first() else {
        return DONE;
    };
    let verb = Verb::find(typed)?;
    if !verb.arguments.contains(&arguments.len()) {
        let hint = match arguments.len() > *verb.arguments.end() {
            true if *verb.arguments.end() > 0 => " (a name with spaces goes in quotes)",
            _ => "",
        };
        return Err(Trouble::Usage(format!("usage: {}{hint}", verb.usage)).into());
    }
    if let Some(bad) = arguments
        .iter()
        .find(|name| name.contains(char::is_control))
    {
        let error = format!("\"{bad}\" holds control characters, which no name may");
        return Err(Trouble::Usage(error).into());
    }
    if let Some(empty) = arguments.iter().find(|name| name.is_empty()) {
        return Err(Trouble::Usage(format!("a name is empty: \"{empty}\"")).into());
    }
    let tried = || words.join(" ");
    if verb.needs_connection {
        client.connect().with_context(tried)?;
    }
    (verb.run)(client, arguments).with_context(tried)
}

fn ls(client: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    let folder = arguments.first().map(String::as_str);
    let entries = listing::entries(client.connection()?, folder)?;
    if !io::stdout().is_terminal() {
        text::show(entries.iter().map(|entry| &entry.name))?;
        return DONE;
    }
    if entries.is_empty() {
        text::say("(empty)");
    }
    text::show(listing::columns(&entries))?;
    DONE
}

fn get(client: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    let remote: Arg = arguments[0].parse()?;
    let local = match arguments.get(1) {
        Some(local) => local,
        None => arguments[0].rsplit('/').next().unwrap_or_default(),
    };
    let folder = client.options().downloads.clone();
    let verify = client.options().verify;
    let (moved, path) = transfer::get(client.connection()?, &remote, &folder, local, verify)?;
    text::say(&format!(
        "got {remote}: {moved}, saved as {}",
        path.display()
    ));
    DONE
}

fn put(client: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    let local = Path::new(&arguments[0]);
    let name = match arguments.get(1) {
        Some(remote) => remote,
        // A path that ends in `..` has no name, and is a folder, which put itself complains about.
        None => local
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(&arguments[0]),
    };
    let remote: Arg = name.parse()?;
    let record = client.upload_record(local, name)?;
    let verify = client.options().verify;
    let moved = transfer::put(
        client.connection()?,
        local,
        &remote,
        record.as_deref(),
        verify,
    )?;
    text::say(&format!("sent {remote}: {moved}"));
    DONE
}

fn cd(client: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    let folder = arguments[0].parse()?;
    client.connection()?.expect(&Command::Cwd(folder))?;
    arrived(client)
}

fn cdup(client: &mut Client, _: &[String]) -> Result<ControlFlow<()>> {
    client.connection()?.expect(&Command::Cdup)?;
    arrived(client)
}

/// Tells where the session is now.
fn arrived(client: &mut Client) -> Result<ControlFlow<()>> {
    if let Some(folder) = client.ask_folder()? {
        text::say(&format!("now in {folder}"));
    }
    DONE
}

fn pwd(client: &mut Client, _: &[String]) -> Result<ControlFlow<()>> {
    match client.ask_folder()? {
        Some(folder) => text::show([folder])?,
        None => text::say("the server does not tell its current folder"),
    }
    DONE
}

fn mkdir(client: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    let folder = arguments[0].parse()?;
    client.connection()?.expect(&Command::Mkd(folder))?;
    text::say(&format!("made {}", arguments[0]));
    DONE
}

fn size(client: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    let connection = client.connection()?;
    connection.use_image_type()?;
    let reply = connection.expect(&Command::Size(arguments[0].parse()?))?;
    text::show([reply.text()])?;
    DONE
}

fn help(_: &mut Client, arguments: &[String]) -> Result<ControlFlow<()>> {
    if let Some(typed) = arguments.first() {
        let verb = Verb::find(typed)?;
        let mut lines = vec![verb.usage.to_owned(), format!("  {}", verb.help)];
        if !verb.aliases.is_empty() {
            lines.push(format!("  also: {}", verb.aliases.join(", ")));
        }
        text::show(lines)?;
        return DONE;
    }
    let width = VERBS.iter().map(|verb| verb.usage.len()).max().unwrap_or(0);
    text::show(VERBS.iter().map(|verb| {
        let also = match verb.aliases {
            [] => String::new(),
            aliases => format!(" (also: {})", aliases.join(", ")),
        };
        format!("  {:<width$}  {}{also}", verb.usage, verb.help)
    }))?;
    DONE
}

fn exit(_: &mut Client, _: &[String]) -> Result<ControlFlow<()>> {
    Ok(ControlFlow::Break(()))
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
            ("l", "ls"),
            ("cd", "cd"),
            ("bye", "exit"),
            ("q", "exit"),
            ("?", "help"),
            ("mk", "mkdir"),
        ] {
            assert_eq!(Verb::find(typed).unwrap().name, name, "{typed}");
        }
    }

    #[test]
    fn a_verb_that_is_none_gets_a_hint() {
        let hint = |typed| Verb::find(typed).err().unwrap().to_string();
        assert!(hint("p").contains("put or pwd"));
        assert!(hint("gte").contains("did you mean get?"));
        assert!(hint("exti").contains("did you mean exit?"));
        assert!(hint("delete").contains("help shows all"));
    }
}
