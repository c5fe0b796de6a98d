//! Transfers: the data connection, what goes over it, and the replies around it.

use super::{Connection, FAREWELL, accepted};
use crate::client::error::Trouble;
use crate::client::interrupt;
use crate::protocol::address::{ExtendedPassiveText, PassiveText};
use crate::protocol::command::{Command, Epsv};
use crate::protocol::reply::{Class, ReplyCode};
use crate::stream::{Stream, timed_out};
use anyhow::Result;
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The least time for the last reply of an upload. Several megabytes may still be in the socket's buffer when the last
/// byte has been written, and the server then has to make the file durable.
const COMMIT: Duration = Duration::from_secs(300);
/// A data connection. Nobody waits for it longer than its limit, nor after Ctrl-C.
#[derive(Debug)]
pub struct Data {
    stream: Stream,
    silence: Duration,
}

impl Data {
    /// A data connection that may be silent for so long.
    const fn new(stream: Stream, silence: Duration) -> Self {
        Self { stream, silence }
    }

    /// See [`Stream::set_reset_on_close`].
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn set_reset_on_close(&self, on: bool) -> io::Result<()> {
        self.stream.set_reset_on_close(on)
    }

    /// Tells the server that all has been written.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn finish_writing(&mut self) -> io::Result<()> {
        self.stream.finish_writing()
    }

    /// Does what can be done without waiting, again and again with waits between until it is done.
    fn patiently(
        &mut self,
        ready: PollFlags,
        mut now: impl FnMut(&mut Stream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if interrupt::is_raised() {
            return Err(io::Error::other("stopped by Ctrl-C"));
        }
        loop {
            match now(&mut self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    interrupt::wait(self.stream.as_fd(), ready, self.silence, true)?;
                }
                outcome => return outcome,
            }
        }
    }
}

impl Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(PollFlags::IN, |stream| stream.read_now(buffer))
    }
}

impl Write for Data {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(PollFlags::OUT, |stream| stream.write_now(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Connection {
    /// Carries out a command that has a data connection. `body` reads or writes that connection, and closes it by
    /// dropping it.
    ///
    /// # Errors
    /// The server refused before or after, a connection broke, or what `body` says. A fault on this side is told
    /// before the server's opinion of it, and the server's reason before a mere broken connection.
    pub fn transfer<T>(
        &mut self,
        command: &Command,
        body: impl FnOnce(Data) -> Result<T>,
    ) -> Result<T> {
        self.transfer_at(0, command, |data, _| body(data))
    }

    /// The same, from byte `start` of the file (`REST`, RFC 3659 §5). `body` is told where it begins: at 0 if the server
    /// does not do it otherwise.
    ///
    /// # Errors
    /// See [`Self::transfer`]. Ctrl-C stops the transfer on the server too, and the session goes on.
    pub fn transfer_at<T>(
        &mut self,
        start: u64,
        command: &Command,
        body: impl FnOnce(Data, u64) -> Result<T>,
    ) -> Result<T> {
        let data = self.open_data()?;
        let start = if start > 0 && self.abilities.rest {
            let reply = self.send(&Command::Rest(start))?;
            if reply.class() == Class::Intermediate {
                start
            } else {
                0
            }
        } else {
            0
        };
        self.write(command)?;
        match self.exchange(command, data, |data| body(data, start)) {
            Err(error) if interrupt::is_raised() && !is_refusal(&error) => Err(self.abort()),
            outcome => outcome,
        }
    }

    /// A transfer from the reply that it begins to the last one.
    fn exchange<T>(
        &mut self,
        command: &Command,
        data: Data,
        body: impl FnOnce(Data) -> Result<T>,
    ) -> Result<T> {
        let begun = self.reply(command.verb(), Instant::now() + self.limits.silence)?;
        self.last_words = begun.lines().join(" ");
        let outcome = match begun.class() {
            Class::Preliminary => body(data),
            // Some servers end a transfer of nothing before they have begun it.
            Class::Completion => return body(data),
            _ => return accepted(begun).and_then(|_| body(data)),
        };
        match outcome {
            Ok(value) => {
                let limit = match command {
                    Command::Stor(_) | Command::Appe(_) => COMMIT.max(self.limits.silence),
                    _ => self.limits.silence,
                };
                let last = accepted(self.final_reply(command.verb(), limit)?)?;
                self.last_words = last.lines().join(" ");
                Ok(value)
            }
            // The last reply is asked for by an `ABOR`.
            Err(error) if interrupt::is_raised() => Err(error),
            Err(error) => {
                let ours = error.downcast_ref().is_some_and(Trouble::is_ours);
                match self.final_reply(command.verb(), FAREWELL.min(self.limits.silence)) {
                    Ok(reply) if !ours => accepted(reply).and(Err(error)),
                    _ => Err(error),
                }
            }
        }
    }

    /// Stops the transfer under way (RFC 959 §4.1.3). There is a reply to the transfer, most often 426, and one to the
    /// `ABOR`; without both of them nobody would know any more what the next reply belongs to.
    fn abort(&mut self) -> anyhow::Error {
        // Whatever broke off its wait was only Ctrl-C. A connection that is gone shows itself here.
        self.broken = false;
        self.control.get_mut().interruptible = false;
        let limit = FAREWELL.min(self.limits.silence);
        let outcome = self
            .write(&Command::Abor)
            .and_then(|()| self.final_reply("ABOR", limit))
            .and_then(|_| self.final_reply("ABOR", limit));
        if let Err(error) = outcome {
            log::debug!("{error}");
        }
        self.control.get_mut().interruptible = true;
        Trouble::Interrupted("stopped by Ctrl-C".to_owned()).into()
    }

    /// Opens a data connection, to the host of the control connection whatever a 227 says: an address there may be
    /// wrong behind NAT, or lead to somebody else.
    fn open_data(&mut self) -> Result<Data> {
        if self.abilities.epsv {
            let reply = self.send(&Command::Epsv(Epsv::Same))?;
            let port = reply.text().parse::<ExtendedPassiveText>();
            match (reply.code(), port) {
                (ReplyCode::EXTENDED_PASSIVE, Ok(ExtendedPassiveText(port))) => {
                    match self.connect_data(port) {
                        Ok(data) => return Ok(data),
                        // Some firewalls open a port only for a 227 that they have read.
                        Err(error) => log::debug!("EPSV: {error}, now with PASV"),
                    }
                }
                (ReplyCode::NOT_AVAILABLE, _) => return Err(Trouble::Refused(reply).into()),
                _ => log::debug!("no EPSV here, now with PASV"),
            }
            self.abilities.epsv = false;
        }
        let reply = self.expect(&Command::Pasv)?;
        let Ok(PassiveText(address)) = reply.text().parse() else {
            return Err(Trouble::Refused(reply).into());
        };
        Ok(self.connect_data(address.0.port())?)
    }

    fn connect_data(&self, port: u16) -> Result<Data, Trouble> {
        let mut address = self.peer;
        address.set_port(port);
        let connect = || {
            let socket = TcpStream::connect_timeout(&address, self.limits.connect)?;
            Ok(Data::new(Stream::from(socket), self.limits.silence))
        };
        connect().map_err(|error: io::Error| {
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
}

fn is_refusal(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::Refused(_)))
}
