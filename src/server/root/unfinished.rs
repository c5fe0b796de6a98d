//! The files of uploads that are not whole: what they are called, whose they are, and whether anybody still writes to them.
//!
//! A file is locked as long as it is written to, and the system lets go of the lock when the server dies, be it another one
//! over the same folder: what is not locked was cut, and the next resume goes on from it. The first upload of a name is written
//! where what is cut of it is looked for: whoever could make that file knows that no earlier attempt has left one, and need
//! not look for it in the end.

use super::{HIDDEN_PREFIX, PARTIAL_PREFIX};
use crate::copy::{hex, set_modified};
use cap_std::fs::{Dir, File, OpenOptions};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::io;
use std::iter;
use std::thread;
use std::time::{Duration, SystemTime};

/// How many uploads of one name and owner can be told from others by their names at a time.
const NUMBERED: u32 = 4;
/// How often, and after what time, it is looked again whether an upload is let go of.
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

    /// Where the next resume looks for a cut upload.
    pub(super) fn partial(&self) -> String {
        format!("{PARTIAL_PREFIX}{}", self.0)
    }

    /// Whether that is this name.
    pub(super) fn is_partial(&self, name: &str) -> bool {
        name.strip_prefix(PARTIAL_PREFIX) == Some(&self.0)
    }

    /// Where others are written beside that one.
    fn temporary(&self, number: u32) -> String {
        format!("{HIDDEN_PREFIX}{}.{number}", self.0)
    }

    /// Makes a file to write to, and says what it is called.
    pub(super) fn create(&self, dir: &Dir) -> io::Result<(File, String)> {
        let beside = (0..NUMBERED).map(|number| self.temporary(number));
        for name in iter::once(self.partial()).chain(beside) {
            match make(dir, &name)? {
                None => {}
                Some((file, Lock::Taken)) => return Ok((file, name)),
                Some((file, _)) => {
                    // Somebody else may have put a cut one in its place.
                    if is_at(&file, dir, &name) {
                        dir.remove_file(&name)?;
                    }
                    break;
                }
            }
        }
        // Nobody goes on from it when its server dies, since nobody could tell whether that has.
        let name = unguessed()?;
        Ok((create(dir, &name)?, name))
    }

    /// Takes what is kept of a cut upload for one upload alone, if there is anything, and says what it is called now.
    pub(super) fn claim(&self, dir: &Dir) -> io::Result<Option<(File, String)>> {
        let partial = self.partial();
        for _ in 0..LOOKS {
            match opened(dir, &partial)? {
                // Whoever writes to it lets go of it now, or else goes on.
                Some((file, lock)) if lock == Lock::Others || !is_at(&file, dir, &partial) => {}
                Some((file, lock)) if file.metadata()?.len() > 0 => {
                    // As if it were written to now, lest the sweep take it for long dead.
                    let file = file.into_std();
                    set_modified(&file, SystemTime::now())?;
                    let file = File::from_std(file);
                    if lock == Lock::Taken {
                        return Ok(Some((file, partial)));
                    }
                    // Only one can give it another name.
                    let name = unguessed()?;
                    match dir.rename(&partial, dir, &name) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        renamed => renamed?,
                    }
                    if is_at(&file, dir, &name) {
                        return Ok(Some((file, name)));
                    }
                    dir.rename(&name, dir, &partial)?;
                }
                // Nothing, or nothing in it.
                found => {
                    drop(found);
                    if !self.adopt(dir)? {
                        return Ok(None);
                    }
                }
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    /// Puts a cut upload, of which the caller has the lock, where the next resume looks for it, in place of what was cut before.
    ///
    /// # Errors
    /// `ResourceBusy` if another upload is written there now, or what the system says.
    pub(super) fn keep(&self, dir: &Dir, name: &str) -> io::Result<()> {
        let partial = self.partial();
        let _held = match make(dir, &partial)? {
            Some((place, _)) => place,
            None => free(dir, &partial)?.ok_or(io::ErrorKind::ResourceBusy)?,
        };
        dir.rename(name, dir, &partial)
    }

    /// Keeps what is left of an upload beside the first, if anything is.
    pub(super) fn adopt(&self, dir: &Dir) -> io::Result<bool> {
        for number in 0..NUMBERED {
            if self.adopt_one(dir, &self.temporary(number))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn adopt_one(&self, dir: &Dir, temporary: &str) -> io::Result<bool> {
        let Some(_held) = cut(dir, temporary)? else {
            return Ok(false);
        };
        match self.keep(dir, temporary) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
            kept => kept.map(|()| true),
        }
    }
}

/// Keeps what is left of an upload beside the first one of its name, if it was cut.
pub(super) fn adopt(dir: &Dir, temporary: &str) -> io::Result<bool> {
    Names::of(temporary).map_or(Ok(false), |names| names.adopt_one(dir, temporary))
}

/// An unfinished upload that is not known to be written to. As long as it is held, nobody begins to.
pub(super) fn unheld(dir: &Dir, name: &str) -> io::Result<Option<File>> {
    find(dir, name, |lock| lock != Lock::Others)
}

/// An unfinished upload that is known not to be written to, held likewise.
pub(super) fn free(dir: &Dir, name: &str) -> io::Result<Option<File>> {
    // Where there are no locks, no upload is written where the next resume looks.
    let is_partial = name.starts_with(PARTIAL_PREFIX);
    find(dir, name, |lock| {
        lock == Lock::Taken || lock == Lock::Unknown && is_partial
    })
}

/// The same, if there is something in it to go on from.
pub(super) fn cut(dir: &Dir, name: &str) -> io::Result<Option<File>> {
    match free(dir, name)? {
        Some(file) if file.metadata()?.len() > 0 => Ok(Some(file)),
        _ => Ok(None),
    }
}

fn find(dir: &Dir, name: &str, suits: impl Fn(Lock) -> bool) -> io::Result<Option<File>> {
    let found = opened(dir, name)?;
    let found = found.filter(|(file, lock)| suits(*lock) && is_at(file, dir, name));
    Ok(found.map(|(file, _)| file))
}

/// Who has a file's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// This handle, from now on.
    Taken,
    /// Whoever writes to it.
    Others,
    /// There are no locks here.
    Unknown,
}

/// Makes an unfinished upload and locks it. `None` if there is one of this name.
fn make(dir: &Dir, name: &str) -> io::Result<Option<(File, Lock)>> {
    loop {
        let file = match create(dir, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            created => created?,
        };
        if let Err(error) = flock(&file, FlockOperation::LockExclusive) {
            log::debug!("{name}: no lock: {error}");
            return Ok(Some((file, Lock::Unknown)));
        }
        // Before that, somebody else may have taken it for one that was left, and have had the lock until it was gone.
        if is_at(&file, dir, name) {
            return Ok(Some((file, Lock::Taken)));
        }
    }
}

/// An unfinished upload with its lock, if that can be had at once.
fn opened(dir: &Dir, name: &str) -> io::Result<Option<(File, Lock)>> {
    let file = match dir.open_with(name, OpenOptions::new().write(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let lock = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Lock::Taken,
        Err(Errno::WOULDBLOCK) => Lock::Others,
        Err(_) => Lock::Unknown,
    };
    Ok(Some((file, lock)))
}

/// A name that no other upload has.
fn unguessed() -> io::Result<String> {
    Ok(format!("{HIDDEN_PREFIX}{:016x}", getrandom::u64()?))
}

fn flock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation))
}

/// Whether this is the file that has this name.
fn is_at(file: &File, dir: &Dir, name: &str) -> bool {
    match (fstat(file), statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
        (Ok(file), Ok(named)) => (file.st_dev, file.st_ino) == (named.st_dev, named.st_ino),
        _ => false,
    }
}

/// A name of ours is a single word, and to make what is not there follows no link: nothing else has to be looked at.
fn create(dir: &Dir, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let made = openat(dir, name, flags, Mode::from(0o666))?;
    Ok(File::from_std(made.into()))
}
