//! Trees of folders: what is in one, and the same folder made on the other side.

use super::connection::Connection;
use super::error::{Trouble, local_trouble};
use super::jobs::{Job, Way, What};
use super::mirror::Tally;
use super::{listing, text};
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Class, Reply, ReplyCode};
use anyhow::Result;
use jiff::Timestamp;
use std::fs::{self, DirEntry};
use std::path::Path;

/// Where folders are nested deeper, a link leads back to its own folder most likely.
const DEEPEST: u32 = 100;

/// RFC 959, appendix II: the folder is there already.
const EXISTS: ReplyCode = ReplyCode(521);

/// What is in a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) jobs: Vec<Job>,
    /// What there is and cannot be moved.
    pub(super) faults: Vec<anyhow::Error>,
    /// What else a mirror has come to there.
    pub(super) tally: Tally,
}

/// Makes the other side's folder, and says what is to be moved into it.
///
/// # Errors
/// The folder could not be made or listed, or a connection broke.
pub(super) fn open(way: Way, connection: &mut Connection, job: &Job, depth: u32) -> Result<Found> {
    check_depth(depth)?;
    match way {
        Way::Down => remote(connection, job, depth),
        Way::Up => {
            make(connection, &job.remote)?;
            local(job, depth)
        }
    }
}

/// # Errors
/// The folder is too deep in others.
pub(super) fn check_depth(depth: u32) -> Result<(), Trouble> {
    if depth <= DEEPEST {
        return Ok(());
    }
    Err(Trouble::Failed(format!(
        "there are more than {DEEPEST} folders in each other; a link may lead in a circle"
    )))
}

fn remote(connection: &mut Connection, job: &Job, depth: u32) -> Result<Found> {
    // Listed first: a folder that is not there leaves none behind on this side.
    let entries = listing::entries(connection, Some(&job.remote))?;
    let folder = job.local();
    fs::create_dir_all(&folder)
        .map_err(|error| local_trouble("make the folder", &folder, &error))?;
    let jobs = entries.into_iter().map(|entry| {
        let what = of_entry(connection, &entry, depth);
        // `listing` has let through only what can be a name in this folder.
        job.inner(entry.name, what)
    });
    Ok(Found {
        jobs: jobs.collect(),
        ..Found::default()
    })
}

/// What a listed entry is about. What a link is only the server knows, and it says so when it is asked for the file.
fn of_entry(connection: &Connection, entry: &Entry, depth: u32) -> What {
    match entry.kind {
        Kind::Folder => What::Folder { depth: depth + 1 },
        _ => file(connection, entry),
    }
}

/// A file as a listing tells of it. The times of a `LIST` are those of a minute or a day: better than none.
pub(super) fn file(connection: &Connection, entry: &Entry) -> What {
    let able = &connection.abilities;
    What::File {
        size: entry.size.filter(|_| entry.kind == Kind::File),
        modified: entry
            .modified
            .filter(|_| entry.kind == Kind::File && (able.mlsd || !able.mdtm)),
    }
}

/// What is in a folder on this side, by name.
///
/// # Errors
/// [`Trouble::Local`].
pub(super) fn list(folder: &Path) -> Result<Vec<DirEntry>, Trouble> {
    let mut entries: Vec<DirEntry> = fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(|error| local_trouble("list", folder, &error))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

fn local(job: &Job, depth: u32) -> Result<Found> {
    let entries = list(&job.local())?;
    let mut found = Found::default();
    for entry in entries {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            let error = local_trouble("send", &path, &"its name is not UTF-8 text");
            found.faults.push(error.into());
            continue;
        };
        if let Some(what) = of_path(&path, depth) {
            found.jobs.push(job.inner(name, what));
        }
    }
    Ok(found)
}

/// What there is to be sent at a path, if anything.
pub(super) fn of_path(path: &Path, depth: u32) -> Option<What> {
    let Ok(metadata) = fs::metadata(path) else {
        // Whoever opens it will say what is wrong.
        return Some(What::FILE);
    };
    let why = match metadata.is_dir() {
        // A link may lead out of the tree, or back to its top.
        true if path.is_symlink() => "a link to a folder",
        true => return Some(What::Folder { depth: depth + 1 }),
        false if metadata.is_file() => {
            let modified = metadata.modified().ok();
            return Some(What::File {
                size: Some(metadata.len()),
                modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
            });
        }
        false => "neither a file nor a folder",
    };
    text::say(&format!("left out {}: it is {why}", path.display()));
    None
}

/// Makes a folder on the server, and those above it where they are missing.
///
/// # Errors
/// The server refused, or the connection broke.
pub(super) fn make(connection: &mut Connection, folder: &str) -> Result<()> {
    let Some(refusal) = mkd(connection, folder)? else {
        return Ok(());
    };
    if is_there(connection, folder, &refusal)? {
        return Ok(());
    }
    let ends = folder
        .match_indices('/')
        .map(|(at, _)| at)
        .filter(|&at| at > 0);
    for end in ends {
        mkd(connection, &folder[..end])?;
    }
    match mkd(connection, folder)? {
        Some(reply) => Err(Trouble::Refused(reply).into()),
        None => Ok(()),
    }
}

/// The server's refusal to make a folder, if it does refuse.
fn mkd(connection: &mut Connection, folder: &str) -> Result<Option<Reply>> {
    let folder: Arg = folder.parse()?;
    let reply = connection.send(&Command::Mkd(folder))?;
    match reply.class() {
        Class::Completion => Ok(None),
        // It may be possible a little later.
        Class::TransientNegative => Err(Trouble::Refused(reply).into()),
        _ => Ok(Some(reply)),
    }
}

/// Whether a folder could not be made only because it is there. RFC 959 has no reply of its own for that; 521 comes from
/// its appendix, and most say 550 and explain.
fn is_there(connection: &mut Connection, folder: &str, refusal: &Reply) -> Result<bool> {
    let text = refusal.text().to_lowercase();
    if refusal.code() == EXISTS || text.contains("already exists") {
        return Ok(true);
    }
    match listing::all(connection, Some(folder)) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.downcast_ref(), Some(Trouble::Refused(_))) => Ok(false),
        Err(error) => Err(error),
    }
}
