//! The server: a thread for each client, a fresh listener for each transfer.
//!
//! - A client comes in: `entrance` (or `inherited`), `threads` (one of them takes it), `admission`, `sessions` (its place), `proxy`
//!   (who it is behind a balancer), `session` (the command loop), `control` (its lines and replies), `guard` (may it?), `dispatch`
//!   (which handler).
//! - Handlers: `login`, `protection`, `info`, `files`, `checksum`, `ports`, `listing` and `glob`, `content`.
//! - A transfer: `transfer`, `data`, `watch` (the control connection meanwhile), `ascii`, `public` (what 227 says), `failure`.
//! - What it serves and whom: `root`, `users`, `tls`.
//! - From start to end: `config`, `checks`, `metadata`, `sandbox`, `sweeper`, `heap`, `phase`, `drain`.
//! - To be seen: `record` (the log), `status`, `metrics`, both answered by a `desk`, and `notice` (systemd).

mod admission;
mod ascii;
mod checks;
mod checksum;
mod config;
mod content;
mod control;
mod data;
mod desk;
mod dispatch;
mod drain;
mod entrance;
mod failure;
mod files;
mod glob;
mod guard;
mod heap;
mod info;
mod inherited;
mod listing;
mod login;
mod metadata;
mod metrics;
mod notice;
mod phase;
mod ports;
mod protection;
mod proxy;
mod public;
mod record;
mod root;
mod sandbox;
mod session;
mod sessions;
mod status;
mod sweeper;
mod threads;
mod tls;
mod transfer;
mod users;
mod watch;

pub use checks::{Finding, Verdict, check, warnings};
pub use config::{Config, Limits};
pub use data::PassivePorts;
pub use public::PublicAddress;
pub use root::Durability;
pub use sandbox::{Sandbox, keep_memory_private};
pub use status::StatusCommand;
pub use tls::{CertificateFiles, CloseNotify, DataResumption, TlsMode, TlsOptions};
pub use users::{Access, Broken, Permissions, UserCommand, account_names};

use crate::copy::Pace;
use anyhow::{Context, Result};
use checksum::Checksums;
use data::{Lanes, PortQueue};
use entrance::Entrance;
use heap::Crowd;
use listing::Readings;
use metrics::{Exporter, Metrics};
use notice::{Busy, Notice};
use phase::Phase;
use public::Public;
use root::Root;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use sessions::Sessions;
use status::Status;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use sweeper::Sweeper;
use threads::Threads;
use tls::Tls;
use users::Users;

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    threads: Threads<Shared>,
    shared: Arc<Shared>,
    sweeper: Sweeper,
    notice: Notice,
    status: Option<Status>,
    /// Where those are answered who watch, which begins when the server runs.
    metrics: Option<TcpListener>,
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
    /// What large uploads go in.
    lanes: Lanes,
    readings: Readings,
    sessions: Arc<Sessions>,
    public: Public,
    metrics: Metrics,
    /// What all transfers keep to taken together, if that is limited.
    pace: Arc<Pace>,
}

/// How often a server looks after itself.
const TICK: Duration = Duration::from_secs(1);

