//! Verbs about the server's files and folders.

use super::{DONE, each, remote_names};
use crate::client::connection::Connection;
use crate::client::error::Trouble;
use crate::client::events::Event;
use crate::client::glob::{Name, Want, expand, split};
use crate::client::words::Word;
use crate::client::{Client, events, listing, names, screen, text};
use crate::json::{Object, Value};
use crate::protocol::command::Command;
use crate::protocol::entry::Entry;
use crate::protocol::reply::Class;
use crate::protocol::site::Site;
use crate::protocol::time::parse_time;
use anyhow::Result;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;

pub(super) fn ls(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    // `ls -la` is in everybody's fingers, and says nothing that is not shown anyway.
    let asked: Vec<&Word> = arguments.iter().filter(|word| !is_option(word)).collect();
    let [one] = asked[..] else {
        if asked.is_empty() {
            let entries = listing::entries(client.connection()?, None)?;
            client.listed("", &entries);
            show(&entries, None)?;
            return DONE;
        }
        let asked: Vec<Word> = asked.into_iter().cloned().collect();
        return each(client, &asked, |client, folder| {
            let word = asked.iter().find(|word| word.text == folder);
            heading(folder)?;
            list(client, word.unwrap_or(&asked[0]))
        });
    };
    list(client, one)?;
    DONE
}

fn list(client: &mut Client, word: &Word) -> Result<()> {
    let entries = matching(client, word)?;
    // What matches a glob has its folder in its name.
    show(&entries, Some(&*word.text).filter(|_| word.glob.is_none()))
}

