//! Listings: `LIST`, `NLST`, `MLSD`, and `STAT` of a path.

mod readings;

pub(super) use readings::Readings;

use super::failure;
use super::glob::Glob;
use super::root::{Listing, Place, VirtualPath};
use super::session::{Session, reply};
use super::transfer::{Failure, Transfer, cut_reply};
use super::watch::{Cut, Watch};
use crate::protocol::command::Arg;
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Reply, ReplyCode};
use jiff::Timestamp;
use readings::{Subject, Turn};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many bytes of a listing go into one write.
const LISTING_BUFFER: usize = 32 * 1024;
/// How many are held in memory for others who have asked for the same listing: more of them are sent as they come.
const SHARED_MOST: usize = 128 * 1024;
/// How many rows a `STAT` tells at the most: they are held in memory, and the control connection is no place for more.
const MAX_STAT_ROWS: usize = 1000;
/// After how many entries of a folder the control connection is looked at, whether there are rows of them or not.
const LOOK_EVERY: u32 = 256;

#[inline(never)]
pub(super) fn list(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let now = Timestamp::now();
    let name = without_options(path);
    send(session, "LIST", name, |entry, out| {
        entry.write_row(now, out)
    })
}

#[inline(never)]
pub(super) fn nlst(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let name = without_options(path);
    send(session, "NLST", name, |entry, out| {
        out.write_all(entry.name.as_bytes())
    })
}

/// RFC 3659 §7.
#[inline(never)]
pub(super) fn mlsd(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let facts = session.facts;
    let name = path.map_or("", Arg::as_str);
    send(session, "MLSD", name, |entry, out| {
        entry.write_facts(facts, out)
    })
}

