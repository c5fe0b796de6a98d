//! Where data connections come from: a fresh listener for each transfer, or a connection to where the client listens.

use super::DataChannel;
use super::queue::{Freed, PortQueue};
use crate::server::watch::{Cut, Watch};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{self, SocketFlags};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Room for the client's own connection beside a few of strangers.
const BACKLOG: i32 = 8;

/// The ports that data listeners are taken from, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassivePorts {
    low: u16,
    high: u16,
}

impl PassivePorts {
    /// All of them.
    pub(in crate::server) const fn range(self) -> std::ops::RangeInclusive<u16> {
        self.low..=self.high
    }

    /// Listens on a free port of the range at `address`. Those who wait in `queue` are told when the port is free again.
    ///
    /// The search begins at a random port, so that nobody can guess the next one (RFC 2577 §8), and goes round once.
    /// Port 0 is never asked for: with thousands of ports in TIME_WAIT the kernel's own search takes milliseconds.
    /// Ports that rest are taken where no other is free, and the one that has rested longest is the first of them.
    ///
    /// # Errors
    /// `AddrInUse` if every port of the range is taken, or what else the system says.
    pub(in crate::server) fn listen(
        self,
        address: IpAddr,
        queue: &Arc<PortQueue>,
    ) -> io::Result<DataListener> {
        let count = u32::from(self.high - self.low) + 1;
        let start = queue.random()? % count;
        let mut resting = Vec::new();
        for step in 0..count {
            #[allow(clippy::cast_possible_truncation)] // below `count`, which is at most 65,536
            let port = self.low + ((start + step) % count) as u16;
            if let Some(since) = queue.rests_since(port) {
                resting.push((since, port));
            } else if let Some(listener) = DataListener::new(address, port, queue)? {
                return Ok(listener);
            }
        }
        resting.sort_unstable();
        for (_, port) in resting {
            if let Some(listener) = DataListener::new(address, port, queue)? {
                return Ok(listener);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

/// Above Linux's range for outgoing connections.
impl Default for PassivePorts {
    fn default() -> Self {
        Self {
            low: 61000,
            high: 65535,
        }
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
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    // The port may be in TIME_WAIT from the transfer before.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A port that waits for one data connection. It is free again when this is dropped, and rests first where nobody came to it.
#[derive(Debug)]
pub(in crate::server) struct DataListener {
    socket: TcpListener,
    port: u16,
    // Behind the socket: by then the port is free.
    freed: Freed,
}

/// Where the next data connection comes from, as the client's last `EPSV`, `PASV`, `EPRT` or `PORT` has it.
#[derive(Debug)]
pub(in crate::server) enum DataSource {
    /// The client connects to a port of ours.
    Passive(DataListener),
    /// We connect from this address of ours to that one of the client's.
    Active(IpAddr, SocketAddr),
}

impl DataSource {
    /// Waits at most `timeout` for the connection with `peer`, and frees the port.
    pub(in crate::server) fn open(
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
    /// Listens on this port, unless it is taken.
    fn new(address: IpAddr, port: u16, queue: &Arc<PortQueue>) -> io::Result<Option<Self>> {
        match listen_on(SocketAddr::new(address, port)) {
            Ok(socket) => Ok(Some(Self {
                socket,
                port,
                freed: Freed::later(queue, port),
            })),
            // `bind` may pass and `listen` then find the port in use.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The port.
    pub(in crate::server) const fn port(&self) -> u16 {
        self.port
    }

    /// Waits for `peer` to connect and frees the port. Connections of anybody else are closed, and the wait goes on
    /// (RFC 2577 §4).
    fn accept(
        mut self,
        peer: IpAddr,
        mut watch: Watch<'_>,
        timeout: Duration,
    ) -> Result<DataChannel<'_>, Cut> {
        let mut deadline = None;
        loop {
            match self.accept_one() {
                Ok((socket, from)) if from.ip().to_canonical() == peer => {
                    self.freed.was_used();
                    return Ok(DataChannel::new(socket, watch, timeout));
                }
                Ok((_, from)) => log::warn!("{from} connected to the data port of {peer}, closed"),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer was gone before it was accepted: it may come again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::warn!("cannot accept a data connection of {peer}: {error}");
                    return Err(Cut::Unreachable);
                }
            }
            // Behind strangers too: who come without end must not hold the wait open for ever.
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + timeout);
            watch.wait(&self.socket, PollFlags::IN, deadline)?;
        }
    }

    /// The next connection, which never blocks: said at once, since saying it later is one more call for each small file.
    fn accept_one(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, from) = net::acceptfrom_with(&self.socket, flags)?;
        let from = from.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok((socket.into(), from.try_into()?))
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
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        // From the address that the client knows: its firewall may let in no other.
        socket.bind(&SocketAddr::new(local, 0).into())?;
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
