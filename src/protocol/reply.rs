//! Replies: a three-digit code and one or more lines of text (RFC 959 §4.2).

use super::{Line, Lines};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Take, Write};

/// The longest reply line that the client takes, in bytes.
pub const MAX_REPLY_LINE: usize = 64 * 1024;
/// The most lines of one reply that the client takes: enough for a `STAT` of a large folder.
pub const MAX_REPLY_LINES: usize = 100_000;
/// The most bytes of one reply that the client takes, so that long lines and many of them do not multiply.
pub const MAX_REPLY: u64 = 16 * 1024 * 1024;

/// A reply code. One that nobody knows is kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(pub u16);

/// What the first digit of a reply code says (RFC 959 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 1yz: begun, another reply follows.
    Preliminary,
    /// 2yz: done.
    Completion,
    /// 3yz: good so far, another command is needed.
    Intermediate,
    /// 4yz: failed, and may work later.
    TransientNegative,
    /// 5yz: failed, and will fail again.
    PermanentNegative,
    /// Anything else.
    Other,
}

#[allow(missing_docs)]
impl ReplyCode {
    pub const RESTART_MARKER: Self = Self(110);
    pub const READY_SOON: Self = Self(120);
    pub const ALREADY_OPEN: Self = Self(125);
    pub const ABOUT_TO_OPEN: Self = Self(150);
    pub const OK: Self = Self(200);
    pub const SUPERFLUOUS: Self = Self(202);
    pub const SYSTEM_STATUS: Self = Self(211);
    pub const DIRECTORY_STATUS: Self = Self(212);
    pub const FILE_STATUS: Self = Self(213);
    pub const HELP: Self = Self(214);
    pub const SYSTEM_TYPE: Self = Self(215);
    pub const READY: Self = Self(220);
    pub const CLOSING: Self = Self(221);
    pub const DATA_OPEN: Self = Self(225);
    pub const TRANSFER_DONE: Self = Self(226);
    pub const PASSIVE: Self = Self(227);
    pub const EXTENDED_PASSIVE: Self = Self(229);
    pub const LOGGED_IN: Self = Self(230);
    /// RFC 2228 §4.
    pub const SECURITY_DONE: Self = Self(234);
    pub const FILE_ACTION_DONE: Self = Self(250);
    pub const PATH: Self = Self(257);
    pub const NEED_PASSWORD: Self = Self(331);
    pub const NEED_ACCOUNT: Self = Self(332);
    pub const NEED_MORE: Self = Self(350);
    pub const NOT_AVAILABLE: Self = Self(421);
    pub const CANNOT_OPEN_DATA: Self = Self(425);
    pub const TRANSFER_ABORTED: Self = Self(426);
    pub const FILE_BUSY: Self = Self(450);
    pub const LOCAL_ERROR: Self = Self(451);
    pub const NO_SPACE: Self = Self(452);
    pub const UNKNOWN_COMMAND: Self = Self(500);
    pub const BAD_ARGUMENT: Self = Self(501);
    pub const NOT_IMPLEMENTED: Self = Self(502);
    pub const BAD_SEQUENCE: Self = Self(503);
    pub const NOT_FOR_PARAMETER: Self = Self(504);
    /// RFC 4217 §9: the data connection may not be as `PROT` has it.
    pub const PROTECTION_TOO_LOW: Self = Self(521);
    pub const UNSUPPORTED_NETWORK: Self = Self(522);
    /// RFC 4217 §9 has the number of `UNSUPPORTED_NETWORK` for a data connection whose TLS failed.
    pub const DATA_TLS_FAILED: Self = Self(522);
    pub const NOT_LOGGED_IN: Self = Self(530);
    /// RFC 2228 §4.
    pub const DENIED_BY_POLICY: Self = Self(534);
    pub const UNSUPPORTED_PROTECTION: Self = Self(536);
    pub const UNAVAILABLE: Self = Self(550);
    pub const OVER_LIMIT: Self = Self(552);
    pub const NAME_NOT_ALLOWED: Self = Self(553);
    /// RFC 3659 §5.3: the restart position is past the end.
    pub const BAD_RESTART: Self = Self(554);
}

