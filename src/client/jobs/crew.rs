//! Those who carry out the jobs of a command: one connection each, the prompt's own and as many more as help.

use super::pipeline::Manners;
use super::queue::Queue;
use super::work::Worker;
use super::{Job, Orders, Way, What};
use crate::client::connection::Connection;
use crate::client::error::{Trouble, is_interrupted, is_unreachable};
use crate::client::events::{Event, Failure, Total};
use crate::client::login::Login;
use crate::client::progress::{Counts, Progress};
use crate::client::transfer::Moved;
use crate::client::{interrupt, mirror, tree};
use crate::shown::counted;
use anyhow::Result;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often one who waits for room looks whether there is any, or nothing more to do.
const LOOK: Duration = Duration::from_millis(100);

/// All who work on the jobs of a command. Those who are still about to connect when nothing is left to do are not waited
/// for: they find that out by themselves, and a server that does not greet them holds up nobody.
pub(super) struct Crew {
    pub(super) way: Way,
    pub(super) login: Login,
    /// How a mirror is made, if it is one, and what of.
    mirror: Option<(mirror::Rules, String)>,
    /// There may be more than one file.
    pub(super) many: bool,
    /// Over how many connections a file comes.
    pub(super) segments: usize,
    pub(super) counts: Arc<Counts>,
    pub(super) manners: Manners,
    progress: Mutex<Option<Progress>>,
    queue: Mutex<Queue>,
    pub(super) changed: Condvar,
}

/// What a job has come to.
pub(super) enum Done {
    /// A file is moved.
    Moved(Moved),
    /// A folder is made, with this to be moved into it.
    Opened(tree::Found),
    /// It is gone from the server, and this is to be told.
    Removed(Event),
}

impl Crew {
    /// A crew of no more than `most` connections, for jobs that are called `name` together.
    pub(super) fn new(
        orders: Orders,
        login: Login,
        many: bool,
        most: usize,
        name: String,
    ) -> Arc<Self> {
        let Orders {
            way,
            segments,
            mirror,
        } = orders;
        let mirror = mirror.map(|rules| (rules, name.clone()));
        let counts = Arc::new(Counts::new(name));
        Arc::new(Self {
            way,
            login,
            mirror,
            many,
            segments,
            progress: Mutex::new(Some(Progress::show(&counts))),
            counts,
            manners: Manners::default(),
            queue: Mutex::new(Queue::new(most)),
            changed: Condvar::new(),
        })
    }

    /// Takes jobs in.
    pub(super) fn add(&self, jobs: Vec<Job>) {
        self.queue().add(self.way, &self.counts, jobs);
    }

