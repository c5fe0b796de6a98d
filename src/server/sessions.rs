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
        open.count(limits, peer.ip())?;
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

impl Open {
    /// Counts one more from this address, or says that there may not be another.
    fn count(&mut self, limits: &Limits, address: IpAddr) -> Result<(), String> {
        let most = limits.clients_per_address;
        let of_address = self.addresses.entry(address).or_default();
        if *of_address >= most {
            return Err(format!("Too many connections from {address} ({most})"));
        }
        *of_address += 1;
        Ok(())
    }

    fn uncount(&mut self, address: IpAddr) {
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

impl Place {
    /// Counts the session as one from this address, which has turned out to be the client's, or says why it cannot stay.
    pub(super) fn move_to(&mut self, limits: &Limits, address: IpAddr) -> Result<(), String> {
        let mut open = self.sessions.open();
        open.count(limits, address)?;
        open.uncount(self.address);
        self.address = address;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sessions.open();
        open.sockets.remove(&self.number);
        open.uncount(self.address);
    }
}
