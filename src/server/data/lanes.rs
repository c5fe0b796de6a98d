//! The lanes of large uploads: while there are other transfers, no more of them are copied at a time than there are cores.
//!
//! Copied all at once, large uploads are there a little sooner, and whatever else there is to do waits behind all of them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long an upload goes on in its lane while its client keeps up: the longer, the more of what it copies is still in the
/// processor's cache.
const TURN: Duration = Duration::from_millis(10);
/// How long an upload waits for a lane before it goes beside them: a disk that holds up those in the lanes does not stop the
/// others.
const PATIENCE: Duration = Duration::from_millis(50);
/// For how long after another transfer the next one is expected.
const LULL: Duration = Duration::from_secs(1);

/// As many lanes as there are cores.
#[derive(Debug)]
pub(in crate::server) struct Lanes {
    traffic: Mutex<Traffic>,
    left: Condvar,
    /// How many other transfers there have been.
    others: AtomicU64,
}

#[derive(Debug)]
struct Traffic {
    /// How many lanes are free; below zero, how many uploads go beside them.
    free: isize,
    /// How many other transfers there had been at the last look, and until when more are expected.
    others: u64,
    mixed_until: Option<Instant>,
}

/// A lane, free again on drop.
#[derive(Debug)]
pub(super) struct Lane<'l> {
    lanes: &'l Lanes,
    entered: Instant,
}

impl Default for Lanes {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::new(isize::try_from(cores).unwrap_or(isize::MAX))
    }
}

impl Lanes {
    const fn new(count: isize) -> Self {
        Self {
            traffic: Mutex::new(Traffic {
                free: count,
                others: 0,
                mixed_until: None,
            }),
            left: Condvar::new(),
            others: AtomicU64::new(0),
        }
    }

    /// Takes note of a transfer that goes in no lane.
    pub(in crate::server) fn pass(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for a lane, but not for long, and not at all where there are large uploads only.
    pub(super) fn enter(&self) -> Lane<'_> {
        let mut traffic = self.traffic();
        if traffic.is_mixed(self.others.load(Ordering::Relaxed), Instant::now()) {
            let taken = |traffic: &mut Traffic| traffic.free <= 0;
            let waited = self.left.wait_timeout_while(traffic, PATIENCE, taken);
            (traffic, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        traffic.free -= 1;
        Lane {
            lanes: self,
            entered: Instant::now(),
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        // Each of its numbers is always whole.
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    /// Whether other transfers are to be expected, of which there have been so many.
    fn is_mixed(&mut self, others: u64, now: Instant) -> bool {
        if others != std::mem::replace(&mut self.others, others) {
            self.mixed_until = Some(now + LULL);
        }
        self.mixed_until.is_some_and(|until| now < until)
    }
}

impl Lane<'_> {
    /// Whether it is another upload's turn.
    pub(super) fn is_over(&self) -> bool {
        self.entered.elapsed() >= TURN
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.lanes.traffic().free += 1;
        self.lanes.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(lanes: &Lanes) -> isize {
        lanes.traffic().free
    }

    #[test]
    fn a_lane_that_is_left_is_free_again() {
        let lanes = Lanes::new(2);
        let (one, two) = (lanes.enter(), lanes.enter());
        assert_eq!(free(&lanes), 0);
        drop((one, two));
        assert_eq!(free(&lanes), 2);
    }

    #[test]
    fn who_waits_too_long_goes_beside() {
        let lanes = Lanes::new(1);
        lanes.pass();
        let _held_up = lanes.enter();
        let beside = lanes.enter();
        assert_eq!(free(&lanes), -1);
        drop(beside);
        assert_eq!(free(&lanes), 0);
    }

    #[test]
    fn uploads_keep_to_lanes_for_a_while_after_each_other_transfer() {
        let mut traffic = Lanes::new(1).traffic.into_inner().unwrap();
        let now = Instant::now();
        assert!(!traffic.is_mixed(0, now));
        assert!(traffic.is_mixed(1, now));
        assert!(traffic.is_mixed(1, now + LULL / 2));
        assert!(traffic.is_mixed(2, now + LULL));
        assert!(!traffic.is_mixed(2, now + 2 * LULL));
    }
}