fn is_option(word: &Word) -> bool {
    let letters = word.text.strip_prefix('-').unwrap_or_default();
    word.bare && !letters.is_empty() && letters.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The entries of a folder, or those that a glob stands for, with as much of their paths as the glob has.
fn matching(client: &mut Client, word: &Word) -> Result<Vec<Entry>> {
    if word.glob.is_none() {
        return listing::entries(client.connection()?, Some(&word.text));
    }
    let mut seen: Vec<(String, Entry)> = Vec::new();
    let paths = expand(word, Want::All, |folder| {
        let entries = listing::entries(client.connection()?, names::listed(folder))?;
        client.listed(folder, &entries);
        let names = entries.iter().map(Name::from).collect();
        seen.extend(
            entries
                .into_iter()
                .map(|entry| (format!("{folder}{}", entry.name), entry)),
        );
        Ok(names)
    })?;
    seen.retain(|(path, _)| paths.binary_search(path).is_ok());
    seen.dedup_by(|a, b| a.0 == b.0);
    Ok(seen
        .into_iter()
        .map(|(path, entry)| Entry {
            name: path,
            ..entry
        })
        .collect())
}

/// Tells people which of several folders comes now. Programs find it in each row.
pub(super) fn heading(folder: &str) -> Result<()> {
    match events::is_json() {
        true => Ok(()),
        false => Ok(text::show([format!("{folder}:")])?),
    }
}

/// Shows entries: on a terminal as a table, else just their names, and to programs all that is known.
pub(super) fn show(entries: &[Entry], folder: Option<&str>) -> Result<()> {
    if events::is_json() {
        return Ok(text::rows(
            entries.iter().map(|entry| listing::row(entry, folder)),
        )?);
    }
    if !io::stdout().is_terminal() {
        text::show(entries.iter().map(|entry| &entry.name))?;
        return Ok(());
    }
    if entries.is_empty() {
        text::say("(empty)");
    }
    let width = screen::size().map(|(columns, _)| columns);
    text::print(listing::columns(entries, width, screen::has_colours()))?;
    Ok(())
}

pub(super) fn cd(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let mut folders = remote_names(client, arguments, Want::Folders)?;
    let (Some(folder), None) = (folders.pop(), folders.pop()) else {
        let error = format!("{} stands for more than one folder", arguments[0].text);
        return Err(Trouble::Usage(error).into());
    };
    client
        .connection()?
        .expect(&Command::Cwd(folder.parse()?))?;
    arrived(client)
}

pub(super) fn cdup(client: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    client.connection()?.expect(&Command::Cdup)?;
    arrived(client)
}

/// Tells where the session is now.
fn arrived(client: &mut Client) -> Result<ControlFlow<()>> {
    client.moved();
    if let Some(folder) = client.ask_folder()? {
        Event::Entered(folder).tell();
    }
    DONE
}

pub(super) fn pwd(client: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    match client.ask_folder()? {
        Some(folder) if events::is_json() => {
            text::rows([Object::default().with("folder", folder)])?;
        }
        Some(folder) => text::show([folder])?,
        None => text::say("the server does not tell its current folder"),
    }
    DONE
}

pub(super) fn rm(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    change(
        client,
        arguments,
        Want::Files,
        Event::Removed,
        Command::Dele,
    )
}

pub(super) fn mkdir(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    // There is nothing yet that a glob could match.
    let plain: Vec<Word> = arguments
        .iter()
        .map(|word| Word::literal(&word.text))
        .collect();
    change(client, &plain, Want::Folders, Event::Made, Command::Mkd)
}

pub(super) fn rmdir(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    change(
        client,
        arguments,
        Want::Folders,
        Event::Removed,
        Command::Rmd,
    )
}

/// Sends a command for each of the names, and tells what it `did` there.
fn change(
    client: &mut Client,
    arguments: &[Word],
    want: Want,
    did: impl Fn(String) -> Event,
    command: impl Fn(crate::protocol::command::Arg) -> Command,
) -> Result<ControlFlow<()>> {
    let paths = remote_names(client, arguments, want)?;
    each(client, &paths, |client, path| {
        client.wrote(path);
        client.connection()?.expect(&command(path.parse()?))?;
        did(path.to_owned()).tell();
        Ok(())
    })
}

pub(super) fn rename(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let from = &arguments[0].text;
    let mut to = arguments[1].text.clone();
    if to.ends_with('/') {
        to += split(from.trim_end_matches('/')).1;
    }
    client.wrote(from);
    client.wrote(&to);
    let connection = client.connection()?;
    let reply = connection.send(&Command::Rnfr(from.parse()?))?;
    if reply.class() != Class::Intermediate {
        return Err(Trouble::Refused(reply).into());
    }
    connection.expect(&Command::Rnto(to.parse()?))?;
    Event::Renamed {
        from: from.clone(),
        to,
    }
    .tell();
    DONE
}

pub(super) fn size(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    ask(client, arguments, "size", |connection, path| {
        connection.use_image_type()?;
        let reply = connection.expect(&Command::Size(path.parse()?))?;
        Ok(reply.text().to_owned())
    })
}

pub(super) fn modtime(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    ask(client, arguments, "modified", |connection, path| {
        let reply = connection.expect(&Command::Mdtm(path.parse()?))?;
        // What is no time is shown as it came.
        let time = parse_time(reply.text().trim());
        Ok(time.map_or_else(
            || reply.text().to_owned(),
            |time| match events::is_json() {
                true => time.to_string(),
                false => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            },
        ))
    })
}

pub(super) fn hash(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    if arguments.is_empty() {
        text::say("nothing to switch: progress shows by itself; hash FILE asks for a checksum");
        return DONE;
    }
    client.connect()?;
    ask(client, arguments, "hash", |connection, path| {
        let reply = connection.expect(&Command::Hash(path.parse()?))?;
        // draft-bryan-ftpext-hash: algorithm, range, checksum, name.
        let mut words = reply.text().split(' ');
        Ok(match (words.next(), words.nth(1)) {
            (Some(algorithm), Some(checksum)) => format!("{algorithm} {checksum}"),
            _ => reply.text().to_owned(),
        })
    })
}

/// Shows an answer about each of the files: alone for one that was named, else with the name behind. For programs it is
/// the value of `key`.
fn ask(
    client: &mut Client,
    arguments: &[Word],
    key: &'static str,
    answer: impl Fn(&mut Connection, &str) -> Result<String>,
) -> Result<ControlFlow<()>> {
    let paths = remote_names(client, arguments, Want::Files)?;
    let named = paths.len() == 1 && arguments[0].glob.is_none();
    each(client, &paths, |client, path| {
        let answer = answer(client.connection()?, path)?;
        if events::is_json() {
            // A number, if it is one.
            let value = answer
                .trim()
                .parse()
                .map_or(Value::Text(answer), Value::Number);
            return Ok(text::rows([Object::default()
                .with("name", path)
                .with(key, value)])?);
        }
        text::show([match named {
            true => answer,
            false => format!("{answer}  {path}"),
        }])?;
        Ok(())
    })
}

pub(super) fn chmod(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let typed = &arguments[0].text;
    let mode = u32::from_str_radix(typed, 8)
        .ok()
        .filter(|&mode| mode <= 0o777)
        .ok_or_else(|| {
            let error = format!("\"{typed}\" is no mode: it is written as in chmod 644 FILE");
            Trouble::Usage(error)
        })?;
    let did = |remote| Event::ModeSet { remote, mode };
    change(client, &arguments[1..], Want::All, did, |path| {
        Command::Site(Site::Chmod(mode, path))
    })
}

pub(super) fn quote(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    raw(client, &arguments[0].text)
}

pub(super) fn site(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    raw(client, &format!("SITE {}", arguments[0].text))
}

/// Sends a line and shows the whole answer.
fn raw(client: &mut Client, line: &str) -> Result<ControlFlow<()>> {
    // The line may have changed anything.
    client.forget_names();
    let reply = client.connection()?.quote(line)?;
    if matches!(
        reply.class(),
        Class::TransientNegative | Class::PermanentNegative
    ) {
        return Err(Trouble::Refused(reply).into());
    }
    let code = reply.code();
    if events::is_json() {
        let row = |line: &str| {
            Object::default()
                .with("reply", u64::from(code.0))
                .with("text", line)
        };
        text::rows(reply.lines().map(row))?;
    } else {
        text::show(reply.lines().map(|line| format!("{code} {line}")))?;
    }
    let verb = line
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    if matches!(verb.as_str(), "CWD" | "CDUP" | "XCWD" | "XCUP") {
        client.ask_folder()?;
    }
    DONE
}
