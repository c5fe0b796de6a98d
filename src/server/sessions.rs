//! The sessions that are open: how many there may be, and how they are ended from outside.

use super::Limits;
use std::collections::BTreeMap;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The sessions that are open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<Open>,
}

/// In trees, since a hash table would stay as large as it once was.
#[derive(Debug, Default)]
struct Open {
    last: u64,
    sockets: BTreeMap<u64, Arc<TcpStream>>,
    addresses: BTreeMap<IpAddr, usize>,
}

/// A session's place among those of the server, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Arc<Sessions>,
    number: u64,
    address: IpAddr,
}

impl Sessions {
    /// Gives a client a place, or says why there is none.
    pub(super) fn enter(
        self: &Arc<Self>,
        limits: &Limits,
        peer: SocketAddr,
        socket: &Arc<TcpStream>,
    ) -> Result<Place, String> {
        let mut open = self.open();
        if open.sockets.len() >= limits.clients {
            return Err(format!("The server is full ({} clients)", limits.clients));
        }
        let of_address = open.addresses.entry(peer.ip()).or_default();
        if *of_address >= limits.clients_per_address {
            return Err(format!(
                "Too many connections from {} ({})",
                peer.ip(),
                limits.clients_per_address
            ));
        }
        *of_address += 1;
        open.last += 1;
        let number = open.last;
        open.sockets.insert(number, Arc::clone(socket));
        Ok(Place {
            sessions: Arc::clone(self),
            number,
            address: peer.ip(),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open().sockets.len()
    }

    /// Shuts the control connections of all.
    pub(super) fn shut(&self, how: Shutdown) {
        for socket in self.open().sockets.values() {
            // It fails if the client has gone, which is just as well.
            let _ = socket.shutdown(how);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // The table is whole after every statement that touches it, so a panic elsewhere does not spoil it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sessions.open();
        open.sockets.remove(&self.number);
        if let Some(count) = open.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.addresses.remove(&self.address);
            }
        }
    }
}
