//! Commands on files and folders that need no data connection.

use super::failure;
use super::root::VirtualPath;
use super::session::{Session, reply};
use crate::protocol::command::{Arg, TransferType};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Reply, ReplyCode};
use crate::protocol::time;
use std::io;

/// RFC 959 §4.1.3 and appendix II: a quote in the path is doubled.
fn quoted(path: &VirtualPath) -> String {
    format!("\"{}\"", path.as_str().replace('"', "\"\""))
}

pub(super) fn pwd(session: &mut Session<'_>) -> io::Result<Reply> {
    reply(
        ReplyCode::PATH,
        format!("{} is the current folder.", quoted(&session.cwd)),
    )
}

pub(super) fn cwd(session: &mut Session<'_>, name: &str) -> io::Result<Reply> {
    let (path, entry) = match entry(session, name) {
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    if entry.kind != Kind::Folder {
        return Ok(failure::file(&io::ErrorKind::NotADirectory.into(), &path));
    }
    let text = format!("{path} is the current folder.");
    session.cwd = path;
    reply(ReplyCode::FILE_ACTION_DONE, text)
}

pub(super) fn mkd(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, true)),
    };
    match session.shared.root.create_folder(&path) {
        Ok(()) => reply(ReplyCode::PATH, format!("{} created.", quoted(&path))),
        Err(error) => Ok(failure::file(&error, &path)),
    }
}

/// RFC 3659 §4.
pub(super) fn size(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    if session.transfer_type == TransferType::Ascii {
        // The number of bytes with converted line ends is known only after reading the whole file.
        return reply(
            ReplyCode::UNAVAILABLE,
            "SIZE is not available in ASCII type, send TYPE I first.",
        );
    }
    match entry(session, name.as_str()) {
        Ok((
            _,
            Entry {
                size: Some(size), ..
            },
        )) => reply(ReplyCode::FILE_STATUS, size.to_string()),
        Ok((path, entry)) => Ok(not_a_file(&path, &entry)),
        Err(refusal) => Ok(refusal),
    }
}

/// RFC 3659 §3.
pub(super) fn mdtm(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    match entry(session, name.as_str()) {
        Ok((
            _,
            Entry {
                kind: Kind::File,
                modified: Some(modified),
                ..
            },
        )) => reply(ReplyCode::FILE_STATUS, time::format_time(modified)),
        Ok((path, entry)) => Ok(not_a_file(&path, &entry)),
        Err(refusal) => Ok(refusal),
    }
}

/// RFC 3659 §7.
pub(super) fn mlst(session: &mut Session<'_>, name: Option<&Arg>) -> io::Result<Reply> {
    let (path, entry) = match entry(session, name.map_or(".", Arg::as_str)) {
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    let mut facts = Vec::new();
    entry.write_facts(&mut facts)?;
    let facts = String::from_utf8_lossy(&facts).into_owned();
    Ok(Reply::multi(
        ReplyCode::FILE_ACTION_DONE,
        format!("Listing {path}"),
        [facts],
        "End",
    ))
}

/// What is at the path that a client's word means, or the refusal.
fn entry(session: &Session<'_>, name: &str) -> Result<(VirtualPath, Entry), Reply> {
    let path = session
        .path(name)
        .map_err(|error| failure::bad_path(error, false))?;
    match session.shared.root.entry(&path, session.access()) {
        Ok(entry) => Ok((path, entry)),
        Err(error) => Err(failure::file(&error, &path)),
    }
}

fn not_a_file(path: &VirtualPath, entry: &Entry) -> Reply {
    let what = if entry.kind == Kind::Folder {
        io::ErrorKind::IsADirectory
    } else {
        io::ErrorKind::InvalidInput
    };
    failure::file(&what.into(), path)
}
