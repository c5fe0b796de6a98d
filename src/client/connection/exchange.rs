//! Transfers: the replies around what goes over a data connection.

use super::data::{Connecting, Data, Pulse};
use super::{Connection, FAREWELL};
use crate::client::error::{Trouble, accepted, upload_failed};
use crate::client::interrupt;
use crate::protocol::address::{ExtendedPassiveText, PassiveText};
use crate::protocol::command::{Command, Epsv};
use crate::protocol::reply::{Class, Reply, ReplyCode};
use crate::stream::{Stream, timed_out};
use anyhow::Result;
use rustix::event::PollFlags;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The least time for the last reply of an upload. Several megabytes may still be in the socket's buffer when the last
/// byte has been written, and the server then has to make the file durable.
const COMMIT: Duration = Duration::from_secs(300);

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
        body: impl FnOnce(Data<'_>) -> Result<T>,
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
        body: impl FnOnce(Data<'_>, u64) -> Result<T>,
    ) -> Result<T> {
        if self.answers_ahead() && self.abilities.epsv {
            return self.transfer_at_once(start, command, body);
        }
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
        if matches!(command, Command::Stor(_) | Command::Appe(_)) {
            // From before the server begins: if this process is killed right then, it must not take nothing for the file.
            data.set_reset_on_close(true)
                .map_err(|error| upload_failed(&error))?;
        }
        self.write(command)?;
        match self.exchange(command, || Ok(data), |data| body(data, start)) {
            Err(error) if interrupt::is_raised() && !is_refusal(&error) => Err(self.abort(1)),
            outcome => outcome,
        }
    }

    /// The same with all commands sent at once, and the data connection made while the server turns to the last of them.
    fn transfer_at_once<T>(
        &mut self,
        start: u64,
        command: &Command,
        body: impl FnOnce(Data<'_>, u64) -> Result<T>,
    ) -> Result<T> {
        let rest = (start > 0 && self.abilities.rest).then_some(Command::Rest(start));
        let image = self.image_type().filter(|_| moves_file(command));
        let before = image.iter().chain(&[Command::Epsv(Epsv::Same)]);
        for command in before.chain(&rest) {
            self.post(command)?;
        }
        self.post(command)?;
        if image.is_some() {
            let reply = self.final_reply("TYPE", self.limits.silence)?;
            // What has been asked for already must not come as another type.
            accepted(reply).inspect_err(|_| self.break_up())?;
            self.is_image(true);
        }
        let port = self.final_reply("EPSV", self.limits.silence)?;
        let connecting = extended_passive(&port).map(|port| self.connect_data(port));
        if let (Some(connecting), Command::Stor(_) | Command::Appe(_)) = (&connecting, command) {
            connecting.reset_on_close();
        }
        let start = match &rest {
            Some(rest) => match self.final_reply(rest.verb(), self.limits.silence)?.class() {
                Class::Intermediate => start,
                _ => 0,
            },
            None => 0,
        };
        let open = || match connecting {
            Some(connecting) => Ok(connecting.finish()?),
            None => Err(Trouble::Refused(port).into()),
        };
        match self.exchange(command, open, |data| body(data, start)) {
            Err(error) if interrupt::is_raised() && !is_refusal(&error) => Err(self.abort(1)),
            outcome => outcome,
        }
    }

    /// A transfer from the reply that it begins with to the last one. `open` is asked for its data connection when the
    /// server has agreed to it.
    pub(in crate::client) fn exchange<T>(
        &mut self,
        command: &Command,
        open: impl FnOnce() -> Result<Stream>,
        body: impl FnOnce(Data<'_>) -> Result<T>,
    ) -> Result<T> {
        let begun = self.reply(command.verb(), Instant::now() + self.limits.silence)?;
        self.last_words = begun.joined();
        let body = |connection: &mut Self| {
            let stream = connection.protected(open()?)?;
            body(connection.data(stream))
        };
        let outcome = match begun.class() {
            Class::Preliminary => body(self),
            // Some servers end a transfer of nothing before they have begun it.
            Class::Completion if is_end(begun.code()) => return body(self),
            Class::Completion | Class::Intermediate => {
                self.broken = true;
                return Err(out_of_order(&begun).into());
            }
            _ => return accepted(begun).and_then(|_| body(self)),
        };
        match outcome {
            Ok(value) => {
                let limit = match command {
                    Command::Stor(_) | Command::Appe(_) => COMMIT.max(self.limits.silence),
                    _ => self.limits.silence,
                };
                let last = accepted(self.last_reply(command.verb(), limit)?)?;
                self.last_words = last.joined();
                Ok(value)
            }
            // The last reply is asked for by an `ABOR`.
            Err(error) if interrupt::is_raised() => Err(error),
            Err(error) => {
                let ours = error.downcast_ref().is_some_and(Trouble::is_ours);
                match self.last_reply(command.verb(), FAREWELL.min(self.limits.silence)) {
                    Ok(reply) if !ours => accepted(reply).and(Err(error)),
                    _ => Err(error),
                }
            }
        }
    }

    /// Makes sure that the server says nothing for so long, but that a transfer begins. It tells nothing if the transfer is
    /// refused: what was sent behind that is answered in its turn then.
    ///
    /// # Errors
    /// [`Trouble::Lost`]: it did say something, and it is not known what that belongs to.
    pub(in crate::client) fn stays_quiet(&mut self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        self.flush("a transfer")?;
        loop {
            if self.control.buffer().is_empty() {
                let left = deadline.saturating_duration_since(Instant::now());
                let control = self.control.get_ref().stream.as_fd();
                match interrupt::wait(control, PollFlags::IN, left, true) {
                    Err(error) if timed_out(&error) => return Ok(true),
                    outcome => outcome?,
                }
            }
            let early = self.early.take();
            let reply = self.reply("a transfer", Instant::now() + self.limits.silence)?;
            let refused = reply.class() == Class::PermanentNegative;
            if early.is_some() || !refused && reply.class() != Class::Preliminary {
                return Err(out_of_order(&reply).into());
            }
            self.early = Some(reply);
            if refused {
                return Ok(false);
            }
        }
    }

    fn data(&mut self, stream: Stream) -> Data<'_> {
        let pulse = Pulse {
            control: &mut self.control.get_mut().stream,
            sent: &mut self.pulses,
            interval: self.limits.pulse,
            due: Instant::now() + self.limits.pulse,
        };
        Data::new(stream, self.limits, self.pace.clone(), Some(pulse))
    }

    /// The last reply of a transfer. The answers to its `NOOP`s may come before it, behind it, or never; none has the code
    /// of a transfer's.
    fn last_reply(&mut self, verb: &str, limit: Duration) -> Result<Reply> {
        let deadline = Instant::now() + limit;
        let last = loop {
            let reply = self.reply(verb, deadline)?;
            if self.pulses > 0 && answers_noop(&reply) {
                self.pulses -= 1;
            } else if reply.class() != Class::Preliminary {
                break reply;
            }
        };
        // Without these nobody would know what the next reply belongs to: a connection that is silent now is of no more
        // use, which its next user finds out.
        let deadline = Instant::now() + FAREWELL.min(self.limits.silence);
        while self.pulses > 0 && self.reply("NOOP", deadline).is_ok() {
            self.pulses -= 1;
        }
        Ok(last)
    }

    /// Stops what is under way (RFC 959 §4.1.3) where so many last replies are owed. The `ABOR` has one too; without all of
    /// them nobody would know any more what the next reply belongs to.
    pub(in crate::client) fn abort(&mut self, owed: usize) -> anyhow::Error {
        // Whatever broke off its wait was only Ctrl-C. A connection that is gone shows itself here.
        self.broken = false;
        self.control.get_mut().interruptible = false;
        let limit = FAREWELL.min(self.limits.silence);
        let pulses = std::mem::take(&mut self.pulses) as usize;
        let outcome = self.write(&Command::Abor).and_then(|()| {
            (0..owed + pulses + 1).try_for_each(|_| self.final_reply("ABOR", limit).map(drop))
        });
        if let Err(error) = outcome {
            log::debug!("{error}");
        }
        self.control.get_mut().interruptible = true;
        Trouble::Interrupted("stopped by Ctrl-C".to_owned()).into()
    }

    fn open_data(&mut self) -> Result<Stream> {
        if self.abilities.epsv {
            let reply = self.send(&Command::Epsv(Epsv::Same))?;
            match extended_passive(&reply) {
                Some(port) => match self.connect_data(port).finish() {
                    Ok(data) => return Ok(data),
                    Err(error) if interrupt::is_raised() => return Err(error.into()),
                    // Some firewalls open a port only for a 227 that they have read.
                    Err(error) => log::debug!("EPSV: {error}, now with PASV"),
                },
                None if reply.code() == ReplyCode::NOT_AVAILABLE => {
                    return Err(Trouble::Refused(reply).into());
                }
                None => log::debug!("no EPSV here, now with PASV"),
            }
            self.abilities.epsv = false;
        }
        let reply = self.expect(&Command::Pasv)?;
        let Ok(PassiveText(address)) = reply.text().parse() else {
            return Err(Trouble::Refused(reply).into());
        };
        let told = SocketAddr::from(address.0);
        if self.follows_pasv {
            return Ok(Connecting::begin(told, self.limits.connect).finish()?);
        }
        let connected = self.connect_data(told.port()).finish();
        match connected {
            Err(Trouble::Lost(text) | Trouble::TimedOut(text)) if told.ip() != self.peer.ip() => {
                Err(Trouble::Lost(format!(
                    "{text}; the server says that its data is at {}, where --follow-pasv goes",
                    told.ip()
                ))
                .into())
            }
            connected => Ok(connected?),
        }
    }
}

/// Whether the command is about the content of a file, and not about a listing.
const fn moves_file(command: &Command) -> bool {
    matches!(
        command,
        Command::Retr(_) | Command::Stor(_) | Command::Appe(_)
    )
}

/// Whether a transfer can end with this code (RFC 959 §5.4).
const fn is_end(code: ReplyCode) -> bool {
    matches!(
        code,
        ReplyCode::DATA_OPEN | ReplyCode::TRANSFER_DONE | ReplyCode::FILE_ACTION_DONE
    )
}

fn out_of_order(reply: &Reply) -> Trouble {
    Trouble::Lost(format!(
        "the server's replies are out of order: {}",
        reply.code()
    ))
}

/// The port of a 229 (RFC 2428 §3).
pub(in crate::client) fn extended_passive(reply: &Reply) -> Option<u16> {
    let port = reply.text().parse::<ExtendedPassiveText>().ok()?;
    (reply.code() == ReplyCode::EXTENDED_PASSIVE).then_some(port.0)
}

/// `NOOP` is answered with 200 (RFC 959 §5.4), or is not known; a transfer ends with neither.
fn answers_noop(reply: &Reply) -> bool {
    matches!(
        reply.code(),
        ReplyCode::OK | ReplyCode::UNKNOWN_COMMAND | ReplyCode::NOT_IMPLEMENTED
    )
}

fn is_refusal(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::Refused(_)))
}
