//! Readings of folders that several listings share.
//!
//! Where many clients ask for one folder over and over, nearly all of the time goes into reading it for each of them. Whoever
//! asks for it while it is being read waits until that is over, and then it is read once for all who have come meanwhile.
//! Nobody is told what is older than the question: a reading is only for those who had asked before it began.

use crate::protocol::entry::FactSet;
use crate::server::root::Place;
use crate::server::users::Permissions;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long anybody waits for readings of others: one that a slow disk or a slow folder holds up does not hold up the rest.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a listing depends on: those of whom all of it is the same are sent the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) verb: &'static str,
    pub(super) place: Place,
    pub(super) permissions: Permissions,
    pub(super) facts: FactSet,
}

/// The folders that are being read.
#[derive(Debug, Default)]
pub(in crate::server) struct Readings(Mutex<HashMap<Subject, Arc<Queue>>>);

/// Those who ask for one of them.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    begun: u64,
    /// Whether the last that was begun still goes on.
    goes_on: bool,
    /// What the last that is over has brought, if that can be shared.
    rows: Option<Rows>,
}

/// The rows of a folder as they are sent.
pub(super) type Rows = Arc<Vec<u8>>;

/// How somebody gets the rows of a folder.
pub(super) enum Turn<'r> {
    /// They have just been read.
    Shared(Rows),
    /// By reading them, for others as well.
    Read(Reading<'r>),
    /// By reading them for oneself: others took too long, or had too many of them.
    Alone,
}

/// A reading that others may be waiting for. It is over when it is dropped.
pub(super) struct Reading<'r> {
    seat: Seat<'r>,
    rows: Option<Rows>,
}

/// A place in a queue. The last to leave takes the queue away.
struct Seat<'r> {
    readings: &'r Readings,
    subject: Subject,
    queue: Arc<Queue>,
}

impl Readings {
    /// Waits until there are rows to share, or it is one's own turn to read. Before it waits, `pause` is called.
    ///
    /// # Errors
    /// What `pause` says.
    pub(super) fn turn(
        &self,
        subject: Subject,
        pause: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Turn<'_>> {
        let queue = Arc::clone(self.folders().entry(subject.clone()).or_default());
        let seat = Seat {
            readings: self,
            subject,
            queue,
        };
        let mut state = seat.queue.state();
        if state.goes_on {
            let own = state.begun + 1;
            drop(state);
            pause()?;
            let deadline = Instant::now() + PATIENCE;
            state = seat.queue.state();
            while state.goes_on && state.over() < own {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(Turn::Alone);
                }
                let waited = seat.queue.over.wait_timeout(state, left);
                (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
            if state.over() >= own {
                return Ok(state.rows.clone().map_or(Turn::Alone, Turn::Shared));
            }
        }
        state.begin();
        drop(state);
        Ok(Turn::Read(seat.into()))
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<Subject, Arc<Queue>>> {
        // It is whole after every statement that touches it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'r> From<Seat<'r>> for Reading<'r> {
    fn from(seat: Seat<'r>) -> Self {
        Self { seat, rows: None }
    }
}

impl Reading<'_> {
    /// Hands the rows to all who wait for this reading.
    pub(super) fn share(mut self, rows: Rows) {
        self.rows = Some(rows);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.seat.queue.state();
        state.goes_on = false;
        state.rows = self.rows.take();
        drop(state);
        self.seat.queue.over.notify_all();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // It is whole after every statement that touches it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self) {
        self.begun += 1;
        self.goes_on = true;
    }

    /// How many are over.
    fn over(&self) -> u64 {
        self.begun - u64::from(self.goes_on)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut folders = self.readings.folders();
        // The one in the map, and this.
        if Arc::strong_count(&self.queue) == 2 {
            folders.remove(&self.subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::root::{Durability, Root, VirtualPath};
    use crate::server::users::Access;
    use std::thread;
    use tempfile::TempDir;

    fn subject(folder: &TempDir, verb: &'static str) -> Subject {
        let root = Root::open(folder.path(), Durability::Relaxed).unwrap();
        let permissions = Access::Read.into();
        let listing = root.list(&VirtualPath::root(), permissions, None).unwrap();
        Subject {
            verb,
            place: listing.place().unwrap(),
            permissions,
            facts: FactSet::ALL,
        }
    }

    #[track_caller]
    fn reading(turn: io::Result<Turn<'_>>) -> Reading<'_> {
        match turn {
            Ok(Turn::Read(reading)) => reading,
            _ => panic!("not one's own turn"),
        }
    }

    fn text(text: &str) -> Rows {
        Arc::new(text.into())
    }

    #[test]
    fn those_who_come_during_a_reading_share_the_next_one() {
        let (folder, readings) = (
            TempDir::with_prefix("ftp-test-").unwrap(),
            Readings::default(),
        );
        let subject = subject(&folder, "LIST");
        let first = reading(readings.turn(subject.clone(), || panic!("waits for nobody")));
        let (waits, waiting) = std::sync::mpsc::channel();
        let told = thread::scope(|scope| {
            let ask = || {
                let (readings, subject, waits) = (&readings, subject.clone(), waits.clone());
                scope.spawn(move || {
                    let turn = readings.turn(subject, || {
                        waits.send(()).unwrap();
                        Ok(())
                    });
                    match turn.unwrap() {
                        Turn::Read(reading) => {
                            reading.share(text("second"));
                            "read"
                        }
                        Turn::Shared(rows) if *rows == b"second" => "shared",
                        Turn::Shared(_) => "stale",
                        Turn::Alone => "alone",
                    }
                })
            };
            let asked = [ask(), ask(), ask()];
            asked.iter().for_each(|_| waiting.recv().unwrap());
            first.share(text("first"));
            let mut told = asked.map(|asked| asked.join().unwrap());
            told.sort_unstable();
            told
        });
        // Who is woken late finds it done, or is patient no longer on a machine that is busy.
        assert!(!told.contains(&"stale"), "{told:?}");
        assert!(told.contains(&"read"), "{told:?}");
        assert!(readings.folders().is_empty(), "a queue is left");
    }

    #[test]
    fn nobody_waits_for_a_reading_of_something_else_or_for_one_that_stands_still() {
        let (folder, readings) = (
            TempDir::with_prefix("ftp-test-").unwrap(),
            Readings::default(),
        );
        let list = reading(readings.turn(subject(&folder, "LIST"), || Ok(())));
        drop(reading(
            readings.turn(subject(&folder, "NLST"), || panic!("waits")),
        ));
        let turn = readings.turn(subject(&folder, "LIST"), || Ok(()));
        assert!(matches!(turn, Ok(Turn::Alone)));
        drop(list);
        drop(reading(
            readings.turn(subject(&folder, "LIST"), || panic!("waits")),
        ));
        assert!(readings.folders().is_empty(), "a queue is left");
    }

    #[test]
    fn a_reading_that_fails_leaves_the_others_to_themselves() {
        let (folder, readings) = (
            TempDir::with_prefix("ftp-test-").unwrap(),
            Readings::default(),
        );
        let subject = subject(&folder, "LIST");
        let mut state = State::default();
        state.begin();
        assert_eq!((state.begun, state.over()), (1, 0));
        let first = reading(readings.turn(subject.clone(), || Ok(())));
        let queue = Arc::clone(&first.seat.queue);
        first.share(text("first"));
        assert_eq!(queue.state().rows, Some(text("first")));
        drop(reading(readings.turn(subject, || Ok(()))));
        assert_eq!(queue.state().over(), 2);
        assert_eq!(queue.state().rows, None);
    }
}
