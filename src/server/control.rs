//! The control connection: command lines in, replies out, and what arrives while a transfer runs.

use crate::protocol::reply::Reply;
use crate::protocol::{Line, Lines, MAX_LINE};
use crate::stream::{self, Stream, timed_out};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How much is read from the socket at once. Small, since every idle session holds one such buffer.
const READ_BUFFER: usize = 1024;
/// How many lines a client may send ahead during a transfer. What it sends beyond waits in the socket.
const MAX_AHEAD: usize = 64;

/// How much a client may say before it is logged in, in bytes. The longest login is a hundredth of it.
const MAX_BEFORE_LOGIN: usize = 128 * 1024;

/// Room for the final reply of a transfer behind the 150, in bytes.
const FINAL_REPLY: usize = 64;

/// How long the end of a connection may wait for the client's own.
const PARTING: Duration = Duration::from_secs(2);
/// How much of what the client still sends is taken in meanwhile, in bytes.
const MAX_PARTING: usize = 1024 * 1024;

/// A client's control connection.
#[derive(Debug)]
pub(super) struct Control {
    input: BufReader<Input>,
    lines: Lines,
    /// Lines that came during a transfer, in order.
    ahead: VecDeque<Line>,
    /// How many of them are `ABOR`.
    aborts: usize,
    closed: bool,
    /// Whether the client has said `QUIT`.
    has_quit: bool,
    /// A reply that goes out with the next one.
    held: String,
}

/// What a look at the control connection during a transfer has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing that concerns the transfer.
    Nothing,
    /// `ABOR`, which stays in the queue to be answered in its turn.
    Abort,
    /// `STAT`, which is to be answered at once (RFC 959 §4.1.3).
    Status,
}

impl Control {
    /// Takes over a connection. `idle` is how long it may take the client to send a command.
    pub(super) fn new(stream: Stream, idle: Duration) -> io::Result<Self> {
        stream.socket().set_write_timeout(Some(idle))?;
        let input = Input {
            stream,
            idle,
            idle_until: None,
            wait: Wait::No,
            strange: 0,
            limit: Duration::MAX,
        };
        Ok(Self {
            input: BufReader::with_capacity(READ_BUFFER, input),
            lines: Lines::new(MAX_LINE),
            ahead: VecDeque::new(),
            aborts: 0,
            closed: false,
            has_quit: false,
            held: String::new(),
        })
    }

    /// Goes on under TLS, in which the handshake has to be made by `deadline`.
    ///
    /// Whatever the client sent in clear behind its `AUTH` is dropped: somebody between could have put it there, and it
    /// would be taken for what the client says under TLS (CVE-2011-0411).
    pub(super) fn start_tls(&mut self, mut tls: stream::Tls, deadline: Instant) -> io::Result<()> {
        let sent_in_clear = self.input.buffer().len();
        self.input.consume(sent_in_clear);
        self.ahead.clear();
        self.aborts = 0;
        self.lines = Lines::new(MAX_LINE);
        tls.handshake(deadline)?;
        self.input.get_mut().stream = tls.into();
        Ok(())
    }

    /// Takes note that the client has said `QUIT`.
    pub(super) const fn quit(&mut self) {
        self.has_quit = true;
    }

    /// Ends the connection. The client may be gone by now.
    pub(super) fn finish(mut self) {
        let _ = self.input.get_mut().stream.finish_now();
        if !self.has_said_all() {
            part(self.stream().socket(), PARTING);
        }
    }

    /// Whether nothing will come any more: in clear nothing stands behind a `QUIT`, and from most clients nothing does.
    fn has_said_all(&self) -> bool {
        let is_read = self.ahead.is_empty() && self.input.buffer().is_empty();
        let socket = self.stream().socket();
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.has_quit
            && is_read
            && self.stream().tls().is_none()
            && rustix::net::recv(socket, &mut [0_u8], peek).is_err()
    }

    /// The bytes of the connection.
    pub(super) fn stream(&self) -> &Stream {
        &self.input.get_ref().stream
    }

    /// The next line, or `None` when the client has closed the connection. `login_by` is when a client that is not logged
    /// in has to be.
    ///
    /// # Errors
    /// A time-out (see [`crate::stream::timed_out`]) when the client took too long, `QuotaExceeded` when it has said too
    /// much before its login, or the connection failed.
    pub(super) fn line(&mut self, login_by: Option<Instant>) -> io::Result<Option<Line>> {
        if let Some(line) = self.ahead.pop_front() {
            self.aborts -= usize::from(is(&line, b"ABOR"));
            return Ok(Some(line));
        }
        if self.closed {
            return Ok(None);
        }
        let input = self.input.get_mut();
        input.idle_until = None;
        input.wait = login_by.map_or(Wait::Command, Wait::Stranger);
        self.lines.read(&mut self.input)
    }

    /// Sends a reply in one write.
    ///
    /// # Errors
    /// The connection is gone, or the client has not read its replies for too long.
    pub(super) fn send(&mut self, reply: &Reply) -> io::Result<()> {
        if self.held.is_empty() {
            return reply.write_to(&mut self.input.get_mut().stream);
        }
        reply.put_behind(&mut self.held);
        self.release()
    }

