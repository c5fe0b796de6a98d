//! Clients that come through a load balancer: who they are, which the balancer says in front of each connection, and where
//! their data connections go, which come straight to this server.

use super::sessions::Place;
use super::{Shared, control};
use crate::protocol::proxy::Header;
use rustix::net::RecvFlags;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long a balancer may take to say whose a connection is. It does so as soon as it has connected.
const PATIENCE: Duration = Duration::from_secs(5);

/// The address of this host where data listeners are for a client: the one that its control connection came in on. That is
/// none for clients behind a balancer, who are told the `public` one: there, if this host has it itself, or else at all of this
/// host's, since it is not known which of them the public one leads to.
pub(super) fn local(socket: &TcpStream, public: Option<Ipv4Addr>) -> io::Result<IpAddr> {
    Ok(match public {
        None => socket.local_addr()?.ip().to_canonical(),
        Some(public) if TcpListener::bind((public, 0)).is_ok() => public.into(),
        Some(_) => Ipv4Addr::UNSPECIFIED.into(),
    })
}

impl Shared {
    /// Whether a connection from there begins with a header of the PROXY protocol.
    pub(super) fn is_balancer(&self, address: IpAddr) -> bool {
        let config = self.config();
        let mut networks = config.proxies.iter();
        networks.any(|network| network.contains(&address))
    }

    /// Learns who is at the other end of a balancer's connection, and has the place be the client's. Says whether there is a client
    /// behind it, so that the address that the connection came in on is none for clients. `None` if the connection is of no use,
    /// which is logged; `Err` is why the client may not come in.
    #[inline(never)]
    pub(super) fn identify(
        &self,
        socket: &TcpStream,
        place: &mut Place,
    ) -> Option<Result<bool, (SocketAddr, String)>> {
        let from = place.live().peer;
        let deadline = Instant::now() + PATIENCE;
        let source = match Header::read(&mut InTime { socket, deadline }) {
            Ok(Header::Proxied { source, .. }) => {
                SocketAddr::new(source.ip().to_canonical(), source.port())
            }
            Ok(Header::Own) => return Some(Ok(false)),
            Err(error) => {
                log::warn!("{from} closed, a PROXY header has to come from there: {error}");
                control::part(socket, Duration::ZERO);
                return None;
            }
        };
        log::debug!("{source} comes by way of {from}");
        let limits = self.config().limits;
        if let Err(refusal) = place.move_to(&limits, source) {
            return Some(Err((source, refusal)));
        }
        Some(Ok(true))
    }
}

/// A socket that is read until a deadline.
struct InTime<'s> {
    socket: &'s TcpStream,
    deadline: Instant,
}

impl Read for InTime<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.set_read_timeout(Some(left))?;
        Ok(rustix::net::recv(self.socket, buffer, RecvFlags::empty())?.0)
    }
}
