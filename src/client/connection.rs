//! One control connection, and the data connections that belong to it.

mod ahead;
mod data;
mod exchange;
mod link;

use super::error::{Trouble, accepted};
use super::tls::SessionTls;
use super::trust::Trust;
use super::{interrupt, text};
use crate::copy::Pace;
use crate::protocol::Lines;
use crate::protocol::command::{Arg, Command};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Class, MAX_REPLY_LINE, Reply, ReplyCode, ReplyError};
use crate::stream::{Stream, timed_out};
use anyhow::Result;
use rustix::event::PollFlags;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use data::Connecting;
pub use data::Data;
pub(super) use exchange::extended_passive;

/// For a reply that may well never come: the one to `QUIT`, and the last one of a transfer that broke.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often the system sees whether a silent control connection is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long the client waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a connection to be made.
    pub connect: Duration,
    /// For a whole reply, and for one more byte of a transfer.
    pub silence: Duration,
    /// How long a transfer leaves the control connection alone.
    pub pulse: Duration,
}

/// What the server is known to do, from its `FEAT` and from what it refused.
#[derive(Debug, Clone)]
pub struct Abilities {
    /// `EPSV` has not been refused.
    pub epsv: bool,
    /// `MLSD` has not been refused.
    pub mlsd: bool,
    /// `LIST` has not been refused, and its rows could be read.
    pub list: bool,
    /// `SIZE` has not been refused.
    pub size: bool,
    /// `MDTM` is known: the server tells times.
    pub mdtm: bool,
    /// `MFMT` is known: the server takes times.
    pub mfmt: bool,
    /// `REST STREAM` is known: a transfer can begin in the middle of a file.
    pub rest: bool,
    /// What `HASH` makes, if it is known.
    pub hash: Option<HashAlgorithm>,
    /// How many data connections may be prepared at a time (`EPSV-AHEAD`, this project's own).
    pub prepares: usize,
    /// `STOR ATOMIC` is known, this project's own: a file that is being uploaded is not there under its name before it is
    /// whole.
    pub atomic: bool,
    /// Renames have not been refused: an upload can have a name of its own until it is whole.
    pub rename: bool,
}

impl Abilities {
    /// Of a server that has not been asked yet: what every one should know.
    const UNASKED: Self = Self {
        epsv: true,
        mlsd: true,
        list: true,
        size: true,
        mdtm: false,
        mfmt: false,
        rest: false,
        hash: None,
        prepares: 1,
        atomic: false,
        rename: true,
    };

    /// Whether an upload needs a name of its own until it is whole, and can have one.
    pub(super) const fn stages(&self) -> bool {
        !self.atomic && self.rename
    }
}

/// A logged-in session with a server.
#[derive(Debug)]
pub struct Connection {
    control: BufReader<Control>,
    lines: Lines,
    /// Commands that wait for others to go out with.
    outgoing: Vec<u8>,
    peer: SocketAddr,
    limits: Limits,
    greeting: Reply,
    image_type: bool,
    /// Several data connections may be prepared at a time.
    prepared: bool,
    /// A reply that came before somebody asked for it.
    early: Option<Reply>,
    broken: bool,
    last_words: String,
    /// `NOOP`s that have not been answered yet.
    pulses: u32,
    /// There if the control connection is under TLS.
    pub(super) tls: Option<SessionTls>,
    /// How fast the data may flow; all connections of the client share it.
    pub pace: Option<Arc<Pace>>,
    /// Whether data connections go where a 227 says, and not where the control connection goes. Then there is no `EPSV`.
    follows_pasv: bool,
    /// What the server is known to do.
    pub abilities: Abilities,
}

/// The control stream with a deadline for the reply as a whole: a server that drips a byte a minute must not hold
/// the client for ever.
#[derive(Debug)]
struct Control {
    stream: Stream,
    deadline: Instant,
    /// Ctrl-C ends the wait too. It must not end the one for the replies to the `ABOR` that it has caused.
    interruptible: bool,
}

impl Read for Control {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.stream.read_now(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let socket = self.stream.as_fd();
                    interrupt::wait(socket, PollFlags::IN, left, self.interruptible)?;
                }
                outcome => return outcome,
            }
        }
    }
}

