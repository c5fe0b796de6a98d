//! A session that may break, and is then over: but only one that goes through the proxy may.

use crate::support::{Raw, Reply, reset, try_connect};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A data connection. Unless it is ended well it is reset: its mere end would say that this was all.
pub(crate) struct Data(Option<TcpStream>);

impl Data {
    pub(crate) fn socket(&self) -> &TcpStream {
        self.0.as_ref().expect("it is there")
    }

    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            reset(socket);
        }
    }
}

/// How long one waits for what may never come.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server says of a transfer that was cut, or of a session that it ends.
const TROUBLE: [u16; 4] = [421, 425, 426, 451];

pub(crate) struct Session {
    raw: Raw,
    address: SocketAddr,
    /// It goes through the proxy.
    pub(crate) may_break: bool,
}

impl Session {
    /// Logs in.
    pub(crate) fn new(address: SocketAddr, may_break: bool) -> io::Result<Self> {
        let socket = connect(address, may_break);
        let mut session = Self {
            raw: Raw::over(checked(may_break, "connecting", socket)?),
            address,
            may_break,
        };
        session.expect("the greeting", &[220])?;
        session.run("USER anonymous", &[331])?;
        session.run("PASS guest@example.com", &[230])?;
        session.run("TYPE I", &[200])?;
        Ok(session)
    }

    /// Sends a line and reads its reply, which must have one of these codes.
    pub(crate) fn run(&mut self, line: &str, codes: &[u16]) -> io::Result<Reply> {
        let sent = self.raw.try_send(format!("{line}\r\n").as_bytes());
        self.check(line, sent)?;
        self.expect(line, codes)
    }

    /// Reads a reply to this line.
    pub(crate) fn expect(&mut self, line: &str, codes: &[u16]) -> io::Result<Reply> {
        let reply = self.raw.try_reply();
        let reply = self.check(line, reply)?;
        if codes.contains(&reply.code) {
            return Ok(reply);
        }
        let trouble = self.may_break && TROUBLE.contains(&reply.code);
        assert!(trouble, "expected {codes:?} to {line}, got {reply}");
        Err(io::Error::other(reply.text))
    }

    /// Begins a transfer. `None` if it was refused with one of these codes.
    pub(crate) fn begin(&mut self, line: &str, refused: &[u16]) -> io::Result<Option<Data>> {
        let reply = self.run("EPSV", &[229])?;
        let port = reply
            .text
            .split('|')
            .nth(3)
            .and_then(|port| port.parse().ok());
        let address = SocketAddr::new(self.address.ip(), port.expect("a port"));
        let data = connect(address, self.may_break);
        let data = Data(Some(self.check(line, data)?));
        let reply = self.run(line, &[&[150], refused].concat())?;
        Ok((reply.code == 150).then_some(data))
    }

    /// Uploads by this command.
    pub(crate) fn store(&mut self, line: &str, bytes: &[u8]) -> io::Result<()> {
        let data = self.begin(line, &[])?.expect("nothing may refuse it");
        let sent = data.socket().write_all(bytes);
        self.check(line, sent)?;
        data.end();
        self.expect(line, &[226]).map(drop)
    }

    /// Downloads. `None` if it is not there.
    pub(crate) fn fetch(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let line = format!("RETR {path}");
        let Some(data) = self.begin(&line, &[550])? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = data.socket().read_to_end(&mut bytes);
        self.check(&format!("{line}, its data"), read)?;
        drop(data);
        self.expect(&line, &[226])?;
        if self.may_break {
            // What the proxy ended looks whole to both sides.
            let size = self.run(&format!("SIZE {path}"), &[213])?;
            if size.text != format!("213 {}", bytes.len()) {
                return Err(io::Error::other("short"));
            }
        }
        Ok(Some(bytes))
    }

    /// What a step on the wire has come to.
    pub(crate) fn check<T>(&self, what: &str, result: io::Result<T>) -> io::Result<T> {
        checked(self.may_break, what, result)
    }
}

fn connect(address: SocketAddr, may_break: bool) -> io::Result<TcpStream> {
    let socket = try_connect(address)?;
    if may_break {
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    Ok(socket)
}

#[track_caller]
fn checked<T>(may_break: bool, what: &str, result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result {
        assert!(may_break, "{what} over a network that holds: {error}");
    }
    result
}
