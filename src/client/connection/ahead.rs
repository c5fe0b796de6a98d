//! Commands that are sent before the replies to those before them have come, to a server that answers such.

use super::Connection;
use crate::client::error::Trouble;
use crate::client::text;
use crate::protocol::command::{Command, TransferType};
use crate::protocol::reply::{Class, Reply, ReplyError};
use anyhow::Result;
use std::io::Write;

impl Connection {
    /// Whether the server is known to answer in their order whatever commands are sent ahead.
    pub(in crate::client) const fn answers_ahead(&self) -> bool {
        self.abilities.prepares > 1
    }

    /// Sends a command with those that follow it, once one is sent alone or a reply is waited for. A server that is not known
    /// to answer what is sent ahead gets it at once.
    ///
    /// # Errors
    /// The connection broke.
    pub(in crate::client) fn post(&mut self, command: &Command) -> Result<()> {
        if !self.answers_ahead() {
            return self.write(command);
        }
        self.is_usable()?;
        log::debug!("> {}", text::clean(&command.to_string()));
        Ok(command.write_to(&mut self.outgoing)?)
    }

    /// Sends what was posted.
    pub(super) fn flush(&mut self, to: &str) -> Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let sent = self.control.get_mut().stream.write_all(&self.outgoing);
        self.outgoing.clear();
        sent.map_err(|error| self.break_off(to, ReplyError::Io(error)))
    }

    /// # Errors
    /// [`Trouble::Lost`] if the connection is of no more use.
    pub(super) fn is_usable(&self) -> Result<(), Trouble> {
        match self.broken {
            true => Err(Trouble::Lost("the connection is lost".to_owned())),
            false => Ok(()),
        }
    }

    /// Sends commands, all at once where the server answers what is sent ahead, and gives their last replies, whatever those
    /// say.
    ///
    /// # Errors
    /// The connection broke.
    pub(in crate::client) fn batch(&mut self, commands: &[Command]) -> Result<Vec<Reply>> {
        let ahead = self.answers_ahead();
        if ahead {
            commands.iter().try_for_each(|command| self.post(command))?;
        }
        let reply = |command: &Command| {
            if !ahead {
                self.write(command)?;
            }
            let reply = self.final_reply(command.verb(), self.limits.silence)?;
            if let Command::Type(to) = command {
                self.is_image(reply.class() == Class::Completion && *to == TransferType::Image);
            }
            Ok(reply)
        };
        commands.iter().map(reply).collect()
    }

    /// What makes bytes go over the wire as they are, if that is not so yet.
    pub(in crate::client) fn image_type(&self) -> Option<Command> {
        (!self.image_type).then_some(Command::Type(TransferType::Image))
    }

    /// The server has said whether bytes go over the wire as they are.
    pub(super) const fn is_image(&mut self, so: bool) {
        self.image_type = so;
    }

    /// Makes bytes go over the wire as they are (`TYPE I`).
    ///
    /// # Errors
    /// See [`Self::expect`].
    pub fn use_image_type(&mut self) -> Result<()> {
        if let Some(command) = self.image_type() {
            self.expect(&command)?;
            self.is_image(true);
        }
        Ok(())
    }

    /// What lets files be moved as they are, and as many data connections be prepared as the server does.
    ///
    /// # Errors
    /// None in truth: the option is an argument as any other.
    pub(in crate::client) fn ahead(&self) -> Result<[Command; 2]> {
        let option = format!("EPSV-AHEAD {}", self.abilities.prepares);
        let option = Command::Opts(option.parse()?);
        Ok([Command::Type(TransferType::Image), option])
    }

    /// The server has said whether it does what [`Self::ahead`] asks for.
    pub(in crate::client) fn is_ahead(&mut self, done: bool) {
        self.prepared = done;
        if !done {
            self.abilities.prepares = 1;
        }
    }

    /// Lets as many data connections be prepared as the server does. Says how many that are: one is what every server does.
    ///
    /// # Errors
    /// The connection broke.
    pub(in crate::client) fn prepare_ahead(&mut self) -> Result<usize> {
        if !self.answers_ahead() {
            self.use_image_type()?;
        } else if !self.prepared {
            let replies = self.batch(&self.ahead()?)?;
            let mut classes = replies.iter().map(Reply::class);
            self.is_ahead(classes.all(|class| class == Class::Completion));
        }
        Ok(self.abilities.prepares)
    }
}
