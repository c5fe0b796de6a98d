//! Small files, one behind the other over one connection: while one flows, the commands of the next ones are on their way,
//! so that a file costs no round trips of its own.
//!
//! Replies come in the order of the commands (RFC 959 §5.4), so what a reply belongs to is known by its place. Where the
//! server lets data connections be prepared (`EPSV-AHEAD`), several are made before they are needed. Elsewhere each transfer
//! follows its own `EPSV`, and whether the server answers what is sent during a transfer in its turn is found out with one
//! `EPSV`, which does no harm where it is lost: it is sent when a transfer has been asked for that cannot begin yet, since
//! this side has not connected. A server that answers now, or never, is sent nothing ahead.

use super::flight::{Flight, Landed, Load};
use super::{Job, Way};
use crate::client::connection::{Connecting, Connection, extended_passive};
use crate::client::error::{Trouble, accepted};
use crate::client::interrupt;
use crate::client::progress::Counts;
use crate::protocol::command::{Command, Epsv};
use crate::protocol::reply::{Class, Reply};
use crate::protocol::time::parse_time;
use anyhow::Result;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The most bytes of a file that goes this way: for a larger one the round trips count for little.
pub(super) const SMALL: u64 = 256 * 1024;
/// How many files are under way at a time where data connections are prepared ahead.
const MANY: usize = 16;
/// How many are elsewhere: one that flows, and those that the server turns to next.
const FEW: usize = 3;
/// How long the first answer to a command that was sent during a transfer is waited for.
const PROBE: Duration = Duration::from_secs(5);
/// How much longer than two round trips a server stays silent that does not answer out of turn.
const QUIET: Duration = Duration::from_millis(50);

/// What is known of how the server takes commands that are sent ahead, by all connections of a command.
#[derive(Debug, Default)]
pub(super) struct Manners(AtomicU8);

impl Manners {
    const GOOD: u8 = 1;
    const BAD: u8 = 2;

    /// Whether files may go one behind the other.
    pub(super) fn allow(&self, way: Way, connection: &Connection) -> bool {
        let able = &connection.abilities;
        // An upload that has no name of its own until it is whole had better not be one of several.
        let safe = way == Way::Down || able.atomic || able.rename;
        able.epsv && safe && !self.are(Self::BAD)
    }

    fn are(&self, manners: u8) -> bool {
        self.0.load(Relaxed) == manners
    }
}

/// What the next reply that comes is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The data port of the next file in turn.
    Port,
    /// The time of the file whose transfer is next.
    Time,
    /// The transfer itself, with all of its replies.
    Transfer,
    /// The name of an upload, which it has to be given.
    Name,
    /// Something else behind an upload, which it can do without.
    Behind,
}

/// The files that are under way on a connection.
pub(super) struct Pipeline<'c> {
    connection: &'c mut Connection,
    way: Way,
    counts: &'c Counts,
    manners: &'c Manners,
    owed: VecDeque<Step>,
    /// Data connections in the order in which the server will use them.
    ports: VecDeque<Connecting>,
    /// A data port that is not to be connected to yet.
    waiting: Option<u16>,
    /// When a data port was asked for last, and how long one took.
    round_trip: (Instant, Duration),
    /// Files whose port was asked for.
    asked: VecDeque<Flight<'c>>,
    /// Files whose transfer was asked for.
    flying: VecDeque<Flight<'c>>,
    /// Uploads that have arrived, and wait for the replies to what was asked behind them.
    landing: VecDeque<Flight<'c>>,
    /// The answer to a command that was sent during a transfer has yet to come, for the first time.
    probing: bool,
    /// How many may be under way.
    most: usize,
    /// How many data connections may be prepared.
    ahead: usize,
}

