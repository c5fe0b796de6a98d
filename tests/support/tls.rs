//! A TLS client that trusts every certificate, and remembers the sessions that it may resume.

use super::{Raw, read_all, try_connect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, TicketRequest};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme,
    StreamOwned,
};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

/// A connection of a test, in clear or under TLS.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One client: what it connects later may resume what it connected before.
#[derive(Clone)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// A client of TLS 1.3.
    pub(crate) fn new() -> Self {
        Self::of(&[&TLS13])
    }

    /// A client of TLS 1.2.
    pub(crate) fn of_1_2() -> Self {
        Self::of(&[&TLS12])
    }

    fn of(versions: &[&'static rustls::SupportedProtocolVersion]) -> Self {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("the versions suit the provider")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(256);
        Self(Arc::new(config))
    }

    fn with(&self, change: impl FnOnce(&mut ClientConfig)) -> Self {
        let mut config = (*self.0).clone();
        change(&mut config);
        Self(Arc::new(config))
    }

    /// What another client of rustls needs to be this one.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    /// The client that says it speaks this protocol.
    pub(crate) fn speaking(&self, protocol: &str) -> Self {
        self.with(|config| config.alpn_protocols = vec![protocol.into()])
    }

    /// The client that asks for a new ticket with each connection that it resumes (RFC 9149).
    pub(crate) fn asking_for_tickets(&self) -> Self {
        self.with(|config| {
            config.send_ticket_request = Some(TicketRequest {
                new_session_count: 4,
                resumption_count: 1,
            });
        })
    }

    /// Makes the handshake.
    #[track_caller]
    pub(crate) fn connect(&self, socket: TcpStream) -> Wire {
        let wire = self.try_connect(socket);
        wire.unwrap_or_else(|error| panic!("the TLS handshake failed: {error}"))
    }

    pub(crate) fn try_connect(&self, mut socket: TcpStream) -> io::Result<Wire> {
        let name = ServerName::try_from("ftp.example").expect("a name");
        let mut connection =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        while connection.is_handshaking() || connection.wants_write() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Wire::Tls(Box::new(StreamOwned::new(connection, socket))))
    }
}

impl Wire {
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.sock,
        }
    }

    fn tls(&self) -> &ClientConnection {
        match self {
            Self::Plain(_) => panic!("the connection is in clear"),
            Self::Tls(tls) => &tls.conn,
        }
    }

    /// Whether the handshake resumed an earlier session.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The server's certificate.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        let chain = self.tls().peer_certificates().expect("a certificate");
        chain[0].to_vec()
    }

    /// Says that this was all, as TLS has it, and waits for the server to say so too.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.send_last_word();
        let mut rest = Vec::new();
        self.read_to_end(&mut rest)
            .expect("the server answers with its own close_notify");
        assert_eq!(rest, b"", "data of an upload");
    }

    /// Says that this was all, as TLS has it.
    #[track_caller]
    pub(crate) fn send_last_word(&mut self) {
        let Self::Tls(tls) = self else {
            panic!("the connection is in clear")
        };
        tls.conn.send_close_notify();
        tls.flush().expect("the close_notify is sent");
    }

    /// Ends the connection with no word of TLS, as a process that dies does.
    pub(crate) fn cut(self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl Raw {
    /// Connects to where sessions begin with TLS.
    #[track_caller]
    pub(crate) fn dial_tls(address: SocketAddr, client: &TlsClient) -> Self {
        let socket = try_connect(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::on(client.connect(socket))
    }

    /// Goes on under TLS (RFC 4217 §4).
    #[track_caller]
    pub(crate) fn auth_tls(mut self, client: &TlsClient) -> Self {
        self.run("AUTH TLS", 234);
        let Wire::Plain(socket) = self.into_wire() else {
            panic!("TLS is on already")
        };
        Self::on(client.connect(socket))
    }

    /// Goes on under TLS, logs in, and makes data private.
    #[track_caller]
    pub(crate) fn secure(self, client: &TlsClient) -> Self {
        let mut raw = self.auth_tls(client);
        raw.login();
        raw.run("PBSZ 0", 200);
        raw.run("PROT P", 200);
        raw
    }

    /// Begins a transfer under TLS, up to its handshake.
    #[track_caller]
    pub(crate) fn begin_secure(&mut self, command: &str, client: &TlsClient) -> Wire {
        let data = self.begin(command);
        client.connect(data)
    }

    #[track_caller]
    pub(crate) fn fetch_secure(&mut self, path: &str, client: &TlsClient) -> Vec<u8> {
        let bytes = read_all(self.begin_secure(&format!("RETR {path}"), client));
        self.expect(226);
        bytes
    }

    #[track_caller]
    pub(crate) fn store_secure(&mut self, path: &str, bytes: &[u8], client: &TlsClient) {
        let mut data = self.begin_secure(&format!("STOR {path}"), client);
        data.write_all(bytes).expect("the upload is sent");
        data.finish();
        self.expect(226);
    }
}

#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.0.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
