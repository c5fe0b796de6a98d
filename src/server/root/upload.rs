//! Files that are being written: hidden until they are whole.

use super::folder::OpenFolder;
use super::occupied::{at, at_hand};
use super::quota::{Booking, vacate};
use super::unfinished::Names;
use super::{Root, VirtualPath, stale, unfinished};
use crate::copy::{CopyError, Pipe};
use cap_std::fs::{Dir, File, Metadata, Permissions, PermissionsExt};
use clap::ValueEnum;
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// What has to be on the disk before a client is told that its upload is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// The file and its name: whoever was told so finds it after a power cut too.
    Full,
    /// Nothing; the system writes it when it sees fit. A crash of the server alone loses nothing.
    Relaxed,
}

/// Where an upload begins in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Start {
    /// A new file, whatever is there: `STOR`.
    Anew,
    /// At this byte of what is there, complete or cut: `REST` and `STOR`.
    At(u64),
    /// Behind all of what is there: `APPE`.
    End,
}

/// A file that is being written, under a hidden name in the folder where it will be.
///
/// Dropped before [`Upload::commit`], it is kept as its owner's partial, for the next resume to go on from, if there is
/// no file under its name and nothing is wrong with it but that it is cut. Otherwise it is removed, and what was there
/// before is as it was.
#[derive(Debug)]
pub(in crate::server) struct Upload {
    dir: Arc<OpenFolder>,
    file: File,
    name: String,
    temporary: String,
    names: Names,
    durability: Durability,
    /// How much of the file there is, in bytes, and how much there may be.
    length: u64,
    most: Option<u64>,
    /// What is booked against the quota, if there is one.
    booking: Option<Booking>,
    /// Whether a file was seen under its name, whose mode it has by now.
    replaces: bool,
    /// Whether the disk or a bound has failed it: what a full disk has cut is not worth its space.
    failed: bool,
    in_place: bool,
}

impl Root {
    /// Begins to write a file for `owner`, who alone can go on from it should it be cut.
    ///
    /// # Errors
    /// `IsADirectory` if the path is a folder, `UnexpectedEof` if there is less than what the start asks for,
    /// `FileTooLarge` or `QuotaExceeded` if what it asks for is over a bound, or what else the system says.
    pub(in crate::server) fn upload(
        &self,
        path: &VirtualPath,
        owner: &str,
        start: Start,
    ) -> io::Result<Upload> {
        stale::again(|| self.begin_upload(path, owner, start))
    }

