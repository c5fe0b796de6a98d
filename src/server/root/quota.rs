//! How much accounts may put below their roots.

use super::{Root, VirtualPath};
use cap_std::fs::Dir;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What an account may put below its root; `None` is as much as there is room for.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::server) struct Bounds {
    /// The largest file, in bytes.
    pub(in crate::server) file_size: Option<u64>,
    /// All files together, in bytes.
    pub(in crate::server) quota: Option<u64>,
}

/// How long a count of all files is good for, at the least: by then what others have put there is seen as well.
const FRESH: Duration = Duration::from_secs(10);
/// It is good for longer where counting takes long: of all time, this part of it is spent on counting at the most.
const COUNTING_SHARE: u32 = 20;

/// The ledgers of a served folder, one for each root below it that has a quota.
#[derive(Debug, Default)]
pub(super) struct Ledgers(Mutex<HashMap<VirtualPath, Arc<Ledger>>>);

impl Ledgers {
    /// That of a root, the same for all sessions.
    pub(super) fn of(&self, root: &VirtualPath) -> Arc<Ledger> {
        let mut ledgers = lock(&self.0);
        Arc::clone(ledgers.entry(root.clone()).or_default())
    }
}

/// How many bytes the files below a root have, those included that are being written.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    used: u64,
    /// Uploads under way. While there are any, all files are not counted anew: their bytes are booked as they come.
    writing: usize,
    /// When all files were last counted, and how long that took.
    counted: Option<(Instant, Duration)>,
}

impl Ledger {
    /// Carries out what makes a name of a folder go away, or be another file. Nobody else changes the count meanwhile, so
    /// that no byte is taken off twice.
    fn vacate(
        &self,
        dir: &Dir,
        name: &str,
        quota: u64,
        act: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut count = lock(&self.0);
        let after = count.used.saturating_sub(bytes_of(dir, name));
        if after > quota {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        act()?;
        count.used = after;
        Ok(())
    }

    /// Begins to book an upload, which is to replace a file of `replaced` bytes.
    pub(super) fn begin(self: &Arc<Self>, root: &Root, quota: u64, replaced: u64) -> Booking {
        let mut count = lock(&self.0);
        let is_fresh = count.counted.is_some_and(|(when, took)| {
            when.elapsed() < FRESH.max(took.saturating_mul(COUNTING_SHARE))
        });
        if count.writing == 0 && !is_fresh {
            let began = Instant::now();
            count.used = root.bytes();
            count.counted = Some((began, began.elapsed()));
        }
        count.writing += 1;
        Booking {
            ledger: Arc::clone(self),
            quota,
            replaced,
        }
    }
}

/// An upload's bytes in a ledger.
#[derive(Debug)]
pub(super) struct Booking {
    ledger: Arc<Ledger>,
    quota: u64,
    /// What the file has that this upload replaces: until then there is both.
    replaced: u64,
}

impl Booking {
    /// Books bytes that are about to be written.
    ///
    /// # Errors
    /// `QuotaExceeded`, and nothing is booked.
    pub(super) fn add(&self, bytes: u64) -> io::Result<()> {
        let mut count = lock(&self.ledger.0);
        let after = count.used.saturating_add(bytes);
        if after > self.quota.saturating_add(self.replaced) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        count.used = after;
        Ok(())
    }

    /// Takes note of what was booked and is not there any more.
    pub(super) fn freed(&self, bytes: u64) {
        let mut count = lock(&self.ledger.0);
        count.used = count.used.saturating_sub(bytes);
    }

    /// Carries out what puts the upload under its name.
    ///
    /// # Errors
    /// `QuotaExceeded` if all would not be within the quota then: the file that was to be replaced may be gone by now. Or
    /// what the act says.
    pub(super) fn replace(
        &self,
        dir: &Dir,
        name: &str,
        act: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.ledger.vacate(dir, name, self.quota, act)
    }

    /// The ledger.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// Carries out what makes a name of a folder go away, or be another file, and takes note of it where there is a quota.
///
/// # Errors
/// What the act says.
pub(super) fn vacate(
    ledger: Option<&Ledger>,
    dir: &Dir,
    name: &str,
    act: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match ledger {
        Some(ledger) => ledger.vacate(dir, name, u64::MAX, act),
        None => act(),
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        lock(&self.ledger.0).writing -= 1;
    }
}

impl Root {
    /// How many bytes all files below have. A folder that cannot be read counts nothing.
    fn bytes(&self) -> u64 {
        let mut bytes = 0_u64;
        let mut folders = vec![VirtualPath::root()];
        while let Some(folder) = folders.pop() {
            match self.bytes_in(&folder, &mut folders) {
                Ok(more) => bytes = bytes.saturating_add(more),
                Err(error) => log::debug!("cannot count {folder}: {error}"),
            }
        }
        bytes
    }

    fn bytes_in(&self, path: &VirtualPath, folders: &mut Vec<VirtualPath>) -> io::Result<u64> {
        let mut bytes = 0_u64;
        for entry in self.dir.open_dir(path.relative())?.entries()? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                // A name that is no UTF-8 is out of every client's reach: none of them put it there.
                if let Some(name) = entry.file_name().to_str() {
                    folders.push(path.child(name));
                }
            } else if let Ok(metadata) = entry.metadata() {
                bytes = bytes.saturating_add(metadata.len());
            }
        }
        Ok(bytes)
    }
}

/// How many bytes a name of a folder has by itself: a link none but its own.
fn bytes_of(dir: &Dir, name: &str) -> u64 {
    dir.symlink_metadata(name).map_or(
        0,
        |metadata| if metadata.is_dir() { 0 } else { metadata.len() },
    )
}

/// Each table here is whole after every statement that touches it, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
