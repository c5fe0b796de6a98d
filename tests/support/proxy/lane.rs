//! What goes one way over a connection, and when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// As much as may wait in the proxy, one way.
const ROOM: usize = 64 * 1024;

/// What becomes of the bytes that go one way over a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    Nothing,
    /// Each piece comes so much later.
    Delay(Duration),
    /// Behind so many bytes each of the next so many comes so long after the one before it.
    Drip(u64, u64, Duration),
    /// Behind so many bytes comes nothing more, until either side has enough of it.
    Stall(u64),
    /// Behind so many bytes both sides get the end of the connection.
    Cut(u64),
    /// Behind so many bytes both sides get a reset.
    Reset(u64),
}

/// How a pair of connections came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By both sides.
    Natural,
    Cut,
    Reset,
}

/// One way.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) fault: Fault,
    pub(super) waiting: VecDeque<Piece>,
    /// The part of a line that has come so far.
    pub(super) line: Vec<u8>,
    pub(super) passed: u64,
    /// When a byte was passed on last.
    pub(super) last: Option<Instant>,
    pub(super) suffered: bool,
    /// The end has come, and was passed on.
    pub(super) ended: bool,
    pub(super) closed: bool,
}

/// What waits to be passed on: some bytes, or a line.
pub(super) struct Piece {
    pub(super) due: Instant,
    pub(super) bytes: Vec<u8>,
    /// How many of them were passed on.
    pub(super) sent: usize,
}

/// What a lane may do at the moment.
pub(super) enum Turn {
    /// Pass this many bytes on.
    Pass(usize),
    /// Wait until then.
    Wait(Instant),
    /// Nothing, until something new comes.
    Rest,
    Break(End),
}

impl Lane {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        let delay = match self.fault {
            Fault::Delay(delay) => delay,
            _ => Duration::ZERO,
        };
        if !bytes.is_empty() {
            let due = Instant::now() + delay;
            self.waiting.push_back(Piece {
                due,
                bytes,
                sent: 0,
            });
        }
    }

    pub(super) fn has_room(&self) -> bool {
        let waits: usize = self.waiting.iter().map(|piece| piece.bytes.len()).sum();
        !self.ended && waits < ROOM
    }

    /// What may be done of `count` bytes that wait until `due`.
    pub(super) fn next(&mut self, due: Instant, count: usize) -> Turn {
        let room = |point: u64| usize::try_from(point.saturating_sub(self.passed)).unwrap_or(count);
        let now = Instant::now();
        if due > now {
            return Turn::Wait(due);
        }
        let (point, then) = match self.fault {
            Fault::Nothing | Fault::Delay(_) => return Turn::Pass(count),
            Fault::Drip(from, drops, every) => {
                if self.passed >= from + drops {
                    return Turn::Pass(count);
                }
                let next = self.last.map_or(now, |last| last + every);
                let then = if next > now {
                    Turn::Wait(next)
                } else {
                    Turn::Pass(1)
                };
                (from, then)
            }
            Fault::Stall(point) => (point, Turn::Rest),
            Fault::Cut(point) => (point, Turn::Break(End::Cut)),
            Fault::Reset(point) => (point, Turn::Break(End::Reset)),
        };
        match room(point) {
            0 => {
                self.suffered = true;
                then
            }
            room => Turn::Pass(room.min(count)),
        }
    }

    /// What may be done when no bytes wait: a point that is the end of all is one too.
    pub(super) fn at_its_end(&mut self) -> Turn {
        let (point, end) = match self.fault {
            Fault::Cut(point) => (point, End::Cut),
            Fault::Reset(point) => (point, End::Reset),
            _ => return Turn::Rest,
        };
        if !self.ended || self.closed || self.passed != point {
            return Turn::Rest;
        }
        self.suffered = true;
        Turn::Break(end)
    }
}
