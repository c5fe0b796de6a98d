//! The lanes of large uploads: no more of them are copied at a time than there are cores.
//!
//! Copied all at once they would be there a tenth sooner, and what else there is to do would wait behind all of them.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long an upload waits for a lane before it goes beside them: a disk that holds up those in the lanes does not stop the
/// others.
const PATIENCE: Duration = Duration::from_millis(10);

/// As many lanes as there are cores.
#[derive(Debug)]
pub(in crate::server) struct Lanes {
    /// How many are free; below zero, how many go beside them.
    free: Mutex<isize>,
    left: Condvar,
}

/// A lane, free again on drop.
#[derive(Debug)]
pub(super) struct Lane<'l>(&'l Lanes);

impl Default for Lanes {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::new(isize::try_from(cores).unwrap_or(isize::MAX))
    }
}

impl Lanes {
    const fn new(count: isize) -> Self {
        Self {
            free: Mutex::new(count),
            left: Condvar::new(),
        }
    }

    /// Waits for a lane, but not for long.
    pub(super) fn enter(&self) -> Lane<'_> {
        let taken = |free: &mut isize| *free <= 0;
        let waited = self.left.wait_timeout_while(self.free(), PATIENCE, taken);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Lane(self)
    }

    fn free(&self) -> MutexGuard<'_, isize> {
        // One number is always whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_is_left_is_free_again() {
        let lanes = Lanes::new(2);
        let (one, two) = (lanes.enter(), lanes.enter());
        assert_eq!(*lanes.free(), 0);
        drop((one, two));
        assert_eq!(*lanes.free(), 2);
    }

    #[test]
    fn who_waits_too_long_goes_beside() {
        let lanes = Lanes::new(1);
        let _held_up = lanes.enter();
        let beside = lanes.enter();
        assert_eq!(*lanes.free(), -1);
        drop(beside);
        assert_eq!(*lanes.free(), 0);
    }
}
