//! The server: a thread for each client, a fresh listener for each transfer.

mod ascii;
mod checksum;
mod config;
mod content;
mod control;
mod data;
mod entrance;
mod failure;
mod files;
mod glob;
mod guard;
mod heap;
mod info;
mod listing;
mod login;
mod phase;
mod ports;
mod protection;
mod proxy;
mod root;
mod sandbox;
mod session;
mod sessions;
mod sweeper;
mod tls;
mod transfer;
mod users;
mod watch;

pub use config::{Config, Limits};
pub use data::PassivePorts;
pub use root::Durability;
pub use sandbox::{Sandbox, keep_memory_private};
pub use tls::{CertificateFiles, CloseNotify, DataResumption, TlsMode, TlsOptions};
pub use users::{Access, Broken, Permissions, UserCommand, account_names};

use crate::protocol::reply::{Reply, ReplyCode};
use anyhow::{Context, Result};
use checksum::Checksums;
use data::PortQueue;
use entrance::{Entrance, Entrances, Woken};
use phase::Phase;
use root::Root;
use rustix::event::{PollFd, PollFlags, Timespec};
use sessions::Sessions;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use sweeper::Sweeper;
use tls::Tls;
use users::Users;

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    entrances: Entrances,
    shared: Arc<Shared>,
    sweeper: Sweeper,
}

/// What all sessions of a server have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What sessions that begin are to do; see [`Self::config`].
    config: Mutex<Arc<Config>>,
    tls: Tls,
    root: Root,
    users: Users,
    checksums: Checksums,
    phase: Phase,
    /// Those who wait for a data port.
    port_queue: Arc<PortQueue>,
    sessions: Arc<Sessions>,
}

/// The stack of a session's thread, in bytes. Only what is touched of it takes up memory.
const STACK: usize = 256 * 1024;
/// How long the accept loop rests when the system has no descriptor or memory for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How often a server that drains looks whether it is empty.
const DRAIN_TICK: Duration = Duration::from_millis(20);
/// How long sessions get to end after their transfers have been cut.
const CUT_GRACE: Duration = Duration::from_secs(5);

impl Server {
    /// Opens the folder, reads the accounts, listens, and gives up what is not needed any more.
    ///
    /// # Errors
    /// The folder cannot be opened, the users file cannot be used, the address cannot be listened on, or the sandbox that is
    /// required cannot be made; the text says why and what to do.
    pub fn bind(config: Config) -> Result<Self> {
        let root = Root::open(&config.root, config.durability).with_context(|| {
            format!("cannot open the folder to serve, {}", config.root.display())
        })?;
        let users = Users::new(
            config.anonymous,
            config.users.as_deref(),
            config.limits.hash_jobs,
        )?;
        let tls = Tls::open(config.tls.clone())?;
        let entrances = Entrances::open(config.address, config.tls_address)?;
        if !config.proxies.is_empty() && config.public_address.is_none() {
            log::warn!(
                "clients behind a balancer are told the address that it connects to; --public-address names theirs"
            );
        }
        // Before any thread is started: one that runs already is not held.
        sandbox::enter(&config)?;
        let shared = Shared {
            config: Mutex::new(Arc::new(config)),
            tls,
            root,
            users,
            checksums: Checksums::default(),
            phase: Phase::default(),
            port_queue: Arc::default(),
            sessions: Arc::default(),
        };
        let shared = Arc::new(shared);
        let sweeper = Sweeper::start(&shared).context("cannot start the thread that sweeps")?;
        Ok(Self {
            entrances,
            shared,
            sweeper,
        })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.entrances.address()
    }

