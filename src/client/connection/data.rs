//! A data connection on this side: how it is made, and how its bytes are waited for.

use super::{Connection, FAREWELL, Limits};
use crate::client::error::Trouble;
use crate::client::interrupt;
use crate::copy::{CopyError, Pace, Pipe, copy};
use crate::stream::{Stream, timed_out};
use rustix::event::PollFlags;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many `NOOP`s are sent in a transfer at the most. There are servers that answer none before its end, and those that
/// take up no more lines meanwhile, so that an `ABOR` would go unheard.
const MOST_PULSES: u32 = 50;

/// The most that one `sendfile` is asked to move: between two of them Ctrl-C is looked for.
const SENDFILE_CHUNK: usize = 1024 * 1024;
/// What is no more than this is not worth a pipe.
const FEW: u64 = 64 * 1024;

/// A data connection. Nobody waits for it longer than its limit, nor after Ctrl-C.
#[derive(Debug)]
pub struct Data<'c> {
    stream: Stream,
    silence: Duration,
    pace: Option<Arc<Pace>>,
    pulse: Option<Pulse<'c>>,
}

/// A `NOOP` now and then, so that no firewall on the way takes the control connection for a dead one.
#[derive(Debug)]
pub(super) struct Pulse<'c> {
    pub(super) control: &'c mut Stream,
    /// How many there were, each of which will be answered sooner or later.
    pub(super) sent: &'c mut u32,
    pub(super) interval: Duration,
    pub(super) due: Instant,
}

impl<'c> Data<'c> {
    /// A data connection that may be silent for so long.
    pub(super) const fn new(
        stream: Stream,
        limits: Limits,
        pace: Option<Arc<Pace>>,
        pulse: Option<Pulse<'c>>,
    ) -> Self {
        Self {
            stream,
            silence: limits.silence,
            pace,
            pulse,
        }
    }

    /// See [`Stream::set_reset_on_close`].
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn set_reset_on_close(&self, on: bool) -> io::Result<()> {
        self.stream.set_reset_on_close(on)
    }

    /// Moves what comes to where a file stands, but no more than `most` bytes, and tells `moved` of every piece. Returns the
    /// number of bytes.
    ///
    /// # Errors
    /// The side that failed; what went before has been written.
    pub fn receive(
        mut self,
        file: &mut File,
        most: u64,
        mut moved: impl FnMut(u64),
    ) -> Result<u64, CopyError> {
        let piped = most > FEW && self.stream.tls().is_none();
        let Some(mut pipe) = piped.then(Pipe::new).and_then(Result::ok) else {
            return copy(&mut self.take(most), file, moved);
        };
        let mut total = 0;
        while total < most {
            let count = self.patiently(PollFlags::IN, |stream, chunk| {
                pipe.fill(stream.socket(), at_most(chunk, most - total))
            });
            match count.map_err(CopyError::Read)? {
                0 => break,
                count => total += count as u64,
            }
            pipe.empty(file, &mut moved)?;
        }
        Ok(total)
    }

    /// Sends a file from byte `start` to its end, and tells `moved` of every piece. Returns the number of bytes.
    ///
    /// # Errors
    /// The side that failed.
    pub fn send(
        &mut self,
        file: &mut File,
        start: u64,
        mut moved: impl FnMut(u64),
    ) -> Result<u64, CopyError> {
        let mut at = start;
        loop {
            let sent = self.patiently(PollFlags::OUT, |stream, chunk| {
                stream.send_file_now(file, &mut at, chunk.min(SENDFILE_CHUNK))
            });
            match sent {
                Ok(0) => return Ok(at - start),
                Ok(count) => moved(count as u64),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput && at == start => break,
                Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Err(CopyError::Read(error));
                }
                Err(error) => return Err(CopyError::Write(error)),
            }
        }
        file.seek(SeekFrom::Start(start)).map_err(CopyError::Read)?;
        copy(file, self, moved)
    }

    /// Tells the server that all has been written. Under TLS the server says so too, and what else it has to say to the next
    /// data connection.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn finish_writing(&mut self) -> io::Result<()> {
        self.patiently(PollFlags::OUT, |stream, _| stream.finish_now().map(|()| 0))?;
        self.stream.socket().shutdown(Shutdown::Write)?;
        if self.stream.tls().is_some() {
            self.silence = self.silence.min(FAREWELL);
            // What it makes of the upload is told by its reply.
            while let Ok(1..) = self.read(&mut [0; 64]) {}
        }
        Ok(())
    }

    /// Does what can be done without waiting, again and again with waits between until it is done.
    fn patiently(
        &mut self,
        ready: PollFlags,
        mut now: impl FnMut(&mut Stream, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if interrupt::is_raised() {
            return Err(io::Error::other("stopped by Ctrl-C"));
        }
        self.beat();
        let most = self.pace.as_ref().map_or(usize::MAX, |pace| pace.chunk());
        let count = loop {
            match now(&mut self.stream, most) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(ready)?,
                outcome => break outcome?,
            }
        };
        if let Some(pace) = &self.pace {
            interrupt::pause(pace.pace(count as u64));
        }
        Ok(count)
    }

    fn wait(&mut self, ready: PollFlags) -> io::Result<()> {
        let deadline = Instant::now() + self.silence;
        loop {
            let until = match &self.pulse {
                Some(pulse) => deadline.min(pulse.due),
                None => deadline,
            };
            let limit = until.saturating_duration_since(Instant::now());
            match interrupt::wait(self.stream.as_fd(), ready, limit, true) {
                Err(error) if timed_out(&error) && until < deadline => self.beat(),
                outcome => return outcome,
            }
        }
    }

    fn beat(&mut self) {
        if let Some(pulse) = &mut self.pulse {
            pulse.beat();
        }
    }
}

