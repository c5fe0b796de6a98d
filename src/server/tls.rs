//! TLS: what is asked of clients, the server's certificate, and each session's own share of it.

mod certificate;
mod validity;

pub use certificate::CertificateFiles;

use crate::stream;
use anyhow::Result;
use certificate::Certificates;
use clap::ValueEnum;
use jiff::Timestamp;
use rustls::crypto::ring::Ticketer;
use rustls::server::ServerSessionMemoryCache;
use rustls::{ServerConfig, ServerConnection};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

/// What a server does about TLS.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Whether there is TLS, and whether there must be.
    pub mode: TlsMode,
    /// The certificate and its key. With `None` the server makes itself one.
    pub certificate: Option<CertificateFiles>,
    /// Where a certificate that the server made is kept. With `None` it is lost when the server ends.
    pub state: Option<PathBuf>,
    /// Whether a data connection must resume the session of its control connection.
    pub data_resumption: DataResumption,
    /// Whether an upload must end with a `close_notify`.
    pub close_notify: CloseNotify,
    /// Whether passwords may come in clear from other hosts.
    pub plain_passwords: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            mode: TlsMode::Offer,
            certificate: None,
            state: None,
            data_resumption: DataResumption::Offer,
            close_notify: CloseNotify::Require,
            plain_passwords: false,
        }
    }
}

/// Whether sessions are protected by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// There is none.
    Off,
    /// Who asks for it gets it, and passwords from other hosts need it.
    Offer,
    /// Nobody logs in without, and data is private.
    Require,
}

/// What the server makes of a data connection that does not resume the TLS session of its control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataResumption {
    /// It is refused: only who holds the session's secret gets data. Python's `ftplib` cannot do it.
    Require,
    /// It is taken, as long as it comes from the client's address.
    Offer,
}

/// What the server makes of an upload over TLS that ends without `close_notify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CloseNotify {
    /// It was cut off, and the file stays as it was.
    Require,
    /// It is whole. For clients that never send one.
    Optional,
}

/// How many tickets a control connection gets. OpenSSL's and GnuTLS's clients resume with one for ever; rustls's use each
/// of them once, and get another on the data connection that they used it for.
const CONTROL_TICKETS: usize = 8;
/// How many a client may ask for (RFC 9149).
const MOST_TICKETS: usize = 32;
/// How many sessions are kept for clients of TLS 1.2 that know no tickets. They come back with the first for ever.
const SESSION_IDS: usize = 4;

/// What there is of a certificate, with nothing made: its fingerprint and its end. `None` if the server has to make one.
///
/// # Errors
/// The certificate cannot be used; the text says why.
pub(super) fn survey(options: &TlsOptions) -> Result<Option<(String, Option<Timestamp>)>> {
    let certificate = options.certificate.as_ref();
    let found = certificate::survey(certificate, options.state.as_deref())?;
    Ok(found.map(|found| (found.fingerprint, found.end)))
}

/// The TLS of a server.
#[derive(Debug)]
pub(super) struct Tls {
    mode: TlsMode,
    certificates: Option<Certificates>,
}

impl Tls {
    /// Reads the certificate, or makes it.
    ///
    /// # Errors
    /// The certificate that was named cannot be used; the text says why.
    pub(super) fn open(options: &TlsOptions) -> Result<Self> {
        let certificates = match options.mode {
            TlsMode::Off => None,
            TlsMode::Offer | TlsMode::Require => Some(Certificates::open(
                options.certificate.clone(),
                options.state.as_deref(),
            )?),
        };
        Ok(Self {
            mode: options.mode,
            certificates,
        })
    }

    /// Whether there is any.
    pub(super) const fn is_on(&self) -> bool {
        self.certificates.is_some()
    }

    /// Whether nobody is to log in without.
    pub(super) fn is_required(&self) -> bool {
        self.mode == TlsMode::Require
    }

    /// The fingerprint of the certificate, if there is TLS.
    pub(super) fn fingerprint(&self) -> Option<String> {
        Some(self.certificates.as_ref()?.current().fingerprint)
    }

    /// The next handshake reads the certificate again, if there is one to be read.
    pub(super) fn reread(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.reread();
        }
    }

    /// What one session's connections need, if there is TLS.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn session(&self) -> io::Result<Option<SessionTls>> {
        let Some(certificates) = &self.certificates else {
            return Ok(None);
        };
        let session = SessionTls::new(&certificates.current().config);
        session.map(Some).map_err(io::Error::other)
    }
}

/// The TLS of one session. Its tickets are sealed by a key of its own: a handshake that resumes with one of them comes
/// from the client that made the session's first.
#[derive(Debug)]
pub(super) struct SessionTls {
    control: Arc<ServerConfig>,
    /// For data that the server sends. The client reads it to its end, and on the way a ticket for the one that it used.
    download: Arc<ServerConfig>,
    /// For data that the client sends. Many never read such a connection: the kernel makes a reset of closing one that has
    /// something unread, and the end of the upload would be lost. So there are no tickets here but for who asks for some
    /// (RFC 9149) and thus will read them.
    upload: Arc<ServerConfig>,
}

/// What a data connection needs to be private.
pub(super) struct DataProtection {
    pub(super) peer: SocketAddr,
    pub(super) config: Arc<ServerConfig>,
    pub(super) resumption: DataResumption,
    pub(super) close_notify: CloseNotify,
}

/// Which way the bytes of a data connection go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Download,
    Upload,
}

impl SessionTls {
    fn new(server: &ServerConfig) -> Result<Self, rustls::Error> {
        let mut control = server.clone();
        control.ticketer = Ticketer::new()?;
        control.session_storage = ServerSessionMemoryCache::new(SESSION_IDS);
        control.send_tls13_tickets = CONTROL_TICKETS;
        control.max_tls13_tickets = MOST_TICKETS;
        let data = |tickets| {
            let mut data = control.clone();
            data.send_tls13_tickets = tickets;
            data
        };
        let (download, upload) = (Arc::new(data(1)), Arc::new(data(0)));
        Ok(Self {
            control: Arc::new(control),
            download,
            upload,
        })
    }

    /// Speaks TLS on the session's control connection from here on.
    ///
    /// # Errors
    /// There is no memory or no random number for it.
    pub(super) fn over_control(&self, socket: Arc<TcpStream>) -> io::Result<stream::Tls> {
        over(&self.control, socket, stream::CONTROL_AHEAD)
    }

    /// What the session's data connections of this direction speak.
    pub(super) fn of_data(&self, direction: Direction) -> &Arc<ServerConfig> {
        match direction {
            Direction::Download => &self.download,
            Direction::Upload => &self.upload,
        }
    }
}

/// Speaks TLS on a data connection from here on.
///
/// # Errors
/// There is no memory or no random number for it.
pub(super) fn over_data(
    config: &Arc<ServerConfig>,
    socket: Arc<TcpStream>,
) -> io::Result<stream::Tls> {
    // Each flight of the handshake is a write of its own, and would wait for the peer's late acknowledgement.
    socket.set_nodelay(true)?;
    over(config, socket, stream::DATA_AHEAD)
}

fn over(
    config: &Arc<ServerConfig>,
    socket: Arc<TcpStream>,
    ahead: usize,
) -> io::Result<stream::Tls> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(stream::Tls::new(connection, socket, ahead))
}
