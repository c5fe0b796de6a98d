//! What may go in clear.

use crate::support::{Raw, Server, TlsClient, connect_from};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// An address of this machine that is not loopback. No packet goes out to learn it.
pub(crate) fn own_address() -> Ipv4Addr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("192.0.2.1:9").expect("a route");
    match socket.local_addr().expect("an address") {
        SocketAddr::V4(address) if !address.ip().is_loopback() => *address.ip(),
        other => panic!("this machine has no address but loopback: {other}"),
    }
}

/// A session that does not come from loopback.
fn from_outside(server: &Server) -> Raw {
    let own = own_address();
    let to = SocketAddr::from((own, server.address.port()));
    let mut raw = Raw::over(connect_from(own, to));
    raw.expect(220);
    raw
}

#[test]
fn no_password_comes_in_clear_from_another_host() {
    let server = Server::at("0.0.0.0");
    let mut raw = from_outside(&server);
    for name in ["alice", "root"] {
        let reply = raw.run(&format!("USER {name}"), 530);
        assert!(reply.text.contains("AUTH TLS"), "{reply}");
        raw.run("PASS secret", 503);
    }
    raw.login();
    let mut raw = from_outside(&server).auth_tls(&TlsClient::new());
    raw.run("USER alice", 331);
}

#[test]
fn one_may_from_this_host_or_where_the_server_was_told_so() {
    Server::start().connect().run("USER alice", 331);
    let server = Server::at_with("0.0.0.0", &["--plain-passwords"]);
    from_outside(&server).run("USER alice", 331);
}

#[test]
fn with_tls_required_nobody_logs_in_without_and_data_is_private() {
    let server = Server::with(&["--tls", "require"]);
    server.write("a", "abc");
    let mut raw = server.connect();
    let reply = raw.run("USER anonymous", 530);
    assert!(reply.text.contains("AUTH TLS"), "{reply}");
    raw.run("PASS x", 503);
    raw.run("PWD", 530);
    let client = TlsClient::new();
    let mut raw = raw.auth_tls(&client);
    raw.login();
    raw.epsv();
    raw.run("RETR a", 521);
    raw.run("PBSZ 0", 200);
    raw.run("PROT C", 534);
    raw.run("PROT P", 200);
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
}