    /// Where the server listens for connections that begin with TLS, if it does.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_tls_address(&self) -> io::Result<Option<SocketAddr>> {
        self.entrances.tls_address()
    }

    /// The SHA-256 of the server's certificate as `SHA256:AB:CD:…`, if there is TLS.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        self.shared.tls.fingerprint()
    }

    /// Serves until a byte arrives at `stop`, then lets the transfers under way finish. A second byte cuts them. At each
    /// byte that arrives at `reload`, the files are read again that it was configured by.
    ///
    /// # Errors
    /// The listener failed for good.
    pub fn run(self, mut stop: &UnixStream, mut reload: &UnixStream) -> io::Result<()> {
        let Self {
            entrances,
            shared,
            sweeper: _sweeper,
        } = self;
        loop {
            let come = match entrances.wait(stop, reload)? {
                Woken::Stop => break,
                Woken::Reload => {
                    let _ = reload.read(&mut [0])?;
                    shared.users.reload();
                    shared.tls.reread();
                    continue;
                }
                Woken::Clients(come) => come,
            };
            for (entrance, accepted) in come {
                match accepted {
                    Ok((socket, peer)) => Shared::admit(&shared, socket, peer, entrance),
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::ConnectionAborted => {}
                        _ => {
                            log::error!("cannot accept a connection: {error}");
                            thread::sleep(EXHAUSTED_PAUSE);
                        }
                    },
                }
            }
        }
        let _ = stop.read(&mut [0])?;
        drop(entrances);
        shared.drain(stop);
        Ok(())
    }
}

/// Raises the limit of open descriptors as far as the system lets, since each session needs one. Returns the limit.
#[must_use]
pub fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it fails the limit is as it was, and accepting says so when it is reached.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
    getrlimit(Resource::Nofile).current
}

/// Tells a client that it may not come in.
fn refuse(mut socket: &TcpStream, peer: SocketAddr, refusal: String) {
    log::warn!("{peer} refused: {refusal}");
    let reply = Reply::new(ReplyCode::NOT_AVAILABLE, refusal + ", try again later.");
    // One small write to a new connection does not block, and if it fails nobody is there to be told.
    let _ = socket.write_all(reply.to_string().as_bytes());
    control::part(socket, Duration::ZERO);
}

impl Shared {
    /// Gives a client its thread, or a 421.
    fn admit(shared: &Arc<Self>, socket: TcpStream, peer: SocketAddr, entrance: Entrance) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let socket = Arc::new(socket);
        let mut limits = shared.config().limits;
        if shared.is_balancer(peer.ip()) {
            // Whose the connection is shows later.
            limits.clients_per_address = usize::MAX;
        }
        let refusal = match shared.sessions.enter(&limits, peer, &socket) {
            Ok(mut place) => {
                let socket = Arc::clone(&socket);
                let shared = Arc::clone(shared);
                let started = thread::Builder::new().stack_size(STACK).spawn(move || {
                    match shared.identify(&socket, peer, &mut place) {
                        Some(Ok(peer)) => session::run(&shared, socket, peer, entrance),
                        Some(Err((peer, refusal))) => refuse(&socket, peer, refusal),
                        None => {}
                    }
                    drop(place);
                    heap::tidy();
                });
                match started {
                    Ok(_) => return,
                    Err(error) => {
                        log::error!("cannot start a thread: {error}");
                        "The server has no room for another session".to_owned()
                    }
                }
            }
            Err(refusal) => refusal,
        };
        refuse(&socket, peer, refusal);
    }

    /// Ends all sessions: idle ones now, others after their transfer, and those that take too long by force.
    fn drain(&self, stop: &UnixStream) {
        log::info!("shutting down, {} sessions open", self.sessions.count());
        self.phase.set(Phase::DRAINING);
        self.sessions.shut(Shutdown::Read);
        if self.empty_within(self.config().limits.drain, Some(stop)) {
            return;
        }
        log::warn!(
            "cutting the transfers of {} sessions",
            self.sessions.count()
        );
        self.phase.set(Phase::CUTTING);
        self.sessions.shut(Shutdown::Both);
        self.empty_within(CUT_GRACE, None);
    }

    /// What the server is to do now. A session keeps to what it was when the session began.
    fn config(&self) -> Arc<Config> {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// Whether the last session ended within `limit`, and before a byte arrived at `hurry`.
    fn empty_within(&self, limit: Duration, hurry: Option<&UnixStream>) -> bool {
        let deadline = Instant::now() + limit;
        while self.sessions.count() > 0 {
            if Instant::now() >= deadline {
                return false;
            }
            let Some(hurry) = hurry else {
                thread::sleep(DRAIN_TICK);
                continue;
            };
            let tick = Timespec::try_from(DRAIN_TICK).ok();
            if rustix::event::poll(&mut [PollFd::new(hurry, PollFlags::IN)], tick.as_ref()) == Ok(1)
            {
                return false;
            }
        }
        true
    }
}
