//! One file, down or up.

use super::connection::{Connection, Data};
use super::error::{Trouble, local_trouble, upload_failed};
use super::part::Part;
use super::progress::Meter;
use super::{record, text};
use crate::copy::{CHUNK, Checksum, CopyError, copy};
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Class, Reply, ReplyCode};
use crate::protocol::time;
use anyhow::Result;
use jiff::Timestamp;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A transfer that is done.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    /// How many bytes went over the connection this time.
    pub bytes: u64,
    /// How many were there from an earlier attempt.
    pub resumed_at: u64,
    /// In what time, from the command to the server's last word.
    pub took: Duration,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::rate(self.bytes, self.took))?;
        match self.resumed_at {
            0 => Ok(()),
            start => write!(f, ", going on after {}", text::bytes(start)),
        }
    }
}

/// Fetches `remote` into `folder` under the name `local`. The file appears there when it is whole, durable and of the
/// size that the server had said; until then it is called `local.part`. What an earlier attempt has left of it is gone on
/// from, if size and time on the server are what they were. A server that tells no times but in listings has `told` one
/// there.
///
/// # Errors
/// The server refused, a connection broke, the size or the checksum was another, or a local file could not be written. A
/// file of that name that was there before stays as it was.
pub fn get(
    connection: &mut Connection,
    remote: &Arg,
    (folder, local): (&Path, &str),
    told: Option<Timestamp>,
    verify: bool,
    meter: &Meter<'_>,
) -> Result<(Moved, PathBuf)> {
    let target = folder.join(text::single_name(local)?);
    connection.use_image_type()?;
    let mut said = facts(connection, remote)?;
    let mut part = Part::open(&target, &said)?;
    let moved = match fetch(connection, remote, &said, &mut part, meter) {
        Err(error) if connection.abilities.mdtm && is_mismatch(&error) => {
            let now = facts(connection, remote)?;
            if now == said {
                return Err(error);
            }
            // Somebody has put another file there meanwhile, and that one is what is wanted.
            drop(part);
            part = Part::open(&target, &now)?;
            said = now;
            fetch(connection, remote, &said, &mut part, meter)?
        }
        outcome => outcome?,
    };
    if verify && same(connection, remote, part.file(), part.length())? != Some(true) {
        part.start_over()?;
        let text = "the server's checksum is not that of what came, or it has none to tell";
        return Err(Trouble::Mismatch(text.to_owned()).into());
    }
    part.commit(said.modified.or(told).map(Into::into))?;
    Ok((moved, target))
}

/// Sends the regular file `local` to be stored as `remote`, and its modification time if the server takes it. What of it
/// an earlier attempt has brought there is gone on from, if this file is still the one that `record` tells of and the
/// server's checksum of its part is that of the part here.
///
/// # Errors
/// The file could not be read, the server refused, or a connection broke. The server is told of a fault on this side
/// by a reset of the data connection, so that it does not take half a file for the whole.
pub fn put(
    connection: &mut Connection,
    local: &Path,
    remote: &Arg,
    record: Option<&Path>,
    verify: bool,
    meter: &Meter<'_>,
) -> Result<Moved> {
    let mut file = open_regular(local)?;
    connection.use_image_type()?;
    let fault = |error: io::Error| local_trouble("read", local, &error);
    let metadata = file.metadata().map_err(fault)?;
    meter.is_of(metadata.len());
    let mut known = Entry::new(remote.as_str(), Kind::File);
    known.size = Some(metadata.len());
    known.modified = metadata
        .modified()
        .ok()
        .and_then(|time| Timestamp::try_from(time).ok())
        .and_then(whole_seconds);
    let mut start = 0;
    if record.is_some_and(|record| record::says(record, &known))
        && let Some(there) =
            size(connection, remote)?.filter(|there| (1..=metadata.len()).contains(there))
        && same(connection, remote, &file, there)? == Some(true)
    {
        start = there;
    }
    // Without it the next attempt begins at the beginning, which is no loss but of time.
    let _ = record.map(|record| record::write(record, &known));
    let began = Instant::now();
    let (start, bytes) =
        connection.transfer_at(start, &Command::Stor(remote.clone()), |data, start| {
            file.seek(SeekFrom::Start(start)).map_err(fault)?;
            meter.begins_at(start);
            let bytes = send(&mut file, data, |count| meter.moved(count), fault)?;
            Ok((start, bytes))
        })?;
    let took = began.elapsed();
    let _ = record.map(record::remove);
    if verify && same(connection, remote, &file, metadata.len())? != Some(true) {
        return Err(Trouble::Mismatch(
            "the server's checksum is not that of what was sent, or it has none to tell".to_owned(),
        )
        .into());
    }
    if let Some(modified) = known.modified.filter(|_| connection.abilities.mfmt) {
        // A server that minds keeps its own time: the file is there all the same.
        connection.send(&Command::Mfmt(modified, remote.clone()))?;
    }
    Ok(Moved {
        bytes,
        resumed_at: start,
        took,
    })
}

/// Downloads what is missing of a part, and all of it if what was there turns out to be of another file.
fn fetch(
    connection: &mut Connection,
    remote: &Arg,
    said: &Entry,
    part: &mut Part,
    meter: &Meter<'_>,
) -> Result<Moved> {
    let moved = fetch_rest(connection, remote, said, part, meter)?;
    if moved.resumed_at > 0 && same(connection, remote, part.file(), part.length())? == Some(false)
    {
        part.start_over()?;
        return fetch_rest(connection, remote, said, part, meter);
    }
    Ok(moved)
}