impl ReplyCode {
    /// The class of the reply, from the first digit.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            1 => Class::Preliminary,
            2 => Class::Completion,
            3 => Class::Intermediate,
            4 => Class::TransientNegative,
            5 => Class::PermanentNegative,
            _ => Class::Other,
        }
    }

    /// Its three digits.
    fn digits(self) -> impl Iterator<Item = char> {
        [self.0 / 100, self.0 / 10, self.0]
            .into_iter()
            .filter_map(|digits| char::from_digit(u32::from(digits % 10), 10))
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// One reply.
///
/// The lines are without their codes, and the lines between the first and the last without the one space that
/// stands before them on the wire (as RFC 2389 §3.2 and RFC 3659 §7.2 have it for `FEAT` and `MLST`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: ReplyCode,
    first: Cow<'static, str>,
    others: Vec<String>,
}

/// Why no reply could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// The connection ended before the reply did.
    #[error("the connection was closed before the reply")]
    Closed,
    /// What came is not a reply (RFC 959 §4.2). Holds the line.
    #[error("not an FTP reply: {0:?}")]
    Malformed(String),
    /// A line or the whole reply passed [`MAX_REPLY_LINE`], [`MAX_REPLY_LINES`] or [`MAX_REPLY`].
    #[error("the reply is longer than an FTP reply may be")]
    TooLong,
    /// The connection failed, or its deadline passed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Reply {
    /// A reply of one line. Line ends and other control characters in `text` become spaces.
    pub fn new(code: ReplyCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            first: one_line(text.into()),
            others: Vec::new(),
        }
    }

    /// A reply of several lines: the first, the indented ones between, the last.
    pub fn multi(
        code: ReplyCode,
        first: impl Into<Cow<'static, str>>,
        middle: impl IntoIterator<Item = String>,
        last: impl Into<String>,
    ) -> Self {
        let others = middle.into_iter().chain([last.into()]);
        Self {
            code,
            first: one_line(first.into()),
            others: others.map(|line| one_line(line.into()).into()).collect(),
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ReplyCode {
        self.code
    }

    /// The class of the code.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.code.class()
    }

    /// All lines, of which there is at least one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let others = self.others.iter().map(String::as_str);
        std::iter::once(self.text()).chain(others)
    }

    /// The first line, which holds the whole text of most replies.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.first
    }

    /// All lines in one, with a space between them.
    #[must_use]
    pub fn joined(&self) -> String {
        self.lines().collect::<Vec<_>>().join(" ")
    }

    /// Writes the reply in a single `write`.
    ///
    /// # Errors
    /// Whatever `output` says.
    pub fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        output.write_all(self.wire().as_bytes())
    }

    fn wire(&self) -> String {
        let mut wire = String::new();
        self.put_behind(&mut wire);
        wire
    }

    /// Puts the reply as on the wire behind others. Each command is answered by one of these: put together without the standard
    /// library's formatting, it takes a tenth of the time.
    pub fn put_behind(&self, wire: &mut String) {
        let lengths = self.lines().map(|line| line.len() + "200 \r\n".len());
        wire.reserve(lengths.sum());
        let last = self.others.len();
        for (index, line) in self.lines().enumerate() {
            if index == 0 || index == last {
                wire.extend(self.code.digits());
            }
            wire.push(if index == 0 && index < last { '-' } else { ' ' });
            wire.push_str(line);
            wire.push_str("\r\n");
        }
    }

    /// Reads one reply, of one line or of several (RFC 959 §4.2). Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// See [`ReplyError`]. After any of them the connection is of no more use.
    pub fn read(lines: &mut Lines, input: &mut impl BufRead) -> Result<Self, ReplyError> {
        let input = &mut input.take(MAX_REPLY);
        let first = read_text(lines, input)?;
        let Some((code, mut more, text)) = split_code(&first) else {
            return Err(ReplyError::Malformed(first));
        };
        let mut reply = Self {
            code,
            first: from(first, text).into(),
            others: Vec::new(),
        };
        while more {
            if reply.others.len() + 1 >= MAX_REPLY_LINES {
                return Err(ReplyError::TooLong);
            }
            let line = read_text(lines, input)?;
            let text = match split_code(&line) {
                Some((again, follows, text)) if again == code => {
                    more = follows;
                    text
                }
                _ => usize::from(line.starts_with(' ')),
            };
            reply.others.push(from(line, text));
        }
        Ok(reply)
    }
}