    fn begin_upload(&self, path: &VirtualPath, owner: &str, start: Start) -> io::Result<Upload> {
        let (folder, name) = path.split().ok_or(io::ErrorKind::IsADirectory)?;
        let dir = if folder == VirtualPath::root() {
            Arc::clone(&self.dir)
        } else {
            Arc::new(OpenFolder::open(&self.dir, folder.relative())?)
        };
        let names = Names::new(owner, name);
        let there = if start == Start::Anew && self.ledger.is_none() {
            at_hand(&dir, name)?
        } else {
            at(&dir, name)?
        };
        let booking = self.ledger.as_ref().zip(self.bounds.quota);
        let booking = booking.map(|(ledger, quota)| {
            ledger.begin(self, quota, there.as_ref().map_or(0, Metadata::len))
        });
        let claimed = match (&there, start) {
            (None, Start::At(_) | Start::End) => names.claim(&dir)?,
            _ => None,
        };
        let resumed = claimed.is_some();
        let (file, temporary) = claimed.map_or_else(|| names.create(&dir), Ok)?;
        let name = name.to_owned();
        let mut upload = Upload {
            dir,
            file,
            name,
            temporary,
            names,
            durability: self.durability,
            length: 0,
            most: self.bounds.file_size,
            booking,
            replaces: there.is_some(),
            failed: false,
            in_place: false,
        };
        match start {
            Start::Anew => {}
            _ if resumed => upload.cut_to(start)?,
            _ if there.is_some() => upload.copy_of(&self.read(path)?, start)?,
            Start::At(0) | Start::End => {}
            Start::At(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        upload.succeed(there.as_ref())?;
        Ok(upload)
    }

    /// What of a cut upload is kept for `owner`, who can go on from there, and its size in bytes. It is for checksums, not
    /// for downloads: nobody has ever said that it is whole.
    ///
    /// # Errors
    /// `NotFound` if there is nothing.
    pub(in crate::server) fn partial(
        &self,
        path: &VirtualPath,
        owner: &str,
    ) -> io::Result<(File, u64)> {
        let (folder, name) = path.split().ok_or(io::ErrorKind::NotFound)?;
        let names = Names::new(owner, name);
        stale::again(|| {
            let dir = self.dir.open_dir(folder.relative())?;
            let partial = names.partial();
            let found = match unfinished::cut(&dir, &partial)? {
                None if names.adopt(&dir)? => unfinished::cut(&dir, &partial)?,
                found => found,
            };
            // To look at it, the lock is not needed: a resume gets it meanwhile.
            drop(found.ok_or(io::ErrorKind::NotFound)?);
            let file = dir.open(&partial)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        })
    }
}

impl Upload {
    /// Writes all that is in a pipe.
    ///
    /// # Errors
    /// As a write has them.
    pub(in crate::server) fn take(&mut self, pipe: &mut Pipe) -> Result<(), CopyError> {
        let wanted = pipe.held() as u64;
        let taken = self.admit(wanted).map_err(CopyError::Write).and_then(|()| {
            let mut written = 0;
            let taken = pipe.empty(&mut self.file, |count| written += count);
            self.length -= wanted - written;
            self.freed(wanted - written);
            taken
        });
        taken.inspect_err(|_| self.failed = true)
    }

    /// Waits until what was written is on the disk, where that is asked for.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::server) fn sync(&mut self) -> io::Result<()> {
        match self.durability {
            Durability::Full => self.file.sync_data().inspect_err(|_| self.failed = true),
            Durability::Relaxed => Ok(()),
        }
    }

    /// Puts the file, once it is synced, under its name in one step, replacing what is there. On return the name is as
    /// durable as the file.
    ///
    /// # Errors
    /// `QuotaExceeded`, or what the system says; the file that was there before is as it was.
    pub(in crate::server) fn commit(mut self) -> io::Result<()> {
        let renamed = match &self.booking {
            Some(booking) => booking.replace(&self.dir, &self.name, || self.rename()),
            None => self.rename(),
        };
        renamed.inspect_err(|_| self.failed = true)?;
        self.in_place = true;
        self.forget_earlier();
        match self.durability {
            Durability::Full => self.dir.sync(&self.file),
            Durability::Relaxed => Ok(()),
        }
    }

    /// Looks at what stands under its name, as nobody may have done yet: what is to replace a private file is private.
    ///
    /// # Errors
    /// `IsADirectory` if it is a folder, or what the system says.
    pub(in crate::server) fn look_ahead(&mut self) -> io::Result<()> {
        if !self.replaces {
            let there = stale::again(|| at(&self.dir, &self.name))?;
            self.succeed(there.as_ref())?;
            self.replaces = there.is_some();
        }
        Ok(())
    }

    fn rename(&self) -> io::Result<()> {
        let (from, to, dir): (_, _, &Dir) = (&self.temporary, &self.name, &self.dir);
        stale::again(|| {
            if !self.replaces {
                match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
                    Ok(()) => return Ok(()),
                    // There is something, or the file system cannot tell.
                    Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => {
                        self.succeed(at(dir, to)?.as_ref())?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            dir.rename(from, dir, to)
        })
    }

    /// Takes over the mode of the file that it is to replace.
    fn succeed(&self, there: Option<&Metadata>) -> io::Result<()> {
        let Some(metadata) = there.filter(|there| there.is_file()) else {
            return Ok(());
        };
        // Only what `chmod` sets: no set-user-ID bit may pass to content that somebody else wrote.
        let mode = metadata.permissions().mode() & 0o777;
        self.file.set_permissions(Permissions::from_mode(mode))
    }

    /// Goes to where a resume of a cut upload begins. What stands behind it was never acknowledged.
    fn cut_to(&mut self, start: Start) -> io::Result<()> {
        self.length = self.file.metadata()?.len();
        match start {
            Start::At(position) if position > self.length => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Start::At(position) => {
                self.file.set_len(position)?;
                self.freed(self.length - position);
                self.length = position;
            }
            Start::Anew | Start::End => {}
        }
        (&self.file).seek(SeekFrom::End(0)).map(drop)
    }

    /// Copies what of a complete file the upload goes on from. The system copies, and where it can only shares blocks.
    fn copy_of(&mut self, (source, length): &(File, u64), start: Start) -> io::Result<()> {
        let wanted = match start {
            Start::At(position) => position,
            Start::Anew | Start::End => *length,
        };
        if wanted > *length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.admit(wanted)?;
        let (source, mut target) = (
            source.try_clone()?.into_std(),
            self.file.try_clone()?.into_std(),
        );
        let copied = io::copy(&mut source.take(wanted), &mut target)?;
        if copied < wanted {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }

    /// Makes sure that so many bytes more are within all bounds, and books them.
    fn admit(&mut self, bytes: u64) -> io::Result<()> {
        let length = self.length.saturating_add(bytes);
        if self.most.is_some_and(|most| length > most) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let Some(booking) = &self.booking {
            booking.add(bytes)?;
        }
        self.length = length;
        Ok(())
    }

    /// Removes what an earlier attempt left: nobody is to go on from it any more. An upload that was written where that would
    /// be has none.
    fn forget_earlier(&self) {
        if self.names.is_partial(&self.temporary) {
            return;
        }
        let partial = self.names.partial();
        let removed = unfinished::free(&self.dir, &partial).and_then(|found| match found {
            Some(_held) => self.vacate_partial(&partial, || self.dir.remove_file(&partial)),
            None => Ok(()),
        });
        if let Err(error) = removed {
            log::warn!("cannot remove the partial {partial}: {error}");
        }
    }

    fn remove(&self) -> io::Result<()> {
        let removed = self.dir.remove_file(&self.temporary);
        removed.inspect(|()| self.freed(self.length))
    }

    /// Leaves what was written to the next resume.
    fn keep(&self) -> io::Result<()> {
        if self.names.is_partial(&self.temporary) {
            return Ok(());
        }
        let partial = self.names.partial();
        self.vacate_partial(&partial, || self.names.keep(&self.dir, &self.temporary))
    }

    /// Carries out what makes the partial that was there before go away, or be another.
    fn vacate_partial(
        &self,
        partial: &str,
        act: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let ledger = self.booking.as_ref().map(Booking::ledger);
        vacate(ledger, &self.dir, partial, act)
    }

    /// Takes note of what was removed.
    fn freed(&self, bytes: u64) {
        if let Some(booking) = &self.booking {
            booking.freed(bytes);
        }
    }

    /// Whether the next resume is to find what was written.
    fn worth_keeping(&self) -> bool {
        !self.failed
            && self
                .file
                .metadata()
                .is_ok_and(|metadata| metadata.len() > 0)
            && self.dir.symlink_metadata(&self.name).is_err()
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = bytes.len() as u64;
        let written = self.admit(wanted).and_then(|()| {
            let written = self.file.write(bytes);
            let count = written.as_ref().map_or(0, |&count| count as u64);
            self.length -= wanted - count;
            self.freed(wanted - count);
            written
        });
        written.inspect_err(|_| self.failed = true)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.in_place {
            return;
        }
        let left = match self.worth_keeping().then(|| self.keep()) {
            // The other upload that goes on now is the one to go on from.
            Some(Err(error)) if error.kind() == io::ErrorKind::ResourceBusy => self.remove(),
            Some(kept) => kept,
            None => self.remove(),
        };
        if let Err(error) = left {
            log::warn!(
                "cannot put away the unfinished upload {}: {error}",
                self.temporary
            );
        }
    }
}
