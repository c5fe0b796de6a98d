//! A download under way: its bytes in `NAME.part`, and beside it what the server had said of the file.

use super::connection::Data;
use super::error::{Trouble, download_failed, local_trouble};
use super::progress::Meter;
use super::record;
use crate::copy::{CopyError, hex, set_modified, sync_name};
use crate::protocol::entry::Entry;
use crate::shown::counted;
use anyhow::Result;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest name that a file can have, in bytes.
const LONGEST_NAME: usize = 255;
/// How long the longest suffix is, `.part.facts`.
const SUFFIX: usize = 11;
/// How much room there is for what tells shortened names apart.
const MARK: usize = 18;

/// A download under way, locked against a second client that fetches the same file.
///
/// Dropped before [`Part::commit`], it stays for the next attempt to go on from, if it is known what file it is a part
/// of; otherwise it is removed.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    record: PathBuf,
    target: PathBuf,
    /// How many bytes are there.
    length: u64,
    fate: Fate,
}

/// What becomes of a part that is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is not known what it is a part of.
    Remove,
    /// The next attempt can go on from it.
    Keep,
    /// It has become the file.
    Done,
}

impl Part {
    /// Opens the part of `target`. What an earlier attempt has left is gone on from if the server still says the same of
    /// the file, size and time; anything else is thrown away.
    ///
    /// # Errors
    /// [`Trouble::Local`].
    pub(super) fn open(target: &Path, said: &Entry) -> Result<Self, Trouble> {
        if target.is_dir() {
            return Err(local_trouble(
                "write",
                target,
                &"there is a folder of that name",
            ));
        }
        let path = beside(target, ".part");
        let record = beside(target, ".part.facts");
        let (file, length) = open(&path)?;
        let target = target.to_owned();
        let mut part = Self {
            file,
            path,
            record,
            target,
            length,
            fate: Fate::Remove,
        };
        let resumable = said.size.is_some() && said.modified.is_some();
        part.prepare(resumable.then_some(said))
            .map_err(|error| local_trouble("write", &part.path, &error))?;
        Ok(part)
    }

