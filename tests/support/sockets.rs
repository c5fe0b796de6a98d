//! Connections of every kind: with deadlines, from other addresses, waiting for the server, and cut.

use super::{PATIENCE, wait_for};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Opens a connection to a data port.
#[track_caller]
pub(crate) fn data_connection(address: SocketAddr) -> TcpStream {
    try_connect(address)
        .unwrap_or_else(|error| panic!("cannot open a data connection to {address}: {error}"))
}

/// What comes over a connection that may also end in a reset.
#[track_caller]
pub(crate) fn data_bytes(mut data: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match data.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("expected the end of the data connection, got {error}"),
    }
    bytes
}

/// Connects, and sets the deadlines.
pub(crate) fn try_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    with_deadlines(socket)
}

/// Connects from another address of this machine: Linux has all of 127.0.0.0/8.
#[track_caller]
pub(crate) fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    try_connect_from(from, to)
        .unwrap_or_else(|error| panic!("cannot connect from {from} to {to}: {error}"))
}

/// The same, where it may be refused.
pub(crate) fn try_connect_from(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((IpAddr::V4(from), 0)).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    with_deadlines(socket.into())
}

fn with_deadlines(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    // Otherwise a line behind another waits for the other's acknowledgement.
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Ends a connection as a machine that went down does.
#[track_caller]
pub(crate) fn reset(socket: TcpStream) {
    SockRef::from(&socket)
        .set_linger(Some(Duration::ZERO))
        .expect("the option is set");
    drop(socket);
}

/// Where an active client waits for the server's data connections (RFC 959 §3.2).
pub(crate) struct Active(TcpListener);

impl Active {
    /// A free port of this address.
    #[track_caller]
    pub(crate) fn at(address: impl Into<IpAddr>) -> Self {
        let listener = TcpListener::bind((address.into(), 0)).expect("a free port");
        listener.set_nonblocking(true).expect("the option is set");
        Self(listener)
    }

    /// The same, for connections of which no more than about so many bytes are on their way at a time.
    #[track_caller]
    pub(crate) fn narrow(address: impl Into<IpAddr>, bytes: usize) -> Self {
        let active = Self::at(address);
        SockRef::from(&active.0)
            .set_recv_buffer_size(bytes)
            .expect("the option is set");
        active
    }

    /// A port of this address that is taken, and where nobody listens.
    #[track_caller]
    pub(crate) fn deaf(address: Ipv4Addr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((address, 0));
        socket.bind(&any.into()).expect("a free port");
        Self(socket.into())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// The line that tells the server of it, as RFC 959 has it.
    pub(crate) fn port_line(&self) -> String {
        let address = self.0.local_addr().expect("an address");
        let [high, low] = address.port().to_be_bytes();
        let host = address.ip().to_string().replace('.', ",");
        format!("PORT {host},{high},{low}")
    }

    /// The line that tells the server of it, as RFC 2428 has it.
    pub(crate) fn eprt_line(&self) -> String {
        let address = self.0.local_addr().expect("an address");
        let network = if address.is_ipv4() { 1 } else { 2 };
        format!("EPRT |{network}|{}|{}|", address.ip(), address.port())
    }

    /// Waits for the server to connect.
    #[track_caller]
    pub(crate) fn accept(&self) -> TcpStream {
        let socket = wait_for("the server to connect", || self.try_accept());
        socket.set_nonblocking(false).expect("the option is set");
        with_deadlines(socket).expect("the options are set")
    }

    /// The connection that has come already, if any.
    pub(crate) fn try_accept(&self) -> Option<TcpStream> {
        Some(self.0.accept().ok()?.0)
    }
}

/// A range of free ports, as the flag has it, that no other test of these has at the same time.
pub(crate) fn free_range(ports: u16) -> (u16, u16) {
    // Below Linux's range for outgoing connections, and different in processes that run at once.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = std::process::id() % 500 * 20 + NEXT.fetch_add(1, Ordering::Relaxed) * 10;
        let low = 20_000 + u16::try_from(step % 10_000).expect("small");
        let high = low + ports - 1;
        if (low..=high).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return (low, high);
        }
    }
}
