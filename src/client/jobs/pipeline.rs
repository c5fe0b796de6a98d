//! Small files, one behind the other over one connection: while one flows, the commands of the next ones are on their way,
//! so that a file costs no round trips of its own.
//!
//! Replies come in the order of the commands (RFC 959 §5.4), so what a reply belongs to is known by its place. Where the
//! server lets data connections be prepared (`EPSV-AHEAD`), several are made before they are needed. Elsewhere each transfer
//! follows its own `EPSV`, and whether the server answers what is sent during a transfer is found out with one `EPSV`, which
//! does no harm where it is lost.

use super::{Job, Way, What};
use crate::client::connection::{Connecting, Connection, extended_passive};
use crate::client::download;
use crate::client::error::{Trouble, accepted};
use crate::client::interrupt;
use crate::client::part::Part;
use crate::client::progress::{Counts, Meter};
use crate::client::transfer::Moved;
use crate::client::upload::Upload;
use crate::protocol::command::{Command, Epsv};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Class, Reply};
use crate::protocol::time::parse_time;
use anyhow::Result;
use std::collections::VecDeque;
use std::path::PathBuf;
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

/// What is known of how the server takes commands that are sent ahead, by all connections of a command.
#[derive(Debug, Default)]
pub(super) struct Manners(AtomicU8);

impl Manners {
    const UNKNOWN: u8 = 0;
    const GOOD: u8 = 1;
    const BAD: u8 = 2;

    /// Whether files may go one behind the other.
    pub(super) fn allow(&self, connection: &Connection) -> bool {
        connection.abilities.epsv && self.0.load(Relaxed) != Self::BAD
    }

    fn is_unknown(&self) -> bool {
        self.0.load(Relaxed) == Self::UNKNOWN
    }
}

/// A file that is under way.
struct Flight<'c> {
    job: Job,
    meter: Meter<'c>,
    command: Command,
    load: Load,
    moved: Moved,
    /// How many replies are owed to what was asked behind its transfer.
    owed: usize,
    failed: Option<anyhow::Error>,
}

/// What is moved.
enum Load {
    /// A file to this path, with what the listing or the server said of it.
    Down(PathBuf, Entry),
    /// A file from this side.
    Up(Box<Upload>),
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

/// A file that is done with.
pub(super) struct Landed {
    pub(super) job: Job,
    pub(super) outcome: Result<Moved>,
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
        connection.use_image_type()?;
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
        self.asked.len() + self.flying.len() + self.landing.len() < self.most
            && self.asked.len() < self.ahead
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// Adds a file, and sends what can be sent for it.
    ///
    /// # Errors
    /// The job cannot be done at all. What is wrong with the connection is told by [`Self::turn`].
    pub(super) fn add(&mut self, job: Job) -> Result<(), Box<(Job, anyhow::Error)>> {
        let (command, load) = match self.load(&job) {
            Ok(loaded) => loaded,
            Err(error) => return Err(Box::new((job, error))),
        };
        let meter = Meter::new(self.counts, &job.remote, job.size());
        self.asked.push_back(Flight {
            job,
            meter,
            command,
            load,
            moved: Moved::default(),
            owed: 0,
            failed: None,
        });
        self.probing |= self.manners.is_unknown() && self.ahead == 1 && !self.flying.is_empty();
        self.send(&Command::Epsv(Epsv::Same), Step::Port);
        Ok(())
    }

    fn load(&self, job: &Job) -> Result<(Command, Load)> {
        match self.way {
            Way::Down => {
                let mut said = Entry::new(job.remote.as_str(), Kind::File);
                if let What::File { size, modified } = job.what {
                    (said.size, said.modified) = (size, modified);
                }
                let target = download::target(&job.folder, &job.name)?;
                Ok((Command::Retr(job.remote.parse()?), Load::Down(target, said)))
            }
            Way::Up => {
                let remote = job.remote.parse()?;
                let upload = Upload::open(self.connection, &job.local(), remote)?;
                let command = Command::Stor(upload.place.name().clone());
                Ok((command, Load::Up(Box::new(upload))))
            }
        }
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

    fn may_ask(&self) -> bool {
        if self.ahead == 1 && self.manners.is_unknown() {
            // One after the other, until it is known that nothing gets lost.
            return self.flying.is_empty() && !self.ports.is_empty();
        }
        // As many data connections as may be are prepared, or there are no more files to prepare any for.
        !self.asked.is_empty() && (self.asked.len() == self.ahead || self.has_room())
    }

    fn send(&mut self, command: &Command, step: Step) {
        self.owed.push_back(step);
        // One that could not be sent has no reply, which is noticed when it is waited for.
        if let Err(error) = self.connection.write(command) {
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
                if self.probing {
                    log::debug!("the server does not answer what is sent during a transfer");
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
            Some(port) => self.ports.push_back(self.connection.connect_data(port)),
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
        let Some(flight) = self.flying.front_mut() else {
            return Ok(None);
        };
        let port = self.ports.pop_front();
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

impl Flight<'_> {
    /// Carries out the transfer, which has been asked for.
    fn fly(&mut self, connection: &mut Connection, port: Option<Connecting>) -> Result<u64> {
        let open = || match port {
            Some(port) => Ok(port.finish()?),
            None => Err(Trouble::Lost("there is no data connection for it".to_owned()).into()),
        };
        let meter = &self.meter;
        match &mut self.load {
            Load::Down(target, said) => {
                // It is not gone on from: what is as small as that comes whole or not at all.
                let unknown = Entry::new(said.name.as_str(), Kind::File);
                let part = connection.exchange(&self.command, open, |data| {
                    let mut part = Part::open(target, &unknown)?;
                    part.fill(data, said.size, meter)?;
                    Ok(part)
                })?;
                part.is_whole(said.size)?;
                let bytes = part.length();
                part.commit(said.modified.map(Into::into))?;
                Ok(bytes)
            }
            Load::Up(upload) => {
                connection.exchange(&self.command, open, |data| upload.send(data, 0, meter))
            }
        }
    }

    fn land(self) -> Landed {
        Landed {
            outcome: self.failed.map_or(Ok(self.moved), Err),
            job: self.job,
        }
    }
}
