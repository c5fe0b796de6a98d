//! A connection under TLS (RFC 8446, RFC 5246), with reads and writes that need not wait.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use rustls::{Connection, HandshakeKind};
use sha2::{Digest, Sha256};
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most ciphertext that is read ahead of a control connection, whose lines are short.
pub const CONTROL_AHEAD: usize = 4 * 1024;
/// The most that is read ahead of a data connection: what one turn of the copy loop moves.
pub const DATA_AHEAD: usize = 256 * 1024;
/// How much is read ahead to begin with. It becomes more as soon as that much comes at once.
const FIRST_AHEAD: usize = 4 * 1024;
/// How much ciphertext may wait for the socket.
const OUTGOING: usize = 256 * 1024;

/// TLS over a socket.
#[derive(Debug)]
pub struct Tls {
    connection: Connection,
    socket: Arc<TcpStream>,
    incoming: Ciphertext,
    /// Whether the last read left something, decrypted or not.
    has_unread: bool,
    finished: bool,
}

impl Tls {
    /// Speaks TLS over a socket from its next byte on. The handshake has yet to be made.
    ///
    /// `ahead` is how much ciphertext one read may take from the socket, [`CONTROL_AHEAD`] or [`DATA_AHEAD`].
    pub fn new(connection: impl Into<Connection>, socket: Arc<TcpStream>, ahead: usize) -> Self {
        let mut connection = connection.into();
        connection.set_buffer_limit(Some(OUTGOING));
        Self {
            connection,
            socket,
            incoming: Ciphertext {
                bytes: Vec::new(),
                at: 0,
                end: 0,
                room: FIRST_AHEAD.min(ahead),
                most: ahead,
            },
            has_unread: false,
            finished: false,
        }
    }

    /// The socket below.
    #[must_use]
    pub const fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// What TLS says of the connection: its version, its cipher, the peer's certificate.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the handshake went on from an earlier session's, so that the peer is the one of that session.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Version and cipher, for a log.
    #[must_use]
    pub fn description(&self) -> String {
        let version = self.connection.protocol_version();
        let cipher = self.connection.negotiated_cipher_suite();
        let version = version.and_then(|version| version.as_str());
        let cipher = cipher.and_then(|cipher| cipher.suite().as_str());
        format!("{} {}", version.unwrap_or("TLS"), cipher.unwrap_or("?"))
    }

    /// Makes the handshake.
    ///
    /// # Errors
    /// `TimedOut` at the deadline; `InvalidData` if the two sides do not agree; or the connection failed.
    pub fn handshake(&mut self, deadline: Instant) -> io::Result<()> {
        loop {
            match self.handshake_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            wait(&self.socket, self.interest(), left)?;
        }
    }

    /// Goes on with the handshake as far as it gets without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when it has to wait for what [`Tls::interest`] says; `InvalidData` if the two sides do not agree;
    /// or the connection failed.
    pub fn handshake_now(&mut self) -> io::Result<()> {
        loop {
            self.flush_with(SendFlags::DONTWAIT)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.take_in(RecvFlags::DONTWAIT)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// What the socket has to be ready for, when a call has said `WouldBlock`.
    #[must_use]
    pub fn interest(&self) -> PollFlags {
        if self.connection.wants_write() {
            PollFlags::OUT
        } else {
            PollFlags::IN
        }
    }

    /// Whether there may be more to read in memory, which no poll of the socket shows.
    #[must_use]
    pub const fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// Reads what has arrived; `Ok(0)` is the peer's `close_notify`.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has; `UnexpectedEof` if the connection ended without a `close_notify`.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer, RecvFlags::DONTWAIT)
    }

    /// Writes what there is room for. Some of it may stay in memory until the next call; [`Tls::flush_now`] says.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush_now()?;
        let taken = self.connection.writer().write(bytes)?;
        match self.flush_now() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Hands what was written to the socket.
    ///
    /// # Errors
    /// `WouldBlock` if the socket has no room for all of it.
    pub fn flush_now(&mut self) -> io::Result<()> {
        self.flush_with(SendFlags::DONTWAIT)
    }

    /// Tells the peer, without waiting, that nothing more comes: `close_notify`. It may be called again.
    ///
    /// # Errors
    /// `WouldBlock` if the socket has no room for it yet.
    pub fn finish_now(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            self.connection.send_close_notify();
        }
        self.flush_now()
    }

