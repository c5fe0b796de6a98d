//! What downloads and uploads have in common: what was moved, and what the server says of a file.

use super::connection::{Connection, Data};
use super::error::{Trouble, local_trouble, upload_failed};
use super::text;
use crate::copy::{Checksum, CopyError, copy};
use crate::protocol::command::{Arg, Command};
use crate::protocol::reply::{Class, Reply, ReplyCode};
use anyhow::Result;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// How many bytes a second a server reads at the least for a checksum: what a slow disk does that others use, too.
const HASH_RATE: u64 = 16 * 1024 * 1024;

/// A transfer that is done.
#[derive(Debug, Clone, Copy, Default)]
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

/// Lets `content` be sent as a whole. `unreadable` says what it means that it cannot be read.
///
/// # Errors
/// What `unreadable` says, or the data connection broke. Until the last byte has been written, the end of this process
/// resets the connection: the server does not take half for the whole.
pub(super) fn send(
    mut data: Data<'_>,
    content: impl FnOnce(&mut Data<'_>) -> Result<u64, CopyError>,
    unreadable: impl FnOnce(io::Error) -> Trouble,
) -> Result<u64> {
    let lost = |error: io::Error| upload_failed(&error);
    data.set_reset_on_close(true).map_err(lost)?;
    let bytes = content(&mut data).map_err(|error| match error {
        CopyError::Read(error) => unreadable(error),
        CopyError::Write(error) => lost(error),
    })?;
    data.flush().map_err(lost)?;
    data.set_reset_on_close(false).map_err(lost)?;
    // A server that has hung up by now tells why in its reply.
    data.finish_writing().map_err(lost)?;
    Ok(bytes)
}

/// What the server says that the file holds, in bytes (RFC 3659 §4); `None` if it does not say.
///
/// # Errors
/// The connection broke.
pub fn size(connection: &mut Connection, remote: &Arg) -> Result<Option<u64>> {
    if !connection.abilities.size {
        return Ok(None);
    }
    let reply = connection.send(&Command::Size(remote.clone()))?;
    size_said(connection, reply)
}

/// What the reply to `SIZE` says. One that does not know the command is remembered.
///
/// # Errors
/// The server has closed the connection with it.
pub(super) fn size_said(connection: &mut Connection, reply: Reply) -> Result<Option<u64>> {
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
///
/// # Errors
/// The connection broke, or [`Trouble::Local`].
pub(super) fn same(
    connection: &mut Connection,
    remote: &Arg,
    mut file: &File,
    length: u64,
) -> Result<Option<bool>> {
    let Some(algorithm) = connection.abilities.hash else {
        return Ok(None);
    };
    let busy = Duration::from_secs(length / HASH_RATE);
    let reply = connection.send_long(&Command::Hash(remote.clone()), busy)?;
    if reply.class() != Class::Completion {
        return Ok(None);
    }
    let mut checksum = Checksum::new(algorithm);
    file.rewind()
        .and_then(|()| Ok(copy(&mut file.take(length), &mut checksum, |_| {})?))
        .map_err(|error| Trouble::Local(format!("cannot read the file back: {error}")))?;
    // `SHA-256 0-49 169cd222… name`
    let theirs = reply
        .text()
        .split_ascii_whitespace()
        .nth(2)
        .unwrap_or_default();
    Ok(Some(theirs.eq_ignore_ascii_case(&checksum.finish())))
}

/// What it means that a local file cannot be read.
pub(super) fn unreadable(path: &Path, error: &dyn fmt::Display) -> Trouble {
    local_trouble("read", path, error)
}
