//! The turns at hashing passwords: a few at a time, however many wait.

use super::failures::Attempt;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Lets so many hash at a time. Those come first whose address has the fewest failures behind it and attempts under way, and
/// among them those whose account has: who floods waits for who does not, be it on the same account.
#[derive(Debug)]
pub(super) struct Turns {
    jobs: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    last: u64,
    waiting: BTreeMap<Place, (Attempt, Thread)>,
}

/// What counts against the address and against the account, and the number of the arrival.
type Place = (u32, u32, u64);

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

    /// Waits for a turn, `None` if none came within `limit`. `failures` are those of the address and of the account.
    pub(super) fn take(
        &self,
        attempt: Attempt,
        failures: (u32, u32),
        limit: Duration,
    ) -> Option<Turn<'_>> {
        let deadline = Instant::now() + limit;
        let mut queue = self.queue();
        let place = queue.place(attempt, failures);
        queue.waiting.insert(place, (attempt, thread::current()));
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
            && let Some((_, next)) = queue.waiting.values().next()
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
    fn place(&mut self, attempt: Attempt, (mut address, mut account): (u32, u32)) -> Place {
        for (other, _) in self.waiting.values() {
            address += u32::from(other.from == attempt.from);
            account += u32::from(other.account == attempt.account);
        }
        self.last += 1;
        (address, account, self.last)
    }

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

    fn attempt(from: u8, account: u64) -> Attempt {
        let from = [192, 0, 2, from].into();
        Attempt { from, account }
    }

    /// The order in which attempts have their turns that come while another has it.
    fn order(attempts: &[(Attempt, (u32, u32))]) -> Vec<usize> {
        let turns = Turns::new(1);
        let (done, order) = channel();
        thread::scope(|scope| {
            let first = turns.take(attempt(0, 0), (0, 0), LONG);
            for (at, &(attempt, failures)) in attempts.iter().enumerate() {
                let (turns, done) = (&turns, done.clone());
                scope.spawn(move || {
                    let _turn = turns.take(attempt, failures, LONG).unwrap();
                    done.send(at).unwrap();
                });
                while turns.queue().waiting.len() <= at {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        order.try_iter().collect()
    }

    #[test]
    fn who_failed_less_comes_first() {
        let failed = [(1, 0), (0, 5), (0, 0), (0, 3)];
        let attempts: Vec<_> = (1..)
            .zip(failed)
            .map(|(who, failures)| (attempt(who, who.into()), failures))
            .collect();
        assert_eq!(order(&attempts), [2, 3, 1, 0]);
    }

    #[test]
    fn who_asks_for_many_at_a_time_does_not_hold_up_others() {
        let many = attempt(1, 1);
        let others = [attempt(2, 1), attempt(3, 2)];
        let attempts = [many, many, many, others[0], others[1]].map(|who| (who, (0, 0)));
        assert_eq!(order(&attempts), [0, 4, 3, 1, 2]);
    }

    #[test]
    fn no_more_than_the_jobs_run_and_who_waits_in_vain_leaves() {
        let turns = Turns::new(2);
        let take = |limit| turns.take(attempt(1, 1), (0, 0), limit);
        let (one, _two) = (take(LONG), take(LONG));
        assert!(take(Duration::ZERO).is_none());
        assert!(turns.queue().waiting.is_empty());
        drop(one);
        assert!(take(LONG).is_some());
    }
}
