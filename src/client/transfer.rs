//! One file, down or up.

use super::connection::Connection;
use super::error::Trouble;
use super::text;
use crate::copy::{CHUNK, CopyError, copy};
use crate::protocol::command::{Arg, Command};
use crate::protocol::reply::{Class, Reply, ReplyCode};
use crate::stream::{Stream, timed_out};
use anyhow::Result;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A transfer that is done.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    /// How many bytes.
    pub bytes: u64,
    /// In what time, from the command to the server's last word.
    pub took: Duration,
}

/// Fetches `remote` into `folder` under the name `local`. The file appears there when it is whole, durable and of the
/// size that the server had said; until then it is called `local.part`.
///
/// # Errors
/// The server refused, a connection broke, the size was another, or a local file could not be written. A file of that
/// name that was there before stays as it was.
pub fn get(
    connection: &mut Connection,
    remote: &Arg,
    folder: &Path,
    local: &str,
) -> Result<(Moved, PathBuf)> {
    let target = folder.join(text::single_name(local)?);
    connection.use_image_type()?;
    let expected = size(connection, remote)?;
    let mut part = Part::open(&target)?;
    let start = Instant::now();
    let bytes = connection.transfer(&Command::Retr(remote.clone()), |data| {
        part.fill(data, expected)
    })?;
    let took = start.elapsed();
    if let Some(expected) = expected.filter(|&expected| expected != bytes) {
        return Err(Trouble::Mismatch(format!(
            "only {bytes} of {expected} bytes came, so the file was not kept; try again"
        ))
        .into());
    }
    part.commit()?;
    Ok((Moved { bytes, took }, target))
}

/// Sends the regular file `local` to be stored as `remote`.
///
/// # Errors
/// The file could not be read, the server refused, or a connection broke. The server is told of a fault on this side
/// by a reset of the data connection, so that it does not take half a file for the whole.
pub fn put(connection: &mut Connection, local: &Path, remote: &Arg) -> Result<Moved> {
    let mut file = open_regular(local)?;
    connection.use_image_type()?;
    let start = Instant::now();
    let bytes = connection.transfer(&Command::Stor(remote.clone()), |mut data| {
        let lost = |error: io::Error| upload_failed(&error);
        data.set_reset_on_close(true).map_err(lost)?;
        let mut buffer = vec![0; CHUNK];
        let bytes =
            copy(&mut file, &mut data, &mut buffer, |_| {}).map_err(|error| match error {
                CopyError::Read(error) => local_trouble("read", local, &error),
                CopyError::Write(error) => upload_failed(&error),
            })?;
        data.set_reset_on_close(false).map_err(lost)?;
        // A server that has hung up by now tells why in its reply.
        data.finish_writing().map_err(lost)?;
        Ok(bytes)
    })?;
    Ok(Moved {
        bytes,
        took: start.elapsed(),
    })
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

/// A download under way, in `NAME.part`, locked against a second client that fetches the same file.
#[derive(Debug)]
struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
    keep: bool,
}

impl Part {
    fn open(target: &Path) -> Result<Self, Trouble> {
        if target.is_dir() {
            let error = "there is a folder of that name";
            return Err(local_trouble("write", target, &error));
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)
                .map_err(|error| local_trouble("make the folder", folder, &error))?;
        }
        let mut path = target.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let file = lock(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => local_trouble("write", &path, &"another download does"),
            _ => local_trouble("write", &path, &error),
        })?;
        let part = Self {
            file,
            path,
            target: target.to_owned(),
            keep: false,
        };
        match part.file.set_len(0) {
            Ok(()) => Ok(part),
            Err(error) => Err(local_trouble("write", &part.path, &error)),
        }
    }

    /// Writes what comes, but no more than is `expected` and one byte.
    fn fill(&mut self, data: Stream, expected: Option<u64>) -> Result<u64> {
        let most = expected.map_or(u64::MAX, |expected| expected.saturating_add(1));
        let mut came = 0;
        let mut buffer = vec![0; CHUNK];
        let outcome = copy(&mut data.take(most), &mut self.file, &mut buffer, |count| {
            came += count;
        });
        match outcome {
            Ok(bytes) if expected.is_some_and(|expected| bytes > expected) => {
                Err(Trouble::Mismatch(
                    "more bytes came than the server had said, so the file was not kept; try again"
                        .to_owned(),
                )
                .into())
            }
            Ok(bytes) => Ok(bytes),
            Err(CopyError::Write(error)) => Err(local_trouble("write", &self.path, &error).into()),
            Err(CopyError::Read(error)) if timed_out(&error) => Err(Trouble::TimedOut(format!(
                "the server stopped sending after {}",
                text::bytes(came)
            ))
            .into()),
            Err(CopyError::Read(error)) => Err(Trouble::Lost(format!(
                "the data connection broke after {}: {error}",
                text::bytes(came)
            ))
            .into()),
        }
    }

    /// Makes the bytes durable and gives the file its name.
    fn commit(mut self) -> Result<(), Trouble> {
        let folder = self
            .target
            .parent()
            .filter(|folder| *folder != Path::new(""));
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &self.target))
            .and_then(|()| File::open(folder.unwrap_or(Path::new(".")))?.sync_all())
            .map_err(|error| local_trouble("write", &self.target, &error))?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing to be done about a folder that lets a file be made and not removed.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens `path` for writing and locks it. `WouldBlock` if somebody else has it.
fn lock(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // Whoever had the lock may just have renamed the file: then it is a finished download, not ours to touch.
        let ours = file.metadata()?;
        if fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
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

fn local_trouble(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::Local(format!("cannot {what} {}: {error}", path.display()))
}

fn upload_failed(error: &io::Error) -> Trouble {
    if timed_out(error) {
        Trouble::TimedOut("the server stopped taking the file".to_owned())
    } else {
        Trouble::Lost(format!("the data connection broke: {error}"))
    }
}
