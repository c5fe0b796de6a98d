//! Verbs about this side: the local folder, and the shell.

use super::DONE;
use super::remote::{heading, show};
use crate::client::error::Trouble;
use crate::client::glob::{Name, Want, expand};
use crate::client::words::Word;
use crate::client::{Client, places, text};
use crate::protocol::entry::{Entry, Kind};
use anyhow::Result;
use jiff::Timestamp;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A local path as it was typed: `~` is the home folder if it stands outside of quotes.
pub(in crate::client) fn path(typed: &str, bare: bool) -> PathBuf {
    if bare {
        places::expand(typed)
    } else {
        PathBuf::from(typed)
    }
}

/// The names in a folder, none if it cannot be read. A name that is not UTF-8 cannot be typed, and is left out.
pub(in crate::client) fn names_in(folder: &Path) -> Vec<Name> {
    let names = read(folder).unwrap_or_default();
    let name = |entry: &DirEntry| {
        Some(Name {
            name: entry.file_name().into_string().ok()?,
            // What a link leads to counts.
            folder: entry.path().is_dir(),
        })
    };
    names.iter().filter_map(name).collect()
}

/// The local files that the words stand for.
pub(super) fn local_names(words: &[Word], want: Want) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for word in words {
        // What was typed means the home folder with its `~`, and not a file called `~` that a glob has found.
        let home = word.bare && (word.text == "~" || word.text.starts_with("~/"));
        let names = expand(word, want, |folder| {
            let folder = path(folder, home);
            Ok(read(&folder).map(|_| names_in(&folder)).map_err(|error| {
                Trouble::Local(format!("cannot list {}: {error}", folder.display()))
            })?)
        })?;
        for name in names {
            let path = path(&name, home).into_os_string();
            found.push(path.into_string().map_err(|path| {
                Trouble::Local(format!("the name {} is not UTF-8 text", path.display()))
            })?);
        }
    }
    Ok(found)
}

fn read(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let folder = if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    };
    fs::read_dir(folder)?.collect()
}

pub(super) fn lcd(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let folder = match arguments.first() {
        Some(word) => path(&word.text, word.bare),
        None => places::home().ok_or_else(|| {
            Trouble::Local("there is no home folder to go to: HOME is not set".to_owned())
        })?,
    };
    let go = || {
        std::env::set_current_dir(&folder)?;
        std::env::current_dir()
    };
    let folder = go()
        .map_err(|error| Trouble::Local(format!("cannot go to {}: {error}", folder.display())))?;
    text::say(&format!("now in {} on this side", folder.display()));
    // Who goes to a folder wants to find there what comes.
    client.options.downloads = folder;
    DONE
}

pub(super) fn lpwd(client: &mut Client, _: &[Word]) -> Result<ControlFlow<()>> {
    let folder = std::env::current_dir()
        .map_err(|error| Trouble::Local(format!("cannot tell the local folder: {error}")))?;
    let downloads = folder.join(&client.options().downloads);
    if downloads != folder {
        text::say(&format!("downloads go to {}", downloads.display()));
    }
    text::show([folder.display().to_string()])?;
    DONE
}

pub(super) fn lls(_: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let here = [Word::literal(".")];
    for word in if arguments.is_empty() {
        &here
    } else {
        arguments
    } {
        if word.bare && word.text.starts_with('-') {
            continue;
        }
        let entries = match word.glob {
            Some(_) => local_names(std::slice::from_ref(word), Want::All)?
                .into_iter()
                .map(|path| entry(path.clone(), Path::new(&path)))
                .collect(),
            None => listed(&path(&word.text, word.bare))?,
        };
        if arguments.len() > 1 {
            heading(&word.text)?;
        }
        show(&entries, Some(&*word.text).filter(|_| word.glob.is_none()))?;
    }
    DONE
}

/// The entries of a folder, or a single file, by name.
fn listed(path: &Path) -> Result<Vec<Entry>, Trouble> {
    if path.is_file() {
        return Ok(vec![entry(path.display().to_string(), path)]);
    }
    let mut entries: Vec<Entry> = read(path)
        .map_err(|error| Trouble::Local(format!("cannot list {}: {error}", path.display())))?
        .iter()
        .map(|found| {
            entry(
                found.file_name().to_string_lossy().into_owned(),
                &found.path(),
            )
        })
        .filter(|entry| !entry.name.starts_with('.'))
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn entry(name: String, path: &Path) -> Entry {
    let mut entry = Entry::new(name, Kind::Other);
    if let Ok(metadata) = fs::metadata(path) {
        if metadata.is_dir() {
            entry.kind = Kind::Folder;
        }
        entry.size = Some(metadata.len());
        entry.modified = metadata
            .modified()
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok());
    }
    entry
}

pub(super) fn shell(_: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let shell = shell.unwrap_or_else(|| OsString::from("/bin/sh"));
    let mut command = Command::new(&shell);
    if let Some(line) = arguments.first() {
        command.arg("-c").arg(&line.text);
    }
    let status = command
        .status()
        .map_err(|error| Trouble::Local(format!("cannot run {}: {error}", shell.display())))?;
    if status.success() {
        DONE
    } else {
        Err(Trouble::Failed(format!("the shell ended with {status}")).into())
    }
}
