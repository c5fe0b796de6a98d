//! Where control connections come in: in clear, and on a port of its own with TLS from the first byte.

use super::{Config, TlsMode, inherited};
use anyhow::{Result, anyhow, ensure};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::array;
use std::io;
use std::iter;
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
/// How many connections of one entrance are accepted before the others are looked at.
const AT_ONCE: usize = 16;
/// How many listeners there may be.
const MOST: usize = 8;

/// The listeners of control connections, at least one of them for those in clear.
#[derive(Debug)]
pub(super) struct Entrances(Vec<(Entrance, TcpListener)>);

/// A client that has come, or why it could not be let in.
type Accepted = (Entrance, io::Result<(TcpStream, SocketAddr)>);

/// At which listeners somebody waits.
#[derive(Debug)]
pub(super) struct Ready([bool; MOST]);

/// What a wait has ended with.
#[derive(Debug)]
pub(super) enum Woken {
    /// Something can be read at `stop`.
    Stop,
    /// Something can be read at `reload`.
    Reload,
    /// Somebody has come, or nobody in time.
    Clients(Ready),
}

impl Entrances {
    /// Listens, or takes what whoever started the server listens on for it. Either kind takes the place of the address that
    /// was configured for that kind.
    ///
    /// # Errors
    /// An address cannot be listened on, or what was passed on is of no use; the text says why and what to do.
    pub(super) fn open(config: &Config) -> Result<Self> {
        let mut all = inherited::listeners()?;
        let has = |all: &[(Entrance, _)], kind| all.iter().any(|(entrance, _)| *entrance == kind);
        ensure!(
            config.tls.mode != TlsMode::Off || !has(&all, Entrance::Tls),
            "a listener called {} was passed on, and --tls is off",
            inherited::TLS
        );
        if !has(&all, Entrance::Plain) {
            all.push((Entrance::Plain, open(config.address, "--port")?));
        }
        if let Some(address) = config.tls_address
            && !has(&all, Entrance::Tls)
        {
            all.push((Entrance::Tls, open(address, "--implicit-tls-port")?));
        }
        ensure!(
            all.len() <= MOST,
            "{} listeners are too many, the server takes {MOST}",
            all.len()
        );
        Ok(Self(all))
    }

    /// Where connections begin in clear.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        let address = self.first(Entrance::Plain)?;
        address.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Where connections begin with TLS.
    pub(super) fn tls_address(&self) -> io::Result<Option<SocketAddr>> {
        self.first(Entrance::Tls)
    }

    fn first(&self, kind: Entrance) -> io::Result<Option<SocketAddr>> {
        let mut all = self.0.iter();
        all.find(|(entrance, _)| *entrance == kind)
            .map(|(_, listener)| listener.local_addr())
            .transpose()
    }

    /// Waits for clients, no longer than `limit`, or for something to read at `stop` or `reload`. It keeps nothing on the heap
    /// meanwhile, which would hold in place all that sessions have had below it.
    ///
    /// # Errors
    /// The listeners failed for good.
    pub(super) fn wait(
        &self,
        stop: impl AsFd,
        reload: impl AsFd,
        limit: Option<Duration>,
    ) -> io::Result<Woken> {
        let (stop, reload) = (stop.as_fd(), reload.as_fd());
        let mut watched: [PollFd<'_>; 2 + MOST] = array::from_fn(|n| {
            let entrance = |n: usize| self.0.get(n).map(|(_, listener)| listener.as_fd());
            let watched = match n {
                0 => stop,
                1 => reload,
                // Where there are fewer entrances, what is watched twice.
                n => entrance(n - 2).unwrap_or(stop),
            };
            PollFd::from_borrowed_fd(watched, PollFlags::IN)
        });
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match rustix::event::poll(&mut watched, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |n: usize| !watched[n].revents().is_empty();
        if is_ready(0) {
            return Ok(Woken::Stop);
        }
        if is_ready(1) {
            return Ok(Woken::Reload);
        }
        Ok(Woken::Clients(Ready(array::from_fn(|n| is_ready(n + 2)))))
    }

    /// Takes those who have come to each entrance, but no more than [`AT_ONCE`], so that none keeps the others waiting. The last
    /// of an entrance may be that nobody else is there.
    pub(super) fn accept(&self, ready: &Ready) -> impl Iterator<Item = Accepted> {
        let ready = self.0.iter().zip(ready.0).filter(|(_, ready)| *ready);
        ready.flat_map(|((entrance, socket), _)| {
            let mut goes_on = true;
            let next = move || {
                let accepted = std::mem::replace(&mut goes_on, false).then(|| socket.accept())?;
                goes_on = accepted.is_ok();
                Some((*entrance, accepted))
            };
            iter::from_fn(next).take(AT_ONCE)
        })
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