impl Connection {
    /// Connects and waits for the greeting (RFC 959 §5.4: perhaps a 120 first). Where the connection begins with TLS, `trust`
    /// is what the certificate is decided by.
    ///
    /// # Errors
    /// [`Trouble::Connect`], or [`Trouble::Tls`].
    pub fn open(host: &str, port: u16, limits: Limits, trust: Option<&Trust>) -> Result<Self> {
        let stream = Stream::connect(host, port, limits.connect).map_err(|error| {
            Trouble::Connect(format!(
                "{error:#}; is the server running, and are host and port right?"
            ))
        })?;
        let fault = |error: &dyn std::fmt::Display| {
            Trouble::Connect(format!("{host} port {port}: {error}"))
        };
        let peer = prepare(&stream, limits).map_err(|error| fault(&error))?;
        let mut connection = Self {
            control: BufReader::new(Control {
                stream,
                deadline: Instant::now(),
                interruptible: true,
            }),
            lines: Lines::new(MAX_REPLY_LINE),
            outgoing: Vec::new(),
            peer,
            limits,
            greeting: Reply::new(ReplyCode::READY, ""),
            image_type: false,
            prepared: false,
            early: None,
            broken: false,
            last_words: String::new(),
            pulses: 0,
            tls: None,
            pace: None,
            follows_pasv: false,
            abilities: Abilities::UNASKED,
        };
        if let Some(trust) = trust {
            connection.begin_tls(host, port, trust)?;
        }
        let greeting = connection
            .final_reply("the connection", limits.silence)
            .map_err(|error| fault(&error))?;
        if greeting.class() != Class::Completion {
            let busy = greeting.code() == ReplyCode::NOT_AVAILABLE;
            return Err(match fault(&Trouble::Refused(greeting)) {
                Trouble::Connect(text) if busy => Trouble::Busy(text),
                other => other,
            }
            .into());
        }
        connection.greeting = greeting;
        Ok(connection)
    }

    /// What the server said first.
    #[must_use]
    pub const fn greeting(&self) -> &Reply {
        &self.greeting
    }

    /// Sends a command and waits for its last reply, whatever that says.
    ///
    /// # Errors
    /// The connection broke or its deadline passed.
    pub fn send(&mut self, command: &Command) -> Result<Reply> {
        self.write(command)?;
        self.final_reply(command.verb(), self.limits.silence)
    }

    /// Sends a command that keeps the server busy for up to so long, and waits for its last reply, whatever that says.
    ///
    /// # Errors
    /// The connection broke or its deadline passed.
    pub(super) fn send_long(&mut self, command: &Command, busy: Duration) -> Result<Reply> {
        self.write(command)?;
        self.final_reply(command.verb(), self.limits.silence.saturating_add(busy))
    }

    /// Sends a command that the server has to carry out.
    ///
    /// # Errors
    /// [`Trouble::Refused`], or the connection broke.
    pub fn expect(&mut self, command: &Command) -> Result<Reply> {
        accepted(self.send(command)?)
    }

    /// Sends a line as it is and waits for its last reply, whatever that says.
    ///
    /// # Errors
    /// [`Trouble::Usage`] if the line is none, or would leave the session in a state that this side knows nothing of;
    /// or the connection broke.
    pub fn quote(&mut self, line: &str) -> Result<Reply> {
        let line: Arg = line
            .parse()
            .map_err(|error| Trouble::Usage(format!("this cannot be sent: {error}")))?;
        let verb = line.as_str().split(' ').next().unwrap_or_default();
        let verb = verb.to_ascii_uppercase();
        let instead = match verb.as_str() {
            "RETR" | "STOR" | "STOU" | "APPE" | "REST" | "LIST" | "NLST" | "MLSD" | "PORT"
            | "EPRT" | "LPRT" | "PASV" | "EPSV" | "LPSV" | "ABOR" => {
                "belongs to a transfer: get, put, append and ls do those"
            }
            "USER" | "PASS" | "ACCT" | "REIN" => "belongs to a login: user NAME does that",
            "AUTH" | "PROT" | "CCC" | "MODE" | "STRU" => {
                "changes how all that follows is sent, which this client would not know"
            }
            "QUIT" => "ends the session: close or exit do that",
            _ => {
                // The line may be a TYPE.
                self.image_type = false;
                self.write_line(&verb, &line, |output| {
                    output.write_all(format!("{line}\r\n").as_bytes())
                })?;
                return self.final_reply(&verb, self.limits.silence);
            }
        };
        Err(Trouble::Usage(format!("{verb} {instead}")).into())
    }

