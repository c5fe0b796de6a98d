//! The entries of a folder, and what each account is told of them.

use super::folder::readable;
use super::{HIDDEN_PREFIX, Root, VirtualPath, stale};
use crate::protocol::entry::{Entry, Kind, Perm, Unique};
use crate::server::glob::Glob;
use crate::server::users::Permissions;
use crate::shown::counted;
use cap_std::fs::{Metadata, MetadataExt};
use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Stat, fstat};
use rustix::io::Errno;
use std::io;

/// The entries of a folder, one after the other: the folder is never held in memory as a whole. `None` stands for an entry
/// that is not told of, so that whoever walks through many of these gets to do something else between them.
#[derive(Debug)]
pub(in crate::server) struct Listing {
    root: Root,
    walk: rustix::fs::Dir,
    path: VirtualPath,
    permissions: Permissions,
    only: Option<Glob>,
    /// How many names no client could be told of: not UTF-8, or with a control character.
    left_out: usize,
}

/// What the entries of a listing depend on: the root, since no link leads out of it, the folder, and the way there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::server) struct Place {
    root: (u64, u64),
    folder: (u64, u64),
    path: VirtualPath,
}

impl Root {
    /// What is at a path. Links are followed, and one that leads out of the root is not there.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::server) fn entry(
        &self,
        path: &VirtualPath,
        permissions: Permissions,
    ) -> io::Result<Entry> {
        let facts = Facts::from(&stale::again(|| self.dir.metadata(path.relative()))?);
        Ok(facts.entry(path.as_str().to_owned(), permissions))
    }

    /// Begins to list a folder, or what of it matches `only`.
    ///
    /// # Errors
    /// `NotADirectory`, or what else the system says.
    pub(in crate::server) fn list(
        &self,
        path: &VirtualPath,
        permissions: Permissions,
        only: Option<Glob>,
    ) -> io::Result<Listing> {
        let dir = stale::again(|| readable(&self.dir, path.relative()))?;
        Ok(Listing {
            root: self.clone(),
            walk: rustix::fs::Dir::new(dir)?,
            path: path.clone(),
            permissions,
            only,
            left_out: 0,
        })
    }
}

impl Listing {
    /// What is listed, all of it.
    ///
    /// # Errors
    /// `Unsupported` if it is a part of a folder, or what the system says.
    pub(in crate::server) fn place(&self) -> io::Result<Place> {
        if self.only.is_some() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let identity = |stat: Stat| (stat.st_dev, stat.st_ino);
        Ok(Place {
            root: identity(fstat(&**self.root.dir)?),
            folder: identity(self.walk.stat()?),
            path: self.path.clone(),
        })
    }

    /// What a name of the folder stands for.
    ///
    /// # Errors
    /// Those that [`stands_for_nothing`] knows, and what else the system says.
    fn facts(&self, name: &str) -> io::Result<Facts> {
        let stat = || {
            Ok(rustix::fs::statat(
                self.walk.fd()?,
                name,
                AtFlags::SYMLINK_NOFOLLOW,
            )?)
        };
        let stat = stale::again(stat)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(Facts::from(&stat));
        }
        // By the root's handle: a link may lead out of this folder, though not out of the root.
        let path = self.path.child(name);
        let target = self.root.dir.metadata(path.relative())?;
        Ok(Facts::from(&target))
    }
}

impl Iterator for Listing {
    type Item = io::Result<Option<Entry>>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = match self.walk.next()? {
            Ok(raw) => raw,
            Err(error) => return Some(Err(error.into())),
        };
        let name = match raw.file_name().to_str() {
            Ok("." | "..") => return Some(Ok(None)),
            Ok(name) if name.starts_with(HIDDEN_PREFIX) => return Some(Ok(None)),
            Ok(name) if !name.contains(char::is_control) => name,
            _ => {
                self.left_out += 1;
                return Some(Ok(None));
            }
        };
        if self.only.as_ref().is_some_and(|glob| !glob.matches(name)) {
            return Some(Ok(None));
        }
        Some(Ok(match self.facts(name) {
            Ok(facts) => Some(facts.entry(name.to_owned(), self.permissions)),
            Err(error) if stands_for_nothing(&error) => None,
            // It is there, whatever there is to know of it: a mirror would remove what is not.
            Err(_) => Some(Entry::new(name, kind(raw.file_type()))),
        }))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        if self.left_out > 0 {
            let Self { path, left_out, .. } = self;
            let names = counted(*left_out, "name");
            log::warn!("{path}: {names} not listed, being no UTF-8 or holding control characters");
        }
    }
}

/// Whether the error says that a name is gone by now, or is a link that leads nowhere, or out of the root.
fn stands_for_nothing(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(error) => matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP),
        // Not the system's word but cap-std's, for what leads out of the root.
        None => true,
    }
}

/// What the file system says of a file.
struct Facts {
    kind: Kind,
    size: u64,
    modified: Option<Timestamp>,
    device: u64,
    inode: u64,
    mode: u32,
}

impl From<&Metadata> for Facts {
    fn from(metadata: &Metadata) -> Self {
        Self {
            kind: kind(FileType::from_raw_mode(metadata.mode())),
            size: metadata.len(),
            modified: Timestamp::new(metadata.mtime(), 0).ok(),
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
        }
    }
}

impl From<&Stat> for Facts {
    fn from(stat: &Stat) -> Self {
        Self {
            kind: kind(FileType::from_raw_mode(stat.st_mode)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Timestamp::new(stat.st_mtime, 0).ok(),
            device: stat.st_dev,
            inode: stat.st_ino,
            mode: stat.st_mode,
        }
    }
}

fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::Directory => Kind::Folder,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

impl Facts {
    fn entry(self, name: String, permissions: Permissions) -> Entry {
        Entry {
            name,
            kind: self.kind,
            size: (self.kind == Kind::File).then_some(self.size),
            modified: self.modified,
            perm: Some(perm(self.kind, permissions)),
            unique: Some(Unique::File {
                device: self.device,
                inode: self.inode,
            }),
            mode: Some(self.mode & 0o7777),
        }
    }
}

/// What an account may do with it (RFC 3659 §7.5.5).
fn perm(kind: Kind, permissions: Permissions) -> Perm {
    let letters: &[(&str, Permissions)] = match kind {
        Kind::Folder => &[
            ("e", Permissions::NONE),
            ("l", Permissions::LIST),
            ("c", Permissions::UPLOAD),
            ("m", Permissions::MKDIR),
            ("d", Permissions::DELETE),
            ("f", Permissions::RENAME),
            ("p", Permissions::DELETE),
        ],
        Kind::File => &[
            ("r", Permissions::DOWNLOAD),
            ("aw", Permissions::UPLOAD),
            ("d", Permissions::DELETE),
            ("f", Permissions::RENAME),
        ],
        _ => &[],
    };
    letters
        .iter()
        .filter(|(_, needed)| permissions.allow(*needed))
        .fold(Perm::default(), |perm, (letters, _)| {
            perm.and(Perm::of(letters))
        })
}
