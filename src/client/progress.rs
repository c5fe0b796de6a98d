//! How far transfers are, on standard error: a bar on a terminal, and a line now and then where there is none.

use super::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is over sooner needs no bar.
const SHORT: Duration = Duration::from_millis(500);
/// How often the bar is drawn anew.
const TURN: Duration = Duration::from_millis(150);
/// What is over sooner needs no lines in a log.
const QUIET: Duration = Duration::from_secs(10);
/// How often such a line comes.
const LINES: Duration = Duration::from_secs(5);
/// From so many columns on there is room for a bar between the name and the numbers.
const ROOMY: usize = 76;
/// How much of the name is shown even where the numbers have to be fewer for it.
const NAME: usize = 8;

/// The bar that is on the screen, which has to make room for lines.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Does something with standard error while no bar is there.
pub(super) fn aside<T>(write: impl FnOnce() -> T) -> T {
    match &*SHOWN.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn show(bar: Option<ProgressBar>) -> Option<ProgressBar> {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *shown, bar)
}

/// How far a command's transfers are, counted by those who do them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The file, or the tree.
    name: String,
    /// Bytes that are there, those of earlier attempts too.
    position: AtomicU64,
    /// Bytes of all files found so far.
    total: AtomicU64,
    /// Bytes that have come or gone by now, which is what the rate is made of.
    moved: AtomicU64,
    files_found: AtomicU64,
    files_done: AtomicU64,
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
        self.total.fetch_add(size, Relaxed);
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
        self.moved.load(Relaxed)
    }
}

/// How far one file is.
#[derive(Debug)]
pub struct Meter<'a> {
    counts: &'a Counts,
    position: AtomicU64,
    size: AtomicU64,
}

impl<'a> Meter<'a> {
    /// A file that was found with this size.
    pub(super) const fn new(counts: &'a Counts, size: u64) -> Self {
        Self {
            counts,
            position: AtomicU64::new(0),
            size: AtomicU64::new(size),
        }
    }

    /// The file's size is this.
    pub fn is_of(&self, size: u64) {
        shift(&self.counts.total, self.size.swap(size, Relaxed), size);
    }

    /// The file begins, or begins again, at this byte.
    pub fn begins_at(&self, position: u64) {
        let before = self.position.swap(position, Relaxed);
        shift(&self.counts.position, before, position);
    }

    /// So many bytes more.
    pub fn moved(&self, count: u64) {
        self.position.fetch_add(count, Relaxed);
        self.counts.position.fetch_add(count, Relaxed);
        self.counts.moved.fetch_add(count, Relaxed);
    }
}

fn shift(sum: &AtomicU64, before: u64, now: u64) {
    // Wraps around and back again where there is less now.
    sum.fetch_add(now.wrapping_sub(before), Relaxed);
}

/// What shows the counts, until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub(super) fn show(counts: &Arc<Counts>) -> Self {
        let (stop, stopped) = channel();
        let counts = Arc::clone(counts);
        let thread = thread::Builder::new().spawn(move || draw(&counts, &stopped));
        Self {
            stop: Some(stop),
            // With no thread there is just nothing to see.
            thread: thread.ok(),
        }
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

fn draw(counts: &Counts, stopped: &Receiver<()>) {
    // Lines of the log would tear a bar.
    let bar = is_terminal() && log::max_level() < log::LevelFilter::Debug;
    let (mut wait, turn) = if bar { (SHORT, TURN) } else { (QUIET, LINES) };
    let mut pace = Pace::new();
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = turn;
        let state = pace.look(counts);
        if !bar {
            text::say(&format!("{}: {}", counts.name, state.numbers(usize::MAX)));
            continue;
        }
        let bar = show(None).unwrap_or_else(|| {
            ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
        });
        update(&bar, counts, &state);
        show(Some(bar));
    }
    if let Some(bar) = show(None) {
        bar.finish_and_clear();
    }
}

