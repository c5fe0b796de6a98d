//! TLS of a session (RFC 4217): one on the control connection, which those of the data connections resume.

use super::connection::Connection;
use super::error::Trouble;
use super::hosts::Host;
use super::trust::Trust;
use super::{Options, interrupt};
use crate::protocol::command::{Command, Mechanism, Protection};
use crate::protocol::reply::{Class, ReplyCode};
use crate::stream::{self, Stream, Tls, timed_out};
use anyhow::Result;
use clap::ValueEnum;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, TicketRequest, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::io;
use std::net::{IpAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

/// Whether the client speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// Where the server offers it.
    Auto,
    /// Not at all.
    Off,
    /// With every server, or there is no session.
    Require,
}

/// How many tickets are asked for (RFC 9149). Each is good for one data connection, which brings another.
const TICKETS: TicketRequest = TicketRequest {
    new_session_count: 4,
    resumption_count: 1,
};
/// How many sessions are remembered: more than the tickets that are under way.
const SESSIONS: usize = 32;

/// The certificate authorities that the system trusts. Read once, since there are many.
static AUTHORITIES: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::debug!("the system's certificates: {error}");
    }
    roots.add_parsable_certificates(found.certs);
    Arc::new(roots)
});

/// What the connections of one session have in common.
#[derive(Debug)]
pub(super) struct SessionTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
    /// Whether data connections are private too.
    data: bool,
}

impl SessionTls {
    /// TLS with the server of this name, or of this address where the name is no name of the DNS.
    fn new(host: &str, address: IpAddr) -> Result<Self, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(&provider));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config.send_ticket_request = Some(TICKETS);
        Ok(Self {
            config: Arc::new(config),
            name: ServerName::try_from(host.to_owned()).unwrap_or_else(|_| address.into()),
            verifier,
            data: false,
        })
    }

    /// Makes the handshake on a connection.
    fn over(&self, socket: Arc<TcpStream>, ahead: usize, limit: Duration) -> io::Result<Tls> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(io::Error::other)?;
        let mut tls = Tls::new(connection, socket, ahead);
        let deadline = Instant::now() + limit;
        loop {
            match tls.handshake_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    interrupt::wait(tls.socket().as_fd(), tls.interest(), left, true)?;
                }
                done => return done.map(|()| tls),
            }
        }
    }
}

