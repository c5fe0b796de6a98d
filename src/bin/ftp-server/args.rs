//! What can be said on the command line, and what it means for the server.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use clap::builder::BoolishValueParser;
use ipnet::IpNet;
use jiff::SignedDuration;
use log::LevelFilter;
use multi_client_ftp::copy::parse_rate;
use multi_client_ftp::places;
use multi_client_ftp::server::{
    Access, CertificateFiles, CloseNotify, Config, DataResumption, Durability, Limits,
    PassivePorts, PublicAddress, Sandbox, TlsMode, TlsOptions,
};
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The longest time that an option takes: a hundred years.
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Serve one folder to many FTP clients at once.
#[derive(Debug, Parser)]
#[command(name = "ftp-server", version)]
pub(super) struct Args {
    /// File with settings, TOML with the flags' names as keys; flags and variables go first; read again on SIGHUP
    #[arg(long, env = "FTP_SERVER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address or host name to listen on
    #[arg(long, env = "FTP_SERVER_HOST", default_value_t = Config::default().address.ip().to_string())]
    host: String,
    /// Port to listen on; 0 picks a free one
    #[arg(long, env = "FTP_SERVER_PORT", default_value_t = Config::default().address.port())]
    port: u16,
    /// Folder to serve, made if it is missing
    #[arg(long, env = "FTP_SERVER_ROOT", value_name = "DIR", default_value_os_t = Config::default().root)]
    root: PathBuf,
    /// Ports for data connections, LOW-HIGH
    #[arg(
        long,
        env = "FTP_SERVER_PASSIVE_PORTS",
        value_name = "LOW-HIGH",
        default_value_t
    )]
    passive_ports: PassivePorts,
    /// IPv4 address under which clients of other networks reach this host, if it is behind NAT; auto: EC2's
    #[arg(long, env = "FTP_SERVER_PUBLIC_ADDRESS", value_name = "ADDR")]
    public_address: Option<PublicAddress>,
    /// Networks of the load balancers that say whose each connection is, by the PROXY protocol (v1 or v2): 10.0.1.0/24,...;
    /// data goes past them, to --public-address
    #[arg(long, env = "FTP_SERVER_PROXY_PROTOCOL_FROM", value_name = "NETWORK,...", value_delimiter = ',', value_parser = network)]
    proxy_protocol_from: Vec<IpNet>,
    /// What a client may do without a password; write: list, download, upload, make folders [default: write, or off with
    /// --users]
    #[arg(long, env = "FTP_SERVER_ANONYMOUS")]
    anonymous: Option<Anonymous>,
    /// File with the accounts, as `ftp-server user` edits it; read again on SIGHUP and when it changes
    #[arg(long, env = "FTP_SERVER_USERS", value_name = "FILE")]
    users: Option<PathBuf>,
    /// Time after which a client that has not logged in is let go
    #[arg(long, env = "FTP_SERVER_LOGIN_TIMEOUT", value_name = "TIME", default_value_t = Time(Limits::default().login))]
    login_timeout: Time,
    /// Logins that may fail before the connection is closed
    #[arg(long, env = "FTP_SERVER_LOGIN_ATTEMPTS", value_name = "N", default_value_t = Limits::default().login_attempts, value_parser = clap::value_parser!(u32).range(1..))]
    login_attempts: u32,
    /// Passwords that are hashed at a time, each in 19 MiB; one for each core without this
    #[arg(long, env = "FTP_SERVER_HASH_JOBS", value_name = "N")]
    hash_jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    tls: TlsArgs,
    /// Clients at a time
    #[arg(long, env = "FTP_SERVER_MAX_CLIENTS", value_name = "N", default_value_t = Limits::default().clients)]
    max_clients: usize,
    /// Clients at a time from one IP address
    #[arg(long, env = "FTP_SERVER_MAX_CLIENTS_PER_ADDRESS", value_name = "N", default_value_t = Limits::default().clients_per_address)]
    max_clients_per_address: usize,
    /// Time without a command after which a client is let go
    #[arg(long, env = "FTP_SERVER_IDLE_TIMEOUT", value_name = "TIME", default_value_t = Time(Limits::default().idle))]
    idle_timeout: Time,
    /// Time that a data connection may take to come, or stand still
    #[arg(long, env = "FTP_SERVER_DATA_TIMEOUT", value_name = "TIME", default_value_t = Time(Limits::default().data))]
    data_timeout: Time,
    /// Time that transfers may go on after SIGINT or SIGTERM
    #[arg(long, env = "FTP_SERVER_DRAIN", value_name = "TIME", default_value_t = Time(Limits::default().drain))]
    drain: Time,
    /// What is on the disk before an upload is acknowledged; full: the file and its name; relaxed: what the system sees fit
    #[arg(long, env = "FTP_SERVER_DURABILITY", value_name = "MODE", value_enum, default_value_t = Config::default().durability)]
    durability: Durability,
    /// How long a cut upload is kept, for its client to go on from
    #[arg(long, env = "FTP_SERVER_KEEP_PARTIALS", value_name = "TIME", default_value_t = Time(Config::default().keep_partials))]
    keep_partials: Time,
    /// Whether the server gives up all files but those below its folders, by Landlock; auto: where the kernel has it
    #[arg(long, env = "FTP_SERVER_SANDBOX", value_name = "MODE", value_enum, default_value_t = Config::default().sandbox)]
    sandbox: Sandbox,
    /// Bytes per second of all transfers together, such as 500K or 2M, shared out evenly
    #[arg(long, env = "FTP_SERVER_RATE", value_name = "RATE")]
    rate: Option<Rate>,
    /// Bytes per second of one client's transfers; each connection counts as a client, as for --max-clients
    #[arg(long, env = "FTP_SERVER_RATE_PER_CLIENT", value_name = "RATE")]
    rate_per_client: Option<Rate>,
    /// Address, with port, where HTTP has /metrics for Prometheus, /healthz and /readyz
    #[arg(long, env = "FTP_SERVER_METRICS", value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// What the log is; json: an object on each line
    #[arg(
        long,
        env = "FTP_SERVER_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(super) log_format: LogFormat,
    /// Log more: each command, and with -vv each reply
    #[arg(short, long, env = "FTP_SERVER_VERBOSE", action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log only warnings and errors
    #[arg(short, long, env = "FTP_SERVER_QUIET", conflicts_with = "verbose", value_parser = BoolishValueParser::new())]
    quiet: bool,
}

