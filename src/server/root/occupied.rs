//! What stands under the name of an upload before it does.

use cap_std::fs::{Dir, Metadata};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use std::io;

/// How long a name may be in bytes on any file system of Linux.
const NAME_MAX: usize = 255;

/// What stands under the name of an upload, if anything does.
///
/// # Errors
/// `IsADirectory` if it is a folder, or what the system says.
pub(super) fn at(dir: &Dir, name: &str) -> io::Result<Option<Metadata>> {
    match dir.symlink_metadata(name) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same as far as the system knows without asking the file system, for which a new name would have to wait for all others
/// who change the folder. `None` may also stand for something that is there: it shows when the upload gets its name.
pub(super) fn at_hand(dir: &Dir, name: &str) -> io::Result<Option<Metadata>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::CACHED | ResolveFlags::BENEATH;
    match openat2(dir, name, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::AGAIN) if name.len() <= NAME_MAX => Ok(None),
        // Systems before Linux 5.12 do not know how.
        _ => at(dir, name),
    }
}