impl Connection {
    /// Puts the control connection under TLS, which begins here and now, and asks `trust` about the server.
    ///
    /// # Errors
    /// [`Trouble::Tls`] mostly.
    pub(super) fn begin_tls(&mut self, host: &str, port: u16, trust: &Trust) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| {
            Trouble::Tls(format!("no TLS with {host} port {port}: {error}"))
        };
        let session = SessionTls::new(host, self.peer().ip()).map_err(|error| failed(&error))?;
        let limit = self.silence();
        let socket = Arc::clone(self.stream().socket());
        let tls = session.over(socket, stream::CONTROL_AHEAD, limit);
        let tls = tls.map_err(|error| match error {
            _ if interrupt::is_raised() => Trouble::Interrupted("stopped by Ctrl-C".to_owned()),
            error if timed_out(&error) => {
                Trouble::TimedOut(format!("no TLS with {host} port {port} in time"))
            }
            error => failed(&error),
        })?;
        let chain = tls.connection().peer_certificates().unwrap_or_default();
        let certificate = chain
            .first()
            .ok_or_else(|| failed(&"it has no certificate"))?
            .clone()
            .into_owned();
        let vouched = session.verifier.vouched.load(Ordering::SeqCst);
        trust.decide(host, port, &certificate, vouched)?;
        // From now on only that very certificate will do.
        let _ = session.verifier.expected.set(certificate);
        log::debug!("{}", tls.description());
        self.set_stream(tls.into());
        self.tls = Some(session);
        Ok(())
    }

    /// Asks the server for TLS (`AUTH`), as far as `options` want it.
    ///
    /// # Errors
    /// [`Trouble::Tls`]: there is none, and there has to be; or see [`Self::begin_tls`].
    pub(super) fn ask_for_tls(&mut self, server: &Host, options: &Options) -> Result<()> {
        let Host { name: host, port } = server;
        let trust = &options.trust;
        let must = match options.tls {
            _ if self.tls.is_some() => return Ok(()),
            TlsMode::Off => return Ok(()),
            TlsMode::Require => true,
            TlsMode::Auto if trust.is_pinned() => true,
            TlsMode::Auto => false,
        };
        let reply = self.send(&Command::Auth(Mechanism::Tls))?;
        if reply.code() == ReplyCode::SECURITY_DONE {
            if self.has_buffered() {
                let text = "the server sent something in clear behind its agreement to TLS, or somebody between did";
                return Err(Trouble::Tls(text.to_owned()).into());
            }
            return self.begin_tls(host, *port, trust);
        }
        if reply.code() == ReplyCode::NOT_AVAILABLE {
            return Err(Trouble::Busy(Trouble::Refused(reply).to_string()).into());
        }
        let refused = Trouble::Refused(reply);
        if must {
            let text = format!("no TLS with {host} port {port}: {refused}");
            return Err(Trouble::Tls(text).into());
        }
        if trust.knows(host, *port)? {
            return Err(Trouble::Tls(format!(
                "{host} port {port} had TLS before and now has none: {refused}; somebody may be between you and the \
                 server. --tls off goes on without"
            ))
            .into());
        }
        log::debug!("{refused}; on without TLS");
        Ok(())
    }

    /// Makes data private (RFC 4217 §8 and §9), once the control connection is.
    ///
    /// # Errors
    /// [`Trouble::Tls`]: the server does not, and it has to; or the connection broke.
    pub(super) fn protect_data(&mut self, mode: TlsMode) -> Result<()> {
        if self.tls.is_none() {
            return Ok(());
        }
        self.send(&Command::Pbsz(0))?;
        let reply = self.send(&Command::Prot(Protection::Private))?;
        let private = reply.class() == Class::Completion;
        if !private && mode == TlsMode::Require {
            let text = format!("data would go in clear: {}", Trouble::Refused(reply));
            return Err(Trouble::Tls(text).into());
        }
        if let Some(tls) = &mut self.tls {
            tls.data = private;
        }
        Ok(())
    }

    /// Puts a data connection under TLS, if those are to be private.
    ///
    /// # Errors
    /// [`Trouble::Lost`] or [`Trouble::TimedOut`]: the server tells more in its reply.
    pub(super) fn protected(&self, data: Stream) -> Result<Stream> {
        let Some(tls) = self.tls.as_ref().filter(|tls| tls.data) else {
            return Ok(data);
        };
        let socket = Arc::clone(data.socket());
        // The flights of the handshake are small, and must not wait for each other.
        let tls = socket
            .set_nodelay(true)
            .and_then(|()| tls.over(socket, stream::DATA_AHEAD, self.silence()));
        let tls = tls.map_err(|error| {
            let text = format!("no TLS on the data connection: {error}");
            if timed_out(&error) {
                Trouble::TimedOut(text)
            } else {
                Trouble::Lost(text)
            }
        })?;
        log::debug!("data under TLS, resumed: {}", tls.is_resumed());
        Ok(tls.into())
    }
}

/// Lets every server prove that it has the key of its certificate, and notes who vouches for that. Whether it is trusted
/// is decided behind the handshake, where there is time to ask, and before anything is sent.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    vouched: AtomicBool,
    /// The certificate that was decided on: a data connection has to have it too.
    expected: OnceLock<CertificateDer<'static>>,
}

impl Verifier {
    fn new(provider: &Arc<CryptoProvider>) -> Self {
        let roots = Arc::clone(&AUTHORITIES);
        let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        Self {
            provider: Arc::clone(provider),
            // It fails where the system has no authorities at all.
            authorities: builder.build().ok(),
            vouched: AtomicBool::new(false),
            expected: OnceLock::new(),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        behind: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.expected.get() {
            Some(expected) if expected == certificate => Ok(ServerCertVerified::assertion()),
            Some(_) => Err(rustls::Error::General(
                "the certificate is not that of the control connection".to_owned(),
            )),
            None => {
                let vouched = self.authorities.as_ref().is_some_and(|authorities| {
                    authorities
                        .verify_server_cert(certificate, behind, name, ocsp, now)
                        .is_ok()
                });
                self.vouched.store(vouched, Ordering::SeqCst);
                Ok(ServerCertVerified::assertion())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