fn fetch_rest(
    connection: &mut Connection,
    remote: &Arg,
    said: &Entry,
    part: &mut Part,
    meter: &Meter<'_>,
) -> Result<Moved> {
    if let Some(size) = said.size {
        meter.is_of(size);
    }
    let began = Instant::now();
    let start = connection.transfer_at(
        part.length(),
        &Command::Retr(remote.clone()),
        |data, start| {
            if start < part.length() {
                part.start_over()?;
            }
            part.fill(data, said.size, meter).map(|()| start)
        },
    )?;
    let took = began.elapsed();
    let length = part.length();
    if let Some(size) = said.size.filter(|&size| size != length) {
        let text = format!("only {length} of {size} bytes came; try again");
        return Err(Trouble::Mismatch(text).into());
    }
    Ok(Moved {
        bytes: length - start,
        resumed_at: start,
        took,
    })
}

fn is_mismatch(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::Mismatch(_)))
}

/// Sends all that there is to read, and tells `moved` of every chunk. `unreadable` says what it means that it cannot be read.
///
/// # Errors
/// What `unreadable` says, or the data connection broke. Until the last byte has been written, the end of this process
/// resets the connection: the server does not take half for the whole.
pub(super) fn send(
    from: &mut impl Read,
    mut data: Data,
    moved: impl FnMut(u64),
    unreadable: impl Fn(io::Error) -> Trouble,
) -> Result<u64> {
    let lost = |error: io::Error| upload_failed(&error);
    data.set_reset_on_close(true).map_err(lost)?;
    let bytes = copy(from, &mut data, &mut vec![0; CHUNK], moved).map_err(|error| match error {
        CopyError::Read(error) => unreadable(error),
        CopyError::Write(error) => lost(error),
    })?;
    data.set_reset_on_close(false).map_err(lost)?;
    // A server that has hung up by now tells why in its reply.
    data.finish_writing().map_err(lost)?;
    Ok(bytes)
}

/// What the server says of a file, as far as it says anything.
fn facts(connection: &mut Connection, remote: &Arg) -> Result<Entry> {
    let mut entry = Entry::new(remote.as_str(), Kind::File);
    entry.size = size(connection, remote)?;
    if connection.abilities.mdtm {
        let reply = connection.send(&Command::Mdtm(remote.clone()))?;
        if reply.class() == Class::Completion {
            entry.modified = time::parse_time(reply.text().trim());
        }
    }
    Ok(entry)
}

/// What the server says that the file holds, in bytes (RFC 3659 §4); `None` if it does not say.
///
/// # Errors
/// The connection broke.
pub fn size(connection: &mut Connection, remote: &Arg) -> Result<Option<u64>> {
    if !connection.abilities.size {
        return Ok(None);
    }
    let reply: Reply = connection.send(&Command::Size(remote.clone()))?;
    match (reply.code(), reply.class()) {
        (ReplyCode::UNKNOWN_COMMAND | ReplyCode::NOT_IMPLEMENTED, _) => {
            connection.abilities.size = false;
            Ok(None)
        }
        (ReplyCode::NOT_AVAILABLE, _) => Err(Trouble::Refused(reply).into()),
        (_, Class::Completion) => Ok(reply.text().trim().parse().ok()),
        // Not a file, not there, or SIZE is not allowed: RETR will tell.
        _ => Ok(None),
    }
}

/// Whether the server's checksum of `remote` is that of the first `length` bytes of `file`; `None` if it tells none.
fn same(
    connection: &mut Connection,
    remote: &Arg,
    mut file: &File,
    length: u64,
) -> Result<Option<bool>> {
    let Some(algorithm) = connection.abilities.hash else {
        return Ok(None);
    };
    let reply = connection.send(&Command::Hash(remote.clone()))?;
    if reply.class() != Class::Completion {
        return Ok(None);
    }
    let mut checksum = Checksum::new(algorithm);
    file.rewind()
        .and_then(|()| {
            Ok(copy(
                &mut file.take(length),
                &mut checksum,
                &mut vec![0; CHUNK],
                |_| {},
            )?)
        })
        .map_err(|error| Trouble::Local(format!("cannot read the file back: {error}")))?;
    // `SHA-256 0-49 169cd222… name`
    let theirs = reply
        .text()
        .split_ascii_whitespace()
        .nth(2)
        .unwrap_or_default();
    Ok(Some(theirs.eq_ignore_ascii_case(&checksum.finish())))
}

/// What the wire can say of a time (RFC 3659 §2.3).
fn whole_seconds(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

/// Opens a file to send. What is not a regular file (a pipe, a device) may have no end, or never begin.
fn open_regular(path: &Path) -> Result<File, Trouble> {
    let fault = |error: &dyn std::fmt::Display| local_trouble("read", path, error);
    let metadata = fs::metadata(path).map_err(|error| fault(&error))?;
    if metadata.is_dir() {
        return Err(fault(&"it is a folder, and put sends one file"));
    }
    if !metadata.is_file() {
        return Err(fault(&"it is not a regular file"));
    }
    File::open(path).map_err(|error| fault(&error))
}