/// RFC 959 §4.1.3: a listing over the control connection.
#[inline(never)]
pub(super) fn stat(session: &mut Session<'_>, path: &Arg) -> io::Result<Reply> {
    let (folder, mut rows) = match Rows::of(session, "STAT", without_options(Some(path)))? {
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    let code = match rows.entries {
        Entries::One(_) => ReplyCode::FILE_STATUS,
        Entries::Folder(_) => ReplyCode::DIRECTORY_STATUS,
    };
    let now = Timestamp::now();
    let activity = format!("STAT {path}");
    let mut watch = Watch::new(
        &mut session.control,
        &session.shared.phase,
        session.live,
        &activity,
    );
    let mut lines = Vec::new();
    loop {
        let entry = match rows.next(|| watch.glance()) {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(stop) => return stop.reply(&folder),
        };
        if lines.len() == MAX_STAT_ROWS {
            lines.push("and more, use LIST".to_owned());
            break;
        }
        let mut row = Vec::new();
        entry.write_row(now, &mut row)?;
        lines.push(String::from_utf8_lossy(&row).into_owned());
    }
    let opening = format!("Status of {path}:");
    Ok(Reply::multi(code, opening, lines, "End"))
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

/// Sends a listing, a row by `write` for each entry, or what was read just now for another client.
fn send(
    session: &mut Session<'_>,
    verb: &'static str,
    name: &str,
    write: impl Fn(&Entry, &mut Vec<u8>) -> io::Result<()>,
) -> io::Result<Reply> {
    let data = session.data.take();
    let (path, mut rows) = match Rows::of(session, verb, name)? {
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    if verb == "MLSD" && matches!(rows.entries, Entries::One(_)) {
        let text = format!("{name} is not a folder, use MLST.");
        return reply(ReplyCode::BAD_ARGUMENT, text);
    }
    let opening = format!("Listing {path}.");
    let subject = rows.place().map(|place| Subject {
        verb,
        place,
        permissions: session.permissions(),
        facts: session.facts,
    });
    let readings = &session.shared.readings;
    Transfer {
        verb,
        path,
        opening,
        data,
    }
    .run(session, |channel| {
        let turn = match subject {
            Some(subject) => readings.turn(subject, || channel.look()),
            None => Ok(Turn::Alone),
        };
        let mut reading = match turn.map_err(Failure::Data)? {
            Turn::Shared(text) => return channel.write_all(&text).map_err(Failure::Data),
            Turn::Read(reading) => Some(reading),
            Turn::Alone => None,
        };
        let mut text = Vec::with_capacity(LISTING_BUFFER);
        while let Some(entry) = rows.next(|| channel.look())? {
            write(&entry, &mut text).map_err(Failure::Data)?;
            text.extend_from_slice(b"\r\n");
            let most = reading.as_ref().map_or(LISTING_BUFFER, |_| SHARED_MOST);
            if text.len() >= most {
                reading = None;
                channel.write_all(&text).map_err(Failure::Data)?;
                text.clear();
            }
        }
        let text = Arc::new(text);
        if let Some(reading) = reading {
            reading.share(Arc::clone(&text));
        }
        channel.write_all(&text).map_err(Failure::Data)
    })
}

/// What a listing command's word stands for.
enum Entries {
    /// The entries of a folder, or those of them that match a glob.
    Folder(Listing),
    /// A file.
    One(std::iter::Once<Entry>),
}

/// The entries that a listing tells of, one after the other.
///
/// A folder may have millions of others between two of them. So that the search hears the client and the end of the server
/// meanwhile, and does not go on for ever, it stops for a look in regular steps, and ends when it has found nothing for as
/// long as `--data-timeout`.
struct Rows {
    entries: Entries,
    /// What names have before them, as a shell has it: the words before a glob.
    before: String,
    /// One that was found already.
    first: Option<Entry>,
    /// How many entries were looked at.
    walked: u32,
    limit: Duration,
}

/// Why there is no next row.
enum Stop<C> {
    /// What the look has come to.
    Seen(C),
    File(io::Error),
}

impl Rows {
    /// Finds out what a word means, or the refusal. What is there by its very name is never a glob, and to `MLSD` nothing is
    /// (RFC 3659 §7.2).
    fn of(
        session: &mut Session<'_>,
        verb: &str,
        name: &str,
    ) -> io::Result<Result<(VirtualPath, Self), Reply>> {
        let path = match session.path(name) {
            Ok(path) => path,
            Err(error) => return Ok(Err(failure::bad_path(error, false))),
        };
        let (root, permissions) = (session.root(), session.permissions());
        let entries = match root.entry(&path, permissions) {
            Ok(entry) if entry.kind == Kind::Folder => {
                root.list(&path, permissions, None).map(Entries::Folder)
            }
            Ok(entry) => Ok(Entries::One(std::iter::once(Entry {
                name: name.to_owned(),
                ..entry
            }))),
            Err(error)
                if verb != "MLSD"
                    && error.kind() == io::ErrorKind::NotFound
                    && name.contains(['*', '?', '[']) =>
            {
                return Self::matching(session, verb, name);
            }
            Err(error) => Err(error),
        };
        Ok(match entries {
            Ok(entries) => Ok((path, Self::new(entries, session.config.limits.data))),
            Err(error) => Err(failure::file(&error, &path)),
        })
    }

    /// Only the last part of the word is a glob: a listing is of one folder and never of a tree.
    fn matching(
        session: &mut Session<'_>,
        verb: &str,
        name: &str,
    ) -> io::Result<Result<(VirtualPath, Self), Reply>> {
        let (before, pattern) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
        let folder = match session.path(before) {
            Ok(folder) => folder,
            Err(error) => return Ok(Err(failure::bad_path(error, false))),
        };
        let none = io::ErrorKind::NotFound.into();
        let Some(glob) = Glob::parse(pattern) else {
            return Ok(Err(failure::file(&none, &folder)));
        };
        let permissions = session.permissions();
        let listing = match session.root().list(&folder, permissions, Some(glob)) {
            Ok(listing) => listing,
            Err(error) => return Ok(Err(failure::file(&error, &folder))),
        };
        let mut rows = Self {
            before: before.to_owned(),
            ..Self::new(Entries::Folder(listing), session.config.limits.data)
        };
        let activity = format!("{verb} {name}");
        let mut watch = Watch::new(
            &mut session.control,
            &session.shared.phase,
            session.live,
            &activity,
        );
        // 550 and not an empty listing where nothing matches, as `mget` of BSD's `ftp` and ftplib's `nlst` know it.
        match rows.next(|| watch.glance()) {
            Ok(Some(first)) => {
                rows.first = Some(first);
                Ok(Ok((folder, rows)))
            }
            Ok(None) => Ok(Err(failure::file(&none, &folder))),
            Err(stop) => stop.reply(&folder).map(Err),
        }
    }

    const fn new(entries: Entries, limit: Duration) -> Self {
        Self {
            entries,
            before: String::new(),
            first: None,
            walked: 0,
            limit,
        }
    }

    /// What is listed, if others may be told the same.
    fn place(&self) -> Option<Place> {
        match &self.entries {
            Entries::Folder(listing) => listing.place().ok(),
            Entries::One(_) => None,
        }
    }

    /// The next entry, and in regular steps a look at something else.
    fn next<C>(
        &mut self,
        mut look: impl FnMut() -> Result<(), C>,
    ) -> Result<Option<Entry>, Stop<C>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let mut deadline = None;
        loop {
            let entry = match &mut self.entries {
                Entries::One(entry) => return Ok(entry.next()),
                Entries::Folder(listing) => match listing.next() {
                    Some(entry) => entry.map_err(Stop::File)?,
                    None => return Ok(None),
                },
            };
            self.walked = self.walked.wrapping_add(1);
            if self.walked.is_multiple_of(LOOK_EVERY) {
                look().map_err(Stop::Seen)?;
                let now = Instant::now();
                if now >= *deadline.get_or_insert(now + self.limit) {
                    return Err(Stop::File(io::ErrorKind::TimedOut.into()));
                }
            }
            if let Some(mut entry) = entry {
                entry.name.insert_str(0, &self.before);
                return Ok(Some(entry));
            }
        }
    }
}

impl Stop<Cut> {
    fn reply(self, path: &VirtualPath) -> io::Result<Reply> {
        match self {
            Self::Seen(cut) => cut_reply(cut, ReplyCode::TRANSFER_ABORTED),
            Self::File(error) => Ok(failure::file(&error, path)),
        }
    }
}

impl From<Stop<io::Error>> for Failure {
    fn from(stop: Stop<io::Error>) -> Self {
        match stop {
            Stop::Seen(error) => Self::Data(error),
            Stop::File(error) => Self::File(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::root::{Durability, Root};
    use crate::server::users::Access;
    use tempfile::TempDir;

    // Outside, it would take a folder that no test can make in time.
    #[test]
    fn a_search_that_finds_nothing_for_too_long_ends() {
        let folder = TempDir::with_prefix("ftp-test-").unwrap();
        for number in 0..2 * LOOK_EVERY {
            std::fs::write(folder.path().join(format!("{number}")), "").unwrap();
        }
        let root = Root::open(folder.path(), Durability::Relaxed).unwrap();
        let rows = |glob: &str, limit| {
            let (path, only) = (VirtualPath::root(), Glob::parse(glob));
            let listing = root.list(&path, Access::Read.into(), only).unwrap();
            Rows::new(Entries::Folder(listing), limit)
        };
        let (mut looks, none) = (0, Duration::ZERO);
        let mut look = || {
            looks += 1;
            Ok::<_, Cut>(())
        };
        let stopped = rows("none", none).next(&mut look);
        assert!(
            matches!(stopped, Err(Stop::File(error)) if error.kind() == io::ErrorKind::TimedOut)
        );
        let ended = rows("none", Duration::from_secs(3600)).next(&mut look);
        assert!(matches!(ended, Ok(None)));
        // A row is no more than so many entries away.
        assert!(matches!(rows("*", none).next(&mut look), Ok(Some(_))));
        assert_eq!(looks, 3);
    }
}