impl<'c> Pipeline<'c> {
    /// A pipeline over a connection of which `connections` are used in all.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) fn new(
        connection: &'c mut Connection,
        way: Way,
        counts: &'c Counts,
        manners: &'c Manners,
        connections: usize,
    ) -> Result<Self> {
        let ahead = connection.prepare_ahead()?;
        // Each holds a descriptor or two, of which a process has a thousand mostly.
        let most = if ahead > 1 { MANY } else { FEW };
        Ok(Self {
            connection,
            way,
            counts,
            manners,
            owed: VecDeque::new(),
            ports: VecDeque::new(),
            waiting: None,
            round_trip: (Instant::now(), Duration::ZERO),
            asked: VecDeque::new(),
            flying: VecDeque::new(),
            landing: VecDeque::new(),
            probing: false,
            most: most.min(256 / connections.max(1)).max(2),
            ahead,
        })
    }

    /// Whether one more file may be added.
    pub(super) fn has_room(&self) -> bool {
        let under_way = self.asked.len() + self.flying.len() + self.landing.len();
        let lonely = self.ahead == 1 && self.manners.are(Manners::BAD);
        under_way < self.most && self.asked.len() < self.ahead && !lonely
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// Adds a file, and sends what can be sent for it.
    ///
    /// # Errors
    /// The job cannot be done at all. What is wrong with the connection is told by [`Self::turn`].
    pub(super) fn add(&mut self, job: Job) -> Result<(), Box<(Job, anyhow::Error)>> {
        let flight = Flight::prepare(job, self.way, self.connection, self.counts)?;
        self.asked.push_back(flight);
        self.probing |= self.is_careful() && !self.flying.is_empty();
        self.round_trip.0 = Instant::now();
        self.send(&Command::Epsv(Epsv::Same), Step::Port);
        Ok(())
    }

    /// Sends the commands of the next transfer, if it is to be asked for now. Whether it was. All files have been added that
    /// there are and that there is room for.
    pub(super) fn ask(&mut self) -> bool {
        let flight = self.may_ask().then(|| self.asked.pop_front());
        let Some(flight) = flight.flatten() else {
            return false;
        };
        if let (Load::Down(_, said), Command::Retr(remote)) = (&flight.load, &flight.command)
            && said.modified.is_none()
            && self.connection.abilities.mdtm
        {
            // Before the transfer: what is fetched is then no older than the time that it is given.
            self.send(&Command::Mdtm(remote.clone()), Step::Time);
        }
        let command = flight.command.clone();
        self.flying.push_back(flight);
        self.send(&command, Step::Transfer);
        true
    }

    /// It is not known yet that the server answers what is sent during a transfer in its turn.
    fn is_careful(&self) -> bool {
        self.ahead == 1 && !self.manners.are(Manners::GOOD)
    }

    fn may_ask(&self) -> bool {
        if self.is_careful() {
            return self.flying.is_empty() && (self.waiting.is_some() || !self.ports.is_empty());
        }
        // As many data connections as may be are prepared, or there are no more files to prepare any for.
        !self.asked.is_empty() && (self.asked.len() == self.ahead || self.has_room())
    }

    fn send(&mut self, command: &Command, step: Step) {
        self.owed.push_back(step);
        // One that could not be sent has no reply, which is noticed when it is waited for.
        if let Err(error) = self.connection.post(command) {
            log::debug!("{error:#}");
        }
    }

    /// Waits for the next reply and does what it lets do. Says so when a file is done with.
    ///
    /// # Errors
    /// Ctrl-C, or the connection is of no more use. [`Self::rest`] has what was under way.
    pub(super) fn turn(&mut self) -> Result<Option<Landed>> {
        let Some(&step) = self.owed.front() else {
            return Ok(None);
        };
        if interrupt::is_raised() {
            return Err(self.stop());
        }
        match self.step(step) {
            Ok(landed) => {
                self.owed.pop_front();
                Ok(landed)
            }
            Err(_) if interrupt::is_raised() => Err(self.stop()),
            Err(error) => {
                if self.ahead == 1 {
                    log::debug!("from now on nothing is sent ahead");
                    self.manners.0.store(Manners::BAD, Relaxed);
                }
                self.connection.break_up();
                Err(error)
            }
        }
    }

    /// What was under way when there was no more to be done, in its order.
    pub(super) fn rest(self) -> impl DoubleEndedIterator<Item = Job> {
        let flights = self.landing.into_iter().chain(self.flying);
        flights.chain(self.asked).map(|flight| flight.job)
    }

    fn stop(&mut self) -> anyhow::Error {
        // Nobody is to send into a connection that nobody reads.
        self.ports.clear();
        self.connection.abort(self.owed.len())
    }

    fn step(&mut self, step: Step) -> Result<Option<Landed>> {
        match step {
            Step::Port => self.port().map(|()| None),
            Step::Time => self.time().map(|()| None),
            Step::Transfer => self.transfer(),
            Step::Name => {
                let named = accepted(self.reply("RNTO")?);
                Ok(self.behind(named.err()))
            }
            Step::Behind => {
                self.reply("what was sent behind an upload")?;
                Ok(self.behind(None))
            }
        }
    }

    fn reply(&mut self, to: &str) -> Result<Reply> {
        let limit = self.connection.silence();
        self.connection.final_reply(to, limit)
    }

    fn port(&mut self) -> Result<()> {
        let limit = self.connection.silence();
        let limit = if self.probing {
            PROBE.min(limit)
        } else {
            limit
        };
        let reply = self.connection.final_reply("EPSV", limit)?;
        match extended_passive(&reply) {
            Some(port) if self.is_careful() && !self.probing => {
                self.round_trip.1 = self.round_trip.0.elapsed();
                self.waiting = Some(port);
            }
            Some(port) => self.ports.push_back(self.connect(port)),
            // The last of the transfers that were asked for will be refused for want of a data connection.
            None if self.ahead > 1 && reply.class() != Class::Completion => {
                log::debug!("no data port: {}", reply.code());
            }
            None => return Err(Trouble::Refused(reply).into()),
        }
        if std::mem::take(&mut self.probing) {
            log::debug!("the server answers what is sent during a transfer");
            self.manners.0.store(Manners::GOOD, Relaxed);
        }
        Ok(())
    }

    fn connect(&self, port: u16) -> Connecting {
        let connecting = self.connection.connect_data(port);
        if self.way == Way::Up {
            connecting.reset_on_close();
        }
        connecting
    }

    fn time(&mut self) -> Result<()> {
        let reply = self.reply("MDTM")?;
        if let Some(flight) = self.flying.front_mut()
            && let Load::Down(_, said) = &mut flight.load
            && reply.class() == Class::Completion
        {
            said.modified = parse_time(reply.text().trim());
        }
        Ok(())
    }

    fn transfer(&mut self) -> Result<Option<Landed>> {
        let port = match self.waiting.take() {
            Some(port) => {
                if self.probing {
                    let limit = self.round_trip.1 * 2 + QUIET;
                    self.probing = self.connection.stays_quiet(limit)?;
                }
                Some(self.connect(port))
            }
            None => self.ports.pop_front(),
        };
        let Some(flight) = self.flying.front_mut() else {
            return Ok(None);
        };
        let began = Instant::now();
        let outcome = flight.fly(self.connection, port);
        flight.moved.took = began.elapsed();
        match outcome {
            Ok(bytes) => flight.moved.bytes = bytes,
            // Then it is not known any more what the next reply belongs to.
            Err(error) if self.connection.is_broken() || self.probing && !is_for_good(&error) => {
                return Err(error);
            }
            Err(error) => flight.failed = Some(error),
        }
        let Some(mut flight) = self.flying.pop_front() else {
            return Ok(None);
        };
        if let (Load::Up(upload), None) = (&flight.load, &flight.failed) {
            let named = upload.place.commands();
            let time = upload.keep_time(self.connection);
            flight.owed = named.len() + usize::from(time.is_some());
            for command in named {
                let step = match command {
                    Command::Rnto(_) => Step::Name,
                    _ => Step::Behind,
                };
                self.send(&command, step);
            }
            if let Some(time) = time {
                self.send(&time, Step::Behind);
            }
        }
        if flight.owed == 0 {
            return Ok(Some(flight.land()));
        }
        self.landing.push_back(flight);
        Ok(None)
    }

    /// One more of the replies has come that are owed behind an upload.
    fn behind(&mut self, error: Option<anyhow::Error>) -> Option<Landed> {
        let flight = self.landing.front_mut()?;
        flight.owed -= 1;
        flight.failed = flight.failed.take().or(error);
        match flight.owed {
            0 => self.landing.pop_front().map(Flight::land),
            _ => None,
        }
    }
}

/// Whether the server said that it will not do something, now or later: that is an answer to what it was asked, and not to
/// what was sent behind.
fn is_for_good(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::Refused(reply)) if reply.class() == Class::PermanentNegative)
}
