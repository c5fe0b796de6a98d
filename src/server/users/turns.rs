//! The turns at hashing passwords: a few at a time, however many wait.

use super::failures::Attempt;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Lets so many hash at a time. Who comes next is chosen when a turn is free: whose address has the fewest failures behind
/// it and attempts under way, among them whose account has, and among them who came last. A flood from one address waits for
/// everybody else, and one on an account for all who log in to another. Where each attempt of a flood comes from an address
/// of its own, it looks like the account's owner, but most of it has waited for a while when the owner comes.
#[derive(Debug)]
pub(super) struct Turns {
    jobs: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    last: u64,
    /// Those who have not been called yet, by the number of their arrival.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    attempt: Attempt,
    /// Those of the address and of the account, when it came.
    failures: (u32, u32),
    thread: Thread,
}

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
        let number = queue.enter(attempt, failures);
        queue.call(self.jobs);
        while queue.waiting.contains_key(&number) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                queue.waiting.remove(&number);
                return None;
            }
            drop(queue);
            thread::park_timeout(left);
            queue = self.queue();
        }
        Some(Turn(self))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // It is whole after every statement that touches it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn enter(&mut self, attempt: Attempt, failures: (u32, u32)) -> u64 {
        self.last += 1;
        let waiting = Waiting {
            attempt,
            failures,
            thread: thread::current(),
        };
        self.waiting.insert(self.last, waiting);
        self.last
    }

    /// Gives away the turns that are free.
    fn call(&mut self, jobs: usize) {
        while self.running < jobs {
            let next = self.next();
            let Some(called) = next.and_then(|number| self.waiting.remove(&number)) else {
                return;
            };
            self.running += 1;
            called.thread.unpark();
        }
    }

    /// Whose turn it is. All who wait have one figure for their address and one for their account: it grows while they wait,
    /// and those who came early do not get ahead by that.
    fn next(&self) -> Option<u64> {
        let (mut addresses, mut accounts) = (Tally::default(), Tally::default());
        for Waiting {
            attempt, failures, ..
        } in self.waiting.values()
        {
            addresses.add(attempt.from, failures.0);
            accounts.add(attempt.account, failures.1);
        }
        let against = |(number, Waiting { attempt, .. }): &(&u64, &Waiting)| {
            (
                addresses.of(&attempt.from),
                accounts.of(&attempt.account),
                Reverse(**number),
            )
        };
        let (number, _) = self.waiting.iter().min_by_key(against)?;
        Some(*number)
    }
}

/// What counts against each: the most failures that are known of it, and how many wait.
#[derive(Debug)]
struct Tally<K>(HashMap<K, (u32, u32)>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Tally<K> {
    fn add(&mut self, key: K, failures: u32) {
        let (most, waiting) = self.0.entry(key).or_default();
        *most = failures.max(*most);
        *waiting += 1;
    }

    fn of(&self, key: &K) -> u32 {
        let (failures, waiting) = self.0.get(key).copied().unwrap_or_default();
        failures.saturating_add(waiting)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.running -= 1;
        queue.call(self.0.jobs);
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
        assert_eq!(order(&attempts), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn a_login_is_not_behind_a_flood_on_its_account() {
        // Each from an address of its own, and each fails: who comes later finds more failures of the account.
        let mut attempts: Vec<_> = (0..20)
            .map(|count| (attempt(1 + count, 1), (0, u32::from(count))))
            .collect();
        attempts.push((attempt(100, 1), (0, 20)));
        attempts.push((attempt(101, 2), (1, 0)));
        attempts.push((attempt(102, 2), (0, 0)));
        let order = order(&attempts);
        // Before it comes only who is after an account that nobody floods, and behind all who has failed before.
        assert_eq!(order[..3], [22, 20, 19]);
        assert_eq!(order[22], 21);
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
