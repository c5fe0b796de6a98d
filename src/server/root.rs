//! The served folder: the only code that touches files.

use super::users::Access;
use crate::protocol::entry::{Entry, Kind};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt, PermissionsExt};
use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Stat};
use std::fmt;
use std::io;
use std::path::Path;

/// How the names of unfinished uploads begin. No listing shows such a name and no client can say it.
const HIDDEN_PREFIX: &str = ".ftp-upload.";
/// The longest path that a client can reach, in bytes: what one control line holds.
const MAX_PATH: usize = crate::protocol::MAX_LINE;

/// The folder that is served. Nothing outside it can be reached through it, whatever the names and links say.
#[derive(Debug)]
pub(super) struct Root {
    dir: Dir,
}

/// An absolute path below a [`Root`], as clients see it: normalised, with no `.`, `..` or control character in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VirtualPath(String);

/// Why a name cannot be a path here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    /// It holds a control character, which would garble logs and terminals.
    #[error("the name holds a control character")]
    ControlCharacter,
    /// It is longer than any path that a client could say.
    #[error("the name is too long")]
    TooLong,
    /// It is a name that unfinished uploads go by.
    #[error("names that begin with {HIDDEN_PREFIX} are reserved")]
    Reserved,
}

impl VirtualPath {
    /// The root itself: where every session begins.
    #[must_use]
    pub(super) fn root() -> Self {
        Self("/".to_owned())
    }

    /// The path as clients see it.
    #[must_use]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path from the root's handle.
    fn relative(&self) -> &str {
        match &self.0[1..] {
            "" => ".",
            path => path,
        }
    }

    /// The folder and the name in it; `None` for the root.
    fn split(&self) -> Option<(Self, &str)> {
        let (parent, name) = self
            .0
            .rsplit_once('/')
            .filter(|(_, name)| !name.is_empty())?;
        let parent = if parent.is_empty() { "/" } else { parent };
        Some((Self(parent.to_owned()), name))
    }
}

impl fmt::Display for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Root {
    /// Opens a folder to serve it.
    ///
    /// # Errors
    /// It does not exist, is no folder, or may not be read.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(folder, ambient_authority())?;
        Ok(Self { dir })
    }

    /// The path that `name` means to a client whose folder is `folder`. `..` at the root is the root.
    ///
    /// # Errors
    /// See [`PathError`]. Whether anything is there is not asked.
    pub(super) fn resolve(
        &self,
        folder: &VirtualPath,
        name: &str,
    ) -> Result<VirtualPath, PathError> {
        if name.contains(char::is_control) {
            return Err(PathError::ControlCharacter);
        }
        let mut path = if name.starts_with('/') {
            String::new()
        } else {
            folder.0.trim_end_matches('/').to_owned()
        };
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." => path.truncate(path.rfind('/').unwrap_or(0)),
                _ if part.starts_with(HIDDEN_PREFIX) => return Err(PathError::Reserved),
                _ => {
                    path.push('/');
                    path.push_str(part);
                }
            }
        }
        match path.len() {
            0 => Ok(VirtualPath::root()),
            1..=MAX_PATH => Ok(VirtualPath(path)),
            _ => Err(PathError::TooLong),
        }
    }

    /// Opens a regular file for reading, with its size in bytes.
    ///
    /// # Errors
    /// `IsADirectory` for a folder, `InvalidInput` for anything else that is no regular file, and what the system says.
    pub(super) fn read(&self, path: &VirtualPath) -> io::Result<(File, u64)> {
        // Without O_NONBLOCK the opening of a FIFO would wait for a writer.
        let options = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .clone();
        let file = self.dir.open_with(path.relative(), &options)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            return Ok((file, metadata.len()));
        }
        Err(if metadata.is_dir() {
            io::ErrorKind::IsADirectory
        } else {
            io::ErrorKind::InvalidInput
        }
        .into())
    }

    /// What is at a path. Links are followed, and one that leads out of the root is not there.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn entry(&self, path: &VirtualPath, access: Access) -> io::Result<Entry> {
        let facts = Facts::from(&self.dir.metadata(path.relative())?);
        Ok(facts.entry(path.as_str().to_owned(), access))
    }

    /// Begins to list a folder.
    ///
    /// # Errors
    /// `NotADirectory`, or what else the system says.
    pub(super) fn list(&self, path: &VirtualPath, access: Access) -> io::Result<Listing> {
        let dir = self.dir.open_dir(path.relative())?;
        let walk = rustix::fs::Dir::new(open_for_reading(&dir)?.into_std())?;
        Ok(Listing {
            dir,
            walk,
            path: path.clone(),
            access,
            left_out: 0,
        })
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// `AlreadyExists`, or what else the system says.
    pub(super) fn create_folder(&self, path: &VirtualPath) -> io::Result<()> {
        self.dir.create_dir(path.relative())
    }

    /// Begins to write a file, which shows under its name only at [`Upload::commit`].
    ///
    /// # Errors
    /// `IsADirectory` if the path is a folder, or what else the system says.
    pub(super) fn upload(&self, path: &VirtualPath) -> io::Result<Upload> {
        let (folder, name) = path.split().ok_or(io::ErrorKind::IsADirectory)?;
        let dir = self.dir.open_dir(folder.relative())?;
        let replaced = match dir.symlink_metadata(name) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) => metadata.is_file().then(|| metadata.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let temporary = format!("{HIDDEN_PREFIX}{:016x}", getrandom::u64()?);
        let options = OpenOptions::new().write(true).create_new(true).clone();
        let file = dir.open_with(&temporary, &options)?;
        let upload = Upload {
            dir,
            file,
            name: name.to_owned(),
            temporary,
            in_place: false,
        };
        if let Some(permissions) = replaced {
            // Only what `chmod` sets: no set-user-ID bit may pass to content that somebody else wrote.
            let mode = permissions.mode() & 0o777;
            upload
                .file
                .set_permissions(cap_std::fs::Permissions::from_mode(mode))?;
        }
        Ok(upload)
    }
}

