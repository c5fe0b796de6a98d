//! One file to the server.

use super::connection::{Connection, Data};
use super::error::{Trouble, accepted};
use super::progress::Meter;
use super::record;
use super::transfer::{Moved, same, send, size, unreadable};
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Class, ReplyCode};
use anyhow::Result;
use jiff::Timestamp;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What an upload is called on the server behind its name until it is whole, where the server sees to nothing like that.
const PART: &str = ".part";

/// The names of an upload on the server: the one that it is to have, and the one that it has until it is whole.
#[derive(Debug, Clone)]
pub(super) struct Place {
    remote: Arg,
    staged: Option<Arg>,
}

impl Place {
    /// The place of an upload of this name. It has another until it is whole, unless the server sees to that by itself or
    /// lets nothing be renamed.
    pub(super) fn new(connection: &Connection, remote: Arg) -> Self {
        let staged = format!("{remote}{PART}").parse().ok();
        Self {
            staged: staged.filter(|_| connection.abilities.stages()),
            remote,
        }
    }

    /// The name that it has until it is whole.
    pub(super) fn name(&self) -> &Arg {
        self.staged.as_ref().unwrap_or(&self.remote)
    }

    /// What gives an upload that has arrived the name that it is to have. Of these replies the last one counts.
    pub(super) fn commands(&self) -> Vec<Command> {
        let rename = |staged: &Arg| {
            vec![
                Command::Rnfr(staged.clone()),
                Command::Rnto(self.remote.clone()),
            ]
        };
        self.staged.as_ref().map(rename).unwrap_or_default()
    }

    /// Gives an upload that has arrived the name that it is to have.
    ///
    /// # Errors
    /// The server refused: it is still called as it was.
    pub(super) fn settle(&self, connection: &mut Connection) -> Result<()> {
        for command in self.commands() {
            let reply = connection.send(&command)?;
            if reply.class() != Class::Intermediate {
                accepted(reply)?;
            }
        }
        Ok(())
    }

    /// Whether `error` may be about the name alone that an upload has until it is whole.
    pub(super) fn is_unwanted(&self, error: &anyhow::Error) -> bool {
        let refused = match error.downcast_ref() {
            Some(Trouble::Refused(reply)) => {
                reply.class() == Class::PermanentNegative && reply.code() != ReplyCode::OVER_LIMIT
            }
            _ => false,
        };
        refused && self.staged.is_some()
    }

    /// Does something that uploads to the name it is told, and gives the upload its own name then. Where the server does not
    /// let it have another one first, it is done once more straight away.
    ///
    /// # Errors
    /// What `upload` says, or the server let the file not be renamed.
    pub(super) fn fill<T>(
        &mut self,
        connection: &mut Connection,
        mut upload: impl FnMut(&mut Connection, &Self) -> Result<T>,
    ) -> Result<T> {
        let outcome = upload(connection, self).and_then(|value| {
            self.settle(connection)?;
            Ok(value)
        });
        match (outcome, &self.staged) {
            (Err(error), Some(staged)) if self.is_unwanted(&error) && !connection.is_broken() => {
                log::debug!("{error:#}; now without another name");
                connection.send(&Command::Dele(staged.clone()))?;
            }
            (outcome, _) => return outcome,
        }
        self.staged = None;
        let value = upload(connection, self)?;
        connection.abilities.rename = false;
        Ok(value)
    }
}

/// A regular file that is sent, and where to.
#[derive(Debug)]
pub(super) struct Upload {
    file: File,
    local: PathBuf,
    /// Size and time of the file, as far as the wire can tell them.
    known: Entry,
    length: u64,
    pub(super) place: Place,
}

