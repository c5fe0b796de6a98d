//! The turns at hashing passwords: a few at a time, however many wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Lets so many hash at a time. Those with the fewest failures behind them come first, of their address and then of their
/// account: who floods waits for who does not, be it on the same account.
#[derive(Debug)]
pub(super) struct Turns {
    jobs: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    last: u64,
    /// By failures and then by arrival.
    waiting: BTreeMap<Place, Thread>,
}

/// The failures of the address and of the account, and the number of the arrival.
type Place = ((u32, u32), u64);

/// The right to hash, given back on drop.
#[derive(Debug)]
pub(super) struct Turn<'t>(&'t Turns);

impl Turns {
    pub(super) fn new(jobs: usize) -> Self {
        Self {
            jobs: jobs.max(1),
            queue: Mutex::default(),
        }
    }

    /// Waits for a turn, `None` if none came within `limit`.
    pub(super) fn take(&self, failures: (u32, u32), limit: Duration) -> Option<Turn<'_>> {
        let deadline = Instant::now() + limit;
        let mut queue = self.queue();
        queue.last += 1;
        let place = (failures, queue.last);
        queue.waiting.insert(place, thread::current());
        loop {
            if queue.running < self.jobs && queue.is_first(place) {
                queue.waiting.remove(&place);
                queue.running += 1;
                self.wake_next(&queue);
                return Some(Turn(self));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                queue.waiting.remove(&place);
                self.wake_next(&queue);
                return None;
            }
            drop(queue);
            thread::park_timeout(left);
            queue = self.queue();
        }
    }

    fn wake_next(&self, queue: &Queue) {
        if queue.running < self.jobs
            && let Some(next) = queue.waiting.values().next()
        {
            next.unpark();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // It is whole after every statement that touches it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_first(&self, place: Place) -> bool {
        self.waiting
            .first_key_value()
            .is_some_and(|(&first, _)| first == place)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.running -= 1;
        self.0.wake_next(&queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn who_failed_less_comes_first() {
        let turns = Turns::new(1);
        let (done, order) = channel();
        thread::scope(|scope| {
            let first = turns.take((0, 0), LONG);
            for (at, failures) in [(1, 0), (0, 5), (0, 0), (0, 3)].into_iter().enumerate() {
                let (turns, done) = (&turns, done.clone());
                scope.spawn(move || {
                    let _turn = turns.take(failures, LONG).unwrap();
                    done.send(failures).unwrap();
                });
                while turns.queue().waiting.len() <= at {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(
            order.try_iter().collect::<Vec<_>>(),
            [(0, 0), (0, 3), (0, 5), (1, 0)]
        );
    }

    #[test]
    fn no_more_than_the_jobs_run_and_who_waits_in_vain_leaves() {
        let turns = Turns::new(2);
        let (one, _two) = (turns.take((0, 0), LONG), turns.take((0, 0), LONG));
        assert!(turns.take((0, 0), Duration::ZERO).is_none());
        assert!(turns.queue().waiting.is_empty());
        drop(one);
        assert!(turns.take((9, 9), LONG).is_some());
    }
}
