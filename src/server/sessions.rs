//! The sessions that are open: how many there may be, what each of them does, and how they are ended from outside.

use super::Limits;
use super::root::VirtualPath;
use super::users::Account;
use crate::shown::counted;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The sessions that are open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<Open>,
}

/// In trees, since a hash table would stay as large as it once was.
#[derive(Debug, Default)]
struct Open {
    last: u64,
    /// The most at a time since [`Sessions::peak`] was asked.
    most: usize,
    live: BTreeMap<u64, Arc<Live>>,
    addresses: BTreeMap<IpAddr, usize>,
}

/// A session's place among those of the server, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Arc<Sessions>,
    live: Arc<Live>,
}

/// A session, as others than its own thread see it. Each idle session has one: it is small.
#[derive(Debug)]
pub(super) struct Live {
    /// Which session it is: the first of a server has number 1.
    pub(super) number: u64,
    pub(super) peer: SocketAddr,
    /// The same as it stands in the log: put into words once, and not by each line.
    pub(super) shown_peer: Box<str>,
    pub(super) since: Instant,
    socket: Arc<TcpStream>,
    kicked: AtomicBool,
    /// How many bytes the work that is under way has moved.
    moved: AtomicU64,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    account: Option<Arc<Account>>,
    work: Option<Arc<Work>>,
}

/// What a session does that takes its time.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) verb: &'static str,
    pub(super) path: VirtualPath,
    pub(super) since: Instant,
}

/// A session does this as long as it lives.
#[derive(Debug)]
pub(super) struct Working<'l> {
    live: &'l Live,
    pub(super) work: Arc<Work>,
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
        if open.live.len() >= limits.clients {
            let all = counted(limits.clients, "client");
            return Err(format!("The server is full ({all})"));
        }
        open.count(limits, peer.ip())?;
        open.last += 1;
        let number = open.last;
        let live = Live::new(number, peer, Arc::clone(socket));
        open.live.insert(number, Arc::clone(&live));
        open.most = open.most.max(open.live.len());
        Ok(Place {
            sessions: Arc::clone(self),
            live,
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open().live.len()
    }

    /// The most that there have been at a time since this was last asked.
    pub(super) fn peak(&self) -> usize {
        let mut open = self.open();
        let now = open.live.len();
        std::mem::replace(&mut open.most, now)
    }

    /// How many there have been.
    pub(super) fn total(&self) -> u64 {
        self.open().last
    }

    /// How many transfers run, checksums of files among them.
    pub(super) fn transfers(&self) -> usize {
        let open = self.open();
        open.live.values().filter(|live| live.works()).count()
    }

    /// All of them, in the order in which they came.
    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.open().live.values().cloned().collect()
    }

    /// The one of this number.
    pub(super) fn find(&self, number: u64) -> Option<Arc<Live>> {
        self.open().live.get(&number).cloned()
    }

    /// Shuts the control connections of all.
    pub(super) fn shut(&self, how: Shutdown) {
        for live in self.open().live.values() {
            live.shut(how);
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
    /// The session that has it.
    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    /// Has it be one of this peer, who has turned out to be the client, or says why it cannot stay.
    pub(super) fn move_to(&mut self, limits: &Limits, peer: SocketAddr) -> Result<(), String> {
        let mut open = self.sessions.open();
        open.count(limits, peer.ip())?;
        open.uncount(self.live.peer.ip());
        self.live = Live::new(self.live.number, peer, Arc::clone(&self.live.socket));
        open.live.insert(self.live.number, Arc::clone(&self.live));
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sessions.open();
        open.live.remove(&self.live.number);
        open.uncount(self.live.peer.ip());
    }
}

impl Live {
    fn new(number: u64, peer: SocketAddr, socket: Arc<TcpStream>) -> Arc<Self> {
        Arc::new(Self {
            number,
            peer,
            shown_peer: peer.to_string().into(),
            since: Instant::now(),
            socket,
            kicked: AtomicBool::default(),
            moved: AtomicU64::default(),
            now: Mutex::default(),
        })
    }

    /// Whose session it is from now on.
    pub(super) fn belongs_to(&self, account: Option<&Arc<Account>>) {
        self.now().account = account.cloned();
    }

    /// The name of its account, if it is logged in.
    pub(super) fn user(&self) -> Option<String> {
        let now = self.now();
        now.account.as_ref().map(|account| account.name.clone())
    }

    /// Begins a work of which nothing has been moved yet.
    pub(super) fn work_on(&self, verb: &'static str, path: VirtualPath) -> Working<'_> {
        self.moved.store(0, Ordering::Relaxed);
        let work = Arc::new(Work {
            verb,
            path,
            since: Instant::now(),
        });
        self.now().work = Some(Arc::clone(&work));
        Working { live: self, work }
    }

    /// How many bytes the work has moved by now. Its own thread alone says so.
    pub(super) fn moved(&self, bytes: u64) {
        self.moved.store(bytes, Ordering::Relaxed);
    }

    /// What it does, and how many bytes of that have been moved.
    pub(super) fn work(&self) -> Option<(Arc<Work>, u64)> {
        let work = self.now().work.clone()?;
        Some((work, self.moved.load(Ordering::Relaxed)))
    }

    fn works(&self) -> bool {
        self.now().work.is_some()
    }

    /// Tells the session to end. Its thread wakes, cuts what it does, and says 421 to the client.
    pub(super) fn kick(&self) {
        self.kicked.store(true, Ordering::SeqCst);
        self.shut(Shutdown::Read);
    }

    /// Whether it was told to end.
    pub(super) fn is_kicked(&self) -> bool {
        self.kicked.load(Ordering::SeqCst)
    }

    /// Shuts its control connection.
    pub(super) fn shut(&self, how: Shutdown) {
        // It fails if the client has gone, which is just as well.
        let _ = self.socket.shutdown(how);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // Whole after every statement that touches it, likewise.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the command has it.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.path)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.live.now().work = None;
    }
}