impl Upload {
    /// Opens the file.
    ///
    /// # Errors
    /// [`Trouble::Local`].
    pub(super) fn open(connection: &Connection, local: &Path, remote: Arg) -> Result<Self> {
        let file = open_regular(local)?;
        let metadata = file.metadata().map_err(|error| unreadable(local, &error))?;
        let mut known = Entry::new(remote.as_str(), Kind::File);
        known.size = Some(metadata.len());
        known.modified = metadata
            .modified()
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok())
            .and_then(whole_seconds);
        Ok(Self {
            file,
            local: local.to_owned(),
            known,
            length: metadata.len(),
            place: Place::new(connection, remote),
        })
    }

    /// Sends the file from byte `start`, and tells how many bytes those were. The server is told of a fault on this side by
    /// a reset of the data connection, so that it does not take half a file for the whole.
    ///
    /// # Errors
    /// The file could not be read, or the data connection broke.
    pub(super) fn send(&mut self, data: Data<'_>, start: u64, meter: &Meter<'_>) -> Result<u64> {
        meter.begins_at(start);
        let Self { file, local, .. } = self;
        send(
            data,
            |data| data.send(file, start, |count| meter.moved(count)),
            |error| unreadable(local, &error),
        )
    }

    /// What gives the file on the server the time that it has here, if the server does that.
    pub(super) fn keep_time(&self, connection: &Connection) -> Option<Command> {
        let modified = self.known.modified?;
        let command = Command::Mfmt(modified, self.place.remote.clone());
        connection.abilities.mfmt.then_some(command)
    }

    /// Where to go on: behind what an earlier attempt has brought there, if this file is still the one that `record` tells
    /// of, and the server's checksum of its part, where it has one, that of the part here.
    fn start(
        &self,
        connection: &mut Connection,
        place: &Place,
        record: Option<&Path>,
    ) -> Result<u64> {
        if !record.is_some_and(|record| record::says(record, &self.known)) {
            return Ok(0);
        }
        // The size of a file as text is another one.
        connection.use_image_type()?;
        let there = size(connection, place.name())?;
        let Some(there) = there.filter(|there| (1..=self.length).contains(there)) else {
            return Ok(0);
        };
        let same = same(connection, place.name(), &self.file, there)?;
        // A part under a name of its own is nobody else's; a file under the final name may be anybody's.
        Ok(match same.unwrap_or(place.staged.is_some()) {
            true => there,
            false => 0,
        })
    }
}

/// Sends the regular file `local` to be stored as `remote`, and its modification time if the server takes it. What of it
/// an earlier attempt has brought there is gone on from, if `record` tells of the same file.
///
/// # Errors
/// The file could not be read, the server refused, or a connection broke.
pub(super) fn put(
    connection: &mut Connection,
    local: &Path,
    remote: &Arg,
    record: Option<&Path>,
    verify: bool,
    meter: &Meter<'_>,
) -> Result<Moved> {
    let mut upload = Upload::open(connection, local, remote.clone())?;
    if !connection.answers_ahead() {
        // Elsewhere it goes out with what the transfer begins with.
        connection.use_image_type()?;
    }
    meter.is_of(upload.length);
    let mut place = upload.place.clone();
    let moved = place.fill(connection, |connection, place| {
        upload.put(connection, place, record, verify, meter)
    })?;
    let _ = record.map(record::remove);
    if let Some(command) = upload.keep_time(connection) {
        // A server that minds keeps its own time: the file is there all the same.
        connection.send(&command)?;
    }
    Ok(moved)
}

impl Upload {
    fn put(
        &mut self,
        connection: &mut Connection,
        place: &Place,
        record: Option<&Path>,
        verify: bool,
        meter: &Meter<'_>,
    ) -> Result<Moved> {
        let start = self.start(connection, place, record)?;
        // Without it the next attempt begins at the beginning, which is no loss but of time.
        let _ = record.map(|record| record::write(record, &self.known));
        let began = Instant::now();
        let command = Command::Stor(place.name().clone());
        let (start, bytes) = connection.transfer_at(start, &command, |data, start| {
            Ok((start, self.send(data, start, meter)?))
        })?;
        let took = began.elapsed();
        if verify && same(connection, place.name(), &self.file, self.length)? != Some(true) {
            let text = "the server's checksum is not that of what was sent, or it has none to tell";
            return Err(Trouble::Mismatch(text.to_owned()).into());
        }
        Ok(Moved {
            bytes,
            resumed_at: start,
            took,
        })
    }
}

/// What the wire can say of a time (RFC 3659 §2.3).
fn whole_seconds(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}

/// Opens a file to send. What is not a regular file (a pipe, a device) may have no end, or never begin.
fn open_regular(path: &Path) -> Result<File, Trouble> {
    let fault = |error: &dyn std::fmt::Display| unreadable(path, error);
    let metadata = fs::metadata(path).map_err(|error| fault(&error))?;
    if metadata.is_dir() {
        return Err(fault(&"it is a folder, and put sends one file"));
    }
    if !metadata.is_file() {
        return Err(fault(&"it is not a regular file"));
    }
    File::open(path).map_err(|error| fault(&error))
}