/// A folder's handle is good for paths below it only: to walk or to sync it, it must be opened once more.
fn open_for_reading(dir: &Dir) -> io::Result<File> {
    dir.open(".")
}

/// `O_NONBLOCK` as `custom_flags` takes it.
const O_NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// A file that is being written, under a hidden name in the folder where it will be.
///
/// Dropped before [`Upload::commit`], it removes what it wrote, and what was there before is as it was.
#[derive(Debug)]
pub(super) struct Upload {
    dir: Dir,
    file: File,
    name: String,
    temporary: String,
    in_place: bool,
}

impl Upload {
    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Puts the file, once it is synced, under its name in one step, replacing what is there. On return the name is on
    /// the disk too.
    ///
    /// # Errors
    /// What the system says; the file that was there before is as it was.
    pub(super) fn commit(mut self) -> io::Result<()> {
        self.dir.rename(&self.temporary, &self.dir, &self.name)?;
        self.in_place = true;
        open_for_reading(&self.dir)?.sync_all()
    }
}

impl io::Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.in_place
            && let Err(error) = self.dir.remove_file(&self.temporary)
        {
            log::warn!(
                "cannot remove the unfinished upload {}: {error}",
                self.temporary
            );
        }
    }
}

/// The entries of a folder, one after the other: the folder is never held in memory as a whole.
#[derive(Debug)]
pub(super) struct Listing {
    dir: Dir,
    walk: rustix::fs::Dir,
    path: VirtualPath,
    access: Access,
    /// How many names no client could be told of: not UTF-8, or with a control character.
    left_out: usize,
}

impl Listing {
    /// What a name of the folder stands for. `None` if it is gone by now, or is a link that leads out of the root.
    fn facts(&self, name: &str) -> Option<Facts> {
        let stat = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Some(Facts::from(&stat));
        }
        self.dir.metadata(name).ok().as_ref().map(Facts::from)
    }
}

