//! What has to hold whatever bytes come: one function for each place where the pair reads what others wrote.
//!
//! Each panics where it does not hold. `fuzz_targets` has libFuzzer call them, and `tests/corpus.rs` calls them with what is
//! in `corpus` on stable Rust.

mod session;

pub use session::session;

use jiff::Timestamp;
use multi_client_ftp::client::text;
use multi_client_ftp::protocol::address::{
    ExtendedHostPort, ExtendedPassiveText, HostPort, Network, PassiveText,
};
use multi_client_ftp::protocol::command::{Command, CommandError, Epsv};
use multi_client_ftp::protocol::entry::{Entry, FactSet, Kind};
use multi_client_ftp::protocol::proxy::{Header, Version};
use multi_client_ftp::protocol::reply::{
    MAX_REPLY_LINE, MAX_REPLY_LINES, Reply, ReplyCode, ReplyError,
};
use multi_client_ftp::protocol::{Line, Lines};
use multi_client_ftp::server;
use std::fmt::{Debug, Display};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::str::FromStr;

const A_DAY: i64 = 24 * 3600;

/// The lines of a control connection. The first byte says in what pieces they arrive.
pub fn control_line(bytes: &[u8]) {
    const LIMIT: usize = 64;
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let lines = read_lines(LIMIT, &mut &bytes[..]);
    let haltingly = Halting {
        rest: bytes,
        ready: false,
    };
    let mut haltingly = BufReader::with_capacity(usize::from(piece) + 1, haltingly);
    assert_eq!(lines, read_lines(LIMIT, &mut haltingly));
    assert_eq!(
        lines.len(),
        bytes.iter().filter(|&&byte| byte == b'\n').count()
    );
    for line in lines {
        if let Line::Text(text) = &line {
            assert!(text.len() <= LIMIT && !text.contains(&b'\n'));
            // As who sends such a line has to write it (RFC 854).
            let mut sent = Vec::new();
            for &byte in text {
                sent.extend(std::iter::repeat_n(byte, 1 + usize::from(byte == 255)));
            }
            sent.extend_from_slice(b"\r\n");
            assert_eq!(read_lines(LIMIT, &mut &sent[..]), [line]);
        }
    }
}

/// A command as the server parses it and the client writes it.
pub fn command(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else {
        return;
    };
    match line.parse::<Command>() {
        Err(error) => assert!((500..600).contains(&error.reply().code().0)),
        Ok(command) => {
            let mut sent = Vec::new();
            command.write_to(&mut sent).expect("memory has room");
            let sent = String::from_utf8(sent).expect("UTF-8");
            let again = sent.strip_suffix("\r\n").expect("a line end");
            // It is one line and no more, so that nobody can hide a second command in a name.
            assert!(!again.contains(['\r', '\n', '\0']), "{again:?}");
            assert_eq!(again.parse(), Ok(command.clone()), "{again:?}");
            if let Command::Pass(_) = command {
                assert_eq!(format!("{command} {command:?}"), "PASS *** Pass(***)");
            }
        }
    }
}

/// A reply as the client reads it and the server writes it.
pub fn reply(bytes: &[u8]) {
    let reply = match read_reply(bytes) {
        Ok(reply) => reply,
        Err(error) => {
            assert!(!matches!(error, ReplyError::Io(_)), "{error}");
            return;
        }
    };
    assert!((1..=MAX_REPLY_LINES).contains(&reply.lines().count()));
    assert!(!reply.lines().any(|line| line.contains('\n')));
    let shown = text::reply(&reply);
    assert!(
        shown.chars().count() <= 1001 && shown == text::clean(&shown),
        "{shown:?}"
    );
    // A byte that is not UTF-8 becomes three, with which a line may be too long.
    if bytes.len() < MAX_REPLY_LINE / 4 {
        let again = read_reply(reply.to_string().as_bytes());
        assert_eq!(again.expect("a reply"), reply);
    }
    // What the server says of a name cannot be a line of its own, whatever the name.
    let lines = reply.lines().map(str::to_owned);
    let quoting = Reply::multi(ReplyCode::OK, bytes_as_text(bytes), lines, "End");
    let again = read_reply(quoting.to_string().as_bytes());
    if bytes.len() < MAX_REPLY_LINE / 4 {
        assert_eq!(again.expect("a reply"), quoting);
    }
}

/// A row of `MLSD` and `MLST`, and what `OPTS MLST` chooses of it.
pub fn mlsx_row(bytes: &[u8]) {
    let row = bytes_as_text(bytes);
    let chosen = FactSet::choose(&row);
    assert_eq!(FactSet::choose(&chosen.to_string()), chosen);
    let Some(entry) = Entry::parse_facts(&row) else {
        return;
    };
    check_name(&entry.name);
    let mut again = Vec::new();
    entry
        .write_facts(FactSet::ALL, &mut again)
        .expect("memory has room");
    let again = String::from_utf8(again).expect("UTF-8");
    assert_eq!(Entry::parse_facts(&again), Some(entry), "{again:?}");
}

