//! One small file on its way over a connection that others share with it.

use super::{Job, Way, What};
use crate::client::connection::{Connecting, Connection};
use crate::client::download;
use crate::client::error::Trouble;
use crate::client::part::Part;
use crate::client::progress::{Counts, Meter};
use crate::client::transfer::Moved;
use crate::client::upload::Upload;
use crate::protocol::command::Command;
use crate::protocol::entry::{Entry, Kind};
use anyhow::Result;
use std::path::PathBuf;

/// A file that is under way.
pub(super) struct Flight<'c> {
    pub(super) job: Job,
    pub(super) meter: Meter<'c>,
    pub(super) command: Command,
    pub(super) load: Load,
    pub(super) moved: Moved,
    /// How many replies are owed to what was asked behind its transfer.
    pub(super) owed: usize,
    pub(super) failed: Option<anyhow::Error>,
}

/// What is moved.
pub(super) enum Load {
    /// A file to this path, with what the listing or the server said of it.
    Down(PathBuf, Entry),
    /// A file from this side.
    Up(Box<Upload>),
}

/// A file that is done with.
pub(super) struct Landed {
    pub(super) job: Job,
    pub(super) outcome: Result<Moved>,
}

impl<'c> Flight<'c> {
    /// Prepares a file that is to go that way, counted there.
    ///
    /// # Errors
    /// The job cannot be done at all.
    pub(super) fn prepare(
        job: Job,
        way: Way,
        connection: &Connection,
        counts: &'c Counts,
    ) -> Result<Self, Box<(Job, anyhow::Error)>> {
        let (command, load) = match Load::of(&job, way, connection) {
            Ok(loaded) => loaded,
            Err(error) => return Err(Box::new((job, error))),
        };
        Ok(Self {
            meter: Meter::new(counts, &job.remote, job.size()),
            job,
            command,
            load,
            moved: Moved::default(),
            owed: 0,
            failed: None,
        })
    }

    /// Carries out the transfer, which has been asked for.
    pub(super) fn fly(
        &mut self,
        connection: &mut Connection,
        port: Option<Connecting>,
    ) -> Result<u64> {
        let open = || match port {
            Some(port) => Ok(port.finish()?),
            None => Err(Trouble::Lost("there is no data connection for it".to_owned()).into()),
        };
        let meter = &self.meter;
        match &mut self.load {
            Load::Down(target, said) => {
                // It is not gone on from: what is as small as that comes whole or not at all.
                let unknown = Entry::new(said.name.as_str(), Kind::File);
                let part = connection.exchange(&self.command, open, |data| {
                    let mut part = Part::open(target, &unknown)?;
                    part.fill(data, said.size, meter)?;
                    Ok(part)
                })?;
                part.is_whole(said.size)?;
                let bytes = part.length();
                part.commit(said.modified.map(Into::into))?;
                Ok(bytes)
            }
            Load::Up(upload) => {
                connection.exchange(&self.command, open, |data| upload.send(data, 0, meter))
            }
        }
    }

    pub(super) fn land(self) -> Landed {
        Landed {
            outcome: self.failed.map_or(Ok(self.moved), Err),
            job: self.job,
        }
    }
}

impl Load {
    /// What is moved for a job, and the command that does it.
    fn of(job: &Job, way: Way, connection: &Connection) -> Result<(Command, Self)> {
        match way {
            Way::Down => {
                let mut said = Entry::new(job.remote.as_str(), Kind::File);
                if let What::File { size, modified } = job.what {
                    (said.size, said.modified) = (size, modified);
                }
                let target = download::target(&job.folder, &job.name)?;
                Ok((Command::Retr(job.remote.parse()?), Self::Down(target, said)))
            }
            Way::Up => {
                let remote = job.remote.parse()?;
                let upload = Upload::open(connection, &job.local(), remote)?;
                let command = Command::Stor(upload.place.name().clone());
                Ok((command, Self::Up(Box::new(upload))))
            }
        }
    }
}
