//! Folders that are open, and the one that is served as a whole, which may be taken away and put back while it is.

use crate::copy::sync_name;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use rustix::fs::{FileType, OFlags, Stat, fstat, stat};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A folder that is open.
#[derive(Debug)]
pub(super) struct OpenFolder {
    dir: Dir,
    is_readable: bool,
}

impl OpenFolder {
    /// Opens a folder below `parent`. Into one that may not be read, as a drop box, files can be put all the same.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(parent: &Dir, path: &str) -> io::Result<Self> {
        match readable(parent, path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Self {
                dir: parent.open_dir(path)?,
                is_readable: false,
            }),
            opened => opened.map(Self::from),
        }
    }

    /// Waits until the names in it are on the disk, the one that `file` has got last among them.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        sync_name(self.is_readable.then_some(&self.dir), file)
    }
}

/// One that may be read.
impl From<Dir> for OpenFolder {
    fn from(dir: Dir) -> Self {
        Self {
            dir,
            is_readable: true,
        }
    }
}

impl Deref for OpenFolder {
    type Target = Dir;

    fn deref(&self) -> &Dir {
        &self.dir
    }
}

/// A folder by its path and by its handle.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    open: Mutex<Arc<OpenFolder>>,
}

impl Folder {
    /// Opens it.
    ///
    /// # Errors
    /// It does not exist, is no folder, or may not be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let open = Self::open_at(&path)?;
        Ok(Self {
            path,
            open: Mutex::new(Arc::new(open)),
        })
    }

    /// Its handle: a new one if there is another folder in its place by now, as when it was removed and made anew, or when a
    /// disk was mounted there.
    pub(super) fn now(&self) -> Arc<OpenFolder> {
        // It is whole after every statement that touches it.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_another(&open)
            && let Some(new) = self.open_anew()
        {
            *open = Arc::new(new);
        }
        Arc::clone(&open)
    }

    #[inline(never)]
    fn open_anew(&self) -> Option<OpenFolder> {
        let path = self.path.display();
        // The sandbox leaves the server what was there when it began.
        Self::open_at(&self.path)
            .inspect(|_| log::info!("another folder is at {path}"))
            .inspect_err(|error| {
                log::warn!(
                    "another folder is at {path} and cannot be opened, restart the server: {error}"
                );
            })
            .ok()
    }

    fn open_at(path: &Path) -> io::Result<OpenFolder> {
        Dir::open_ambient_dir(path, ambient_authority())
            .and_then(|dir| readable(&dir, "."))
            .map(OpenFolder::from)
    }

    /// Whether there is a folder in the place of this one.
    fn is_another(&self, dir: &Dir) -> bool {
        let is_folder = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        match (stat(&self.path), fstat(dir)) {
            (Ok(there), Ok(own)) => {
                is_folder(&there) && (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino)
            }
            // Its file system has forgotten it.
            (Ok(there), Err(_)) => is_folder(&there),
            (Err(_), _) => false,
        }
    }
}

/// Opens a folder so that it can be walked, and what is in it synced: a handle of `Dir::open_dir` is good for paths only.
pub(super) fn readable(parent: &Dir, path: &str) -> io::Result<Dir> {
    let mut options = OpenOptions::new();
    let file = parent.open_with(path, options.read(true).custom_flags(O_DIRECTORY))?;
    Ok(Dir::from_std_file(file.into_std()))
}

/// `O_DIRECTORY` as `custom_flags` takes it.
const O_DIRECTORY: i32 = OFlags::DIRECTORY.bits().cast_signed();
