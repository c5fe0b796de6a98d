//! Data connections: a fresh listener for each transfer, and the one connection that it accepts.

use super::tls::{self, CloseNotify, DataProtection, DataResumption};
use super::watch::{Cut, Watch};
use crate::copy::Pace;
use crate::stream::Stream;
use cap_std::fs::File;
use rustix::event::PollFlags;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Room for the client's own connection beside a few of strangers.
const BACKLOG: i32 = 8;
/// How many bytes may flow before the control connection is looked at, when the data never has to be waited for.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;
/// The most that one `sendfile` is asked to move: between two of them the control connection is looked at.
const SENDFILE_CHUNK: usize = 4 * 1024 * 1024;

/// The ports that data listeners are taken from, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassivePorts {
    low: u16,
    high: u16,
}

impl PassivePorts {
    /// Listens on a free port of the range at `address`.
    ///
    /// The search begins at a random port, so that nobody can guess the next one (RFC 2577 §8), and goes round once.
    /// Port 0 is never asked for: with thousands of ports in TIME_WAIT the kernel's own search takes milliseconds.
    ///
    /// # Errors
    /// `AddrInUse` if every port of the range is taken, or what else the system says.
    pub(super) fn listen(self, address: IpAddr) -> io::Result<DataListener> {
        let count = u32::from(self.high - self.low) + 1;
        let start = getrandom::u32()? % count;
        for step in 0..count {
            #[allow(clippy::cast_possible_truncation)] // below `count`, which is at most 65,536
            let port = self.low + ((start + step) % count) as u16;
            match listen_on(SocketAddr::new(address, port)) {
                Ok(socket) => return Ok(DataListener { socket, port }),
                // `bind` may pass and `listen` then find the port in use.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

impl FromStr for PassivePorts {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (low, high) = text
            .split_once('-')
            .ok_or("expected LOW-HIGH, such as 61000-65535")?;
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|&port| port != 0);
        match (port(low), port(high)) {
            (Some(low), Some(high)) if low <= high => Ok(Self { low, high }),
            (Some(_), Some(_)) => Err("the first port is above the last one"),
            _ => Err("ports are numbers from 1 to 65535"),
        }
    }
}

impl fmt::Display for PassivePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // The port may be in TIME_WAIT from the transfer before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A port that waits for one data connection. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct DataListener {
    socket: TcpListener,
    port: u16,
}

/// Where the next data connection comes from, as the client's last `EPSV`, `PASV`, `EPRT` or `PORT` has it.
#[derive(Debug)]
pub(super) enum DataSource {
    /// The client connects to a port of ours.
    Passive(DataListener),
    /// We connect from this address of ours to that one of the client's.
    Active(IpAddr, SocketAddr),
}

impl DataSource {
    /// Waits at most `timeout` for the connection with `peer`, and frees the port.
    pub(super) fn open(
        self,
        peer: IpAddr,
        watch: Watch<'_>,
        timeout: Duration,
    ) -> Result<DataChannel<'_>, Cut> {
        match self {
            Self::Passive(listener) => listener.accept(peer, watch, timeout),
            Self::Active(local, target) => connect(local, target, watch, timeout),
        }
    }
}

impl DataListener {
    /// The port.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Waits for `peer` to connect and frees the port. Connections of anybody else are closed, and the wait goes on
    /// (RFC 2577 §4).
    fn accept(
        self,
        peer: IpAddr,
        mut watch: Watch<'_>,
        timeout: Duration,
    ) -> Result<DataChannel<'_>, Cut> {
        let deadline = Instant::now() + timeout;
        loop {
            // Strangers that come without end must not hold the wait open for ever.
            if Instant::now() >= deadline {
                return Err(Cut::Stalled);
            }
            match self.socket.accept() {
                Ok((socket, from)) if from.ip().to_canonical() == peer => {
                    socket.set_nonblocking(true).map_err(|_| Cut::Gone)?;
                    return Ok(DataChannel::new(socket, watch, timeout));
                }
                Ok((_, from)) => log::warn!("{from} connected to the data port of {peer}, closed"),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    watch.wait(&self.socket, PollFlags::IN, deadline)?;
                }
                // The peer was gone before it was accepted: it may come again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::warn!("cannot accept a data connection of {peer}: {error}");
                    return Err(Cut::Unreachable);
                }
            }
        }
    }
}

