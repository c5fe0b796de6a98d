//! The line of those who wait for a port, where all that data connections may use are taken; and the ports that rest.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often the first in line looks by itself: of the ports that another process gives back nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the others look whether their client is still there.
const GLANCE_EVERY: Duration = Duration::from_secs(1);

/// How long a port rests to which nobody has come. A client that was told of it may still do so, or another one behind the
/// same address, and would then reach the port's next user. A lost SYN is sent again after one second, and after three.
const REST: Duration = Duration::from_secs(4);

/// How many random numbers are drawn at a time.
const DRAWN: usize = 64;

/// First come, first served.
#[derive(Debug, Default)]
pub(in crate::server) struct PortQueue {
    line: Mutex<Line>,
    /// How many ports this server's data connections are waited for at.
    in_use: AtomicU64,
    /// When these ports were given up with nobody having come to them: the last time, for each. It has no more than there are
    /// ports.
    given_up: Mutex<BTreeMap<u16, Instant>>,
    /// Random numbers, drawn ahead: one call for many ports instead of one for each.
    drawn: Mutex<Vec<u32>>,
}

#[derive(Debug, Default)]
struct Line {
    last: u64,
    waiting: VecDeque<(u64, Thread)>,
}

/// A thread's place in the line, given up on drop.
#[derive(Debug)]
pub(in crate::server) struct Place<'q> {
    queue: &'q PortQueue,
    number: u64,
}

impl PortQueue {
    /// Whether nobody waits.
    pub(in crate::server) fn is_empty(&self) -> bool {
        self.line().waiting.is_empty()
    }

    /// How many ports the server itself has in use.
    pub(in crate::server) fn in_use(&self) -> u64 {
        self.in_use.load(Ordering::Relaxed)
    }

    /// A number that nobody can guess.
    ///
    /// # Errors
    /// The system has none.
    pub(super) fn random(&self) -> io::Result<u32> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.is_empty() {
            let mut bytes = [0; DRAWN * size_of::<u32>()];
            getrandom::fill(&mut bytes)?;
            let (numbers, _) = bytes.as_chunks();
            drawn.extend(numbers.iter().map(|&number| u32::from_ne_bytes(number)));
        }
        drawn.pop().ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Since when a port rests, if it does.
    pub(super) fn rests_since(&self, port: u16) -> Option<Instant> {
        let since = *self.given_up().get(&port)?;
        (since.elapsed() < REST).then_some(since)
    }

    /// Takes the last place.
    pub(in crate::server) fn join(&self) -> Place<'_> {
        let mut line = self.line();
        line.last += 1;
        let number = line.last;
        line.waiting.push_back((number, thread::current()));
        Place {
            queue: self,
            number,
        }
    }

    fn wake_first(&self) {
        if let Some((_, first)) = self.line().waiting.front() {
            first.unpark();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // It is whole after every statement that touches it.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given_up(&self) -> MutexGuard<'_, BTreeMap<u16, Instant>> {
        // Likewise.
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Whether the next port is for this one.
    pub(in crate::server) fn is_first(&self) -> bool {
        let line = self.queue.line();
        line.waiting
            .front()
            .is_some_and(|(first, _)| *first == self.number)
    }

    /// Waits until there may be something new, and no longer than `limit`.
    pub(in crate::server) fn rest(&self, limit: Duration) {
        let most = if self.is_first() {
            LOOK_EVERY
        } else {
            GLANCE_EVERY
        };
        thread::park_timeout(most.min(limit));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        line.waiting.retain(|(number, _)| *number != self.number);
        drop(line);
        self.queue.wake_first();
    }
}

/// Tells the first in line, when it is dropped, that a port is free, and has it rest if it was not used.
#[derive(Debug)]
pub(super) struct Freed {
    queue: Arc<PortQueue>,
    port: u16,
    used: bool,
}

impl Freed {
    /// For a port that has just been taken.
    pub(super) fn later(queue: &Arc<PortQueue>, port: u16) -> Self {
        queue.in_use.fetch_add(1, Ordering::Relaxed);
        Self {
            queue: Arc::clone(queue),
            port,
            used: false,
        }
    }

    /// The client that it was for has come.
    pub(super) fn was_used(&mut self) {
        self.used = true;
    }
}

impl Drop for Freed {
    fn drop(&mut self) {
        if !self.used {
            self.queue.given_up().insert(self.port, Instant::now());
        }
        self.queue.in_use.fetch_sub(1, Ordering::Relaxed);
        self.queue.wake_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_is_first_and_who_leaves_lets_the_next_be() {
        let queue = PortQueue::default();
        let (one, two, three) = (queue.join(), queue.join(), queue.join());
        assert_eq!(
            [&one, &two, &three].map(Place::is_first),
            [true, false, false]
        );
        drop(two);
        drop(one);
        assert!(three.is_first());
        drop(three);
        assert!(queue.is_empty());
    }
}
