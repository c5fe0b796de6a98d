//! Transfers of a command: one file or whole trees, over one connection or several, each tried again where that may help.

mod crew;
mod flight;
mod pipeline;
mod queue;
mod segments;
mod work;

use super::{Client, mirror};
use anyhow::Result;
use crew::Crew;
use jiff::Timestamp;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Which way the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

/// How the jobs of a command are to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Orders {
    pub(super) way: Way,
    /// Over how many connections a single file comes.
    pub(super) segments: usize,
    /// If it is a mirror that is made.
    pub(super) mirror: Option<mirror::Rules>,
}

impl Orders {
    /// Each file over one connection.
    pub(super) const fn plain(way: Way) -> Self {
        Self {
            way,
            segments: 1,
            mirror: None,
        }
    }
}

/// A file to be moved, or a folder with all that is in it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The local folder.
    pub(super) folder: PathBuf,
    /// The name there.
    pub(super) name: String,
    /// The path on the server.
    pub(super) remote: String,
    pub(super) what: What,
    /// It is not to go one behind the other with others: that went wrong once.
    pub(super) alone: bool,
}

/// What a job is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A file.
    File {
        /// How many bytes it holds, if that was told.
        size: Option<u64>,
        /// When it was changed, if that was told to the second, or the server tells it no better.
        modified: Option<Timestamp>,
    },
    /// A folder, in so many others of its tree.
    Folder { depth: u32 },
    /// A folder, of which the other side's is to become a copy.
    Mirror(mirror::Step),
    /// What is to be gone from the server, perhaps a folder with all that is in it.
    Remove { folder: bool },
}

impl What {
    /// A file, or something of which nothing is known.
    pub(super) const FILE: Self = Self::File {
        size: None,
        modified: None,
    };
}

impl Job {
    /// A job for what is called `name` in this local folder and `remote` on the server.
    pub(super) const fn new(folder: PathBuf, name: String, remote: String, what: What) -> Self {
        Self {
            folder,
            name,
            remote,
            what,
            alone: false,
        }
    }

    /// How many bytes it is about, as far as is known.
    fn size(&self) -> u64 {
        match self.what {
            What::File { size, .. } => size.unwrap_or_default(),
            _ => 0,
        }
    }

    /// The path on this side.
    pub(super) fn local(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// A job for something in this folder.
    pub(super) fn inner(&self, name: String, what: What) -> Self {
        let remote = format!("{}/{name}", self.remote.trim_end_matches('/'));
        Self::new(self.local(), name, remote, what)
    }
}

/// Carries out jobs. Of a single file the failure is the command's; of many each is told, and hides none of the others.
///
/// # Errors
/// The failure, or the first of several and how many there were; [`Trouble::Interrupted`].
pub(super) fn run(client: &mut Client, orders: Orders, jobs: Vec<Job>) -> Result<ControlFlow<()>> {
    let many = !matches!(
        jobs[..],
        [Job {
            what: What::File { .. },
            ..
        }]
    );
    let mut most = client.options.jobs;
    let able = &client.connection()?.abilities;
    let recorded = orders.way == Way::Up && able.rest && (able.hash.is_some() || able.stages());
    if client.folder.is_none()
        && (recorded || many && most > 1 || orders.segments > 1)
        && let Err(error) = client.ask_folder()
        && client.connection()?.is_broken()
    {
        return Err(error);
    }
    if client.folder.is_none() {
        // Another connection would not know where it has to be.
        most = 1;
    }
    let name = match &jobs[..] {
        [job] => job.remote.clone(),
        jobs => format!("{} files", jobs.len()),
    };
    let began = Instant::now();
    let crew = Crew::new(orders, client.login(), many, most, name);
    crew.add(jobs);
    client.connection = crew.carry_out(client.connection.take());
    crew.outcome(began.elapsed())
}
