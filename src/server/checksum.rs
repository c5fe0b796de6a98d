//! Checksums: `HASH`, `XSHA256` and the like.

use super::failure;
use super::files::partial;
use super::root::VirtualPath;
use super::session::{Session, reply};
use super::transfer::cut_reply;
use super::users::Permissions;
use super::watch::{Cut, Watch};
use crate::copy::{Checksum, copy};
use crate::protocol::command::Arg;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Reply, ReplyCode};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many checksums an account may have made at a time; anonymous clients of one address are one account. Each takes a core
/// for as long as the file is large, and the command for it is ten bytes.
const MOST: usize = 2;
/// How often whoever waits for a turn looks at the control connection.
const TICK: Duration = Duration::from_millis(50);

/// draft-bryan-ftpext-hash §3.2.
#[inline(never)]
pub(super) fn hash(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let algorithm = session.hash;
    match checksum(session, name.as_str(), algorithm)? {
        Ok((path, size, digest)) => reply(
            ReplyCode::FILE_STATUS,
            format!("{algorithm} 0-{size} {digest} {path}"),
        ),
        Err(refusal) => Ok(refusal),
    }
}

/// `XSHA256` and the like. Some clients put the name in quotes.
#[inline(never)]
pub(super) fn xhash(
    session: &mut Session<'_>,
    algorithm: HashAlgorithm,
    name: &Arg,
) -> io::Result<Reply> {
    let name = name.as_str();
    let name = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .unwrap_or(name);
    match checksum(session, name, algorithm)? {
        Ok((_, _, digest)) => reply(ReplyCode::FILE_ACTION_DONE, digest.to_uppercase()),
        Err(refusal) => Ok(refusal),
    }
}

/// A checksum of a whole file, or of what this account can go on from, with its size in bytes. A large file takes long, and
/// is stopped by what stops a transfer.
#[inline(never)]
fn checksum(
    session: &mut Session<'_>,
    name: &str,
    algorithm: HashAlgorithm,
) -> io::Result<Result<(VirtualPath, u64, String), Reply>> {
    let path = match session.path(name) {
        Ok(path) => path,
        Err(error) => return Ok(Err(failure::bad_path(error, false))),
    };
    let whole = if session.permissions().allow(Permissions::DOWNLOAD) {
        session.root().read(&path)
    } else {
        Err(io::ErrorKind::NotFound.into())
    };
    let found = whole.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => partial(session, &path).map_err(|_| error),
        _ => Err(error),
    });
    let mut file = match found {
        Ok((file, _)) => file,
        Err(error) => return Ok(Err(failure::file(&error, &path))),
    };
    let activity = format!("{algorithm} of {path}");
    let waiting = format!("{activity} waits for others of this account");
    let owner = session.owner();
    let _working = session.live.work_on("HASH", path.clone());
    let mut watch = Watch::new(
        &mut session.control,
        &session.shared.phase,
        session.live,
        &waiting,
    );
    let _place = match session.shared.checksums.enter(owner, &mut watch) {
        Ok(place) => place,
        Err(cut) => return cut_reply(cut, ReplyCode::TRANSFER_ABORTED).map(Err),
    };
    watch.activity = &activity;
    let mut watched = Watched {
        checksum: Checksum::new(algorithm),
        watch,
        cut: None,
    };
    match (copy(&mut file, &mut watched, |_| {}), watched.cut) {
        (Ok(size), _) => Ok(Ok((path, size, watched.checksum.finish()))),
        (Err(_), Some(cut)) => cut_reply(cut, ReplyCode::TRANSFER_ABORTED).map(Err),
        (Err(error), None) => Ok(Err(failure::file(&error.into(), &path))),
    }
}

/// A checksum during which the control connection is watched.
struct Watched<'s> {
    checksum: Checksum,
    watch: Watch<'s>,
    /// Why it refuses to go on, if it does.
    cut: Option<Cut>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.glance().map_err(|cut| {
            self.cut = Some(cut);
            io::Error::from(io::ErrorKind::ConnectionAborted)
        })?;
        self.watch.advance(bytes.len() as u64);
        self.checksum.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The checksums that are being made, by account.
#[derive(Debug, Default)]
pub(super) struct Checksums {
    running: Mutex<HashMap<String, usize>>,
    /// One of them has ended.
    ended: Condvar,
}

impl Checksums {
    /// Waits for a place among those of an account. The wait ends with the account's own others, or by what ends them.
    fn enter(&self, owner: String, watch: &mut Watch<'_>) -> Result<Place<'_>, Cut> {
        let mut running = self.running();
        while running.get(&owner).is_some_and(|&count| count >= MOST) {
            drop(running);
            watch.glance()?;
            let waited = self.ended.wait_timeout(self.running(), TICK);
            (running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *running.entry(owner.clone()).or_default() += 1;
        drop(running);
        Ok(Place { all: self, owner })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // The table is whole after every statement that touches it, so a panic elsewhere does not spoil it.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A checksum's place among those of its account, given back on drop.
struct Place<'c> {
    all: &'c Checksums,
    owner: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut running = self.all.running();
        if let Some(count) = running.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.owner);
            }
        }
        drop(running);
        self.all.ended.notify_all();
    }
}