    /// Says goodbye (`QUIT`). What the server makes of it no longer matters.
    pub fn quit(mut self) {
        if self.is_alive() && self.write(&Command::Quit).is_ok() {
            let _ = self.final_reply("QUIT", FAREWELL.min(self.limits.silence));
            let _ = self.control.get_mut().stream.finish_now();
        }
    }

    /// Sends a command and waits for nothing: its reply comes behind those of all that were sent before.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) fn write(&mut self, command: &Command) -> Result<()> {
        self.write_line(command.verb(), command, |output| command.write_to(output))
    }

    /// Lets `write` send a line; `shown` is what the log has of it.
    fn write_line(
        &mut self,
        verb: &str,
        shown: &impl std::fmt::Display,
        write: impl FnOnce(&mut Stream) -> io::Result<()>,
    ) -> Result<()> {
        self.flush(verb)?;
        self.is_usable()?;
        log::debug!("> {}", text::clean(&shown.to_string()));
        write(&mut self.control.get_mut().stream)
            .map_err(|error| self.break_off(verb, ReplyError::Io(error)))
    }

    /// The next reply that is not preliminary (restart markers, a 120 before the greeting).
    pub(super) fn final_reply(&mut self, to: &str, limit: Duration) -> Result<Reply> {
        let deadline = Instant::now() + limit;
        loop {
            let reply = self.reply(to, deadline)?;
            if reply.class() != Class::Preliminary {
                return Ok(reply);
            }
        }
    }

    fn reply(&mut self, to: &str, deadline: Instant) -> Result<Reply> {
        self.flush(to)?;
        if let Some(reply) = self.early.take() {
            return Ok(reply);
        }
        self.control.get_mut().deadline = deadline;
        let reply = Reply::read(&mut self.lines, &mut self.control)
            .map_err(|error| self.break_off(to, error))?;
        for line in reply.lines() {
            log::debug!("< {} {}", reply.code(), text::clean(line));
        }
        // RFC 959 §5.4: 421 may come in answer to anything, and the connection ends with it.
        self.broken |= reply.code() == ReplyCode::NOT_AVAILABLE;
        Ok(reply)
    }

    fn break_off(&mut self, to: &str, error: ReplyError) -> anyhow::Error {
        self.broken = true;
        match error {
            ReplyError::Io(_) if interrupt::is_raised() && self.control.get_ref().interruptible => {
                Trouble::Interrupted(format!("stopped by Ctrl-C while the server was at {to}"))
            }
            ReplyError::Io(error) if timed_out(&error) => {
                Trouble::TimedOut(format!("the server did not answer {to} in time"))
            }
            ReplyError::Closed => Trouble::Lost(format!(
                "the server closed the connection before it answered {to}"
            )),
            ReplyError::Malformed(line) => Trouble::Lost(format!(
                "the server does not speak FTP: it answered {to} with \"{}\"",
                text::reply(&Reply::new(ReplyCode::OK, line))
            )),
            error @ ReplyError::TooLong => Trouble::Lost(format!("{to}: {error}")),
            ReplyError::Io(error) => {
                Trouble::Lost(format!("the connection broke at {to}: {error}"))
            }
        }
        .into()
    }
}

/// Sets a fresh control connection up and says who is at its other end.
fn prepare(stream: &Stream, limits: Limits) -> io::Result<SocketAddr> {
    stream.set_timeouts(limits.silence, limits.silence)?;
    stream.socket().set_nodelay(true)?;
    // A long transfer leaves the control connection silent, and NAT boxes forget what is silent.
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    SockRef::from(stream.socket()).set_tcp_keepalive(&keepalive)?;
    stream.socket().peer_addr()
}
