//! What one of a crew does with its connection: job after job, small files one behind the other, and what went wrong again.

use super::crew::{Crew, Done};
use super::flight::Landed;
use super::pipeline::{Pipeline, SMALL};
use super::segments::{self, Wanted};
use super::{Job, Way, What};
use crate::client::connection::Connection;
use crate::client::error::{Trouble, is_crowded, is_temporary};
use crate::client::events::Event;
use crate::client::progress::Meter;
use crate::client::{download, interrupt, mirror, tree, upload};
use crate::protocol::command::Arg;
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait before something is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One connection, and the thread that uses it.
pub(super) struct Worker {
    pub(super) connection: Option<Connection>,
    /// It is not the prompt's own, and can be done without.
    pub(super) helps: bool,
}

impl Crew {
    /// Does job after job, until there are none left for this worker.
    pub(super) fn work(self: &Arc<Self>, worker: &mut Worker) {
        while let Some(job) = self.take(worker) {
            self.recruit();
            let Some(job) = self.one_behind_the_other(worker, job) else {
                continue;
            };
            match self.persist(worker, &job) {
                Err(error) if worker.helps && is_crowded(&error) => {
                    log::debug!("{}: {error:#}; fewer connections", job.remote);
                    self.queue().crowd();
                    self.put_back([job]);
                    return;
                }
                outcome => self.settle(&job, outcome),
            }
        }
    }

    /// Moves small files one behind the other, this one first, as long as there are any. Returns a job that has to be done
    /// by itself.
    fn one_behind_the_other(self: &Arc<Self>, worker: &mut Worker, job: Job) -> Option<Job> {
        let connections = self.queue().helpers + 1;
        let connection = worker.connection.as_mut()?;
        if !self.is_small(&job)
            || !self.manners.allow(self.way, connection)
            || !connection.is_alive()
        {
            return Some(job);
        }
        let pipeline = Pipeline::new(
            connection,
            self.way,
            &self.counts,
            &self.manners,
            connections,
        );
        let Ok(mut pipeline) = pipeline else {
            return Some(job);
        };
        self.fill(&mut pipeline, Some(job));
        while !pipeline.is_empty() {
            match pipeline.turn() {
                Ok(landed) => landed.into_iter().for_each(|landed| self.land(landed)),
                Err(error) => {
                    log::debug!("{error:#}");
                    self.put_back(pipeline.rest().map(|job| Job { alone: true, ..job }));
                    break;
                }
            }
            self.recruit();
            self.fill(&mut pipeline, None);
        }
        None
    }

    /// Adds as many small files as there is room for, and asks for what can be asked for.
    fn fill(&self, pipeline: &mut Pipeline<'_>, mut next: Option<Job>) {
        let more = |pipeline: &Pipeline<'_>| {
            let room = pipeline.has_room();
            room.then(|| self.take_small()).flatten()
        };
        loop {
            next = next.or_else(|| more(pipeline));
            match next.take() {
                Some(job) => {
                    if let Err(failed) = pipeline.add(job) {
                        self.settle(&failed.0, Err(failed.1));
                    }
                }
                // What is asked for makes room for more.
                None if pipeline.ask() => {}
                None => return,
            }
        }
    }

    pub(super) fn is_small(&self, job: &Job) -> bool {
        let small = matches!(
            job.what,
            What::File {
                size: Some(..=SMALL),
                ..
            }
        );
        small && self.many && !job.alone && !self.login.options.verify
    }

    /// Tells what has become of a small file, or lets it be tried by itself.
    fn land(&self, landed: Landed) {
        let Landed { job, outcome } = landed;
        match outcome {
            Err(error) if !error.downcast_ref().is_some_and(Trouble::is_local) => {
                log::debug!("{}: {error:#}; now by itself", job.remote);
                if is_crowded(&error) {
                    self.queue().crowd();
                }
                let mut queue = self.queue();
                queue.active -= 1;
                // Behind the others, which need not wait for it.
                queue.files.push_back(Job { alone: true, ..job });
                drop(queue);
                self.changed.notify_all();
            }
            outcome => self.settle(&job, outcome.map(Done::Moved)),
        }
    }

    /// Does a job, and does it again after a while if what went wrong may go right then.
    fn persist(&self, worker: &mut Worker, job: &Job) -> Result<Done> {
        let meter = Meter::new(&self.counts, &job.remote, job.size());
        let options = &self.login.options;
        let mut tries = 0;
        loop {
            let error = match self.attempt(worker, job, &meter) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if tries == options.retries
                || interrupt::is_raised()
                || !is_temporary(&error)
                || worker.helps && is_crowded(&error)
            {
                return Err(error);
            }
            let wait = options
                .retry_wait
                .saturating_mul(1 << tries.min(10))
                .min(LONGEST_WAIT);
            tries += 1;
            if is_crowded(&error) {
                self.queue().crowd();
            }
            Event::retry(&job.remote, &error, wait, (tries, options.retries)).tell();
            interrupt::pause(wait);
        }
    }

    fn attempt(&self, worker: &mut Worker, job: &Job, meter: &Meter<'_>) -> Result<Done> {
        if interrupt::is_raised() {
            return Err(Trouble::Interrupted("stopped by Ctrl-C".to_owned()).into());
        }
        let alive = worker.connection.as_mut().is_some_and(Connection::is_alive);
        let connection = match &mut worker.connection {
            Some(connection) if alive => connection,
            connection => connection.insert(self.login.dial(|_| self.login.password())?),
        };
        let told = match job.what {
            What::File { modified, .. } => modified,
            What::Folder { depth } => {
                return tree::open(self.way, connection, job, depth).map(Done::Opened);
            }
            What::Mirror(step) => {
                return mirror::open(self.way, connection, job, step).map(Done::Opened);
            }
            What::Remove { folder } => {
                return mirror::remove(connection, &job.remote, folder).map(Done::Removed);
            }
        };
        let remote: Arg = job.remote.parse()?;
        let verify = self.login.options.verify;
        let moved = match self.way {
            Way::Down if self.segments > 1 => {
                let wanted = Wanted {
                    remote: &remote,
                    folder: &job.folder,
                    name: &job.name,
                    segments: self.segments,
                };
                segments::fetch(connection, &self.login, &wanted, meter)
            }
            Way::Down => {
                let local = (&*job.folder, &*job.name);
                download::get(connection, &remote, local, told, verify, meter)
            }
            Way::Up => {
                let local = job.local();
                let record =
                    self.login
                        .upload_record(&connection.abilities, &local, &job.remote)?;
                upload::put(
                    connection,
                    &local,
                    &remote,
                    record.as_deref(),
                    verify,
                    meter,
                )
            }
        };
        moved.map(Done::Moved)
    }
}
