//! Clears away what dead uploads have left.

use super::quota::vacate;
use super::unfinished::{adopt, free, unheld};
use super::{HIDDEN_PREFIX, Root, VirtualPath};
use cap_std::fs::Dir;
use std::ffi::OsString;
use std::io;
use std::time::{Duration, SystemTime};

impl Root {
    /// Removes the unfinished uploads, of any owner and anywhere below the root, that nobody has written to for `age`, and
    /// keeps those as partials that a server has left that was killed. Stops early when `go_on` says so. Returns how many
    /// were removed.
    pub(in crate::server) fn sweep(&self, age: Duration, go_on: impl Fn() -> bool) -> usize {
        let mut removed = 0;
        let whole = self.folder.now();
        let mut folders = vec![VirtualPath::root()];
        while let Some(folder) = folders.pop().filter(|_| go_on()) {
            match sweep_folder(&whole, &folder, age, &mut folders) {
                Ok(count) => removed += count,
                // A folder that is gone by now, or that may not be read, has nothing for this server to remove.
                Err(error) => log::debug!("cannot sweep {folder}: {error}"),
            }
        }
        removed
    }

    /// Removes a folder that is empty as far as clients can see: partials in it are given up, and what dead servers left.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`, or what else the system says.
    pub(in crate::server) fn remove_folder(&self, path: &VirtualPath) -> io::Result<()> {
        let (folder, name) = path.split().ok_or(io::ErrorKind::PermissionDenied)?;
        let parent = self.dir.open_dir(folder.relative())?;
        match parent.remove_dir(name) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                let dir = parent.open_dir(name)?;
                let names = dir
                    .entries()?
                    .map(|entry| Ok(entry?.file_name()))
                    .collect::<io::Result<Vec<_>>>()?;
                let given_up = |name: &OsString| {
                    let hidden = name.to_str().filter(|name| name.starts_with(HIDDEN_PREFIX));
                    hidden.and_then(|name| free(&dir, name).ok().flatten())
                };
                if !names.iter().all(|name| given_up(name).is_some()) {
                    return Err(error);
                }
                for name in &names {
                    // Held until it is gone, lest somebody begin to write to it.
                    let (Some(_held), Some(partial)) = (given_up(name), name.to_str()) else {
                        return Err(error);
                    };
                    vacate(self.ledger.as_deref(), &dir, partial, || {
                        dir.remove_file(partial)
                    })?;
                }
                parent.remove_dir(name)
            }
            other => other,
        }
    }
}

fn sweep_folder(
    whole: &Dir,
    path: &VirtualPath,
    age: Duration,
    folders: &mut Vec<VirtualPath>,
) -> io::Result<usize> {
    let mut removed = 0;
    let dir = whole.open_dir(path.relative())?;
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            folders.push(path.child(name));
        } else if name.starts_with(HIDDEN_PREFIX) {
            let written = entry.metadata()?.modified()?.into_std();
            // A time in the future, by a clock that was set back, counts as now.
            let idle = SystemTime::now()
                .duration_since(written)
                .unwrap_or_default();
            // By a clock that jumps, one that is being written to would be old at once.
            if idle >= age {
                // Held until it is gone, lest a resume begin to go on from it.
                let held = unheld(&dir, name);
                removed += usize::from(!matches!(held, Ok(None)) && dir.remove_file(name).is_ok());
            } else if let Err(error) = adopt(&dir, name) {
                log::debug!("cannot keep {name} of {path}: {error}");
            }
        }
    }
    Ok(removed)
}
