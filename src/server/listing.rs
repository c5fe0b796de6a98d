//! Listings: `LIST`, `NLST`, `MLSD`, and `STAT` of a path.

use super::data::DataChannel;
use super::failure;
use super::root::{Listing, VirtualPath};
use super::session::{Session, reply};
use super::transfer::{Failure, Transfer};
use crate::protocol::command::Arg;
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Reply, ReplyCode};
use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use std::io::{self, BufWriter, Write};
use std::iter::Peekable;

/// How many bytes of a listing go into one write.
const LISTING_BUFFER: usize = 32 * 1024;
/// How many rows a `STAT` tells at the most: they are held in memory, and the control connection is no place for more.
const MAX_STAT_ROWS: usize = 1000;

/// The longest pattern, in bytes: twice the longest name. The time that one takes to match grows with its length.
const MAX_PATTERN: usize = 512;

pub(super) fn list(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let now = Timestamp::now();
    let name = without_options(path);
    send(session, "LIST", name, |entry, out| {
        entry.write_row(now, out)
    })
}

pub(super) fn nlst(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let name = without_options(path);
    send(session, "NLST", name, |entry, out| {
        out.write_all(entry.name.as_bytes())
    })
}

/// RFC 3659 §7.
pub(super) fn mlsd(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let facts = session.facts;
    let name = path.map_or("", Arg::as_str);
    send(session, "MLSD", name, |entry, out| {
        entry.write_facts(facts, out)
    })
}

/// RFC 959 §4.1.3: a listing over the control connection.
pub(super) fn stat(session: &mut Session<'_>, path: &Arg) -> io::Result<Reply> {
    let entries = match Entries::of(session, without_options(Some(path)), true) {
        Ok((_, entries)) => entries,
        Err(refusal) => return Ok(refusal),
    };
    let code = if matches!(entries, Entries::One(_)) {
        ReplyCode::FILE_STATUS
    } else {
        ReplyCode::DIRECTORY_STATUS
    };
    let now = Timestamp::now();
    let mut rows = Vec::new();
    for entry in entries {
        let Ok(entry) = entry else { break };
        if rows.len() == MAX_STAT_ROWS {
            rows.push("and more, use LIST".to_owned());
            break;
        }
        let mut row = Vec::new();
        entry.write_row(now, &mut row)?;
        rows.push(String::from_utf8_lossy(&row).into_owned());
    }
    Ok(Reply::multi(
        code,
        format!("Status of {path}:"),
        rows,
        "End",
    ))
}

/// `LIST -la folder` is what many clients send, as if it were `ls`: the options are passed over.
fn without_options(path: Option<&Arg>) -> &str {
    let mut path = path.map_or("", Arg::as_str);
    while path.starts_with('-') {
        path = path
            .split_once(' ')
            .map_or("", |(_, rest)| rest.trim_start());
    }
    path
}

/// Sends a listing, a row by `write` for each entry.
fn send(
    session: &mut Session<'_>,
    verb: &'static str,
    name: &str,
    write: impl Fn(&Entry, &mut BufWriter<&mut DataChannel<'_>>) -> io::Result<()>,
) -> io::Result<Reply> {
    let data = session.data.take();
    let (path, entries) = match Entries::of(session, name, verb != "MLSD") {
        Ok((_, Entries::One(_))) if verb == "MLSD" => {
            return reply(
                ReplyCode::BAD_ARGUMENT,
                format!("{name} is not a folder, use MLST."),
            );
        }
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    let opening = format!("Listing {path}.");
    Transfer {
        verb,
        path,
        opening,
        data,
    }
    .run(session, |channel| {
        let mut out = BufWriter::with_capacity(LISTING_BUFFER, channel);
        for entry in entries {
            let entry = entry.map_err(Failure::File)?;
            write(&entry, &mut out)
                .and_then(|()| out.write_all(b"\r\n"))
                .map_err(Failure::Data)?;
        }
        out.flush().map_err(Failure::Data)
    })
}

/// What a listing command's word stands for.
enum Entries {
    /// The entries of a folder.
    Folder(Listing),
    /// A file.
    One(std::iter::Once<Entry>),
    /// Those entries of a folder that a glob matches, at least one.
    Matching(Box<Peekable<Matching>>),
}

/// The entries of a folder that a glob matches. Their names get the words before it, as a shell has it.
struct Matching {
    listing: Listing,
    matcher: GlobMatcher,
    before: String,
}

impl Entries {
    /// Finds out which of these a word means, or the refusal. What is there by its very name is never a glob.
    fn of(session: &Session<'_>, name: &str, globs: bool) -> Result<(VirtualPath, Self), Reply> {
        let path = session
            .path(name)
            .map_err(|error| failure::bad_path(error, false))?;
        let root = &session.root();
        match root.entry(&path, session.permissions()) {
            Ok(entry) if entry.kind == Kind::Folder => {
                match root.list(&path, session.permissions()) {
                    Ok(listing) => Ok((path, Self::Folder(listing))),
                    Err(error) => Err(failure::file(&error, &path)),
                }
            }
            Ok(entry) => Ok((
                path,
                Self::One(std::iter::once(Entry {
                    name: name.to_owned(),
                    ..entry
                })),
            )),
            Err(error)
                if globs
                    && error.kind() == io::ErrorKind::NotFound
                    && name.contains(['*', '?', '[']) =>
            {
                Self::matching(session, name)
            }
            Err(error) => Err(failure::file(&error, &path)),
        }
    }

    /// Only the last part of the word is a glob: a listing is of one folder and never of a tree.
    fn matching(session: &Session<'_>, name: &str) -> Result<(VirtualPath, Self), Reply> {
        let (before, pattern) = name.rsplit_once('/').map_or(("", name), |(_, last)| {
            name.split_at(name.len() - last.len())
        });
        let folder = session
            .path(before)
            .map_err(|error| failure::bad_path(error, false))?;
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        let Some(glob) = glob.ok().filter(|_| pattern.len() <= MAX_PATTERN) else {
            return Err(failure::file(&io::ErrorKind::NotFound.into(), &folder));
        };
        let listing = session
            .root()
            .list(&folder, session.permissions())
            .map_err(|error| failure::file(&error, &folder))?;
        let mut matching = Matching {
            listing,
            matcher: glob.compile_matcher(),
            before: before.to_owned(),
        }
        .peekable();
        // 550 and not an empty listing where nothing matches, as `mget` of BSD's `ftp` and ftplib's `nlst` know it.
        match matching.peek() {
            Some(Ok(_)) => Ok((folder, Self::Matching(Box::new(matching)))),
            Some(Err(error)) => Err(failure::file(error, &folder)),
            None => Err(failure::file(&io::ErrorKind::NotFound.into(), &folder)),
        }
    }
}

impl Iterator for Entries {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        match self {
            Self::Folder(listing) => listing.next(),
            Self::One(entry) => entry.next().map(Ok),
            Self::Matching(matching) => matching.next(),
        }
    }
}

impl Iterator for Matching {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        loop {
            match self.listing.next()? {
                Ok(entry) if !self.matcher.is_match(&entry.name) => {}
                Ok(entry) => {
                    return Some(Ok(Entry {
                        name: format!("{}{}", self.before, entry.name),
                        ..entry
                    }));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
