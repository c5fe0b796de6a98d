//! The threads of control connections: one for each, and one whose connection has ended waits a little for the next.
//!
//! To start and end a thread takes half of what all of a login takes: its stack with a guard, and another one for signals, are
//! made and thrown away.

use super::heap;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The stack of a thread, in bytes. Only what is touched of it takes up memory.
const STACK: usize = 256 * 1024;
/// How long a thread waits for a next connection.
const REST: Duration = Duration::from_secs(1);
/// How many do so at a time: with 64, and an age of ten seconds, a crowd left two MiB more behind than it had found.
const MOST_RESTING: usize = 8;
/// At which age a thread waits for none any more: the piece of the heap that goes with it holds in place what is below it.
const OLD: Duration = Duration::from_secs(2);

type Work = Box<dyn FnOnce() + Send>;

/// Threads that each serve one connection at a time. Those that rest end when this is dropped, the others behind their work.
#[derive(Debug, Default)]
pub(super) struct Threads(Arc<Pool>);

#[derive(Debug, Default)]
struct Pool {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// What has yet to be taken up by one of those that wait.
    handed: VecDeque<Work>,
    /// How many wait beyond those for whom there is something.
    resting: usize,
    is_closed: bool,
}

impl Threads {
    /// Has the work done by a thread that rests, or by a new one.
    ///
    /// # Errors
    /// The system has no room for another thread. The work is dropped.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.state();
        if state.resting > 0 {
            state.resting -= 1;
            state.handed.push_back(Box::new(work));
            drop(state);
            self.0.news.notify_one();
            return Ok(());
        }
        drop(state);
        let pool = Arc::clone(&self.0);
        let begin = move || {
            let born = Instant::now();
            work();
            while let Some(work) = pool.rest(born) {
                work();
            }
        };
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(begin)
            .map(drop)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.news.notify_all();
    }
}

impl Pool {
    /// Puts away what the last work had of the heap, and waits for more, for a thread of that age.
    fn rest(&self, born: Instant) -> Option<Work> {
        heap::tidy();
        let mut state = self.state();
        if state.is_closed || state.resting >= MOST_RESTING || born.elapsed() >= OLD {
            return None;
        }
        state.resting += 1;
        let nothing_yet = |state: &mut State| state.handed.is_empty() && !state.is_closed;
        let waited = self.news.wait_timeout_while(state, REST, nothing_yet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let work = state.handed.pop_front();
        if work.is_none() {
            state.resting -= 1;
        }
        work
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is whole after every statement that touches it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rest", self.resting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::ThreadId;

    /// Has a thread say which one it is.
    fn who(threads: &Threads) -> Receiver<ThreadId> {
        let (tell, told) = channel();
        threads
            .run(move || tell.send(thread::current().id()).unwrap())
            .unwrap();
        told
    }

    fn wait_for_resting(threads: &Threads, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while threads.0.state().resting != count {
            assert!(Instant::now() < deadline, "{threads:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_thread_that_rests_takes_the_next_work() {
        let threads = Threads::default();
        let first = who(&threads).recv().unwrap();
        wait_for_resting(&threads, 1);
        assert_eq!(who(&threads).recv().unwrap(), first);
    }

    #[test]
    fn work_never_waits_for_other_work() {
        let threads = Threads::default();
        who(&threads).recv().unwrap();
        wait_for_resting(&threads, 1);
        // One thread rests. Were anything left for it behind its work, this would not end.
        let all_here = Arc::new(Barrier::new(4));
        for _ in 0..3 {
            let all_here = Arc::clone(&all_here);
            let meet = move || {
                all_here.wait();
            };
            threads.run(meet).unwrap();
        }
        all_here.wait();
    }

    #[test]
    fn those_that_rest_end_after_a_while_and_with_their_owner() {
        let threads = Threads::default();
        who(&threads).recv().unwrap();
        wait_for_resting(&threads, 1);
        wait_for_resting(&threads, 0);
        who(&threads).recv().unwrap();
        wait_for_resting(&threads, 1);
        let pool = Arc::clone(&threads.0);
        drop(threads);
        let deadline = Instant::now() + Duration::from_secs(30);
        while Arc::strong_count(&pool) > 1 {
            assert!(Instant::now() < deadline, "{pool:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn work_that_panics_takes_its_thread_alone_with_it() {
        let threads = Threads::default();
        threads.run(|| panic!("as it should")).unwrap();
        who(&threads).recv().unwrap();
        wait_for_resting(&threads, 1);
    }
}
