//! An FTP client that sends what it is told, right or wrong, and looks at every reply.

use super::{Reply, Wire, connect_from, data_bytes, data_connection, read_all, try_connect};
use socket2::SockRef;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A control connection.
pub(crate) struct Raw {
    control: BufReader<Wire>,
    /// What was sent last, for the texts of failures.
    last: String,
}

impl Raw {
    /// Connects and reads the greeting.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut raw = Self::dial(address);
        raw.expect(220);
        raw
    }

    /// Connects only.
    #[track_caller]
    pub(crate) fn dial(address: SocketAddr) -> Self {
        let socket = try_connect(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::over(socket)
    }

    /// The connection, to go on with by other means.
    pub(crate) fn into_wire(self) -> Wire {
        self.control.into_inner()
    }

    /// The connection below.
    pub(crate) fn wire(&self) -> &Wire {
        self.control.get_ref()
    }

    /// Talks over this connection.
    pub(crate) fn over(socket: TcpStream) -> Self {
        Self::on(Wire::Plain(socket))
    }

    /// Talks over this connection, be it under TLS or not.
    pub(crate) fn on(wire: Wire) -> Self {
        Self {
            // Small, since a test holds 10,000 of them.
            control: BufReader::with_capacity(512, wire),
            last: "(nothing)".to_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn login(&mut self) {
        self.run("USER anonymous", 331);
        self.run("PASS guest@example.com", 230);
        // RFC 959 §5.1 begins with ASCII, where line ends are converted.
        self.run("TYPE I", 200);
    }

    /// Sends a whole login and reads no reply.
    #[track_caller]
    pub(crate) fn login_blindly(&mut self) {
        self.send_bytes(b"USER anonymous\r\nPASS x\r\nNOOP\r\n");
    }

    /// Sends one line.
    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Sends these bytes and no line end.
    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.last = bytes[..bytes.len().min(200)].escape_ascii().to_string();
        if let Err(error) = self.control.get_mut().write_all(bytes) {
            panic!("sending {}: {error}", self.last);
        }
    }

    /// Sends these bytes, unless the connection is gone.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.control.get_mut().write_all(bytes)
    }

    /// Sends these bytes as TCP urgent data: the last of them is the urgent one.
    #[track_caller]
    pub(crate) fn send_urgent(&mut self, bytes: &[u8]) {
        let socket = SockRef::from(self.wire().socket());
        let sent = socket.send_out_of_band(bytes).expect("urgent data is sent");
        assert_eq!(sent, bytes.len(), "bytes of urgent data");
    }

    /// Sends these bytes again and again, until so many are sent or nobody takes any more. Says how many were.
    #[track_caller]
    pub(crate) fn flood(&mut self, bytes: &[u8], most: usize) -> usize {
        let stall = Some(Duration::from_millis(500));
        let socket = self.wire().socket();
        socket.set_write_timeout(stall).expect("the option is set");
        let socket = self.control.get_mut();
        let mut sent = 0;
        while sent < most {
            match socket.write(bytes) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("flooding: {error}"),
            }
        }
        sent
    }

    /// Reads the replies that must come next, by their codes.
    #[track_caller]
    pub(crate) fn expect_all(&mut self, codes: &[u16]) {
        for (at, code) in codes.iter().enumerate() {
            let reply = self.reply();
            assert_eq!(reply.code, *code, "reply {at} of {codes:?} is {reply}");
        }
    }

    /// Reads one reply.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        match self.try_reply() {
            Ok(reply) => reply,
            Err(error) => panic!("expected a reply to {}, got {error}", self.last),
        }
    }

    /// The reply that has arrived already, if one has.
    pub(crate) fn waiting(&mut self) -> Option<Reply> {
        if self.control.buffer().is_empty() {
            let arrived = rustix::net::recv(
                self.control.get_ref().socket(),
                &mut [0; 1],
                rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT,
            );
            arrived.ok().filter(|&(count, _)| count > 0)?;
        }
        self.try_reply().ok()
    }

    /// Reads one reply, or says why there is none.
    pub(crate) fn try_reply(&mut self) -> io::Result<Reply> {
        let bad = |line: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{line:?}"));
        let mut text = self.line()?;
        let code = text
            .get(..3)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| bad(&text))?;
        match text.as_bytes().get(3) {
            Some(b' ') => return Ok(Reply { code, text }),
            Some(b'-') => {}
            _ => return Err(bad(&text)),
        }
        loop {
            let line = self.line()?;
            text.push('\n');
            text.push_str(&line);
            if line.starts_with(&format!("{code} ")) {
                return Ok(Reply { code, text });
            }
        }
    }

    /// Reads one line; its end must be CRLF.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.control.read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\r\n") else {
            let what = line.escape_ascii();
            let message = format!("a line that does not end in CRLF: \"{what}\"");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        };
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// Reads one reply, which must have this code.
    #[track_caller]
    pub(crate) fn expect(&mut self, code: u16) -> Reply {
        self.expect_one_of(&[code])
    }

    /// Reads one reply, which must have one of these codes.
    #[track_caller]
    pub(crate) fn expect_one_of(&mut self, codes: &[u16]) -> Reply {
        let reply = self.reply();
        assert!(
            codes.contains(&reply.code),
            "expected {codes:?} to {}, got {reply}",
            self.last
        );
        reply
    }

    /// Sends a line and reads its reply, which must have this code.
    #[track_caller]
    pub(crate) fn run(&mut self, line: &str, code: u16) -> Reply {
        self.send(line);
        self.expect(code)
    }

    /// Sends a line that must be refused for good (5yz), and checks that the session goes on.
    #[track_caller]
    pub(crate) fn refused(&mut self, line: &str) -> Reply {
        self.send(line);
        let reply = self.expect_refusal();
        self.run("NOOP", 200);
        reply
    }

    #[track_caller]
    pub(crate) fn expect_refusal(&mut self) -> Reply {
        let reply = self.reply();
        assert!(
            (500..600).contains(&reply.code),
            "expected {} to be refused, got {reply}",
            self.last
        );
        reply
    }

    /// Reads the end of the connection, and no reset.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        match self.control.read_to_end(&mut rest) {
            Ok(0) => {}
            Ok(_) => panic!("expected the end, got \"{}\"", rest.escape_ascii()),
            Err(error) => panic!("expected the end of the connection, got {error}"),
        }
    }

    /// Asks for a data port by EPSV (RFC 2428) and says where it is.
    #[track_caller]
    pub(crate) fn epsv(&mut self) -> SocketAddr {
        let reply = self.run("EPSV", 229);
        let port = reply
            .text
            .split_once("(|||")
            .and_then(|(_, rest)| rest.split_once("|)"))
            .and_then(|(port, _)| port.parse().ok())
            .unwrap_or_else(|| panic!("expected (|||port|), got {reply}"));
        SocketAddr::new(self.peer().ip(), port)
    }

    /// Asks for a data port by PASV (RFC 959) and says where it is.
    #[track_caller]
    pub(crate) fn pasv(&mut self) -> SocketAddr {
        let reply = self.run("PASV", 227);
        let numbers: Vec<u8> = reply
            .text
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .and_then(|(inner, _)| inner.split(',').map(|n| n.parse().ok()).collect())
            .unwrap_or_else(|| panic!("expected (h1,h2,h3,h4,p1,p2), got {reply}"));
        let [a, b, c, d, high, low] = numbers[..] else {
            panic!("expected six numbers, got {reply}");
        };
        let port = u16::from_be_bytes([high, low]);
        SocketAddr::from((Ipv4Addr::new(a, b, c, d), port))
    }

    /// Opens a data connection, from the address that the server knows this client by.
    #[track_caller]
    pub(crate) fn open_data(&mut self) -> TcpStream {
        let address = self.epsv();
        match self.local().ip() {
            IpAddr::V4(from) if from != Ipv4Addr::LOCALHOST => connect_from(from, address),
            _ => data_connection(address),
        }
    }

    /// Opens a data connection and begins a transfer, up to its 150.
    #[track_caller]
    pub(crate) fn begin(&mut self, command: &str) -> TcpStream {
        let data = self.open_data();
        self.run(command, 150);
        data
    }

    /// Opens a data connection and begins a transfer that may also be refused.
    #[track_caller]
    pub(crate) fn begin_any(&mut self, command: &str) -> Option<TcpStream> {
        let data = self.open_data();
        self.send(command);
        let reply = self.reply();
        assert!(
            reply.code == 150 || (400..600).contains(&reply.code),
            "{command} gets {reply}"
        );
        (reply.code == 150).then_some(data)
    }

    /// Begins a transfer that must fail before it begins, with this code.
    #[track_caller]
    pub(crate) fn begin_refused(&mut self, command: &str, codes: &[u16]) -> Reply {
        let data = self.open_data();
        self.send(command);
        let reply = self.expect_one_of(codes);
        assert_eq!(data_bytes(data), b"", "data of a refused {command}");
        self.run("NOOP", 200);
        reply
    }

    /// What a listing sends.
    #[track_caller]
    pub(crate) fn list(&mut self, command: &str) -> String {
        let bytes = read_all(self.begin(command));
        self.expect(226);
        String::from_utf8(bytes).unwrap_or_else(|error| panic!("{command} sends no UTF-8: {error}"))
    }

    /// The rows of a listing, each of which must end in CRLF.
    #[track_caller]
    pub(crate) fn rows(&mut self, command: &str) -> Vec<String> {
        let text = self.list(command);
        assert!(
            text.is_empty() || text.ends_with("\r\n"),
            "{command}: the last row does not end in CRLF: {text:?}"
        );
        let rows: Vec<String> = text.split_terminator("\r\n").map(str::to_owned).collect();
        for row in &rows {
            assert!(
                !row.contains(char::is_control),
                "{command}: control characters in {row:?}"
            );
        }
        rows
    }

    #[track_caller]
    pub(crate) fn fetch(&mut self, path: &str) -> Vec<u8> {
        let bytes = read_all(self.begin(&format!("RETR {path}")));
        self.expect(226);
        bytes
    }

    /// The facts that MLST tells of a path, with keys in small letters.
    #[track_caller]
    pub(crate) fn facts(&mut self, path: &str) -> Vec<(String, String)> {
        let reply = self.run(&format!("MLST {path}"), 250);
        let line = reply.inner_lines().concat();
        let (facts, _) = line
            .trim_start()
            .split_once(' ')
            .unwrap_or_else(|| panic!("expected facts and a name, got {reply}"));
        let fact = |fact: &str| {
            let (key, value) = fact.split_once('=')?;
            Some((key.to_ascii_lowercase(), value.to_owned()))
        };
        facts.split_terminator(';').filter_map(fact).collect()
    }

    /// One of the facts that MLST tells of a path.
    #[track_caller]
    pub(crate) fn fact(&mut self, path: &str, key: &str) -> Option<String> {
        let mut facts = self.facts(path).into_iter();
        Some(facts.find(|(name, _)| name == key)?.1)
    }

    #[track_caller]
    pub(crate) fn store(&mut self, path: &str, bytes: &[u8]) {
        self.store_from(path, &mut &*bytes);
    }

    #[track_caller]
    pub(crate) fn store_from(&mut self, path: &str, from: &mut impl Read) {
        let mut data = self.begin(&format!("STOR {path}"));
        io::copy(from, &mut data).unwrap_or_else(|error| panic!("sending {path}: {error}"));
        drop(data);
        self.expect(226);
    }

    /// The local address, which the server knows this client by.
    pub(crate) fn local(&self) -> SocketAddr {
        self.wire().socket().local_addr().expect("an address")
    }

    fn peer(&self) -> SocketAddr {
        self.wire().socket().peer_addr().expect("an address")
    }

    /// Sends what was sent and the end, and stays to read.
    #[track_caller]
    pub(crate) fn finish_sending(&mut self) {
        let socket = self.wire().socket();
        socket
            .shutdown(Shutdown::Write)
            .expect("the half of a connection closes");
    }
}
