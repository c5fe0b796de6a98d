//! The state of a control connection: whether it is there, and what it is made of.

use super::{Connection, FAREWELL};
use crate::stream::Stream;
use std::net::SocketAddr;
use std::time::Duration;

impl Connection {
    /// Whether the connection is of no more use.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// What the server said at the end of the last transfer, which may be more than that it went well.
    #[must_use]
    pub(in crate::client) fn last_words(&self) -> &str {
        &self.last_words
    }

    /// Whether the server still listens, as far as can be told without asking it. A reply that nobody waits for is
    /// passed over here, unless it is a farewell.
    #[must_use]
    pub fn is_alive(&mut self) -> bool {
        while !self.broken && self.has_news() {
            match self.final_reply("nothing", FAREWELL) {
                Ok(reply) => log::debug!("nobody had asked for {}", reply.code()),
                Err(_) => self.broken = true,
            }
        }
        !self.broken
    }

    /// Whether the server said something, or hung up.
    fn has_news(&mut self) -> bool {
        self.has_buffered() || self.control.get_mut().stream.has_news()
    }

    /// Whether something has been read that nobody has asked for yet.
    pub(in crate::client) fn has_buffered(&self) -> bool {
        !self.control.buffer().is_empty() || self.lines.in_line()
    }

    /// Where the server is.
    pub(in crate::client) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The bytes of the connection.
    pub(in crate::client) fn stream(&self) -> &Stream {
        &self.control.get_ref().stream
    }

    /// Goes on over another stream, as from clear to TLS. Nothing may be buffered.
    pub(in crate::client) fn set_stream(&mut self, stream: Stream) {
        self.control.get_mut().stream = stream;
    }

    /// How long the server may be silent.
    pub(in crate::client) const fn silence(&self) -> Duration {
        self.limits.silence
    }

    /// Lets data connections go where a 227 says: past a balancer, which control connections go through.
    pub(in crate::client) fn follow_pasv(&mut self) {
        self.follows_pasv = true;
        self.abilities.epsv = false;
    }

    /// Gives the connection up: what its next reply would belong to is not known any more.
    pub(in crate::client) fn break_up(&mut self) {
        self.broken = true;
    }
}
