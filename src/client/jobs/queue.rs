//! The jobs that nobody has begun yet, in the order in which they are to be begun.

use super::{Job, Way, What};
use crate::client::mirror::Tally;
use crate::client::progress::Counts;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// So many files wait before those are moved first: up to there folders go first, so that it is soon known how much
/// there is in all.
const ENOUGH: usize = 10_000;
/// How long after a refusal one connection more is tried, at first and at last.
const GROW: Duration = Duration::from_secs(2);
const GROW_AT_LAST: Duration = Duration::from_secs(60);

/// What there is to do, and what has become of it.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) folders: Vec<Job>,
    pub(super) files: VecDeque<Job>,
    /// Jobs that another one may be in the way of, for when nothing else is left, one after the other.
    late: VecDeque<Job>,
    targets: HashSet<(PathBuf, String)>,
    /// How many jobs somebody is at.
    pub(super) active: usize,
    pub(super) helpers: usize,
    /// How many connections there may be in all.
    most: usize,
    /// How many the server seems to have room for.
    room: usize,
    /// Somebody waits for room already.
    pub(super) scouting: bool,
    /// When one more may be tried, and how long to wait after it was refused.
    grows: Option<(Instant, Duration)>,
    pub(super) stopped: bool,
    /// Files, and what else has failed.
    pub(super) tried: usize,
    pub(super) failed: usize,
    pub(super) first: Option<anyhow::Error>,
    /// What a mirror has come to besides.
    pub(super) tally: Tally,
}

impl Queue {
    /// An empty queue for no more than `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self {
            folders: Vec::new(),
            files: VecDeque::new(),
            late: VecDeque::new(),
            targets: HashSet::new(),
            active: 0,
            helpers: 0,
            most,
            room: most,
            scouting: false,
            grows: None,
            stopped: false,
            tried: 0,
            failed: 0,
            first: None,
            tally: Tally::default(),
        }
    }

    /// The server has no room for so many connections: half of them will do, and later one more is tried. Several that are
    /// refused at the same time count as one.
    pub(super) fn crowd(&mut self) {
        let now = Instant::now();
        let wait = match self.grows {
            Some((when, wait)) if now + wait / 2 < when => return,
            Some((_, wait)) => (wait * 2).min(GROW_AT_LAST),
            None => GROW,
        };
        self.room = self.room.min(self.helpers.div_ceil(2)).max(1);
        self.grows = Some((now + wait, wait));
    }

    /// Whether there are more connections than the server has room for.
    pub(super) const fn is_crowded(&self) -> bool {
        self.helpers >= self.room
    }

    /// Makes room for one connection more, if there was too little and it is time to try. Whether it was.
    pub(super) fn grow(&mut self) -> bool {
        let now = Instant::now();
        match self.grows {
            Some((when, wait)) if self.room < self.most && now >= when => {
                self.room += 1;
                self.grows = Some((now + wait, wait));
                true
            }
            _ => false,
        }
    }

    /// Whether there is work for one more connection, and room.
    pub(super) fn wants_help(&mut self) -> bool {
        if !self.scouting {
            self.grow();
        }
        self.helpers + 1 < self.room && self.helpers < self.files.len() + self.folders.len()
    }

    /// Whether the next job to be done is such a file.
    pub(super) fn is_next(&self, such: impl Fn(&Job) -> bool) -> bool {
        let files_first = self.folders.is_empty() || self.files.len() >= ENOUGH;
        files_first && self.files.front().is_some_and(such)
    }

    /// Takes jobs in.
    pub(super) fn add(&mut self, way: Way, counts: &Counts, jobs: Vec<Job>) {
        for job in jobs {
            match job.what {
                What::Folder { .. } | What::Mirror(_) | What::Remove { .. } => {
                    self.folders.push(job);
                }
                What::File { .. } => {
                    counts.found(job.size());
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
