//! The served folder: the only code that touches files.

mod folder;
mod listing;
mod occupied;
mod path;
mod quota;
mod stale;
mod sweep;
mod unfinished;
mod upload;

pub(super) use listing::{Listing, Place};
pub(super) use path::{PathError, VirtualPath};
pub(super) use quota::Bounds;
pub use upload::Durability;
pub(super) use upload::{Start, Upload};

use crate::copy::set_modified;
use cap_std::fs::{File, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use folder::{Folder, OpenFolder};
use quota::{Ledger, Ledgers, vacate};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// How the names of unfinished uploads begin. No listing shows such a name and no client can say it.
const HIDDEN_PREFIX: &str = ".ftp-upload.";
/// How the names of those among them begin that were cut, and that their owner can go on from.
const PARTIAL_PREFIX: &str = ".ftp-upload.partial.";

/// The folder that is served, or what of it is an account's. Nothing outside it can be reached through it, whatever the
/// names and links say. A clone is the same folder.
#[derive(Debug, Clone)]
pub(super) struct Root {
    dir: Arc<OpenFolder>,
    /// All that is served, where it is now.
    folder: Arc<Folder>,
    durability: Durability,
    bounds: Bounds,
    /// What is booked against the quota, if there is one.
    ledger: Option<Arc<Ledger>>,
    ledgers: Arc<Ledgers>,
}

impl Root {
    /// Opens a folder to serve it.
    ///
    /// # Errors
    /// It does not exist, is no folder, or may not be read.
    pub(super) fn open(folder: &Path, durability: Durability) -> io::Result<Self> {
        let folder = Folder::open(folder)?;
        Ok(Self {
            dir: folder.now(),
            folder: Arc::new(folder),
            durability,
            bounds: Bounds::default(),
            ledger: None,
            ledgers: Arc::default(),
        })
    }

    /// The folder `name` of all that is served as a root of its own, made if it is missing.
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be a name here, or what the system says.
    pub(super) fn below(&self, name: &str, bounds: Bounds) -> io::Result<Self> {
        let path = self
            .resolve(&VirtualPath::root(), name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let whole = self.folder.now();
        let open = || OpenFolder::open(&whole, path.relative());
        let dir = if path == VirtualPath::root() {
            // A descriptor is spared for each session that has all of the folder.
            whole
        } else {
            let opened = match open() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    whole.create_dir_all(path.relative())?;
                    open()?
                }
                opened => opened?,
            };
            Arc::new(opened)
        };
        Ok(Self {
            dir,
            folder: Arc::clone(&self.folder),
            durability: self.durability,
            bounds,
            ledger: bounds.quota.map(|_| self.ledgers.of(&path)),
            ledgers: Arc::clone(&self.ledgers),
        })
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
        folder.join(name)
    }

    /// Opens a regular file for reading, with its size in bytes.
    ///
    /// # Errors
    /// `IsADirectory` for a folder, `Unsupported` for anything else that is no regular file, and what the system says.
    pub(super) fn read(&self, path: &VirtualPath) -> io::Result<(File, u64)> {
        let (file, metadata) = stale::again(|| {
            let file = self.handle(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        })?;
        if metadata.is_file() {
            return Ok((file, metadata.len()));
        }
        Err(if metadata.is_dir() {
            io::ErrorKind::IsADirectory
        } else {
            io::ErrorKind::Unsupported
        }
        .into())
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// `AlreadyExists`, or what else the system says.
    pub(super) fn create_folder(&self, path: &VirtualPath) -> io::Result<()> {
        self.dir.create_dir(path.relative())
    }

    /// Removes a file, or a link to one.
    ///
    /// # Errors
    /// `IsADirectory`, or what else the system says.
    pub(super) fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        // A link that leads out of the root is not there, and what is not there is not removed.
        stale::again(|| self.dir.metadata(path.relative()))?;
        vacate(self.ledger.as_deref(), &self.dir, path.relative(), || {
            stale::again(|| self.dir.remove_file(path.relative()))
        })
    }

    /// Gives a file or folder another path. A file that is there is replaced.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        // Two names of one file stay both, and nothing is gone.
        let ledger = self.ledger.as_deref().filter(|_| !self.same(from, to));
        vacate(ledger, &self.dir, to.relative(), || {
            stale::again(|| self.dir.rename(from.relative(), &self.dir, to.relative()))
        })
    }

    /// Whether two paths are of one file.
    fn same(&self, one: &VirtualPath, other: &VirtualPath) -> bool {
        let inode = |path: &VirtualPath| {
            let metadata = self.dir.symlink_metadata(path.relative())?;
            io::Result::Ok((metadata.dev(), metadata.ino()))
        };
        matches!((inode(one), inode(other)), (Ok(one), Ok(other)) if one == other)
    }

    /// Sets the modification time.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn set_modified(&self, path: &VirtualPath, time: SystemTime) -> io::Result<()> {
        stale::again(|| set_modified(&self.handle(path)?.into_std(), time))
    }

    /// Sets the permission bits.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        let permissions = || Permissions::from_mode(mode);
        stale::again(|| self.handle(path)?.set_permissions(permissions()))
    }

    /// Opens whatever is there.
    fn handle(&self, path: &VirtualPath) -> io::Result<File> {
        // Without O_NONBLOCK the opening of a FIFO would wait for a writer.
        self.dir.open_with(
            path.relative(),
            OpenOptions::new().read(true).custom_flags(O_NONBLOCK),
        )
    }
}

