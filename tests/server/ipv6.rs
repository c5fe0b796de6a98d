//! IPv6, for which FTP has EPSV and EPRT (RFC 2428).

use crate::support::{Active, Server, data_bytes, data_connection, read_all};
use std::net::Ipv6Addr;

#[test]
fn transfers_go_over_ipv6_either_way() {
    let server = Server::at("::1");
    server.write("a", "abc");
    let mut raw = server.login();
    raw.store("b", b"def");
    assert_eq!(raw.fetch("b"), b"def");
    // EPSV with the network's own number.
    raw.run("EPSV 2", 229);
    let active = Active::at(Ipv6Addr::LOCALHOST);
    raw.run(&active.eprt_line(), 200);
    raw.run("RETR a", 150);
    assert_eq!(read_all(active.accept()), b"abc");
    raw.expect(226);
}

#[test]
fn what_is_for_ipv4_is_refused() {
    let server = Server::at("::1");
    server.write("a", "abc");
    let mut raw = server.login();
    raw.run("EPSV 1", 522);
    raw.run("PASV", 425);
    raw.run("PORT 127,0,0,1,200,1", 504);
    raw.run("EPRT |1|127.0.0.1|50000|", 504);
    raw.run("RETR a", 425);
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn one_server_serves_both_networks() {
    // Its clients of IPv4 come as ::ffff:127.0.0.1, and are to have PASV and PORT all the same.
    let server = Server::at("::ffff:127.0.0.1");
    server.write("a", "abc");
    let mut raw = server.login();
    let data = data_connection(raw.pasv());
    raw.run("RETR a", 150);
    assert_eq!(data_bytes(data), b"abc");
    raw.expect(226);
    assert_eq!(raw.fetch("a"), b"abc");
}
