//! This side of a mirror: what is in a folder, and how something is removed from it without leaving it.

use super::compare::Compared;
use crate::client::error::{Trouble, local_trouble};
use crate::client::{interrupt, tree};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, openat, unlinkat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a name stands for on this side.
#[derive(Debug, Clone, Copy)]
pub(super) enum Here {
    /// A regular file, or a link to one.
    File(Compared),
    /// A folder itself.
    Folder,
    /// A link that leads to a folder, perhaps out of the tree.
    LinkToFolder,
    /// Anything else: a device, a link that leads nowhere.
    Other,
}

/// What is in a folder, by name.
///
/// # Errors
/// [`Trouble::Local`].
pub(super) fn list(folder: &Path) -> Result<BTreeMap<OsString, Here>, Trouble> {
    let mut found = BTreeMap::new();
    for entry in tree::list(folder)? {
        let path = entry.path();
        let link = entry
            .file_type()
            .map_err(|error| local_trouble("look at", &path, &error))?
            .is_symlink();
        let here = match fs::metadata(&path) {
            Ok(data) if data.is_dir() && link => Here::LinkToFolder,
            Ok(data) if data.is_dir() => Here::Folder,
            Ok(data) if data.is_file() => Here::File(Compared::from(&data)),
            Ok(_) => Here::Other,
            Err(_) if link => Here::Other,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(local_trouble("look at", &path, &error)),
        };
        found.insert(entry.file_name(), here);
    }
    Ok(found)
}

/// Removes what bears a name in a folder: a link itself, a folder with all that is in it.
///
/// # Errors
/// What the system says; or there is a download under way, which stays.
pub(super) fn remove(folder: &Path, name: &OsStr) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    remove_in(&folder, name)
}

/// By open folders and not by paths: nobody can put a link in between.
fn remove_in(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    if interrupt::is_raised() {
        return Err(io::Error::other("stopped by Ctrl-C"));
    }
    let _held = hold(folder, name)?;
    let refusal = match unlinkat(folder, name, AtFlags::empty()) {
        // POSIX has the second for a folder, and some systems keep to it.
        Err(error @ (Errno::ISDIR | Errno::PERM)) => error,
        outcome => return Ok(outcome?),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = match openat(folder, name, flags, Mode::empty()) {
        Err(Errno::NOTDIR) => return Err(refusal.into()),
        outcome => outcome?,
    };
    let mut first = Ok(());
    for entry in Dir::read_from(&inner)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            first = first.and(remove_in(&inner, name));
        }
    }
    first?;
    Ok(unlinkat(folder, name, AtFlags::REMOVEDIR)?)
}

/// Locks the part that a name stands for or belongs to, as who downloads to it would: so nobody begins to meanwhile.
fn hold(folder: impl AsFd, name: &OsStr) -> io::Result<Option<OwnedFd>> {
    let name = name.as_bytes();
    let part = name.strip_suffix(b".facts").unwrap_or(name);
    if !part.ends_with(b".part") {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // What is not there or cannot be opened is nobody's download.
    let Ok(part) = openat(folder, part, flags, Mode::empty()) else {
        return Ok(None);
    };
    match flock(&part, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::Error::other("a download to it is under way")),
        _ => Ok(Some(part)),
    }
}