    /// How many bytes there are already.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Throws away what is there.
    ///
    /// # Errors
    /// [`Trouble::Local`].
    pub(super) fn start_over(&mut self) -> Result<(), Trouble> {
        self.length = 0;
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|error| local_trouble("write", &self.path, &error))
    }

    /// Writes what comes behind what is there, but no more than is `expected` in all and one byte.
    ///
    /// # Errors
    /// The data connection broke, more came than was expected, or the disk failed.
    pub(super) fn fill(
        &mut self,
        data: Data<'_>,
        expected: Option<u64>,
        meter: &Meter<'_>,
    ) -> Result<()> {
        meter.begins_at(self.length);
        let most = expected.map_or(u64::MAX, |size| {
            size.saturating_sub(self.length).saturating_add(1)
        });
        let Self {
            file, length, path, ..
        } = self;
        let outcome = data.receive(file, most, |count| {
            *length += count;
            meter.moved(count);
        });
        match outcome {
            Ok(_) if expected.is_some_and(|expected| *length > expected) => {
                self.fate = Fate::Remove;
                let text =
                    "more bytes came than the server had said, so the file was not kept; try again";
                Err(Trouble::Mismatch(text.to_owned()).into())
            }
            Ok(_) => Ok(()),
            Err(CopyError::Write(error)) => Err(local_trouble("write", path, &error).into()),
            Err(CopyError::Read(error)) => Err(download_failed(&error, *length).into()),
        }
    }

    /// The file, to be written at several places at once. It is not gone on from until [`Part::gather`]: where the gaps are
    /// is known to nobody else.
    ///
    /// # Errors
    /// [`Trouble::Local`].
    pub(super) fn scatter(&mut self) -> Result<File, Trouble> {
        self.fate = Fate::Remove;
        record::remove(&self.record)
            .and_then(|()| self.file.try_clone())
            .map_err(|error| local_trouble("write", &self.path, &error))
    }

    /// Keeps what has come of a scattered file up to its first gap.
    ///
    /// # Errors
    /// [`Trouble::Local`].
    pub(super) fn gather(&mut self, length: u64, said: &Entry) -> Result<(), Trouble> {
        self.length = length;
        self.fate = Fate::Keep;
        self.file
            .set_len(length)
            .and_then(|()| record::write(&self.record, said))
            .map_err(|error| local_trouble("write", &self.path, &error))
    }

    /// Checks that all has come.
    ///
    /// # Errors
    /// [`Trouble::Short`] if it is less than was `expected`.
    pub(super) fn is_whole(&self, expected: Option<u64>) -> Result<(), Trouble> {
        match expected.filter(|&expected| expected != self.length) {
            Some(expected) => Err(Trouble::Short(format!(
                "only {} of {} came; try again",
                self.length,
                counted(expected, "byte")
            ))),
            None => Ok(()),
        }
    }

    /// The file, to read what is there from its beginning.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Makes the bytes durable, gives the file its name, and the time at which it was changed on the server.
    ///
    /// # Errors
    /// [`Trouble::Local`]; a file of that name that was there before stays as it was.
    pub(super) fn commit(mut self, modified: Option<SystemTime>) -> Result<(), Trouble> {
        let folder = self.target.parent();
        let folder = folder.filter(|folder| *folder != Path::new(""));
        let open_folder = || match File::open(folder.unwrap_or(Path::new("."))) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            opened => opened.map(Some),
        };
        modified
            .map_or(Ok(()), |time| set_modified(&self.file, time))
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.path, &self.target))
            .and_then(|()| sync_name(open_folder()?.as_ref(), &self.file))
            .map_err(|error| local_trouble("write", &self.target, &error))?;
        if self.fate == Fate::Keep {
            // Without its part the record means nothing, and the next download writes its own.
            let _ = record::remove(&self.record);
        }
        self.fate = Fate::Done;
        Ok(())
    }

    /// Goes to the end of what can be gone on from, and writes down what it is a part of.
    fn prepare(&mut self, said: Option<&Entry>) -> io::Result<()> {
        let known = said.is_some_and(|said| record::says(&self.record, said));
        let fits = said
            .and_then(|entry| entry.size)
            .is_some_and(|size| self.length <= size);
        if self.length > 0 {
            if !(known && fits) {
                self.length = 0;
                self.file.set_len(0)?;
            }
            self.file.seek(SeekFrom::Start(self.length))?;
        }
        let Some(entry) = said else {
            return record::remove(&self.record);
        };
        record::write(&self.record, entry)?;
        self.fate = Fate::Keep;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.fate == Fate::Remove || (self.fate == Fate::Keep && self.length == 0) {
            // Nothing to be done about a folder that lets a file be made and not removed.
            let _ = fs::remove_file(&self.path);
            let _ = record::remove(&self.record);
        }
    }
}

/// The path with `suffix` behind its name. A name that has no room for that keeps its beginning, and a checksum tells it
/// from others that begin alike.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    if name.len() <= LONGEST_NAME - SUFFIX {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        return path.into();
    }
    let text = name.to_string_lossy();
    let mut end = LONGEST_NAME - SUFFIX - MARK;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mark = hex(&Sha256::digest(name.as_bytes())[..MARK / 2 - 1]);
    path.with_file_name(format!("{}~{mark}{suffix}", &text[..end]))
}

/// Opens a part and locks it, and says how long it is. Its folder is made if it is missing, which shows only then: most are
/// there.
fn open(path: &Path) -> Result<(File, u64), Trouble> {
    let nowhere = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    let outcome = match (lock(path), path.parent()) {
        (Err(error), Some(folder)) if nowhere.contains(&error.kind()) => {
            fs::create_dir_all(folder)
                .map_err(|error| local_trouble("make the folder", folder, &error))?;
            lock(path)
        }
        (outcome, _) => outcome,
    };
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => local_trouble("write", path, &"another download does"),
        _ => local_trouble("write", path, &error),
    })
}

/// Opens `path` to read and write, locks it, and says how long it is. `WouldBlock` if somebody else has it.
fn lock(path: &Path) -> io::Result<(File, u64)> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // Whoever had the lock may just have renamed the file: then it is a finished download, not ours to touch.
        let ours = file.metadata()?;
        if fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino())) {
            return Ok((file, ours.len()));
        }
    }
}
