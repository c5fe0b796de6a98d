//! The files of uploads that are not whole: what they are called, whose they are, and whether anybody still writes to them.
//!
//! A temporary file is locked as long as it is written to, and the system lets go of the lock when the server dies, be it
//! another one over the same folder: what is not locked is dead, and is kept like any other upload that was cut. Its name
//! changes under the lock alone.

use super::{HIDDEN_PREFIX, PARTIAL_PREFIX};
use crate::copy::hex;
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::io;
use std::thread;
use std::time::{Duration, SystemTime};

/// How many uploads of one name and owner can be told from others by their names at a time.
const NUMBERED: u32 = 4;
/// How often, and after what time, it is looked again whether a partial is let go of.
const LOOKS: u32 = 200;
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the unfinished uploads of one name and owner are called.
#[derive(Debug)]
pub(super) struct Names(String);

impl Names {
    /// Those of `name` for `owner`, in a hash, since names may be as long as any.
    pub(super) fn new(owner: &str, name: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(owner)
            .chain_update([0])
            .chain_update(name)
            .finalize();
        Self(hex(&digest[..16]))
    }

    /// Those that the name of a temporary file is of.
    fn of(temporary: &str) -> Option<Self> {
        let (names, _) = temporary.strip_prefix(HIDDEN_PREFIX)?.split_once('.')?;
        (!temporary.starts_with(PARTIAL_PREFIX)).then(|| Self(names.to_owned()))
    }

    /// The one under which a cut upload is kept.
    pub(super) fn partial(&self) -> String {
        format!("{PARTIAL_PREFIX}{}", self.0)
    }

    fn temporary(&self, number: u32) -> String {
        format!("{HIDDEN_PREFIX}{}.{number}", self.0)
    }

    /// Makes a file to write to, and says what it is called.
    pub(super) fn create(&self, dir: &Dir) -> io::Result<(File, String)> {
        for number in 0..NUMBERED {
            let temporary = self.temporary(number);
            let file = match create(dir, &temporary) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created?,
            };
            // Whoever looks whether it is dead holds the lock for a moment.
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok((file, temporary)),
                Err(error) => log::debug!("{temporary}: no lock: {error}"),
            }
            dir.remove_file(&temporary)?;
            break;
        }
        // Nobody goes on from it when its server dies, since nobody could tell whether that has.
        let temporary = format!("{HIDDEN_PREFIX}{:016x}", getrandom::u64()?);
        Ok((create(dir, &temporary)?, temporary))
    }

    /// Takes the partial for one upload alone, if there is one, and says what it is called now.
    pub(super) fn claim(&self, dir: &Dir) -> io::Result<Option<(File, String)>> {
        let partial = self.partial();
        for _ in 0..LOOKS {
            let file = match dir.open_with(&partial, OpenOptions::new().write(true)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.adopt(dir)? {
                        continue;
                    }
                    return Ok(None);
                }
                opened => opened?,
            };
            if is_locked(&file) {
                // Whoever has put it there lets go of it now, or else it gets another name.
                thread::sleep(LOOK_EVERY);
                continue;
            }
            // Before it gets its new name, lest the sweep take it for long dead.
            let file = file.into_std();
            file.set_modified(SystemTime::now())?;
            let file = File::from_std(file);
            // The name of an empty file that nobody else has is taken: a rename would take any other's away.
            let (_place, temporary) = self.create(dir)?;
            match dir.rename(&partial, dir, &temporary) {
                // Another upload was quicker, or has put its own partial there meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    dir.remove_file(&temporary)?;
                }
                renamed => {
                    renamed?;
                    if is_at(&file, dir, &temporary) {
                        return Ok(Some((file, temporary)));
                    }
                    dir.rename(&temporary, dir, &partial)?;
                }
            }
        }
        Ok(None)
    }

    /// Keeps as the partial what a server has left that was killed, if it has left anything.
    pub(super) fn adopt(&self, dir: &Dir) -> io::Result<bool> {
        for number in 0..NUMBERED {
            let temporary = self.temporary(number);
            if let Some(_file) = dead(dir, &temporary)? {
                dir.rename(&temporary, dir, self.partial())?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Keeps a temporary file as the partial that it is, if its server is dead.
pub(super) fn adopt(dir: &Dir, temporary: &str) -> io::Result<bool> {
    let Some(names) = Names::of(temporary) else {
        return Ok(false);
    };
    let found = dead(dir, temporary)?;
    if found.is_some() {
        dir.rename(temporary, dir, names.partial())?;
    }
    Ok(found.is_some())
}

/// Whether somebody writes to an unfinished upload, as far as can be told.
pub(super) fn is_alive(dir: &Dir, name: &str) -> bool {
    let opened = dir.open_with(name, OpenOptions::new().write(true));
    opened.is_ok_and(|file| is_locked(&file))
}

/// Whether a temporary file that has something in it is left of a server that was killed.
pub(super) fn is_dead(dir: &Dir, temporary: &str) -> bool {
    matches!(dead(dir, temporary), Ok(Some(_)))
}

/// A temporary file that has something in it and that nobody writes to, with its lock.
fn dead(dir: &Dir, temporary: &str) -> io::Result<Option<File>> {
    let file = match dir.open_with(temporary, OpenOptions::new().write(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // An empty one may have been made just now, and its maker be about to lock it.
    let dead = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && file.metadata()?.len() > 0
        && is_at(&file, dir, temporary);
    Ok(dead.then_some(file))
}

/// Whether somebody else has the lock. If not, it is this file's from here on.
fn is_locked(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

fn flock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation))
}

/// Whether this is the file that has this name.
fn is_at(file: &File, dir: &Dir, name: &str) -> bool {
    match (file.metadata(), dir.symlink_metadata(name)) {
        (Ok(file), Ok(named)) => (file.dev(), file.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn create(dir: &Dir, name: &str) -> io::Result<File> {
    dir.open_with(name, OpenOptions::new().write(true).create_new(true))
}
