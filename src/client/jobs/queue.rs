//! The jobs that nobody has begun yet, in the order in which they are to be begun.

use super::{Job, Way, What};
use crate::client::mirror::Tally;
use crate::client::progress::Counts;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

/// So many files wait before those are moved first: up to there folders go first, so that it is soon known how much
/// there is in all.
const ENOUGH: usize = 10_000;
/// What there is to do, and what has become of it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) folders: Vec<Job>,
    pub(super) files: VecDeque<Job>,
    /// Jobs that another one may be in the way of, for when nothing else is left, one after the other.
    late: VecDeque<Job>,
    targets: HashSet<(PathBuf, String)>,
    /// How many jobs somebody is at.
    pub(super) active: usize,
    pub(super) helpers: usize,
    /// The server takes no more connections.
    pub(super) crowded: bool,
    pub(super) stopped: bool,
    /// Files, and what else has failed.
    pub(super) tried: usize,
    pub(super) failed: usize,
    pub(super) first: Option<anyhow::Error>,
    /// What a mirror has come to besides.
    pub(super) tally: Tally,
}

impl Queue {
    /// Takes jobs in.
    pub(super) fn add(&mut self, way: Way, counts: &Counts, jobs: Vec<Job>) {
        for job in jobs {
            match job.what {
                What::Folder { .. } | What::Mirror(_) | What::Remove { .. } => {
                    self.folders.push(job);
                }
                What::File { size, .. } => {
                    counts.found(size.unwrap_or(0));
                    self.tried += 1;
                    let target = match way {
                        Way::Down => (job.folder.clone(), job.name.clone()),
                        Way::Up => (PathBuf::new(), job.remote.clone()),
                    };
                    // `x.part` is what `x` is called while it is fetched.
                    let part = way == Way::Down
                        && (job.name.ends_with(".part") || job.name.ends_with(".part.facts"));
                    if part || !self.targets.insert(target) {
                        self.late.push_back(job);
                    } else {
                        self.files.push_back(job);
                    }
                }
            }
        }
    }

    /// The job that is to be done next, if one can be begun now.
    pub(super) fn next(&mut self) -> Option<Job> {
        let job = match self.files.len() < ENOUGH {
            true => self.folders.pop().or_else(|| self.files.pop_front()),
            false => self.files.pop_front(),
        };
        match job {
            None if self.active == 0 => self.late.pop_front(),
            job => job,
        }
    }

    /// How many jobs nobody has begun.
    pub(super) fn left(&self) -> usize {
        self.folders.len() + self.files.len() + self.late.len()
    }

    /// Counts a failure.
    pub(super) fn fail(&mut self, error: anyhow::Error) {
        self.failed += 1;
        self.first.get_or_insert(error);
    }
}
