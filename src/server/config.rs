//! What a server is to do, and what it does where nobody says anything else.

use super::{Access, Durability, PassivePorts, PublicAddress, Sandbox, TlsOptions};
use ipnet::IpNet;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// What a server is to do.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen for control connections. Port 0 lets the system pick one.
    pub address: SocketAddr,
    /// Where to listen for control connections that begin with a TLS handshake.
    pub tls_address: Option<SocketAddr>,
    /// What is done about TLS.
    pub tls: TlsOptions,
    /// The folder to serve. It must exist.
    pub root: PathBuf,
    /// Where data listeners take their ports from.
    pub passive_ports: PassivePorts,
    /// What 227 tells clients of other networks, when they reach this host under another address than its own.
    pub public_address: Option<PublicAddress>,
    /// Where load balancers are that say, by the PROXY protocol, whose each connection is.
    pub proxies: Vec<IpNet>,
    /// What a login without a password may do; `None` lets nobody in.
    pub anonymous: Option<Access>,
    /// The file with the accounts, if there are any.
    pub users: Option<PathBuf>,
    /// What has to be on the disk before an upload is acknowledged.
    pub durability: Durability,
    /// How long a cut upload is kept for its owner to go on from.
    pub keep_partials: Duration,
    /// The file that all this was read from, if it was: the sandbox leaves it to be read again.
    pub settings: Option<PathBuf>,
    /// Whether the thread that binds, and all that it starts later, give up what the server does not need.
    pub sandbox: Sandbox,
    /// Where to answer who watches the server over HTTP, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// How much of everything there may be.
    pub limits: Limits,
}

/// Bounds of what clients may take up, and deadlines of everything that waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Sessions at a time.
    pub clients: usize,
    /// Sessions at a time from one IP address.
    pub clients_per_address: usize,
    /// How long a session may take to be logged in.
    pub login: Duration,
    /// Logins that may fail in a session before it is ended.
    pub login_attempts: u32,
    /// Passwords that are hashed at a time.
    pub hash_jobs: usize,
    /// How long a session may send no command.
    pub idle: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a data connection may take to come, and how long it may move nothing.
    pub data: Duration,
    /// How long transfers may go on after the server was told to stop.
    pub drain: Duration,
    /// How fast all transfers may go taken together, in bytes per second.
    pub rate: Option<u64>,
    /// How fast the transfers of one session may go, in bytes per second.
    pub client_rate: Option<u64>,
}

/// A server for everybody, as `ftp-server` is with no options.
impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            tls_address: None,
            tls: TlsOptions::default(),
            root: PathBuf::from("server_files"),
            passive_ports: PassivePorts::default(),
            public_address: None,
            proxies: Vec::new(),
            anonymous: Some(Access::Write),
            users: None,
            durability: Durability::Full,
            keep_partials: Duration::from_secs(24 * 3600),
            settings: None,
            sandbox: Sandbox::Auto,
            metrics: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 2000,
            clients_per_address: 200,
            login: Duration::from_secs(30),
            login_attempts: 3,
            hash_jobs: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            idle: Duration::from_secs(300),
            handshake: Duration::from_secs(10),
            data: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            rate: None,
            client_rate: None,
        }
    }
}