    /// Keeps a reply until the next one, which goes out with it. Before anything is waited for, [`Control::release`] has to be
    /// called: the client may be waiting for this one.
    pub(super) fn hold(&mut self, reply: &Reply) {
        self.held.reserve(FINAL_REPLY);
        reply.put_behind(&mut self.held);
    }

    /// Sends what is held.
    ///
    /// # Errors
    /// As [`Control::send`].
    pub(super) fn release(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return Ok(());
        }
        self.input.get_mut().stream.write_all(held.as_bytes())
    }

    /// Whether there is room for more lines, so that a readable socket is worth a look.
    pub(super) fn wants_input(&self) -> bool {
        !self.closed && self.ahead.len() < MAX_AHEAD
    }

    /// Whether something that was read from the socket has not been taken in yet, and there is room for it.
    pub(super) fn has_unread(&self) -> bool {
        self.wants_input() && (!self.input.buffer().is_empty() || self.stream().has_unread())
    }

    /// Whether an `ABOR` stands behind the command that is being carried out. It is meant for all that were sent before it.
    pub(super) const fn is_aborted(&self) -> bool {
        self.aborts > 0
    }

    /// Takes in what has arrived, without waiting.
    pub(super) fn look(&mut self) -> Seen {
        self.input.get_mut().wait = Wait::No;
        while self.wants_input() {
            match self.lines.read(&mut self.input) {
                Ok(Some(line)) => {
                    // Behind other commands it waits for its turn, so that the answers stay in order.
                    if self.ahead.is_empty() && is(&line, b"STAT") {
                        return Seen::Status;
                    }
                    let abort = is(&line, b"ABOR");
                    self.ahead.push_back(line);
                    self.aborts += usize::from(abort);
                    if abort {
                        return Seen::Abort;
                    }
                }
                Ok(None) => self.closed = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Seen::Nothing,
                Err(_) => self.closed = true,
            }
        }
        Seen::Nothing
    }

    /// Whether the client has closed the connection, and did not say `QUIT` before: then it is as it should be, and what is
    /// under way is to finish.
    pub(super) fn is_closed(&self) -> bool {
        self.closed && !self.ahead.iter().any(|line| is(line, b"QUIT"))
    }
}

/// Ends a connection after its last reply, and waits no longer than `limit` for the client to end it too.
///
/// Where something of the client's is unread when a connection is closed, the system resets it, and what the client has not
/// been given of the replies may be lost. So what still comes is taken in, within bounds.
pub(super) fn part(socket: &TcpStream, limit: Duration) {
    let deadline = Instant::now() + limit;
    if socket.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let (mut buffer, mut taken) = ([0; 4096], 0);
    while taken < MAX_PARTING {
        match rustix::net::recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return,
            Ok((count, _)) => taken += count,
            Err(Errno::WOULDBLOCK) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                // Whatever it says, the next read tells.
                let mut watched = [PollFd::new(socket, PollFlags::IN)];
                let _ = rustix::event::poll(&mut watched, Timespec::try_from(left).ok().as_ref());
            }
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.input.get_ref().stream.as_fd()
    }
}

fn is(line: &Line, verb: &[u8]) -> bool {
    matches!(line, Line::Text(text) if text.trim_ascii().eq_ignore_ascii_case(verb))
}

/// The stream with the rule of how long a read may wait.
#[derive(Debug)]
struct Input {
    stream: Stream,
    /// How long the client may take to send a command, and until when it may take for the one that is being read.
    idle: Duration,
    idle_until: Option<Instant>,
    wait: Wait,
    /// How much came before the login.
    strange: usize,
    /// The socket's time-out for reads, if it was set.
    limit: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    No,
    /// As long as a client may be idle, however many reads that takes: one that sends a byte now and then does not stay for
    /// ever.
    Command,
    /// The same before the login, which has to be made by then, when the bytes are counted.
    Stranger(Instant),
}

impl Input {
    /// Reads, and waits until the client has been idle for too long, or has to be logged in, or for an eighth longer. The system
    /// is told only if the socket's time-out is longer, or has passed too early.
    fn read_in_time(&mut self, login_by: Option<Instant>, buffer: &mut [u8]) -> io::Result<usize> {
        let mut now = Instant::now();
        let idle_until = *self.idle_until.get_or_insert(now + self.idle);
        let deadline = login_by.map_or(idle_until, |login_by| login_by.min(idle_until));
        let mut is_short = false;
        loop {
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if is_short || self.limit > left + left / 8 {
                self.stream.socket().set_read_timeout(Some(left))?;
                self.limit = left;
            }
            match self.stream.read(buffer) {
                Err(error) if timed_out(&error) => is_short = true,
                read => return read,
            }
            now = Instant::now();
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.wait {
            Wait::No => self.stream.read_now(buffer),
            Wait::Command => self.read_in_time(None, buffer),
            Wait::Stranger(_) if self.strange > MAX_BEFORE_LOGIN => {
                Err(io::ErrorKind::QuotaExceeded.into())
            }
            Wait::Stranger(login_by) => {
                let read = self.read_in_time(Some(login_by), buffer);
                self.strange += read.as_ref().map_or(0, |&count| count);
                read
            }
        };
        match read {
            // Many clients leave without a `close_notify`. A command that was cut off has no line end, and is none.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }
}