    /// Carries out all jobs, over this connection and others. Returns it, or the one that has taken its place.
    pub(super) fn carry_out(
        self: &Arc<Self>,
        connection: Option<Connection>,
    ) -> Option<Connection> {
        let mut first = Worker {
            connection,
            helps: false,
        };
        self.work(&mut first);
        self.wait_for_the_others();
        self.end_progress();
        first.connection
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, for which others may have to be waited for; `None` if there will be no more, or no more for this worker.
    pub(super) fn take(&self, worker: &Worker) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if queue.stopped || interrupt::is_raised() || worker.helps && queue.is_crowded() {
                return None;
            }
            let next = queue.next();
            if next.is_some() {
                queue.active += 1;
            }
            if next.is_some() || queue.active == 0 {
                return next;
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next job, if it is a small file, and there are enough for the others too.
    pub(super) fn take_small(&self) -> Option<Job> {
        let mut queue = self.queue();
        if queue.stopped || !queue.is_next(|job| self.is_small(job)) {
            return None;
        }
        queue.active += 1;
        queue.next()
    }

    /// Gives jobs back that were not done, in their order.
    pub(super) fn put_back(
        &self,
        jobs: impl IntoIterator<Item = Job, IntoIter: DoubleEndedIterator>,
    ) {
        let mut queue = self.queue();
        for job in jobs.into_iter().rev() {
            queue.active -= 1;
            match job.what {
                What::File { .. } => queue.files.push_front(job),
                _ => queue.folders.push(job),
            }
        }
        drop(queue);
        self.changed.notify_all();
    }

    /// Calls for help as long as there is more to do than there are helpers.
    pub(super) fn recruit(self: &Arc<Self>) {
        let mut queue = self.queue();
        while queue.wants_help() {
            let crew = Arc::clone(self);
            match thread::Builder::new().spawn(move || crew.help()) {
                Ok(_) => queue.helpers += 1,
                Err(_) => queue.crowd(),
            }
        }
    }

    fn help(self: &Arc<Self>) {
        loop {
            match self.login.dial_beside() {
                Ok(connection) => {
                    let mut worker = Worker {
                        connection: Some(connection),
                        helps: true,
                    };
                    self.work(&mut worker);
                    self.queue().helpers -= 1;
                    if let Some(connection) = worker.connection {
                        connection.quit();
                    }
                    return;
                }
                Err(error) => log::debug!("no further connection: {error:#}"),
            }
            if !self.wait_for_room() {
                return;
            }
        }
    }

    /// One of those that were not let in tries again later, for all of them. Whether this is the one, and there is still
    /// something to do.
    fn wait_for_room(&self) -> bool {
        let mut queue = self.queue();
        queue.crowd();
        queue.helpers -= 1;
        if std::mem::replace(&mut queue.scouting, true) {
            return false;
        }
        while !queue.stopped && !interrupt::is_raised() {
            if queue.grow() {
                queue.helpers += 1;
                break;
            }
            queue = self
                .changed
                .wait_timeout(queue, LOOK)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
        }
        queue.scouting = false;
        !queue.stopped && !interrupt::is_raised()
    }

    /// Tells what a job has come to, and lets the others know.
    pub(super) fn settle(&self, job: &Job, outcome: Result<Done>) {
        let mut told = Vec::new();
        // Who waits, waits for jobs or for the end of them.
        let opened = matches!(outcome, Ok(Done::Opened(_)));
        let mut queue = self.queue();
        match outcome {
            Ok(Done::Moved(moved)) => {
                self.counts.done();
                told.push(self.moved(job, moved));
            }
            Ok(Done::Opened(found)) => {
                queue.tried += found.faults.len();
                for fault in found.faults {
                    told.push(Event::Failed(Failure::from(&fault)));
                    queue.fail(fault);
                }
                queue.tally.add(found.tally);
                queue.add(self.way, &self.counts, found.jobs);
            }
            Ok(Done::Removed(event)) => {
                queue.tally.removed += 1;
                told.push(event);
            }
            Err(error) if is_interrupted(&error) || interrupt::is_raised() => queue.stopped = true,
            Err(error) if self.many => {
                // None of the others would fare better, after as long a wait each.
                queue.stopped |= is_unreachable(&error);
                let error = error.context(job.remote.clone());
                told.push(Event::Failed(Failure::from(&error)));
                queue.tried += usize::from(!matches!(job.what, What::File { .. }));
                queue.fail(error);
            }
            Err(error) => queue.fail(error),
        }
        drop(queue);
        if !self.many {
            self.end_progress();
        }
        told.iter().for_each(Event::tell);
        // Only now: whoever waits for the end of it all must not find a line missing.
        let mut queue = self.queue();
        queue.active -= 1;
        let news = opened || queue.active == 0 || queue.stopped;
        drop(queue);
        if news {
            self.changed.notify_all();
        }
    }

    fn moved(&self, job: &Job, moved: Moved) -> Event {
        match self.way {
            Way::Down => Event::got(&job.remote, Some(job.local()), moved),
            Way::Up => Event::sent(&job.remote, Some(job.local()), moved),
        }
    }

    fn wait_for_the_others(&self) {
        let mut queue = self.queue();
        queue.stopped |= interrupt::is_raised();
        while queue.active > 0 {
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        queue.stopped = true;
        self.changed.notify_all();
    }

    fn end_progress(&self) {
        let progress = self
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(progress);
    }

    /// What it has all come to.
    ///
    /// # Errors
    /// See [`super::run`].
    pub(super) fn outcome(&self, took: Duration) -> Result<ControlFlow<()>> {
        let mut queue = self.queue();
        let (done, found) = (self.counts.files_done(), self.counts.files_found());
        if interrupt::is_raised() {
            let what = match self.many {
                true => format!(" after {done} of {}", counted(found, "file")),
                false => String::new(),
            };
            return Err(Trouble::Interrupted(format!(
                "stopped by Ctrl-C{what}; what had begun goes on where it stopped when the same is asked for again"
            ))
            .into());
        }
        if let Some((rules, name)) = &self.mirror {
            let moved = (self.counts.moved(), took);
            std::mem::take(&mut queue.tally).tell(*rules, name, (done, found), moved)?;
        } else if found > 1 {
            Event::Total(Total {
                down: self.way == Way::Down,
                files: done,
                of: found,
                bytes: self.counts.moved(),
                took,
            })
            .tell();
        }
        match queue.first.take() {
            None => Ok(ControlFlow::Continue(())),
            Some(first) if self.many && (queue.tried > 1) => {
                let left = match queue.left() {
                    0 => String::new(),
                    left => format!(" and {left} were not begun"),
                };
                let (failed, tried) = (queue.failed, queue.tried);
                let count = format!("{failed} of {tried} failed{left}, the first was");
                Err(first.context(count))
            }
            Some(first) => Err(first),
        }
    }
}