/// `O_NONBLOCK` as `custom_flags` takes it.
const O_NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::users::Access;
    use std::io::Write;
    use std::time::Duration;

    /// A root with a file `f` in it that says `old`, and its path.
    fn with_file() -> (tempfile::TempDir, Root, VirtualPath) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "old").unwrap();
        let root = Root::open(folder.path(), Durability::Full).unwrap();
        let path = root.resolve(&VirtualPath::root(), "f").unwrap();
        (folder, root, path)
    }

    #[test]
    fn an_upload_shows_whole_or_not_at_all() {
        let (folder, root, path) = with_file();
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let content = || std::fs::read_to_string(folder.path().join("f")).unwrap();

        let mut dropped = root.upload(&path, "me", Start::Anew).unwrap();
        dropped.write_all(b"half of the ne").unwrap();
        assert_eq!(names(), 2);
        assert_eq!(
            root.list(&VirtualPath::root(), Access::Full.into(), None)
                .unwrap()
                .filter(|entry| matches!(entry, Ok(Some(_))))
                .count(),
            1
        );
        drop(dropped);
        assert_eq!((names(), content()), (1, "old".to_owned()));

        let mut whole = root.upload(&path, "me", Start::Anew).unwrap();
        whole.write_all(b"new").unwrap();
        whole.sync().unwrap();
        whole.commit().unwrap();
        assert_eq!((names(), content()), (1, "new".to_owned()));
    }

    #[test]
    fn only_its_owner_goes_on_from_a_cut_upload() {
        let (folder, root, _) = with_file();
        let path = root.resolve(&VirtualPath::root(), "new").unwrap();
        let mut cut = root.upload(&path, "me", Start::Anew).unwrap();
        cut.write_all(b"123456").unwrap();
        drop(cut);
        assert_eq!(root.partial(&path, "me").unwrap().1, 6);
        assert_eq!(
            root.partial(&path, "you").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert!(root.upload(&path, "you", Start::At(4)).is_err());
        assert!(root.upload(&path, "me", Start::At(7)).is_err());

        let mut resumed = root.upload(&path, "me", Start::At(4)).unwrap();
        // It is claimed: nobody else can go on from it at the same time.
        assert!(root.upload(&path, "me", Start::At(4)).is_err());
        resumed.write_all(b"rest").unwrap();
        resumed.commit().unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("new")).unwrap(),
            "1234rest"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_resume_of_a_complete_file_works_on_a_copy() {
        let (folder, root, path) = with_file();
        let content = || std::fs::read_to_string(folder.path().join("f")).unwrap();
        for (start, then) in [
            (Start::End, "old+"),
            (Start::At(1), "o+"),
            (Start::At(0), "+"),
        ] {
            let mut upload = root.upload(&path, "me", start).unwrap();
            let before = content();
            upload.write_all(b"+").unwrap();
            assert_eq!(content(), before);
            upload.commit().unwrap();
            assert_eq!(content(), then);
        }
        let error = root.upload(&path, "me", Start::At(2)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn the_sweep_takes_what_is_old_and_hidden() {
        let (folder, root, _) = with_file();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in [".ftp-upload.1", "sub/.ftp-upload.partial.2", "sub/keep"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(root.sweep(Duration::from_secs(3600), || true), 0);
        assert_eq!(root.sweep(Duration::ZERO, || false), 0);
        assert_eq!(root.sweep(Duration::ZERO, || true), 2);
        assert!(folder.path().join("sub/keep").exists() && folder.path().join("f").exists());
    }
}