/// Formats as on the wire, `CRLF` included.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wire())
    }
}

fn one_line(mut text: Cow<'static, str>) -> Cow<'static, str> {
    // Of many bytes at once, for which it must not end early, and the few texts that are not plain by their characters.
    let plain = text
        .bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    if !plain && text.contains(char::is_control) {
        text = text.replace(char::is_control, " ").into();
    }
    text
}

fn read_text(lines: &mut Lines, input: &mut Take<impl BufRead>) -> Result<String, ReplyError> {
    match lines.read(input)? {
        Some(Line::Text(bytes)) => Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
        Some(Line::TooLong) => Err(ReplyError::TooLong),
        None if input.limit() == 0 => Err(ReplyError::TooLong),
        None => Err(ReplyError::Closed),
    }
}

/// What stands in a line from this byte on.
fn from(mut line: String, start: usize) -> String {
    line.drain(..start);
    line
}

/// The code of a line, whether more lines follow, and where the text begins.
fn split_code(line: &str) -> Option<(ReplyCode, bool, usize)> {
    let digits = line
        .get(..3)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let code = ReplyCode(digits.parse().ok()?);
    match line.as_bytes().get(3) {
        None => Some((code, false, 3)),
        Some(b' ') => Some((code, false, 4)),
        Some(b'-') => Some((code, true, 4)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Reply, ReplyError> {
        Reply::read(&mut Lines::new(MAX_REPLY_LINE), &mut &bytes[..])
    }

    #[test]
    fn reads_what_servers_write() {
        let reply =
            read(b"220-Welcome\r\n220-to FTP\r\n  indented\r\n120 not the end\r\n220 Ready\r\n")
                .unwrap();
        assert_eq!(reply.code(), ReplyCode::READY);
        let lines = ["Welcome", "to FTP", " indented", "120 not the end", "Ready"];
        assert!(reply.lines().eq(lines));
        assert_eq!(read(b"200\r\n").unwrap(), Reply::new(ReplyCode::OK, ""));
        assert_eq!(read(b"999 odd\n").unwrap().class(), Class::Other);
    }

    #[test]
    fn refuses_what_is_not_a_reply() {
        assert!(matches!(
            read(b"HTTP/1.1 200 OK\r\n"),
            Err(ReplyError::Malformed(_))
        ));
        assert!(matches!(read(b"2000\r\n"), Err(ReplyError::Malformed(_))));
        assert!(matches!(read(b"220-begun\r\n"), Err(ReplyError::Closed)));
        assert!(matches!(
            read(&vec![b'2'; MAX_REPLY_LINE + 10]),
            Err(ReplyError::Closed)
        ));
        let endless = [&b"220-x\r\n"[..], &b"y\r\n".repeat(MAX_REPLY_LINES)].concat();
        assert!(matches!(read(&endless), Err(ReplyError::TooLong)));
        // An endless line ends the reading too, not only its own storage.
        let mut flood = io::BufReader::new(io::repeat(b'2'));
        let read = Reply::read(&mut Lines::new(MAX_REPLY_LINE), &mut flood);
        assert!(matches!(read, Err(ReplyError::TooLong)));
    }

    #[test]
    fn text_cannot_start_a_second_reply() {
        assert_eq!(
            Reply::new(ReplyCode::OK, "a\r\n226 b").to_string(),
            "200 a  226 b\r\n"
        );
    }

    proptest! {
        #[test]
        fn round_trip(code in 100_u16..600, lines in proptest::collection::vec("[^\\p{Cc}]{0,30}", 1..6)) {
            let reply = match lines.as_slice() {
                [line] => Reply::new(ReplyCode(code), line.clone()),
                [first, middle @ .., last] => Reply::multi(ReplyCode(code), first.clone(), middle.to_vec(), last),
                [] => unreachable!(),
            };
            prop_assert_eq!(read(reply.to_string().as_bytes()).unwrap(), reply);
        }
    }
}