// No doc comment, which would take the place of that of `Args`.
#[derive(Debug, clap::Args)]
struct TlsArgs {
    /// Whether sessions are protected; offer: for who asks, and passwords from other hosts need it
    #[arg(long, env = "FTP_SERVER_TLS", value_name = "MODE", value_enum, default_value_t = TlsOptions::default().mode)]
    tls: TlsMode,
    /// Certificate and those behind it, PEM; without it the server makes one and keeps it
    #[arg(
        long,
        env = "FTP_SERVER_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(
        long,
        env = "FTP_SERVER_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// Another port, where sessions begin with TLS (990 by custom); 0 picks a free one
    #[arg(long, env = "FTP_SERVER_IMPLICIT_TLS_PORT", value_name = "PORT")]
    implicit_tls_port: Option<u16>,
    /// Whether data connections must resume their session's TLS; ftplib cannot
    #[arg(long, env = "FTP_SERVER_TLS_DATA_RESUMPTION", value_name = "MODE", value_enum, default_value_t = TlsOptions::default().data_resumption)]
    tls_data_resumption: DataResumption,
    /// Whether an upload without a last word of TLS was cut off; optional is for clients that never say it
    #[arg(long, env = "FTP_SERVER_TLS_CLOSE_NOTIFY", value_name = "MODE", value_enum, default_value_t = TlsOptions::default().close_notify)]
    tls_close_notify: CloseNotify,
    /// Time that a TLS handshake may take
    #[arg(long, env = "FTP_SERVER_TLS_HANDSHAKE_TIMEOUT", value_name = "TIME", default_value_t = Time(Limits::default().handshake))]
    tls_handshake_timeout: Time,
    /// Take passwords in clear from other hosts too
    #[arg(long, env = "FTP_SERVER_PLAIN_PASSWORDS", value_parser = BoolishValueParser::new())]
    plain_passwords: bool,
    /// Where the server keeps its own certificate and the socket of `ftp-server status` [default: multi-client-ftp in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, env = "FTP_SERVER_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// The settings that a server follows while it runs. All others need a restart.
const CAN_CHANGE: &[&str] = &[
    "passive-ports",
    "public-address",
    "proxy-protocol-from",
    "anonymous",
    "rate",
    "rate-per-client",
    "login-timeout",
    "login-attempts",
    "max-clients",
    "max-clients-per-address",
    "idle-timeout",
    "data-timeout",
    "drain",
    "keep-partials",
    "tls-data-resumption",
    "tls-close-notify",
    "tls-handshake-timeout",
    "plain-passwords",
    "verbose",
    "quiet",
];

impl Args {
    /// Whether a server can follow this setting while it runs.
    pub(super) fn can_change(key: &str) -> bool {
        CAN_CHANGE.contains(&key)
    }

