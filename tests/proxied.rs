//! Clients that come through a load balancer which says, by the PROXY protocol, who they are.

mod support;

use multi_client_ftp::protocol::proxy::{Header, Version};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use support::{Raw, Server, TlsClient, UsersFile, account, connect_from, read_all};

/// Where the balancer is that the servers take the word of.
const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const FROM: [&str; 2] = ["--proxy-protocol-from", "127.0.0.9/32,192.0.2.0/24"];

fn server(flags: &[&str]) -> Server {
    Server::with(&[&FROM, flags].concat())
}

fn bytes(version: Version, client: &str) -> Vec<u8> {
    let header = Header::Proxied {
        source: SocketAddr::new(client.parse().expect("an address"), 40_000),
        destination: SocketAddr::from(([203, 0, 113, 1], 21)),
    };
    let mut bytes = Vec::new();
    header.write_to(version, &mut bytes).expect("it is written");
    bytes
}

/// A connection of the balancer's that begins so.
#[track_caller]
fn passed_on(server: &Server, header: &[u8]) -> Raw {
    let mut socket = connect_from(BALANCER, server.address);
    socket.write_all(header).expect("the header is sent");
    Raw::over(socket)
}

#[test]
fn the_log_the_limits_and_the_data_check_see_the_client() {
    let server = server(&["--max-clients-per-address", "2"]);
    server.write("f", "hello");
    for (version, number) in [(Version::One, 21), (Version::Two, 22)] {
        let client = Ipv4Addr::new(127, 0, 0, number);
        let header = bytes(version, &client.to_string());
        let mut raw = passed_on(&server, &header);
        raw.expect(220);
        raw.login();
        server.wait_for_log(&[&format!("{client}:40000 logged in")]);
        // Straight from the client, and from nobody else, the balancer neither.
        let told = raw.pasv();
        raw.send("RETR f");
        let mut stranger = connect_from(BALANCER, told);
        let data = connect_from(client, told);
        raw.expect(150);
        assert_eq!(read_all(data), b"hello");
        raw.expect(226);
        let _ = stranger.write_all(b"x");
        // So many of one client, whatever the balancer has of others.
        let mut second = passed_on(&server, &header);
        second.expect(220);
        passed_on(&server, &header).expect(421);
        drop((raw, second));
    }
    let others: Vec<_> = (30..40)
        .map(|number| {
            let mut raw = passed_on(&server, &bytes(Version::Two, &format!("127.0.0.{number}")));
            raw.expect(220);
            raw
        })
        .collect();
    drop(others);
}

#[test]
fn places_are_given_back_to_the_clients_address() {
    let server = server(&["--max-clients-per-address", "1"]);
    let rest = server.at_rest();
    for _ in 0..20 {
        let mut raw = passed_on(&server, &bytes(Version::One, "127.0.0.21"));
        raw.expect(220);
        raw.run("QUIT", 221);
        raw.expect_closed();
        drop(raw);
        server.wait_for_log(&["127.0.0.21:40000 disconnected"]);
        server.wait_for_footprint(&rest);
    }
}

#[test]
fn accounts_are_let_in_from_where_the_client_is() {
    let users = UsersFile::new(&account(
        "ann",
        "permissions = \"read\"\nallow-from = [\"127.0.0.21\"]",
    ));
    let server = users.server(&[&FROM[..], &["--plain-passwords"]].concat());
    for (client, code) in [("127.0.0.21", 230), ("127.0.0.22", 530)] {
        let mut raw = passed_on(&server, &bytes(Version::Two, client));
        raw.expect(220);
        raw.run("USER ann", 331);
        raw.run("PASS ann!", code);
    }
    server.wait_for_log(&["login failure from 127.0.0.22"]);
}

