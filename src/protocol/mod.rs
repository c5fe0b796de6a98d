//! FTP as it stands on the wire: control lines, commands, replies, addresses and listing rows.
//!
//! Everything here both parses and formats, so that the server and the client agree by construction. Nothing here
//! knows a socket: input is any [`BufRead`], output any [`std::io::Write`].

pub mod address;
pub mod argument;
pub mod command;
pub mod entry;
pub mod hash;
pub mod proxy;
pub mod reply;
pub mod row;
pub mod site;
pub mod time;

use std::io::{self, BufRead};
use zeroize::Zeroize;

/// The longest control line that the server takes, in bytes, its line end not counted.
///
/// Room for a verb and the longest path that Linux knows (`PATH_MAX`).
pub const MAX_LINE: usize = 4096;

/// Telnet's "interpret as command" byte (RFC 854), which may stand before `ABOR` and `STAT`.
const IAC: u8 = 255;
/// The first and the last of the Telnet commands `WILL`, `WONT`, `DO` and `DONT`, which one option byte follows.
const WILL: u8 = 251;
const DONT: u8 = 254;

/// One line of a control connection, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line as it came, in whatever encoding the peer chose.
    Text(Vec<u8>),
    /// A line past the limit. All of it was read and thrown away.
    TooLong,
}

impl Line {
    /// Zeroes the memory of the line, which may be that of a password. Nothing is left of it.
    pub fn wipe(&mut self) {
        if let Self::Text(text) = self {
            text.zeroize();
        }
    }
}

/// Cuts a byte stream into control lines (RFC 959 §5.3, RFC 854).
///
/// `CRLF` and a bare `LF` end a line. Telnet commands are skipped and a doubled `IAC` is one byte 0xFF. What has been
/// read of a line survives an error of the input, so a reader with a time-out can be asked again.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    text: Vec<u8>,
    too_long: bool,
    telnet: Telnet,
}

/// What the bytes before have said about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telnet {
    Data,
    Command,
    Option,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            text: Vec::new(),
            too_long: false,
            telnet: Telnet::Data,
        }
    }

    /// The next line, or `None` at the end of the input. A line that the end cut off is not a line.
    ///
    /// # Errors
    /// Whatever the input says, `WouldBlock` and `TimedOut` included: call again, and the line goes on.
    pub fn read(&mut self, input: &mut impl BufRead) -> io::Result<Option<Line>> {
        loop {
            let chunk = match input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let (body, used) = end.map_or((chunk, chunk.len()), |end| (&chunk[..end], end + 1));
            self.push(body);
            input.consume(used);
            if end.is_some() {
                return Ok(Some(self.finish()));
            }
        }
    }

    /// Whether a line has begun and not ended.
    #[must_use]
    pub fn in_line(&self) -> bool {
        !self.text.is_empty() || self.too_long
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.telnet == Telnet::Data && !bytes.contains(&IAC) {
            self.append(bytes);
            return;
        }
        for &byte in bytes {
            self.telnet = match (self.telnet, byte) {
                (Telnet::Data, IAC) => Telnet::Command,
                (Telnet::Data, _) | (Telnet::Command, IAC) => {
                    self.append(&[byte]);
                    Telnet::Data
                }
                (Telnet::Command, WILL..=DONT) => Telnet::Option,
                (Telnet::Command | Telnet::Option, _) => Telnet::Data,
            };
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        // One byte more than the limit, for the CR of a line that just fits.
        let room = (self.limit + 1).saturating_sub(self.text.len());
        self.too_long |= bytes.len() > room;
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&mut self) -> Line {
        self.telnet = Telnet::Data;
        let mut text = std::mem::take(&mut self.text);
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if std::mem::take(&mut self.too_long) || text.len() > self.limit {
            Line::TooLong
        } else {
            Line::Text(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], limit: usize, chunk: usize) -> Vec<Line> {
        let mut input = io::BufReader::with_capacity(chunk, bytes);
        let mut lines = Lines::new(limit);
        std::iter::from_fn(|| lines.read(&mut input).unwrap()).collect()
    }

    fn text(text: &[u8]) -> Line {
        Line::Text(text.to_vec())
    }

    #[test]
    fn crlf_and_bare_lf_end_a_line_and_the_end_of_input_does_not() {
        assert_eq!(
            all(b"NOOP\r\nPWD\nQUI", 10, 3),
            [text(b"NOOP"), text(b"PWD")]
        );
    }

    #[test]
    fn telnet_commands_are_skipped_and_a_doubled_iac_is_one() {
        let sent = [
            &b"\xff\xf4\xff\xf2ABOR\r\n\xff\xfb\x01"[..],
            b"RETR \xff\xff\r\n",
        ]
        .concat();
        for chunk in 1..8 {
            assert_eq!(all(&sent, 20, chunk), [text(b"ABOR"), text(b"RETR \xff")]);
        }
    }

    #[test]
    fn a_long_line_is_thrown_away_whole() {
        assert_eq!(
            all(b"12345\r\n123456\r\n1\r\n", 5, 4),
            [text(b"12345"), Line::TooLong, text(b"1")]
        );
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(bytes in proptest::collection::vec(any::<u8>(), 0..200), chunk in 1_usize..50) {
            prop_assert_eq!(all(&bytes, 20, chunk), all(&bytes, 20, 1000));
        }
    }
}