    /// How much is logged.
    pub(super) const fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::Warn,
            (false, 0) => LevelFilter::Info,
            (false, 1) => LevelFilter::Debug,
            (false, _) => LevelFilter::Trace,
        }
    }

    /// What the server is to do. One that runs keeps to the addresses that it has: in its sandbox it cannot look up any.
    ///
    /// # Errors
    /// Two options contradict each other, or a host has no address.
    pub(super) fn config(self, running: Option<&Config>) -> Result<Config> {
        let args = self;
        // Where files cannot be locked, the sweep knows an upload that still runs by its having been written to within this time.
        ensure!(
            args.keep_partials.0 >= args.data_timeout.0,
            "--keep-partials must not be shorter than --data-timeout ({} s)",
            args.data_timeout.0.as_secs()
        );
        ensure!(
            args.tls.implicit_tls_port.is_none() || args.tls.tls != TlsMode::Off,
            "--implicit-tls-port needs TLS, and --tls is off"
        );
        let limits = Limits {
            clients: args.max_clients,
            clients_per_address: args.max_clients_per_address,
            login: args.login_timeout.0,
            login_attempts: args.login_attempts,
            hash_jobs: args
                .hash_jobs
                .map_or_else(|| Limits::default().hash_jobs, NonZeroUsize::get),
            idle: args.idle_timeout.0,
            handshake: args.tls.tls_handshake_timeout.0,
            data: args.data_timeout.0,
            drain: args.drain.0,
            rate: args.rate.map(|rate| rate.0),
            client_rate: args.rate_per_client.map(|rate| rate.0),
        };
        let (address, tls_address) = match running {
            Some(running) => (running.address, running.tls_address),
            None => {
                let tls_port = args.tls.implicit_tls_port;
                let tls_address = tls_port.map(|port| resolve(&args.host, port));
                (resolve(&args.host, args.port)?, tls_address.transpose()?)
            }
        };
        Ok(Config {
            address,
            tls_address,
            root: args.root,
            passive_ports: args.passive_ports,
            public_address: args.public_address,
            proxies: args.proxy_protocol_from,
            anonymous: match args.anonymous {
                Some(Anonymous::Off) => None,
                Some(Anonymous::Read) => Some(Access::Read),
                Some(Anonymous::Write) => Some(Access::Write),
                Some(Anonymous::Full) => Some(Access::Full),
                // Who gives out passwords does not mean to let everybody in beside them.
                None => Config::default().anonymous.filter(|_| args.users.is_none()),
            },
            users: args.users,
            durability: args.durability,
            keep_partials: args.keep_partials.0,
            tls: args.tls.options(),
            settings: args.config,
            sandbox: args.sandbox,
            metrics: args.metrics,
            limits,
        })
    }
}

impl TlsArgs {
    fn options(self) -> TlsOptions {
        let certificate = self.tls_cert.zip(self.tls_key);
        TlsOptions {
            mode: self.tls,
            certificate: certificate
                .map(|(certificate, key)| CertificateFiles { certificate, key }),
            state: self.state_dir.or_else(places::state),
            data_resumption: self.tls_data_resumption,
            close_notify: self.tls_close_notify,
            plain_passwords: self.plain_passwords,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Anonymous {
    Off,
    Read,
    Write,
    Full,
}

/// A rate on the command line, in bytes per second: a plain number, or with a unit as in `500K` or `2M`.
#[derive(Debug, Clone, Copy)]
struct Rate(u64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_rate(text).map(Self)
    }
}

/// A time on the command line: seconds as a plain number, or with units as in `90s`, `5m` or `24h`.
#[derive(Debug, Clone, Copy)]
struct Time(Duration);

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.parse::<u32>() {
            Ok(seconds) => Some(Duration::from_secs(seconds.into())),
            Err(_) => text
                .parse::<SignedDuration>()
                .ok()
                .and_then(|duration| duration.try_into().ok()),
        };
        parsed
            .filter(|duration| (Duration::from_secs(1)..=MAX_DURATION).contains(duration))
            .map(Self)
            .ok_or("expected seconds, or a time such as 90s, 5m or 24h")
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds if seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600),
            seconds => write!(f, "{seconds}"),
        }
    }
}

/// A network, or an address alone.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = text.parse::<IpNet>().ok();
    network
        .or_else(|| text.parse::<IpAddr>().map(IpNet::from).ok())
        .filter(|network| network.addr() == network.network())
        .ok_or("expected a network such as 10.0.1.0/24 or fd00::/64, or an address")
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    (host, port)
        .to_socket_addrs()
        .with_context(|| format!("cannot resolve --host {host:?}"))?
        .next()
        .with_context(|| format!("--host {host:?} has no address"))
}
