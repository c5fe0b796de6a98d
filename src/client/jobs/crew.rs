//! Those who carry out the jobs of a command: one connection each, the prompt's own and as many more as help.

use super::pipeline::{Landed, Manners, Pipeline, SMALL};
use super::queue::Queue;
use super::segments::{self, Wanted};
use super::{Job, Orders, Way, What};
use crate::client::connection::Connection;
use crate::client::error::{Trouble, is_crowded, is_interrupted, is_temporary, is_unreachable};
use crate::client::login::Login;
use crate::client::progress::{Counts, Meter, Progress};
use crate::client::transfer::Moved;
use crate::client::{download, interrupt, text, tree, upload};
use crate::protocol::command::Arg;
use anyhow::Result;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest wait before something is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// All who work on the jobs of a command. Those who are still about to connect when nothing is left to do are not waited
/// for: they find that out by themselves, and a server that does not greet them holds up nobody.
pub(super) struct Crew {
    way: Way,
    login: Login,
    /// There may be more than one file.
    many: bool,
    /// Over how many connections a file comes.
    segments: usize,
    counts: Arc<Counts>,
    manners: Manners,
    progress: Mutex<Option<Progress>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// One connection, and the thread that uses it.
struct Worker {
    connection: Option<Connection>,
    /// It is not the prompt's own, and can be done without.
    helps: bool,
}

/// What a job has come to.
enum Done {
    /// A file is moved.
    Moved(Moved),
    /// A folder is made, with this to be moved into it.
    Opened(tree::Found),
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
        let Orders { way, segments } = orders;
        let counts = Arc::new(Counts::new(name));
        Arc::new(Self {
            way,
            login,
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

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(self: &Arc<Self>, worker: &mut Worker) {
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

    /// The next job, for which others may have to be waited for; `None` if there will be no more, or no more for this worker.
    fn take(&self, worker: &Worker) -> Option<Job> {
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

    /// Gives jobs back that were not done, in their order.
    fn put_back(&self, jobs: impl IntoIterator<Item = Job, IntoIter: DoubleEndedIterator>) {
        let mut queue = self.queue();
        for job in jobs.into_iter().rev() {
            queue.active -= 1;
            match job.what {
                What::File { .. } => queue.files.push_front(job),
                What::Folder { .. } => queue.folders.push(job),
            }
        }
        drop(queue);
        self.changed.notify_all();
    }

    /// Calls for help as long as there is more to do than there are helpers.
    fn recruit(self: &Arc<Self>) {
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
        let dialled = self.login.dial(|| self.login.password());
        match dialled {
            Ok(connection) => {
                let mut worker = Worker {
                    connection: Some(connection),
                    helps: true,
                };
                self.work(&mut worker);
                if let Some(connection) = worker.connection {
                    connection.quit();
                }
            }
            Err(error) => {
                log::debug!("no further connection: {error:#}");
                self.queue().crowd();
            }
        }
        self.queue().helpers -= 1;
    }

    /// Moves small files one behind the other, this one first, as long as there are any. Returns a job that has to be done
    /// by itself.
    fn one_behind_the_other(self: &Arc<Self>, worker: &mut Worker, job: Job) -> Option<Job> {
        let connections = self.queue().helpers + 1;
        let connection = worker.connection.as_mut()?;
        if !self.is_small(&job) || !self.manners.allow(connection) || !connection.is_alive() {
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

    fn is_small(&self, job: &Job) -> bool {
        let small = matches!(
            job.what,
            What::File {
                size: Some(..=SMALL),
                ..
            }
        );
        small && self.many && !job.alone && !self.login.options.verify
    }

    /// The next job, if it is a small file, and there are enough for the others too.
    fn take_small(&self) -> Option<Job> {
        let mut queue = self.queue();
        if queue.stopped || !queue.is_next(|job| self.is_small(job)) {
            return None;
        }
        queue.active += 1;
        queue.next()
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
            text::say(&format!(
                "{}: {error:#}; trying again in {} s, {tries} of {}",
                job.remote,
                wait.as_secs_f32(),
                options.retries
            ));
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
            connection => connection.insert(self.login.dial(|| self.login.password())?),
        };
        if let What::Folder { depth } = job.what {
            return tree::open(self.way, connection, job, depth).map(Done::Opened);
        }
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
            Way::Down => download::get(connection, &remote, &job.folder, &job.name, verify, meter),
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

    /// Tells what a job has come to, and lets the others know.
    fn settle(&self, job: &Job, outcome: Result<Done>) {
        let mut told = Vec::new();
        let mut queue = self.queue();
        match outcome {
            Ok(Done::Moved(moved)) => {
                self.counts.done();
                told.push(self.line(job, moved));
            }
            Ok(Done::Opened(found)) => {
                queue.tried += found.faults.len();
                for fault in found.faults {
                    told.push(format!("{fault:#}"));
                    queue.fail(fault);
                }
                queue.add(self.way, &self.counts, found.jobs);
            }
            Err(error) if is_interrupted(&error) || interrupt::is_raised() => queue.stopped = true,
            Err(error) if self.many => {
                // None of the others would fare better, after as long a wait each.
                queue.stopped |= is_unreachable(&error);
                let error = error.context(job.remote.clone());
                told.push(format!("{error:#}"));
                queue.tried += usize::from(matches!(job.what, What::Folder { .. }));
                queue.fail(error);
            }
            Err(error) => queue.fail(error),
        }
        drop(queue);
        if !self.many {
            self.end_progress();
        }
        for line in told {
            text::say(&line);
        }
        // Only now: whoever waits for the end of it all must not find a line missing.
        self.queue().active -= 1;
        self.changed.notify_all();
    }

    fn line(&self, job: &Job, moved: Moved) -> String {
        match self.way {
            Way::Down => {
                let path = job.local();
                format!("got {}: {moved}, saved as {}", job.remote, path.display())
            }
            Way::Up => format!("sent {}: {moved}", job.remote),
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
                true => format!(" after {done} of {found} files"),
                false => String::new(),
            };
            return Err(Trouble::Interrupted(format!(
                "stopped by Ctrl-C{what}; what had begun goes on where it stopped when the same is asked for again"
            ))
            .into());
        }
        if found > 1 {
            let moved = text::rate(self.counts.moved(), took);
            let verb = if self.way == Way::Down { "got" } else { "sent" };
            text::say(&format!("{verb} {done} of {found} files: {moved}"));
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
