//! The load: FTP sessions that do as little as they can themselves, since they share the machine with the server.
//!
//! They know nothing of who they speak with: a host, a port, and what to say. What comes in clear is thrown away by the
//! kernel without a copy, and what is sent in clear goes from the page cache.

use crate::support::{TlsClient, Wire};
use rustix::fs::sendfile;
use rustix::net::{RecvFlags, recv};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The most that is received or sent in one call, so that the bytes are counted while they flow.
const CHUNK: usize = 1 << 20;

/// One control connection, and what its transfers need.
pub(crate) struct Session {
    address: SocketAddr,
    control: BufReader<Wire>,
    /// The reply that came last, or its last line.
    line: Vec<u8>,
    tls: Option<TlsClient>,
    buffer: Vec<u8>,
}

impl Session {
    /// Connects, and logs in as `user`; with `tls`, the session and its data are protected. For each reply
    /// it waits that long.
    pub(crate) fn login(
        address: SocketAddr,
        user: &str,
        tls: Option<&TlsClient>,
        patience: Duration,
    ) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(patience))?;
        let mut session = Self {
            address,
            control: BufReader::with_capacity(512, Wire::Plain(socket)),
            line: Vec::new(),
            tls: None,
            buffer: Vec::new(),
        };
        session.reply("the greeting", b'2')?;
        if let Some(tls) = tls {
            session.run("AUTH TLS", b'2')?;
            let Wire::Plain(socket) = session.control.into_inner() else {
                unreachable!("TLS is not on yet");
            };
            let wire = tls.try_connect(socket)?;
            session.control = BufReader::with_capacity(512, wire);
            session.tls = Some(tls.clone());
        }
        session.run(&format!("USER {user}"), b'3')?;
        session.run("PASS guest", b'2')?;
        Ok(session)
    }

    /// What has to be said once before files.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        self.run("TYPE I", b'2')?;
        if self.tls.is_some() {
            self.run("PBSZ 0", b'2')?;
            self.run("PROT P", b'2')?;
        }
        self.buffer = vec![0; CHUNK];
        Ok(())
    }

    /// Says goodbye, and waits for the answer.
    pub(crate) fn quit(mut self) -> io::Result<()> {
        self.run("QUIT", b'2')
    }

    /// Sends a command, which is to be answered with a reply of this class.
    pub(crate) fn run(&mut self, command: &str, class: u8) -> io::Result<()> {
        self.send(command)?;
        self.reply(command, class)
    }

    /// What a `RETR`, `LIST` or `MLSD` brings, and how many bytes that were. `progress` is told of each piece and says
    /// whether to go on.
    pub(crate) fn fetch(
        &mut self,
        command: &str,
        mut progress: impl FnMut(usize) -> bool,
    ) -> io::Result<u64> {
        let data = self.open_data()?;
        self.run(command, b'1')?;
        let mut total = 0;
        if let Some(tls) = self.tls.clone() {
            let mut connection = handshake(&tls, &data)?;
            // Its own reads are of 4 KiB.
            let mut socket = BufReader::with_capacity(CHUNK, &data);
            loop {
                let count = read_tls(&mut connection, &mut socket, &mut self.buffer)?;
                total += count as u64;
                if count == 0 || !progress(count) {
                    break;
                }
            }
            connection.send_close_notify();
            while connection.wants_write() {
                connection.write_tls(&mut &data)?;
            }
        } else {
            loop {
                // Nobody wants to see the bytes: the kernel does not even copy them.
                let (_, count) = recv(&data, &mut self.buffer[..], RecvFlags::TRUNC)?;
                total += count as u64;
                if count == 0 || !progress(count) {
                    break;
                }
            }
        }
        drop(data);
        self.reply(command, b'2')?;
        Ok(total)
    }

    /// The text of a listing.
    pub(crate) fn text(&mut self, command: &str) -> io::Result<Vec<u8>> {
        let mut data = self.open_data()?;
        self.run(command, b'1')?;
        let mut text = Vec::new();
        data.read_to_end(&mut text)?;
        drop(data);
        self.reply(command, b'2')?;
        Ok(text)
    }

    /// Sends `size` bytes of a file.
    pub(crate) fn store(
        &mut self,
        name: &str,
        file: &File,
        size: u64,
        mut progress: impl FnMut(usize) -> bool,
    ) -> io::Result<()> {
        let data = self.open_data()?;
        let command = format!("STOR {name}");
        self.run(&command, b'1')?;
        let mut at = 0;
        if let Some(tls) = self.tls.clone() {
            let mut connection = handshake(&tls, &data)?;
            // What it holds ready is less by itself than a write takes.
            connection.set_buffer_limit(None);
            while at < size && progress(self.buffer.len()) {
                connection.writer().write_all(&self.buffer)?;
                while connection.wants_write() {
                    connection.write_tls(&mut &data)?;
                }
                at += self.buffer.len() as u64;
            }
            connection.send_close_notify();
            while connection.wants_write() {
                connection.write_tls(&mut &data)?;
            }
            data.shutdown(std::net::Shutdown::Write)?;
            // Until the server has said its last word too.
            io::copy(&mut &data, &mut io::sink())?;
        } else {
            while at < size {
                let count = sendfile(&data, file, Some(&mut at), CHUNK)?;
                if count == 0 || !progress(count) {
                    break;
                }
            }
        }
        drop(data);
        self.reply(&command, b'2')
    }

    /// Asks for a port, and connects to it.
    fn open_data(&mut self) -> io::Result<TcpStream> {
        self.run("EPSV", b'2')?;
        let port = self.line.split(|&byte| byte == b'|').nth(3);
        let port = port.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        let port = port.ok_or_else(|| self.unexpected("EPSV"))?;
        TcpStream::connect(SocketAddr::new(self.address.ip(), port))
    }

    fn send(&mut self, command: &str) -> io::Result<()> {
        let wire = self.control.get_mut();
        wire.write_all(format!("{command}\r\n").as_bytes())?;
        wire.flush()
    }

    /// Reads up to the end of a reply (RFC 959 §4.2).
    fn reply(&mut self, command: &str, class: u8) -> io::Result<()> {
        loop {
            self.line.clear();
            if self.control.read_until(b'\n', &mut self.line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_last =
                self.line.get(3) == Some(&b' ') && self.line[..3].iter().all(u8::is_ascii_digit);
            if is_last && self.line[0] == class {
                return Ok(());
            }
            if is_last {
                return Err(self.unexpected(command));
            }
        }
    }

    fn unexpected(&self, command: &str) -> io::Error {
        let reply = String::from_utf8_lossy(&self.line);
        io::Error::other(format!("{command}: {}", reply.trim_end()))
    }
}

fn handshake(tls: &TlsClient, mut data: &TcpStream) -> io::Result<ClientConnection> {
    let name = ServerName::try_from("ftp.example").map_err(io::Error::other)?;
    let config = Arc::clone(&tls.config());
    let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
    while connection.is_handshaking() || connection.wants_write() {
        connection.complete_io(&mut data)?;
    }
    Ok(connection)
}

/// What has come, deciphered; 0 at the end.
fn read_tls(
    connection: &mut ClientConnection,
    socket: &mut impl Read,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match connection.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Some servers end without a last word of TLS.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            other => return other,
        }
        connection.read_tls(socket)?;
        connection.process_new_packets().map_err(io::Error::other)?;
    }
}
