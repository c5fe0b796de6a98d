//! Where control connections come in: in clear, and on a port of its own with TLS from the first byte.

use super::{Config, TlsMode, inherited};
use anyhow::{Result, anyhow, ensure};
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
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
/// How long a thread waits in one go for the next client, where others wait, too.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// A listener of control connections, at which any number of threads may wait.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) entrance: Entrance,
    listener: TcpListener,
    /// Whether it outlives the server, for the next one: then it cannot be shut, and whoever waits has to be told otherwise.
    stays_open: bool,
}

/// What a client has come in on, or why none has: `WouldBlock` where none came in time.
pub(super) type Accepted = io::Result<(TcpStream, SocketAddr)>;

impl Door {
    /// One that the server opens, and shuts.
    pub(super) fn open(entrance: Entrance, address: SocketAddr, flag: &str) -> Result<Self> {
        let listener = listen(address).map_err(|error| refused(address, flag, &error))?;
        Ok(Self {
            entrance,
            listener,
            stays_open: false,
        })
    }

    /// One that was open before.
    ///
    /// # Errors
    /// It does not take what connections are to have from it.
    pub(super) fn passed_on(entrance: Entrance, listener: TcpListener) -> io::Result<Self> {
        // What another process does with it must not keep a thread here that is to end.
        listener.set_nonblocking(true)?;
        bequeath(&SockRef::from(&listener))?;
        Ok(Self {
            entrance,
            listener,
            stays_open: true,
        })
    }

    /// Where it is.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for the next client: for a [`TURN`], or, for whoever waits `alone`, until one comes or something can be read at
    /// `stop`.
    ///
    /// The system wakes one of those who wait to accept, and all of those who poll. And it gives out a descriptor before it waits
    /// to accept, so that where there are none more this says so though nobody has come, unless it was polled before.
    pub(super) fn accept(&self, alone: bool, stop: &impl AsFd) -> Accepted {
        if alone || self.stays_open {
            let mut watched = [
                PollFd::new(&self.listener, PollFlags::IN),
                PollFd::new(stop, PollFlags::IN),
            ];
            let turn = Timespec::try_from(TURN).ok().filter(|_| !alone);
            rustix::event::poll(&mut watched, turn.as_ref())?;
            if watched[0].revents().is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.listener.accept()
    }

    /// Lets nobody in any more, and wakes those who wait. What was passed on goes on to listen.
    pub(super) fn shut(&self) {
        if !self.stays_open {
            // Where the system cannot do this, they wake when their turn is over.
            let _ = SockRef::from(&self.listener).shutdown(Shutdown::Read);
        }
    }
}

/// Listens, or takes what whoever started the server listens on for it. Either kind takes the place of the address that
/// was configured for that kind. At least one of the doors is for connections in clear.
///
/// # Errors
/// An address cannot be listened on, or what was passed on is of no use; the text says why and what to do.
pub(super) fn open(config: &Config) -> Result<Vec<Door>> {
    let mut doors = inherited::doors()?;
    let has = |doors: &[Door], kind| doors.iter().any(|door| door.entrance == kind);
    ensure!(
        config.tls.mode != TlsMode::Off || !has(&doors, Entrance::Tls),
        "a listener called {} was passed on, and --tls is off",
        inherited::TLS
    );
    if !has(&doors, Entrance::Plain) {
        doors.push(Door::open(Entrance::Plain, config.address, "--port")?);
    }
    if let Some(address) = config.tls_address
        && !has(&doors, Entrance::Tls)
    {
        doors.push(Door::open(Entrance::Tls, address, "--implicit-tls-port")?);
    }
    Ok(doors)
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
    bequeath(&SockRef::from(&socket))?;
    // A connection has this from it, too, and is given a time of its own before it is read.
    socket.set_read_timeout(Some(TURN))?;
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
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Sets what each connection takes over from its listener.
fn bequeath(listener: &SockRef<'_>) -> io::Result<()> {
    listener.set_tcp_nodelay(true)?;
    // ABOR may come as urgent data (RFC 959 §4.1.3): it then stands in the stream like any other byte.
    listener.set_out_of_band_inline(true)
}
