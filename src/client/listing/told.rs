//! Listings that are to be relied on.

use super::{fetch, lines, refused, undashed, weed};
use crate::client::connection::Connection;
use crate::client::text;
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::Entry;
use anyhow::Result;
use std::collections::HashSet;

/// What servers that let a shell's rules loose on the argument of `LIST` do not take as it is.
const PATTERN: [char; 6] = ['*', '?', '[', '{', '~', '\\'];

/// What a server told of a folder, and how far it can be relied on by who removes what is not among it.
#[derive(Debug, Default)]
pub(in crate::client) struct Told {
    /// By name, as those of [`entries`].
    pub(in crate::client) entries: Vec<Entry>,
    /// The times are those of `LIST` rows: to the minute or to the day, and of whatever zone the server is in.
    pub(in crate::client) rough: bool,
    /// The folder is there for certain, and hidden names are among the entries.
    pub(in crate::client) sure: bool,
    /// Why there may be more in the folder than was told.
    pub(in crate::client) doubt: Option<String>,
}

impl Told {
    pub(super) fn doubt(&mut self, why: impl Into<String>) {
        self.doubt.get_or_insert(why.into());
    }
}

/// As [`entries`], of what is a folder for certain: `MLSD` may refuse a file, and then nothing else is tried. Where there
/// are only rows, hidden names are asked for too.
///
/// # Errors
/// See [`entries`].
pub(in crate::client) fn told(connection: &mut Connection, folder: &str) -> Result<Told> {
    let arg: Arg = folder.parse()?;
    let mut told = fetch(connection, Some(&arg), false)?;
    if told.rough {
        hidden(connection, &arg, &mut told)?;
        if may_be_pattern(folder) {
            told.doubt("the server may take the folder's name for a pattern");
        }
        if let ([only], false) = (&told.entries[..], told.sure)
            && folder.rsplit('/').next() == Some(&only.name)
        {
            told.doubt("it may be a file that the server has listed, and not a folder");
        }
    }
    if let [first, ..] = &weed(&mut told.entries)[..] {
        text::say(&format!("left out of {folder}: {first}"));
        told.doubt(format!("the server lists what is no name here: {first}"));
    }
    if told
        .entries
        .iter()
        .any(|entry| entry.name.contains(char::REPLACEMENT_CHARACTER))
    {
        told.doubt("the server lists names that are not UTF-8 text");
    }
    Ok(told)
}

/// Whether the rows that `LIST` has for a folder may be those of others, which its name stands for as a pattern.
pub(in crate::client) fn may_be_pattern(folder: &str) -> bool {
    folder.contains(PATTERN)
}

/// Asks for the rows of a folder once more, with hidden names among them: `ls -a`. Whether the server has understood shows
/// by the folder's own row, and by the rows that have come without.
fn hidden(connection: &mut Connection, folder: &Arg, told: &mut Told) -> Result<()> {
    let all: Arg = format!("-a {}", undashed(folder)).parse()?;
    let mut rows = match lines(connection, &Command::List(Some(all))) {
        Err(error) if refused(&error).is_some() && !connection.is_broken() => return Ok(()),
        outcome => outcome?.rows(Some(folder)),
    };
    let names: HashSet<&str> = rows.entries.iter().map(|row| &*row.name).collect();
    let others = rows.entries.iter().filter(|row| !row.name.starts_with('.'));
    if names.contains(".")
        && others.count()
            == told
                .entries
                .iter()
                .filter(|e| !e.name.starts_with('.'))
                .count()
        && told
            .entries
            .iter()
            .all(|entry| names.contains(&*entry.name))
    {
        rows.sure = true;
        *told = rows;
    }
    Ok(())
}
