//! How far transfers are, on standard error: bars on a terminal, and a line now and then where there is none.

mod bars;
mod block;
mod pace;

pub(super) use block::aside;

use super::{events, interrupt, text};
use bars::Bars;
use pace::{Pace, State};
use rustix::event::PollFlags;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is over sooner needs no bars.
const SHORT: Duration = Duration::from_millis(500);
/// How often the bars are drawn anew.
const TURN: Duration = Duration::from_millis(150);
/// What is over sooner needs no lines in a log.
const QUIET: Duration = Duration::from_secs(10);
/// How often such a line comes.
const LINES: Duration = Duration::from_secs(5);

/// How far a command's transfers are, counted by those who do them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The file, or the tree.
    name: String,
    /// Of all files found so far.
    amount: Amount,
    files_found: AtomicU64,
    files_done: AtomicU64,
    /// The files that somebody is at, in the order in which they were begun.
    running: Mutex<Vec<Arc<Transfer>>>,
}

/// Bytes of a file, or of all files.
#[derive(Debug, Default)]
struct Amount {
    /// Those that are there, those of earlier attempts too.
    position: AtomicU64,
    total: AtomicU64,
    /// Those that have come or gone by now, which is what the rate is made of.
    moved: AtomicU64,
}

/// A file that somebody is at.
#[derive(Debug)]
struct Transfer {
    name: String,
    amount: Amount,
    /// From when something was first heard of it.
    pace: OnceLock<Mutex<Pace>>,
    /// It has had a bar, and keeps it.
    shown: AtomicBool,
}

impl Transfer {
    fn begin(&self) {
        self.pace
            .get_or_init(|| Mutex::new(Pace::since(Instant::now())));
    }

    /// How old it is, and how far.
    fn look(&self) -> Option<(Duration, State)> {
        let pace = self.pace.get()?;
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        Some((pace.began.elapsed(), pace.look(&self.amount)))
    }
}

impl Counts {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// One more file is to be moved, of so many bytes as far as is known.
    pub(super) fn found(&self, size: u64) {
        self.files_found.fetch_add(1, Relaxed);
        self.amount.total.fetch_add(size, Relaxed);
    }

    /// One of the files is moved.
    pub(super) fn done(&self) {
        self.files_done.fetch_add(1, Relaxed);
    }

    pub(super) fn files_found(&self) -> u64 {
        self.files_found.load(Relaxed)
    }

    pub(super) fn files_done(&self) -> u64 {
        self.files_done.load(Relaxed)
    }

    pub(super) fn moved(&self) -> u64 {
        self.amount.moved.load(Relaxed)
    }

    fn running(&self) -> MutexGuard<'_, Vec<Arc<Transfer>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far one file is. It has a bar from when something is heard of it until it is dropped.
#[derive(Debug)]
pub struct Meter<'a> {
    counts: &'a Counts,
    transfer: Arc<Transfer>,
}

impl<'a> Meter<'a> {
    /// A file that was found with this size. The name is the one on its bar.
    pub(super) fn new(counts: &'a Counts, name: &str, size: u64) -> Self {
        let transfer = Arc::new(Transfer {
            name: text::clean(name).into_owned(),
            amount: Amount {
                total: size.into(),
                ..Amount::default()
            },
            pace: OnceLock::new(),
            shown: AtomicBool::new(false),
        });
        counts.running().push(Arc::clone(&transfer));
        Self { counts, transfer }
    }

    /// The file's size is this.
    pub fn is_of(&self, size: u64) {
        self.transfer.begin();
        shift(|amount| &amount.total, self, size);
    }

    /// The file begins, or begins again, at this byte.
    pub fn begins_at(&self, position: u64) {
        self.transfer.begin();
        shift(|amount| &amount.position, self, position);
    }

    /// So many bytes more, whoever has moved them: several may share a meter.
    pub fn moved(&self, count: u64) {
        for amount in [&self.transfer.amount, &self.counts.amount] {
            amount.position.fetch_add(count, Relaxed);
            amount.moved.fetch_add(count, Relaxed);
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.counts
            .running()
            .retain(|other| !Arc::ptr_eq(other, &self.transfer));
    }
}

/// Gives a number of the file its new value, and the sum of all files what that makes it more.
fn shift(number: impl Fn(&Amount) -> &AtomicU64, meter: &Meter<'_>, now: u64) {
    let before = number(&meter.transfer.amount).swap(now, Relaxed);
    // Wraps around and back again where there is less now.
    number(&meter.counts.amount).fetch_add(now.wrapping_sub(before), Relaxed);
}

/// What shows the counts, until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    /// Its end is the thread's.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub(super) fn show(counts: &Arc<Counts>) -> Self {
        let counts = Arc::clone(counts);
        let start = || {
            let (stop, stopped) = UnixStream::pair()?;
            let thread = thread::Builder::new().spawn(move || draw(&counts, &stopped))?;
            Ok((stop, thread))
        };
        // With no thread there is just nothing to see.
        let (stop, thread) = start().map_err(|_: io::Error| ()).ok().unzip();
        Self { stop, thread }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Draws until the other end of `stopped` is closed. With Ctrl-C too it is over at once: a second one may end the
/// program any time, and that must not leave bars on the screen.
fn draw(counts: &Counts, stopped: &UnixStream) {
    // Lines of the log would tear a bar.
    let terminal = is_terminal() && log::max_level() < log::LevelFilter::Debug;
    let (mut wait, turn) = if terminal {
        (SHORT, TURN)
    } else {
        (QUIET, LINES)
    };
    let mut pace = Pace::since(Instant::now());
    let mut bars = terminal.then(Bars::new);
    let goes_on = |wait| {
        let outcome = interrupt::wait(stopped.as_fd(), PollFlags::IN, wait, true);
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
    };
    while goes_on(wait) {
        wait = turn;
        match &mut bars {
            Some(bars) => bars.draw(counts),
            None => text::say(&sentence(counts, &mut pace)),
        }
    }
}

fn sentence(counts: &Counts, pace: &mut Pace) -> String {
    let state = pace.look(&counts.amount).sentence();
    match counts.files_found() {
        0 | 1 => format!("{}: {state}", counts.name),
        found => format!(
            "{}: {}/{found} files {state}",
            counts.name,
            counts.files_done()
        ),
    }
}

/// Whether standard error can show lines that change.
fn is_terminal() -> bool {
    !events::is_json()
        && io::stderr().is_terminal()
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_begins_again_is_not_counted_twice() {
        let counts = Counts::new("f");
        counts.found(5);
        let meter = Meter::new(&counts, "f", 5);
        meter.is_of(10);
        meter.moved(8);
        meter.begins_at(3);
        meter.moved(7);
        for amount in [&counts.amount, &meter.transfer.amount] {
            assert_eq!(amount.position.load(Relaxed), 10);
            assert_eq!(amount.total.load(Relaxed), 10);
            assert_eq!(amount.moved.load(Relaxed), 15);
        }
    }

    #[test]
    fn several_may_share_a_meter() {
        let counts = Counts::new("f");
        let meter = Meter::new(&counts, "f", 4000);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| meter.moved(1)));
            }
        });
        assert_eq!(meter.transfer.amount.position.load(Relaxed), 4000);
        assert_eq!(counts.running().len(), 1);
        drop(meter);
        assert_eq!(counts.running().len(), 0);
        assert_eq!(counts.moved(), 4000);
    }
}