fn update(bar: &ProgressBar, counts: &Counts, state: &State) {
    let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { 80 } else { columns };
    let template = match columns >= ROOMY && state.total > 0 {
        true => "{wide_msg} [{bar:16}] {prefix}",
        false => "{wide_msg} {prefix}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    let name = text::clean(&counts.name).into_owned();
    let room = columns.saturating_sub(name.chars().count().min(NAME) + 1);
    bar.set_length(state.total);
    bar.set_position(state.position.min(state.total));
    bar.set_prefix(state.numbers(room));
    bar.set_message(name);
    bar.tick();
}

/// Whether standard error can show a line that changes.
fn is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// The rate, as it was of late: what an hour ago was fast says little about the time that is left.
struct Pace {
    last: Instant,
    moved: u64,
    rate: Option<f64>,
}

impl Pace {
    fn new() -> Self {
        Self {
            last: Instant::now(),
            moved: 0,
            rate: None,
        }
    }

    #[allow(clippy::cast_precision_loss)] // three digits are shown
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // of a positive number
    fn look(&mut self, counts: &Counts) -> State {
        let (now, moved) = (Instant::now(), counts.moved());
        let took = (now - self.last).as_secs_f64().max(1e-3);
        let latest = (moved - self.moved) as f64 / took;
        // A look that covers two seconds counts as much as all before it.
        let weight = took / (took + 2.0);
        let rate = self
            .rate
            .map_or(latest, |rate| rate + (latest - rate) * weight);
        (self.last, self.moved, self.rate) = (now, moved, Some(rate));
        State {
            position: counts.position.load(Relaxed),
            total: counts.total.load(Relaxed),
            rate: rate as u64,
            files_done: counts.files_done(),
            files_found: counts.files_found(),
        }
    }
}

/// The counts at one time.
struct State {
    position: u64,
    total: u64,
    rate: u64,
    files_done: u64,
    files_found: u64,
}

impl State {
    /// As many of the numbers as there are columns for.
    fn numbers(&self, columns: usize) -> String {
        let files = |unit: &str| match self.files_found {
            0 | 1 => String::new(),
            found => format!("{}/{found}{unit}", self.files_done),
        };
        let there = text::bytes(self.position);
        let (percent, of) = match self.total {
            0 => (String::new(), String::new()),
            total => (
                format!("{}%", self.position.min(total) * 100 / total),
                format!(" of {}", text::bytes(total)),
            ),
        };
        let rate = format!("{}/s", text::short_bytes(self.rate).trim_end());
        let left = self.left();
        let rows = [
            vec![
                files(" files"),
                percent.clone(),
                there.clone() + &of,
                rate.clone(),
                left.clone(),
            ],
            vec![
                files(" files"),
                percent.clone(),
                there.clone(),
                rate.clone(),
                left.clone(),
            ],
            vec![files(""), there.clone(), rate, left],
            vec![percent, there.clone()],
            vec![there],
        ];
        let join = |row: &Vec<String>| {
            let shown: Vec<&str> = row
                .iter()
                .map(String::as_str)
                .filter(|text| !text.is_empty())
                .collect();
            shown.join(" ")
        };
        let mut rows = rows.iter().map(join);
        let fits = |row: &String| row.chars().count() <= columns;
        rows.find(fits).unwrap_or_default()
    }

    /// The time that is left, if the rate stays.
    fn left(&self) -> String {
        let missing = self.total.saturating_sub(self.position);
        match missing.checked_div(self.rate) {
            Some(seconds) if self.total > 0 => {
                match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
                    (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
                    (1..100, ..) => format!(
                        "{}:{:02}:{:02}",
                        seconds / 3600,
                        seconds / 60 % 60,
                        seconds % 60
                    ),
                    _ => String::new(),
                }
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_make_room() {
        let state = State {
            position: 3 << 20,
            total: 12 << 20,
            rate: 1 << 20,
            files_done: 2,
            files_found: 8,
        };
        for (columns, expected) in [
            (80, "2/8 files 25% 3.0 MiB of 12.0 MiB 1.0 MiB/s 0:09"),
            (45, "2/8 files 25% 3.0 MiB 1.0 MiB/s 0:09"),
            (31, "2/8 3.0 MiB 1.0 MiB/s 0:09"),
            (12, "25% 3.0 MiB"),
            (7, "3.0 MiB"),
            (2, ""),
        ] {
            assert_eq!(state.numbers(columns), expected);
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let state = State {
            position: 10,
            total: 0,
            rate: 0,
            files_done: 0,
            files_found: 1,
        };
        assert_eq!(state.numbers(80), "10 bytes 0 B/s");
    }

    #[test]
    fn a_file_that_begins_again_is_not_counted_twice() {
        let counts = Counts::new("f");
        counts.found(5);
        let meter = Meter::new(&counts, 5);
        meter.is_of(10);
        meter.moved(8);
        meter.begins_at(3);
        meter.moved(7);
        assert_eq!(counts.position.load(Relaxed), 10);
        assert_eq!(counts.total.load(Relaxed), 10);
        assert_eq!(counts.moved(), 15);
    }
}