impl Iterator for Listing {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        loop {
            let raw = match self.walk.next()? {
                Ok(raw) => raw,
                Err(error) => return Some(Err(error.into())),
            };
            let name = match raw.file_name().to_str() {
                Ok("." | "..") => continue,
                Ok(name) if name.starts_with(HIDDEN_PREFIX) => continue,
                Ok(name) if !name.contains(char::is_control) => name,
                _ => {
                    self.left_out += 1;
                    continue;
                }
            };
            if let Some(facts) = self.facts(name) {
                return Some(Ok(facts.entry(name.to_owned(), self.access)));
            }
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        if self.left_out > 0 {
            let Self { path, left_out, .. } = self;
            log::warn!(
                "{path}: {left_out} names not listed, being no UTF-8 or holding control characters"
            );
        }
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
            kind: kind(metadata.mode()),
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
            kind: kind(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Timestamp::new(stat.st_mtime, 0).ok(),
            device: stat.st_dev,
            inode: stat.st_ino,
            mode: stat.st_mode,
        }
    }
}

fn kind(mode: u32) -> Kind {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Kind::Folder,
        FileType::RegularFile => Kind::File,
        _ => Kind::Other,
    }
}

impl Facts {
    fn entry(self, name: String, access: Access) -> Entry {
        // RFC 3659 §7.5.5: what this account may do with it.
        let perm = match (self.kind, access) {
            (Kind::Folder, Access::Read) => "el",
            (Kind::Folder, Access::Write) => "elcm",
            (Kind::Folder, Access::Full) => "elcmdfp",
            (Kind::File, Access::Read) => "r",
            (Kind::File, Access::Write) => "raw",
            (Kind::File, Access::Full) => "rawdf",
            _ => "",
        };
        Entry {
            name,
            kind: self.kind,
            size: (self.kind == Kind::File).then_some(self.size),
            modified: self.modified,
            perm: Some(perm.to_owned()),
            unique: Some(format!("{:x}g{:x}", self.device, self.inode)),
            mode: Some(self.mode & 0o7777),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_stay_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let at = |text: &str| VirtualPath(text.to_owned());
        for (from, name, path) in [
            ("/", "a", "/a"),
            ("/a", "b", "/a/b"),
            ("/a/b", "..", "/a"),
            ("/a/b", "../../../..", "/"),
            ("/a", "/c//d/./e/", "/c/d/e"),
            ("/", "..", "/"),
            ("/", "../../etc/passwd", "/etc/passwd"),
            ("/", " a b ", "/ a b "),
            ("/", "a\\..\\b", "/a\\..\\b"),
        ] {
            assert_eq!(root.resolve(&at(from), name), Ok(at(path)), "{from} {name}");
        }
        assert_eq!(
            root.resolve(&at("/"), "a\u{1b}[2J"),
            Err(PathError::ControlCharacter)
        );
        assert_eq!(
            root.resolve(&at("/"), "x/.ftp-upload.1"),
            Err(PathError::Reserved)
        );
        assert_eq!(
            root.resolve(&at("/"), &"a/".repeat(MAX_PATH)),
            Err(PathError::TooLong)
        );
    }

    #[test]
    fn an_upload_shows_whole_or_not_at_all() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "old").unwrap();
        let root = Root::open(folder.path()).unwrap();
        let path = root.resolve(&VirtualPath::root(), "f").unwrap();
        let names = || std::fs::read_dir(folder.path()).unwrap().count();

        let mut dropped = root.upload(&path).unwrap();
        dropped.write_all(b"half of the ne").unwrap();
        assert_eq!(names(), 2);
        assert_eq!(
            root.list(&VirtualPath::root(), Access::Full)
                .unwrap()
                .count(),
            1
        );
        drop(dropped);
        assert_eq!(
            (
                names(),
                std::fs::read_to_string(folder.path().join("f")).unwrap()
            ),
            (1, "old".to_owned())
        );

        let mut whole = root.upload(&path).unwrap();
        whole.write_all(b"new").unwrap();
        whole.sync().unwrap();
        whole.commit().unwrap();
        assert_eq!(
            (
                names(),
                std::fs::read_to_string(folder.path().join("f")).unwrap()
            ),
            (1, "new".to_owned())
        );
    }
}
