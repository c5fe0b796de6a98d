//! Active mode: PORT and EPRT (RFC 959 §3.2, RFC 2428 §2), all that Windows' `ftp.exe` has, and no bounce (RFC 2577).

use crate::support::{Active, Raw, Server, data_bytes, data_connection, read_all};
use std::io::Write;
use std::net::Ipv4Addr;

fn listen() -> Active {
    Active::at(Ipv4Addr::LOCALHOST)
}

/// Fetches a file over a connection that the server makes.
#[track_caller]
fn fetch(raw: &mut Raw, active: &Active, line: &str, path: &str) -> Vec<u8> {
    raw.run(line, 200);
    raw.run(&format!("RETR {path}"), 150);
    let bytes = read_all(active.accept());
    raw.expect(226);
    bytes
}

#[test]
fn the_server_connects_where_the_client_says() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let active = listen();
    for line in [active.port_line(), active.eprt_line()] {
        assert_eq!(fetch(&mut raw, &active, &line, "a"), b"abc");

        raw.run(&line, 200);
        raw.run("STOR b", 150);
        let mut data = active.accept();
        // From the address that the client knows: its firewall may let in no other.
        let from = data.peer_addr().expect("an address");
        assert_eq!(from.ip(), server.address.ip());
        data.write_all(b"def").expect("three bytes");
        drop(data);
        raw.expect(226);
        assert_eq!(server.read("b"), b"def");

        raw.run(&line, 200);
        raw.run("NLST a", 150);
        assert_eq!(read_all(active.accept()), b"a\r\n");
        raw.expect(226);
    }
}

#[test]
fn any_delimiter_parts_the_fields_of_eprt() {
    // RFC 2428 §2: a `|` is recommended, and any of ASCII 33 to 126 allowed.
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let active = listen();
    for delimiter in ["!", "#", "~"] {
        let line = active.eprt_line().replace('|', delimiter);
        assert_eq!(fetch(&mut raw, &active, &line, "a"), b"abc");
    }
}

#[test]
fn a_port_is_for_one_transfer() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let active = listen();
    assert_eq!(fetch(&mut raw, &active, &active.port_line(), "a"), b"abc");
    raw.run("RETR a", 425);
    raw.run(&active.port_line(), 200);
    raw.run("RETR missing", 550);
    raw.run("RETR a", 425);
    assert!(active.try_accept().is_none(), "a connection too many");
}

#[test]
fn the_last_word_on_the_data_connection_counts() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let (first, second) = (listen(), listen());
    raw.run(&first.port_line(), 200);
    assert_eq!(fetch(&mut raw, &second, &second.eprt_line(), "a"), b"abc");
    raw.run(&first.port_line(), 200);
    assert_eq!(raw.fetch("a"), b"abc");
    let waiting = data_connection(raw.epsv());
    assert_eq!(fetch(&mut raw, &second, &second.port_line(), "a"), b"abc");
    assert_eq!(
        data_bytes(waiting),
        b"",
        "data on the port that was given up"
    );
    assert!(
        first.try_accept().is_none(),
        "an address that was taken back"
    );
}

#[test]
fn no_address_but_the_clients_own() {
    // RFC 2577 §3, the bounce attack: the server is not to talk to third parties in a client's name.
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let victim = Active::at(Ipv4Addr::new(127, 0, 0, 2));
    for line in [
        victim.port_line(),
        victim.eprt_line(),
        format!("EPRT |2|::1|{}|", victim.port()),
        format!("EPRT |2|::ffff:127.0.0.2|{}|", victim.port()),
        "PORT 0,0,0,0,200,1".to_owned(),
        "PORT 192,0,2,1,200,1".to_owned(),
        "PORT 255,255,255,255,200,1".to_owned(),
        "EPRT |1|192.0.2.1|2000|".to_owned(),
    ] {
        raw.refused(&line);
        raw.run("RETR a", 425);
        raw.run("STOR b", 425);
    }
    assert!(victim.try_accept().is_none(), "the server was bounced");
    // The same from where it is the client's own.
    let mut raw = server.login_from(Ipv4Addr::new(127, 0, 0, 2));
    assert_eq!(fetch(&mut raw, &victim, &victim.port_line(), "a"), b"abc");
}

#[test]
fn no_port_of_the_systems_own_services() {
    // RFC 2577 §3 again: 504 for ports below 1024.
    let server = Server::start();
    let mut raw = server.login();
    for port in [0, 1, 20, 21, 25, 80, 1023_u16] {
        let [high, low] = port.to_be_bytes();
        raw.run(&format!("PORT 127,0,0,1,{high},{low}"), 504);
        raw.run(&format!("EPRT |1|127.0.0.1|{port}|"), 504);
        raw.run("LIST", 425);
    }
    raw.run("PORT 127,0,0,1,4,0", 200);
}

#[test]
fn after_epsv_all_nothing_else_sets_up_data_connections() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let active = listen();
    raw.run("EPSV ALL", 200);
    for line in [active.port_line(), active.eprt_line(), "PASV".to_owned()] {
        raw.refused(&line);
        raw.run("RETR a", 425);
    }
    assert_eq!(raw.fetch("a"), b"abc");
    assert!(active.try_accept().is_none(), "a connection all the same");
}

#[test]
fn a_client_that_does_not_listen_is_425() {
    let server = Server::start();
    server.write("a", "abc");
    let before = server.footprint();
    let mut raw = server.login();
    for command in ["RETR a", "STOR b", "LIST", "APPE a"] {
        let deaf = Active::deaf(Ipv4Addr::LOCALHOST);
        raw.run(&deaf.port_line(), 200);
        raw.send(command);
        if raw.expect_one_of(&[150, 425]).code == 150 {
            raw.expect(425);
        }
        raw.run("NOOP", 200);
    }
    assert_eq!(raw.fetch("a"), b"abc");
    drop(raw);
    server.wait_for_footprint(&before);
    assert_eq!(crate::support::names_in(&server.root), ["a"]);
}