    /// Whether there is something to read, or the connection has ended or is broken, as can be told without waiting.
    pub fn has_news(&mut self) -> bool {
        loop {
            match self.connection.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                _ => return true,
            }
            match self.take_in(RecvFlags::DONTWAIT) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                _ => return true,
            }
        }
    }

    /// Fills the buffer from as many records as have arrived, so that a large one is worth its system call.
    fn read_with(&mut self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        let mut filled = 0;
        self.has_unread = false;
        loop {
            match self.connection.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => filled += count,
                Err(error) if filled > 0 && error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(filled);
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => {}
            }
            if filled == buffer.len() || filled > 0 && self.incoming.is_empty() {
                self.has_unread = filled == buffer.len();
                return Ok(filled);
            }
            self.take_in(flags)?;
        }
    }

    /// Decrypts a record's worth of what has arrived, and reads more from the socket first if there is nothing.
    /// `Ok(0)` is the end of the connection.
    fn take_in(&mut self, flags: RecvFlags) -> io::Result<usize> {
        if self.incoming.is_empty() {
            self.incoming.fill(&self.socket, flags)?;
        }
        let count = self.connection.read_tls(&mut self.incoming)?;
        let processed = self.connection.process_new_packets();
        // Tickets, key updates and alerts go out as they come up. What finds no room goes with the next write, and where
        // the connection is broken the next read says so.
        let _ = self.flush_now();
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(count)
    }

    fn flush_with(&mut self, flags: SendFlags) -> io::Result<()> {
        let mut socket = Outgoing {
            socket: &self.socket,
            flags: flags | SendFlags::NOSIGNAL,
        };
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut socket) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Waits for the peer, at most as long as the socket's own time limit.
impl Read for Tls {
    /// `Interrupted` says that something came which is not a whole record yet: whoever bounds the whole wait, and not only
    /// that for the next byte, gets to look at the clock.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_now(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
        self.take_in(RecvFlags::empty())?;
        match self.read_now(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::ErrorKind::Interrupted.into())
            }
            read => read,
        }
    }
}

/// Waits until all of it is the socket's.
impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let taken = self.connection.writer().write(bytes)?;
        self.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_with(SendFlags::empty())
    }
}

/// A certificate's SHA-256 in the form `SHA256:AB:CD:…`, as OpenSSL, FileZilla and lftp show it.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("SHA256:{}", bytes.join(":"))
}

/// Waits at most so long for the socket to be ready.
fn wait(socket: &TcpStream, events: PollFlags, limit: Duration) -> io::Result<()> {
    let limit = Timespec::try_from(limit).ok();
    match rustix::event::poll(&mut [PollFd::new(socket, events)], limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What was read from the socket and not decrypted yet.
///
/// rustls by itself asks for 4 KiB at a time, and system calls then cost as much as the cipher.
struct Ciphertext {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
    room: usize,
    most: usize,
}

impl Ciphertext {
    const fn is_empty(&self) -> bool {
        self.at == self.end
    }

    fn fill(&mut self, socket: &TcpStream, flags: RecvFlags) -> io::Result<()> {
        if self.bytes.len() < self.room {
            self.bytes.resize(self.room, 0);
        }
        (self.at, self.end) = (0, 0);
        self.end = rustix::net::recv(socket, &mut self.bytes[..], flags)?.0;
        if self.end == self.room {
            self.room = (self.room * 4).min(self.most);
        }
        Ok(())
    }
}

impl Read for Ciphertext {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.end - self.at);
        buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl std::fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.end - self.at)
    }
}

/// The socket as rustls writes to it: several records with one call.
struct Outgoing<'s> {
    socket: &'s TcpStream,
    flags: SendFlags,
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self.socket, bytes, self.flags)?)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing_beside = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(
            self.socket,
            parts,
            &mut nothing_beside,
            self.flags,
        )?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
