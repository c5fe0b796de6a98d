//! Transfers of a command: one file or whole trees, over one connection or several, each tried again where that may help.

mod queue;

use super::connection::Connection;
use super::error::{Trouble, is_crowded, is_interrupted, is_temporary, is_unreachable};
use super::login::Login;
use super::progress::{Counts, Meter, Progress};
use super::{Client, interrupt, mirror, text, transfer, tree};
use crate::protocol::command::Arg;
use anyhow::Result;
use jiff::Timestamp;
use queue::Queue;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait before something is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Which way the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the server.
    Down,
    /// To the server.
    Up,
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
}

/// What a job is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A file, of so many bytes and changed then, as far as that was told.
    File {
        size: Option<u64>,
        modified: Option<Timestamp>,
    },
    /// A folder, in so many others of its tree.
    Folder { depth: u32 },
    /// A folder, of which the other side's is to become a copy.
    Mirror(mirror::Step),
    /// What is to be gone from the server, perhaps a folder with all that is in it.
    Remove { folder: bool },
}

impl Job {
    /// The path on this side.
    pub(super) fn local(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// A job for something in this folder.
    pub(super) fn inner(&self, name: String, what: What) -> Self {
        Self {
            folder: self.local(),
            remote: format!("{}/{name}", self.remote.trim_end_matches('/')),
            name,
            what,
        }
    }
}

/// Carries out jobs. Of a single file the failure is the command's; of many each is told, and hides none of the others.
///
/// # Errors
/// The failure, or the first of several and how many there were; [`Trouble::Interrupted`].
pub(super) fn run(client: &mut Client, way: Way, jobs: Vec<Job>) -> Result<ControlFlow<()>> {
    let many = !matches!(
        jobs[..],
        [Job {
            what: What::File { .. },
            ..
        }]
    );
    let mut most = client.options.jobs;
    let able = &client.connection()?.abilities;
    let recorded = way == Way::Up && able.rest && able.hash.is_some();
    if client.folder.is_none()
        && (recorded || many && most > 1)
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
    let mirror = jobs.iter().find_map(|job| match job.what {
        What::Mirror(step) => Some(step.rules),
        _ => None,
    });
    let counts = Arc::new(Counts::new(name.clone()));
    let crew = Arc::new(Crew {
        way,
        login: client.login(),
        name,
        mirror,
        many,
        most,
        progress: Mutex::new(Some(Progress::show(&counts))),
        counts,
        queue: Mutex::default(),
        changed: Condvar::new(),
    });
    crew.queue().add(way, &crew.counts, jobs);
    let mut first = Worker {
        connection: client.connection.take(),
        helps: false,
    };
    let began = Instant::now();
    crew.work(&mut first);
    crew.wait_for_the_others();
    client.connection = first.connection;
    crew.end_progress();
    crew.outcome(began.elapsed())
}

/// All who work on the jobs of a command. Those who are still about to connect when nothing is left to do are not waited
/// for: they find that out by themselves, and a server that does not greet them holds up nobody.
struct Crew {
    way: Way,
    login: Login,
    name: String,
    /// If it is a mirror that is made.
    mirror: Option<mirror::Rules>,
    /// There may be more than one file.
    many: bool,
    /// How many connections there may be.
    most: usize,
    counts: Arc<Counts>,
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
    /// A file is moved, and this is to be told.
    Moved(String),
    /// A folder is made, with this to be moved into it.
    Opened(tree::Found),
    /// It is gone from the server, and this is to be told.
    Removed(String),
}

impl Crew {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(self: &Arc<Self>, worker: &mut Worker) {
        while let Some(job) = self.take() {
            self.recruit();
            match self.persist(worker, &job) {
                Err(error) if worker.helps && is_crowded(&error) => {
                    log::debug!("{}: {error:#}; one connection less", job.remote);
                    let mut queue = self.queue();
                    queue.crowded = true;
                    queue.active -= 1;
                    match job.what {
                        What::File { .. } => queue.files.push_front(job),
                        _ => queue.folders.push(job),
                    }
                    self.changed.notify_all();
                    return;
                }
                outcome => self.settle(&job, outcome),
            }
        }
    }

    /// The next job, for which others may have to be waited for; `None` if there will be no more.
    fn take(&self) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if queue.stopped || interrupt::is_raised() {
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

    /// Calls for help as long as there is more to do than there are helpers.
    fn recruit(self: &Arc<Self>) {
        let mut queue = self.queue();
        while !queue.crowded
            && queue.helpers + 1 < self.most
            && queue.helpers < queue.files.len() + queue.folders.len()
        {
            let crew = Arc::clone(self);
            match thread::Builder::new().spawn(move || crew.help()) {
                Ok(_) => queue.helpers += 1,
                Err(_) => queue.crowded = true,
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
                self.queue().crowded = true;
            }
        }
        self.queue().helpers -= 1;
    }

    /// Does a job, and does it again after a while if what went wrong may go right then.
    fn persist(&self, worker: &mut Worker, job: &Job) -> Result<Done> {
        let size = match job.what {
            What::File { size, .. } => size.unwrap_or(0),
            _ => 0,
        };
        let meter = Meter::new(&self.counts, size);
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
        let line = match self.way {
            Way::Down => {
                let (moved, path) = transfer::get(
                    connection,
                    &remote,
                    (&job.folder, &job.name),
                    told,
                    verify,
                    meter,
                )?;
                format!("got {remote}: {moved}, saved as {}", path.display())
            }
            Way::Up => {
                let local = job.local();
                let record =
                    self.login
                        .upload_record(&connection.abilities, &local, &job.remote)?;
                let record = record.as_deref();
                let moved = transfer::put(connection, &local, &remote, record, verify, meter)?;
                format!("sent {remote}: {moved}")
            }
        };
        Ok(Done::Moved(line))
    }

    /// Tells what a job has come to, and lets the others know.
    fn settle(&self, job: &Job, outcome: Result<Done>) {
        let mut told = Vec::new();
        let mut queue = self.queue();
        match outcome {
            Ok(Done::Moved(line)) => {
                self.counts.done();
                told.push(line);
            }
            Ok(Done::Opened(found)) => {
                queue.tried += found.faults.len();
                for fault in found.faults {
                    told.push(format!("{fault:#}"));
                    queue.fail(fault);
                }
                queue.tally.add(found.tally);
                queue.add(self.way, &self.counts, found.jobs);
            }
            Ok(Done::Removed(line)) => {
                queue.tally.removed += 1;
                told.push(line);
            }
            Err(error) if is_interrupted(&error) || interrupt::is_raised() => queue.stopped = true,
            Err(error) if self.many => {
                // None of the others would fare better, after as long a wait each.
                queue.stopped |= is_unreachable(&error);
                let error = error.context(job.remote.clone());
                told.push(format!("{error:#}"));
                queue.tried += usize::from(!matches!(job.what, What::File { .. }));
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

    fn outcome(&self, took: Duration) -> Result<ControlFlow<()>> {
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
        if let Some(rules) = self.mirror {
            let moved = text::rate(self.counts.moved(), took);
            std::mem::take(&mut queue.tally).tell(rules, &self.name, (done, found), &moved)?;
        } else if found > 1 {
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
