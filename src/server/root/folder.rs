//! Folders that are open, and the one that is served as a whole, which may be taken away and put back while it is.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use rustix::fs::{FileType, Stat, fstat, stat};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A folder that is open. What it takes to sync what is in it is opened once.
#[derive(Debug)]
pub(super) struct OpenFolder {
    dir: Dir,
    readable: OnceLock<File>,
}

impl OpenFolder {
    /// Waits until the names in it are on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn sync(&self) -> io::Result<()> {
        if let Some(readable) = self.readable.get() {
            return readable.sync_all();
        }
        let readable = readable(&self.dir)?;
        self.readable.get_or_init(|| readable).sync_all()
    }
}

impl From<Dir> for OpenFolder {
    fn from(dir: Dir) -> Self {
        Self {
            dir,
            readable: OnceLock::new(),
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

    /// With its second handle, since uploads will come.
    fn open_at(path: &Path) -> io::Result<OpenFolder> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        let readable = readable(&dir)?;
        Ok(OpenFolder {
            dir,
            readable: readable.into(),
        })
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

/// A folder's handle is good for paths below it only: to walk it, or to sync what is in it, it must be opened once more.
pub(super) fn readable(dir: &Dir) -> io::Result<File> {
    dir.open(".")
}
