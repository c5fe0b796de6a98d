//! How far a server is from its end, for all who have to know.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How far the server is from its end.
#[derive(Debug, Default)]
pub(super) struct Phase {
    now: AtomicU8,
    /// Held while it changes, for those who wait for that.
    change: Mutex<()>,
    changed: Condvar,
}

impl Phase {
    /// No command is begun any more.
    pub(super) const DRAINING: u8 = 1;
    /// Transfers end at once.
    pub(super) const CUTTING: u8 = 2;

    pub(super) fn set(&self, phase: u8) {
        let _change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.now.store(phase, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Whether no command is to be begun any more.
    pub(super) fn is_draining(&self) -> bool {
        self.now.load(Ordering::SeqCst) >= Self::DRAINING
    }

    /// Whether transfers are to end at once.
    pub(super) fn is_cutting(&self) -> bool {
        self.now.load(Ordering::SeqCst) >= Self::CUTTING
    }

    /// Waits for so long, and no longer than the server has time for.
    pub(super) fn rest(&self, limit: Duration) {
        let change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        // Poisoned or not, the wait is over.
        let _ = self
            .changed
            .wait_timeout_while(change, limit, |()| !self.is_draining());
    }
}
