//! Where control connections come in: in clear, and on a port of its own with TLS from the first byte.

use anyhow::{Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

/// How a control connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// With the greeting.
    Plain,
    /// With a TLS handshake: "implicit TLS".
    Tls,
}

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The listeners of control connections.
#[derive(Debug)]
pub(super) struct Entrances {
    plain: TcpListener,
    tls: Option<TcpListener>,
}

/// A client that has come, or why it could not be let in.
type Accepted = (Entrance, io::Result<(TcpStream, SocketAddr)>);

/// What a wait has ended with.
#[derive(Debug)]
pub(super) enum Woken {
    /// Something can be read at `stop`.
    Stop,
    /// Something can be read at `reload`.
    Reload,
    /// Somebody has come, or it took too long.
    Clients([Option<Accepted>; 2]),
}

impl Entrances {
    /// Listens.
    ///
    /// # Errors
    /// An address cannot be listened on; the text says why and what to do.
    pub(super) fn open(plain: SocketAddr, tls: Option<SocketAddr>) -> Result<Self> {
        Ok(Self {
            plain: open(plain, "--port")?,
            tls: tls
                .map(|address| open(address, "--implicit-tls-port"))
                .transpose()?,
        })
    }

    /// Where connections begin in clear.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.plain.local_addr()
    }

    /// Where connections begin with TLS.
    pub(super) fn tls_address(&self) -> io::Result<Option<SocketAddr>> {
        self.tls.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Waits for clients, at most one at each entrance, or for something to read at `stop` or `reload`. It keeps nothing on
    /// the heap meanwhile, which would hold in place all that sessions have had below it.
    ///
    /// # Errors
    /// The listeners failed for good.
    pub(super) fn wait(
        &self,
        stop: impl AsFd,
        reload: impl AsFd,
        limit: Option<Duration>,
    ) -> io::Result<Woken> {
        // Where there is no second entrance the first is watched twice.
        let tls = self.tls.as_ref().unwrap_or(&self.plain);
        let mut watched = [
            PollFd::new(&stop, PollFlags::IN),
            PollFd::new(&reload, PollFlags::IN),
            PollFd::new(&self.plain, PollFlags::IN),
            PollFd::new(tls, PollFlags::IN),
        ];
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match rustix::event::poll(&mut watched, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [stop, reload, plain, tls] = watched.map(|watched| !watched.revents().is_empty());
        if stop {
            return Ok(Woken::Stop);
        }
        if reload {
            return Ok(Woken::Reload);
        }
        let plain = plain.then(|| (Entrance::Plain, self.plain.accept()));
        let tls = self.tls.as_ref().filter(|_| tls);
        let tls = tls.map(|socket| (Entrance::Tls, socket.accept()));
        Ok(Woken::Clients([plain, tls]))
    }
}

/// Whether the address could be listened on, which is not done.
///
/// # Errors
/// It could not; the text says why and what to do.
pub(super) fn probe(address: SocketAddr, flag: &str) -> Result<()> {
    bind(address)
        .map(drop)
        .map_err(|error| refused(address, flag, &error))
}

fn open(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    listen(address).map_err(|error| refused(address, flag, &error))
}

fn refused(address: SocketAddr, flag: &str, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrInUse => &format!("; is it running already? {flag} picks another port"),
        io::ErrorKind::AddrNotAvailable => "; --host takes an address of this machine",
        _ => "",
    };
    anyhow!("cannot listen on {address}: {error}{advice}")
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(address)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // `--host ::` means every address of either kind.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
