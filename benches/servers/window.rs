//! A window of time in which clients are at work, from when all of them are.

use crate::cost;
use crate::site::Site;
use crate::tasks::Sample;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long all clients may take to begin.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the clients of a window tell, and are told.
#[derive(Default)]
pub(crate) struct Progress {
    ready: AtomicUsize,
    done: AtomicU64,
    is_over: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Progress {
    /// This client works from here on.
    pub(crate) fn begin(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// So many units are done. Whether to go on.
    pub(crate) fn add(&self, count: u64) -> bool {
        self.done.fetch_add(count, Ordering::Relaxed);
        self.goes_on()
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn fail(&self, error: &io::Error) {
        // What ends with the window may fail.
        if self.goes_on() {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    }

    fn check(&self) -> Result<(), String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().map_or(Ok(()), Err)
    }
}

/// Lets so many clients work, and counts for `time` from when all of them do: units in a second, and the server's processor
/// time for each.
pub(crate) fn window(
    site: &Site,
    clients: usize,
    time: Duration,
    job: impl Fn(usize, &Progress) -> io::Result<()> + Sync,
) -> Result<Sample, String> {
    let progress = Progress::default();
    thread::scope(|scope| {
        for client in 0..clients {
            let (job, progress) = (&job, &progress);
            scope
                .spawn(move || job(client, progress).unwrap_or_else(|error| progress.fail(&error)));
        }
        let measured = await_all(&progress, clients).and_then(|()| measure(site, time, &progress));
        progress.is_over.store(true, Ordering::Relaxed);
        site.stop();
        measured
    })
}

fn await_all(progress: &Progress, clients: usize) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while progress.ready.load(Ordering::Relaxed) < clients {
        progress.check()?;
        if Instant::now() > deadline {
            return Err("not all clients got to work".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn measure(site: &Site, time: Duration, progress: &Progress) -> Result<Sample, String> {
    let before = Moment::now(site, progress);
    let began = Instant::now();
    loop {
        thread::sleep(time);
        progress.check()?;
        let now = Moment::now(site, progress);
        let done = now.done - before.done;
        // A large listing may take longer.
        if done >= 1.0 || began.elapsed() > PATIENCE {
            let rate = done / (now.time - before.time);
            let cpu = (done > 0.0).then(|| (now.cpu - before.cpu) / done);
            return Ok(Sample { value: rate, cpu });
        }
    }
}

/// Where a window stands.
struct Moment {
    /// In seconds.
    time: f64,
    done: f64,
    cpu: f64,
}

impl Moment {
    /// To look at all processes takes a while on a busy machine, so what counts is the middle of it.
    fn now(site: &Site, progress: &Progress) -> Self {
        #[allow(clippy::cast_precision_loss)] // far fewer than 2^52
        let done = || progress.done.load(Ordering::Relaxed) as f64;
        let (time, before) = (site.began.elapsed().as_secs_f64(), done());
        let cpu = cost::cpu(site.pid, site.peer.forks).as_secs_f64();
        let (end, after) = (site.began.elapsed().as_secs_f64(), done());
        Self {
            time: f64::midpoint(time, end),
            done: f64::midpoint(before, after),
            cpu,
        }
    }
}
