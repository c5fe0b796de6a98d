//! Who comes in: a client gets its place among the sessions and its thread, or a 421.

use super::entrance::Entrance;
use super::sessions::Place;
use super::threads::Host;
use super::{Shared, control, metrics, session};
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A client that has come, and has its place.
#[derive(Debug)]
pub(crate) struct Guest {
    place: Place,
    socket: Arc<TcpStream>,
    entrance: Entrance,
    is_balancer: bool,
}

impl Host for Shared {
    type Guest = Guest;
    type Caller = (Arc<TcpStream>, SocketAddr);

    fn admit(&self, entrance: Entrance, socket: TcpStream, peer: SocketAddr) -> Option<Guest> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let socket = Arc::new(socket);
        let mut limits = self.config().limits;
        let is_balancer = self.is_balancer(peer.ip());
        if is_balancer {
            // Whose the connection is shows later.
            limits.clients_per_address = usize::MAX;
        }
        match self.sessions.enter(&limits, peer, &socket) {
            Ok(place) => Some(Guest {
                place,
                socket,
                entrance,
                is_balancer,
            }),
            Err(refusal) => {
                self.refuse(&socket, peer, refusal);
                None
            }
        }
    }

    fn serve(&self, guest: Guest) {
        let Guest {
            mut place,
            socket,
            entrance,
            is_balancer,
        } = guest;
        let client = match is_balancer {
            true => self.identify(&socket, &mut place),
            false => Some(Ok(false)),
        };
        match client {
            Some(Ok(proxied)) => session::run(self, place.live(), socket, proxied, entrance),
            Some(Err((peer, refusal))) => self.refuse(&socket, peer, refusal),
            None => {}
        }
    }

    fn caller(guest: &Guest) -> Self::Caller {
        (Arc::clone(&guest.socket), guest.place.live().peer)
    }

    fn send_away(&self, (socket, peer): &Self::Caller, error: &io::Error) {
        log::error!("cannot start a thread: {error}");
        let refusal = "The server has no room for another session".to_owned();
        self.refuse(socket, *peer, refusal);
    }
}

impl Shared {
    /// Tells a client that it may not come in.
    #[inline(never)]
    fn refuse(&self, mut socket: &TcpStream, peer: SocketAddr, refusal: String) {
        metrics::count(&self.metrics.refused);
        log::warn!(peer:% = peer; "{peer} refused: {refusal}");
        let reply = Reply::new(ReplyCode::NOT_AVAILABLE, refusal + ", try again later.");
        // One small write to a new connection does not block, and if it fails nobody is there to be told.
        let _ = reply.write_to(&mut socket);
        control::part(socket, Duration::ZERO);
    }
}