impl Pulse<'_> {
    fn beat(&mut self) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + self.interval;
        // What is wrong with the connection is told by its next reply: the file may come whole all the same.
        if *self.sent < MOST_PULSES && self.control.write_all(b"NOOP\r\n").is_ok() {
            log::debug!("> NOOP");
            *self.sent += 1;
        }
    }
}

impl Read for Data<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.patiently(PollFlags::IN, |stream, most| {
            let most = most.min(buffer.len());
            stream.read_now(&mut buffer[..most])
        })?;
        if count == 0 {
            // Under TLS some servers wait for an answer to their last word, and others are gone by now.
            let _ = self.stream.finish_now();
        }
        Ok(count)
    }
}

impl Write for Data<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(PollFlags::OUT, |stream, most| {
            stream.write_now(&bytes[..most.min(bytes.len())])
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.patiently(PollFlags::OUT, |stream, _| stream.flush_now().map(|()| 0))?;
        Ok(())
    }
}

/// `chunk`, or all that is left if that is less.
fn at_most(chunk: usize, left: u64) -> usize {
    usize::try_from(left).map_or(chunk, |left| left.min(chunk))
}

/// A connection to a data port that is being made.
#[derive(Debug)]
pub(in crate::client) struct Connecting {
    socket: io::Result<TcpStream>,
    address: SocketAddr,
    deadline: Instant,
}

impl Connecting {
    pub(super) fn begin(address: SocketAddr, limit: Duration) -> Self {
        let begin = || {
            let socket = Socket::new(
                Domain::for_address(address),
                // Data that cannot be moved at once is waited for by `poll`.
                Type::STREAM.nonblocking(),
                Some(Protocol::TCP),
            )?;
            match socket.connect(&address.into()) {
                Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                    Err(error)
                }
                _ => Ok(TcpStream::from(socket)),
            }
        };
        Self {
            socket: begin(),
            address,
            deadline: Instant::now() + limit,
        }
    }

    /// Makes its close a reset from now on, for an upload: if this process is killed before the transfer begins, the server
    /// must not take nothing for the file.
    pub(in crate::client) fn reset_on_close(&self) {
        if let Ok(socket) = &self.socket {
            // Set once more, with its error told, when the file is about to be sent.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// Waits for it to be made.
    ///
    /// # Errors
    /// [`Trouble::TimedOut`] or [`Trouble::Lost`]; Ctrl-C is one too, see [`interrupt::is_raised`].
    pub(in crate::client) fn finish(self) -> Result<Stream, Trouble> {
        let address = self.address;
        self.finished().map_err(|error| {
            let text = format!(
                "no data connection to {address}: {error}; a firewall may be in the way of the server's passive ports"
            );
            if timed_out(&error) {
                Trouble::TimedOut(text)
            } else {
                Trouble::Lost(text)
            }
        })
    }

    fn finished(self) -> io::Result<Stream> {
        let socket = self.socket?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        interrupt::wait(socket.as_fd(), PollFlags::OUT, left, true)?;
        match socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(Stream::from(socket)),
        }
    }
}

impl Connection {
    /// Begins to connect to a data port, of the host of the control connection whatever a 227 says: an address there may
    /// be wrong behind NAT, or lead to somebody else.
    pub(in crate::client) fn connect_data(&self, port: u16) -> Connecting {
        let mut address = self.peer;
        address.set_port(port);
        Connecting::begin(address, self.limits.connect)
    }
}