impl Server {
    /// Opens the folder, reads the accounts, listens, gives up what is not needed any more, and has threads wait for clients.
    ///
    /// # Errors
    /// The folder cannot be opened, the users file cannot be used, the address cannot be listened on, the sandbox that is
    /// required cannot be made, or there can be no threads; the text says why and what to do.
    pub fn bind(config: Config) -> Result<Self> {
        let root = Root::open(&config.root, config.durability).with_context(|| {
            format!("cannot open the folder to serve, {}", config.root.display())
        })?;
        let users = Users::new(config.users.as_deref(), config.limits.hash_jobs)?;
        let tls = Tls::open(&config.tls)?;
        let doors = entrance::open(&config)?;
        let metrics = config.metrics.map(Exporter::listen).transpose()?;
        let status = status::Place::take(config.tls.state.as_deref());
        let pace = Arc::new(Pace::default());
        pace.set(config.limits.rate);
        let public = Public::default();
        public.ask(&config);
        let notice = Notice::connect();
        // Ports and temporary names take some. Where they come from a device, it is opened now, and not in the sandbox.
        getrandom::u64().context("the system has no random numbers")?;
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
            lanes: Lanes::default(),
            readings: Readings::default(),
            sessions: Arc::default(),
            public,
            metrics: Metrics::default(),
            pace,
        };
        let shared = Arc::new(shared);
        let sweeper = Sweeper::start(&shared).context("cannot start the thread that sweeps")?;
        let threads = Threads::start(doors, &shared)
            .context("cannot start a thread that waits for clients")?;
        let status = status.map(|place| Status::start(place, &shared));
        Ok(Self {
            threads,
            sweeper,
            notice,
            status: status
                .transpose()
                .context("cannot start the thread that answers `ftp-server status`")?,
            metrics,
            shared,
        })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let address = self.threads.address(Entrance::Plain)?;
        address.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Where the server listens for connections that begin with TLS, if it does.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_tls_address(&self) -> io::Result<Option<SocketAddr>> {
        self.threads.address(Entrance::Tls)
    }

    /// The SHA-256 of the server's certificate as `SHA256:AB:CD:…`, if there is TLS.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        self.shared.tls.fingerprint()
    }

    /// Where those are answered who watch the server over HTTP, if anywhere.
    ///
    /// # Errors
    /// The system does not say.
    pub fn metrics_address(&self) -> io::Result<Option<SocketAddr>> {
        self.metrics
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()
    }

    /// Serves until a byte arrives at `stop`, then lets the transfers under way finish. A second byte cuts them. At each
    /// byte that arrives at `reload`, the users file and the certificate are read again, and `settings` is asked what the
    /// server is to do from now on; with `None` that stays as it is. Sessions that have begun keep to what they began with,
    /// and so does the server where it would have to begin anew: with its addresses, folders, files and sandbox.
    ///
    /// # Errors
    /// The system does not let this thread wait.
    pub fn run(
        self,
        mut stop: &UnixStream,
        mut reload: &UnixStream,
        mut settings: impl FnMut() -> Option<Config>,
    ) -> io::Result<()> {
        let Self {
            mut threads,
            shared,
            sweeper: _sweeper,
            mut notice,
            status: _status,
            metrics,
        } = self;
        let exporter = metrics.map(|listener| Exporter::start(listener, &shared));
        let _exporter = exporter.transpose()?;
        let mut crowd = Crowd::default();
        notice.ready(shared.busy());
        loop {
            notice.busy(|| shared.busy());
            if crowd.look(shared.sessions.peak(), Instant::now()) {
                threads.relieve();
            }
            let (told_to_stop, told_to_reload) = told(stop, reload)?;
            if told_to_stop {
                break;
            }
            if told_to_reload {
                let _ = reload.read(&mut [0])?;
                notice.reloading(shared.busy());
                if let Some(config) = settings() {
                    shared.adopt(config);
                }
                shared.users.reload();
                shared.tls.reread();
                shared.public.ask(&shared.config());
                notice.ready(shared.busy());
            }
        }
        let _ = stop.read(&mut [0])?;
        drop(threads);
        shared.drain(stop, &mut notice);
        Ok(())
    }
}

/// Whether something can be read at `stop` and at `reload`. Waits for that, but no longer than a second.
fn told(stop: &UnixStream, reload: &UnixStream) -> io::Result<(bool, bool)> {
    let mut watched = [stop, reload].map(|told| PollFd::new(told, PollFlags::IN));
    let tick = Timespec::try_from(TICK).ok();
    match rustix::event::poll(&mut watched, tick.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [stop, reload] = watched.map(|told| !told.revents().is_empty());
    Ok((stop, reload))
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

impl Shared {
    /// How much is going on.
    fn busy(&self) -> Busy {
        Busy {
            sessions: self.sessions.count(),
            transfers: self.sessions.transfers(),
        }
    }

    /// What the server is to do now. A session keeps to what it was when the session began.
    fn config(&self) -> Arc<Config> {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// Sessions that begin from now on are to do this.
    fn adopt(&self, config: Config) {
        self.pace.set(config.limits.rate);
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}