/// A row of `LIST`, of whatever server.
pub fn list_row(bytes: &[u8]) {
    let row = bytes_as_text(bytes);
    let now = Timestamp::from_second(1_795_000_000).expect("a time");
    let Some(entry) = Entry::parse_row(&row, now) else {
        return;
    };
    check_name(&entry.name);
    let mut again = Vec::new();
    entry.write_row(now, &mut again).expect("memory has room");
    let again = String::from_utf8(again).expect("UTF-8");
    let read = Entry::parse_row(&again, now).unwrap_or_else(|| panic!("{again:?} is no row"));
    // A row of ours has no letter for devices, and where a link leads it does not tell.
    let (kind, name) = match entry.kind {
        Kind::Link => (
            Kind::Link,
            entry.name.split(" -> ").next().unwrap_or_default(),
        ),
        Kind::Other => (Kind::File, entry.name.as_str()),
        kind => (kind, entry.name.as_str()),
    };
    assert_eq!((read.kind, read.name.as_str()), (kind, name), "{again:?}");
    assert_eq!(read.size, Some(entry.size.unwrap_or(0)), "{again:?}");
    let (was, is) = (
        entry.modified.expect("a time"),
        read.modified.expect("a time"),
    );
    // A row has the time of day only of the last half a year.
    let day = was.as_second().div_euclid(A_DAY) * A_DAY;
    assert!(is == was || is.as_second() == day, "{was} became {is}");
}

/// Where a data connection is to go: `PORT`, `EPRT`, `EPSV`, and the replies 227 and 229.
pub fn address(bytes: &[u8]) {
    let text = bytes_as_text(bytes);
    round_trip::<HostPort>(&text);
    round_trip::<ExtendedHostPort>(&text);
    round_trip::<Network>(&text);
    round_trip::<PassiveText>(&text);
    round_trip::<ExtendedPassiveText>(&text);
    if let Ok(ExtendedPassiveText(port)) = text.parse() {
        assert_ne!(port, 0);
    }
    if let Ok(Epsv::On(network)) = text.parse() {
        assert_eq!(network.to_string(), text.trim());
    }
    let port: Result<Command, CommandError> = format!("PORT {text}").parse();
    let is_address = text.trim_ascii().parse::<HostPort>().is_ok();
    assert_eq!(port.is_ok(), is_address);
}

/// What a load balancer says in front of a connection.
pub fn proxy(bytes: &[u8]) {
    let mut rest = bytes;
    let Ok(header) = Header::read(&mut rest) else {
        return;
    };
    // As long as it may be.
    assert!(bytes.len() - rest.len() <= 16 + 2048);
    for version in [Version::One, Version::Two] {
        let mut written = Vec::new();
        let outcome = header.write_to(version, &mut written);
        outcome.expect("what was read can be written");
        written.extend_from_slice(b"USER me");
        let mut rest = &written[..];
        let again = Header::read(&mut rest);
        assert_eq!(again.expect("what was written can be read"), header);
        assert_eq!(rest, b"USER me");
    }
}

/// The file with the accounts.
pub fn users_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match server::account_names(text) {
        Ok(names) => {
            assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
            for name in names {
                assert!((1..=128).contains(&name.len()), "{name:?}");
                assert!(!name.contains(char::is_control), "{name:?}");
                assert!(!["anonymous", "ftp"].contains(&&*name.to_ascii_lowercase()));
            }
        }
        Err(broken) => {
            let lines: Vec<&str> = text.split('\n').collect();
            let line = lines.get(broken.line() - 1);
            let columns = line.map(|line| line.chars().count() + 1);
            assert!(
                columns.is_some_and(|columns| (1..=columns).contains(&broken.column())),
                "{broken}"
            );
            // It is one line of the log.
            assert!(!broken.to_string().contains(char::is_control), "{broken:?}");
        }
    }
}

/// What `text` is read as is written so that it is read as the same.
fn round_trip<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse().ok(), Some(value), "{text:?}");
    }
}

/// A name that the client takes is that of a file in the folder that it is downloaded to, and shows as it is.
fn check_name(name: &str) {
    if text::single_name(name).is_ok() {
        let folder = Path::new("downloads");
        let path = folder.join(name);
        assert_eq!(path.parent(), Some(folder), "{name:?}");
        assert_eq!(path.components().count(), 2, "{name:?}");
        assert!(!name.contains(['/', '\\', '\0', '\n', '\x1b']), "{name:?}");
    }
    assert!(!text::clean(name).contains(char::is_control), "{name:?}");
}

fn read_reply(bytes: &[u8]) -> Result<Reply, ReplyError> {
    Reply::read(&mut Lines::new(MAX_REPLY_LINE), &mut &bytes[..])
}

/// As the client reads a listing or a reply.
fn bytes_as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All lines of an input; what it is not ready for is asked for again.
fn read_lines(limit: usize, input: &mut impl BufRead) -> Vec<Line> {
    let mut lines = Lines::new(limit);
    let mut all = Vec::new();
    loop {
        match lines.read(input) {
            Ok(Some(line)) => all.push(line),
            Ok(None) => return all,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

/// Bytes that are not there yet each other time.
struct Halting<'b> {
    rest: &'b [u8],
    ready: bool,
}

impl Read for Halting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ready = !self.ready;
        match self.ready {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => self.rest.read(buffer),
        }
    }
}