/// Connects to where the client listens (RFC 959 §3.2, active mode).
fn connect(
    local: IpAddr,
    target: SocketAddr,
    mut watch: Watch<'_>,
    timeout: Duration,
) -> Result<DataChannel<'_>, Cut> {
    let unreachable = |error: &io::Error| {
        log::info!("cannot connect to {target}: {error}");
        Cut::Unreachable
    };
    let begin = || {
        let socket = Socket::new(
            Domain::for_address(target),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // From the address that the client knows: its firewall may let in no other.
        socket.bind(&SocketAddr::new(local, 0).into())?;
        socket.set_nonblocking(true)?;
        match socket.connect(&target.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ => Ok(TcpStream::from(socket)),
        }
    };
    let socket = begin().map_err(|error| unreachable(&error))?;
    watch.wait(&socket, PollFlags::OUT, Instant::now() + timeout)?;
    match socket.take_error() {
        Ok(None) => Ok(DataChannel::new(socket, watch, timeout)),
        Ok(Some(error)) | Err(error) => Err(unreachable(&error)),
    }
}

/// The connection that one transfer's bytes go over.
///
/// Reads and writes wait at most the data time-out, and the control connection is watched meanwhile: when a call fails
/// because of what was seen there, [`DataChannel::cut`] says why.
pub(super) struct DataChannel<'s> {
    stream: Stream,
    watch: Watch<'s>,
    timeout: Duration,
    unwatched: u64,
    cut: Option<Cut>,
    /// The rate that the bytes keep to, and when the next of them may move.
    pace: Option<(Arc<Pace>, Instant)>,
    /// Whether the end of the connection is the end of an upload even where TLS says nothing of it.
    bare_end: bool,
    /// Whether the client has sent all of an upload, and was told that it is known.
    ended: bool,
}

impl<'s> DataChannel<'s> {
    fn new(socket: TcpStream, watch: Watch<'s>, timeout: Duration) -> Self {
        Self {
            stream: socket.into(),
            watch,
            timeout,
            unwatched: 0,
            cut: None,
            pace: None,
            bare_end: false,
            ended: false,
        }
    }

    /// Holds the bytes to a rate from here on.
    pub(super) fn keep_to(&mut self, pace: Option<Arc<Pace>>) {
        self.pace = pace.map(|pace| (pace, Instant::now()));
    }

