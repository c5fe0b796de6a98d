//! What the allocator keeps of sessions that have ended, and how it is given back.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// How much has to be freed at once for glibc to look at the rest, in bytes.
const AT_ONCE: usize = 64 * 1024;
/// More sessions than this at a time are a crowd.
const CROWD: usize = 128;
/// No more than so many are left of it when what it had is given back.
const FEW: usize = CROWD / 8;
/// How long the first step waits for the next.
const PAUSE: Duration = Duration::from_secs(1);
/// In how many steps what it had is given back: within half a minute.
const STEPS: u32 = 8;
/// A stack, in bytes, that is larger than all those together that glibc keeps for threads to come (40 MiB). Of it only a
/// page or two is ever touched.
const LARGE_STACK: usize = 64 * 1024 * 1024;
/// How many heaps glibc has at most, for each core.
const HEAPS_PER_CORE: usize = 8;
/// A stack for threads that do next to nothing, in bytes.
const SMALL_STACK: usize = 64 * 1024;

/// Has glibc join the free pieces of this thread's heap, and give back to the system what is free at its end.
///
/// Small pieces (up to 128 bytes) stay apart when they are freed, until somebody frees a large one; and a session has none. A
/// few of them between the others are enough that all which thousands of sessions have had stays with the process. What is
/// asked for here is never touched, and so costs no memory. The pieces that this thread frees at its very end are joined when
/// a later session on the same heap ends.
pub(super) fn tidy() {
    drop(black_box(Vec::<u8>::with_capacity(AT_ONCE)));
}

/// A crowd of sessions, and how far what it had has been given back.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Crowd {
    #[default]
    None,
    Here,
    /// It has gone, so many steps have been taken since, and the next is due then.
    Gone(u32, Instant),
}

impl Crowd {
    /// Gives back what a crowd has left behind, step by step, once it has gone. It is to look every second or so,
    /// at the most sessions that there have been since. Says whether it took a step, with which threads that last are to be
    /// replaced: they have pieces of what the crowd had set aside for them.
    ///
    /// What keeps memory is a stack that waits for a next thread, some forty MiB of which glibc keeps: with each there is a
    /// piece of the heap, which lies wherever the heap ended when the thread began, and nothing below it goes back to the
    /// system. All of them go when a thread ends whose stack is larger than they are together; and its own goes at the end of
    /// one more, which begins when the heap is small again. Threads of sessions may take a while to end, hence more rounds.
    pub(super) fn look(&mut self, most: usize, now: Instant) -> bool {
        let mut has_stepped = false;
        *self = match *self {
            _ if most > CROWD => Self::Here,
            Self::Here if most <= FEW => Self::Gone(0, now + PAUSE),
            Self::Gone(steps, due) if due <= now => {
                has_stepped = true;
                tidy();
                if steps.is_multiple_of(2) {
                    start(LARGE_STACK, visit_heaps);
                } else {
                    start(SMALL_STACK, tidy);
                }
                match steps + 1 {
                    STEPS => Self::None,
                    steps => Self::Gone(steps, now + PAUSE * 2_u32.pow(steps / 2)),
                }
            }
            other => other,
        };
        has_stepped
    }
}

/// Starts a thread that nobody waits for. It ends behind this call, so that it frees what it is made of, and not the caller,
/// who would keep that for its next thread.
fn start(stack: usize, task: fn()) {
    static STARTING: Mutex<()> = Mutex::new(());
    let starting = STARTING.lock();
    let started = thread::Builder::new().stack_size(stack).spawn(move || {
        task();
        drop(STARTING.lock());
    });
    match started {
        Ok(thread) => drop(thread),
        Err(error) => {
            log::debug!("the memory of a crowd is kept: cannot start a thread: {error}");
        }
    }
    drop(starting);
}

/// Tidies all the heaps that there may be: a thread gets one that no other is using, so as many threads are started, and they
/// end when all are there.
fn visit_heaps() {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        let (here, arrived) = channel::<()>();
        for _ in 0..cores * HEAPS_PER_CORE {
            let (here, gate) = (here.clone(), &gate);
            let visit = move || {
                tidy();
                drop(here);
                drop(gate.lock());
            };
            let small = thread::Builder::new().stack_size(SMALL_STACK);
            if small.spawn_scoped(scope, visit).is_err() {
                break;
            }
        }
        drop(here);
        // It ends when nobody is left who could send anything.
        let _ = arrived.recv();
        drop(closed);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_often_does_not_hurry_it() {
        let mut crowd = Crowd::default();
        let mut now = Instant::now();
        let mut look = |sessions, now| {
            crowd.look(sessions, now);
            crowd
        };
        assert!(matches!(look(CROWD, now), Crowd::None));
        assert!(matches!(look(CROWD + 1, now), Crowd::Here));
        assert!(matches!(look(FEW + 1, now), Crowd::Here));
        let gone = now;
        for steps in 0..STEPS {
            let Crowd::Gone(taken, due) = look(FEW, now) else {
                panic!("over after {steps} steps");
            };
            assert_eq!(taken, steps);
            let early = now + (due - now) / 2;
            for _ in 0..100 {
                assert!(matches!(look(FEW, early), Crowd::Gone(taken, _) if taken == steps));
            }
            now = due;
        }
        assert!(matches!(look(FEW, now), Crowd::None));
        assert_eq!(now - gone, Duration::from_secs(30));
    }
}