#[test]
fn data_goes_past_the_balancer() {
    let server = server(&["--public-address", "127.0.0.33"]);
    server.write("f", "hello");
    let client = Ipv4Addr::new(127, 0, 0, 21);
    let mut raw = passed_on(&server, &bytes(Version::One, "127.0.0.21"));
    raw.expect(220);
    raw.login();
    // A port alone would be taken for one of the balancer's.
    raw.refused("EPSV");
    raw.send("FEAT");
    let features = raw.expect(211).to_string();
    assert!(
        !features.contains("EPSV") && features.contains("PASV"),
        "{features}"
    );
    let told = raw.pasv();
    assert_eq!(told.ip(), Ipv4Addr::new(127, 0, 0, 33));
    raw.send("RETR f");
    let data = connect_from(client, told);
    raw.expect(150);
    assert_eq!(read_all(data), b"hello");
    raw.expect(226);
}

#[test]
fn a_public_address_that_is_another_hosts_leads_to_any_of_ours() {
    let server = server(&["--public-address", "192.0.2.7"]);
    server.write("f", "hello");
    let mut raw = passed_on(&server, &bytes(Version::One, "127.0.0.21"));
    raw.expect(220);
    raw.login();
    let told = raw.pasv();
    assert_eq!(told.ip(), Ipv4Addr::new(192, 0, 2, 7));
    raw.send("RETR f");
    // As whoever stands between has it.
    let here = (Ipv4Addr::new(127, 0, 0, 44), told.port()).into();
    let data = connect_from(Ipv4Addr::new(127, 0, 0, 21), here);
    raw.expect(150);
    assert_eq!(read_all(data), b"hello");
    raw.expect(226);
}

#[test]
fn the_balancers_own_connections_keep_its_address() {
    let server = server(&[]);
    let mut local = Vec::new();
    let outcome = Header::Own.write_to(Version::Two, &mut local);
    outcome.expect("it is written");
    for header in [&local[..], b"PROXY UNKNOWN\r\n"] {
        let mut raw = passed_on(&server, header);
        raw.expect(220);
        raw.login();
        raw.run("EPSV", 229);
    }
    server.wait_for_log(&["127.0.0.9:", "logged in"]);
}

#[test]
fn what_comes_without_a_header_is_closed_and_nobody_else_has_to_have_one() {
    let server = server(&[]);
    for header in [
        &b"USER anonymous\r\nPASS x\r\n"[..],
        b"PROXY TCP4 1.2.3.4 nobody 1 2\r\n",
        b"PROXY TCP9 1.2.3.4 1.2.3.4 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        let mut raw = passed_on(&server, header);
        raw.expect_closed();
    }
    server.wait_for_log(&["127.0.0.9:", "closed", "PROXY header"]);
    // One that says nothing holds up nobody, and not for ever.
    let mut silent = passed_on(&server, b"PROXY");
    let mut raw = server.login();
    raw.run("NOOP", 200);
    silent.expect_closed();
    server.wait_for_log(&["did not come"]);
    // What looks like a header is none where none is looked for.
    let mut raw = server.connect();
    raw.send("PROXY TCP4 127.0.0.21 127.0.0.1 1 2");
    raw.expect(500);
    raw.login();
    server.wait_for_log(&["127.0.0.1:", "logged in"]);
    server.assert_never_panicked();
}

#[test]
fn the_header_comes_before_tls() {
    let server = server(&["--implicit-tls-port", "0"]);
    let mut socket: TcpStream = connect_from(BALANCER, server.tls_address());
    let header = bytes(Version::Two, "127.0.0.21");
    socket.write_all(&header).expect("the header is sent");
    let tls = TlsClient::new();
    let mut raw = Raw::on(tls.connect(socket));
    raw.expect(220);
    raw.login();
    server.wait_for_log(&["127.0.0.21:40000 TLSv1"]);
    // And before it is asked for.
    let mut raw = passed_on(&server, &header);
    raw.expect(220);
    raw.run("AUTH TLS", 234);
}

#[test]
fn networks_that_are_none_are_refused() {
    for network in ["10.0.0.1/8", "10.0.0.0/33", "everybody", ""] {
        let output = Server::run(&["--proxy-protocol-from", network]);
        assert!(!output.status.success(), "{network}");
    }
}