    /// Makes the TLS handshake, of which the client is the one that begins it, whoever connected (RFC 4217 §7).
    pub(super) fn protect(
        mut self,
        protection: &DataProtection,
        limit: Duration,
    ) -> Result<Self, Cut> {
        let deadline = Instant::now() + limit;
        let failed = |error: io::Error| {
            log::info!(
                "{} TLS on the data connection failed: {error}",
                protection.peer
            );
            match error.kind() {
                io::ErrorKind::InvalidData => Cut::Handshake,
                _ => Cut::Unreachable,
            }
        };
        let socket = Arc::clone(self.stream.socket());
        let mut tls = tls::over_data(&protection.config, socket).map_err(failed)?;
        loop {
            match tls.handshake_now() {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.watch.wait(tls.socket(), tls.interest(), deadline)?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        if tls.is_resumed() {
            log::debug!("{} data resumes TLS", protection.peer);
        } else if protection.resumption == DataResumption::Require {
            return Err(Cut::NotResumed);
        }
        // An upload's handshake ends with a word of the client's that nobody answers. Most clients' sockets hold a small file
        // back until it is acknowledged, which the system puts off for 40 ms.
        if let Err(error) = rustix::net::sockopt::set_tcp_quickack(tls.socket(), true) {
            return Err(failed(error.into()));
        }
        self.bare_end = protection.close_notify == CloseNotify::Optional;
        self.stream = tls.into();
        Ok(self)
    }

    /// How many bytes have gone over the connection.
    pub(super) const fn moved(&self) -> u64 {
        self.watch.moved
    }

    /// Why the channel refuses to go on, if it does.
    pub(super) const fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Sends a file from byte `start` to byte `end` without a copy through this process.
    ///
    /// # Errors
    /// The data connection failed or was cut; `InvalidData` if the file became shorter meanwhile; `InvalidInput` if its
    /// file system knows no `sendfile`, or the connection is under TLS, and then nothing was sent.
    pub(super) fn send_file(&mut self, file: &File, start: u64, end: u64) -> io::Result<()> {
        if self.stream.tls().is_some() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut at = start;
        let most = self.at_most(SENDFILE_CHUNK);
        while at < end {
            let chunk = usize::try_from(end - at).map_or(most, |left| left.min(most));
            let sent = self.attempt(PollFlags::OUT, |stream| {
                Ok(rustix::fs::sendfile(
                    stream.socket(),
                    file,
                    Some(&mut at),
                    chunk,
                )?)
            })?;
            if sent == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }

    /// Looks at the control connection without waiting.
    ///
    /// A client that dies closes both its connections, and the end of an upload then looks like that of a whole one,
    /// but for the control connection.
    ///
    /// # Errors
    /// The transfer was cut, see [`DataChannel::cut`].
    pub(super) fn look(&mut self) -> io::Result<()> {
        self.unwatched = 0;
        let seen = self
            .watch
            .poll(&self.stream, PollFlags::empty(), Duration::ZERO);
        self.note(seen.map(drop))
    }

    /// Sends what is still in memory, and under TLS that this was all. An upload needs it not, since its end was answered
    /// when it came.
    ///
    /// # Errors
    /// The data connection failed or was cut.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.attempt(PollFlags::OUT, |stream| stream.finish_now().map(|()| 0))?;
        Ok(())
    }

    /// Tries a call and waits only when the socket is not ready, so that a small file needs no `poll` at all.
    fn attempt(
        &mut self,
        events: PollFlags,
        mut call: impl FnMut(&mut Stream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.unwatched >= LOOK_EVERY {
            self.look()?;
        }
        if let Some((_, next)) = self.pace {
            let waited = self.watch.pass(self.stream.socket(), next);
            self.note(waited)?;
        }
        loop {
            match call(&mut self.stream) {
                Ok(count) => {
                    self.watch.moved += count as u64;
                    self.unwatched += count as u64;
                    if let Some((pace, next)) = &mut self.pace {
                        *next = Instant::now() + pace.pace(count as u64);
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unwatched = 0;
                    let deadline = Instant::now() + self.timeout;
                    let waited = self.watch.wait(&self.stream, events, deadline);
                    self.note(waited)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many bytes of `wanted` to move in one go.
    fn at_most(&self, wanted: usize) -> usize {
        self.pace
            .as_ref()
            .map_or(wanted, |(pace, _)| wanted.min(pace.chunk()))
    }

    fn note(&mut self, seen: Result<(), Cut>) -> io::Result<()> {
        seen.map_err(|cut| {
            self.cut = Some(cut);
            io::ErrorKind::ConnectionAborted.into()
        })
    }
}

impl Read for DataChannel<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.at_most(buffer.len());
        let read = match self.attempt(PollFlags::IN, |stream| stream.read_now(&mut buffer[..most]))
        {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.bare_end => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = "it ended without TLS's close_notify, as one that was cut off";
                Err(io::Error::new(error.kind(), text))
            }
            read => read,
        };
        if let Ok(0) = read {
            // Python's ftplib waits for it before it looks at the reply. Others are gone by now.
            let _ = self.stream.finish_now();
            self.ended = true;
        }
        read
    }
}

impl Write for DataChannel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.at_most(bytes.len());
        self.attempt(PollFlags::OUT, |stream| stream.write_now(&bytes[..most]))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
