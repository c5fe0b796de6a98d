//! Data connections: ports, who may connect, when, and how long a transfer waits.

mod support;

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use support::{
    Pattern, Raw, Server, connect_from, data_bytes, data_connection, free_range, read_all,
    try_connect,
};

/// A server with so few passive ports.
#[track_caller]
fn server_with_ports(ports: u16) -> (Server, std::ops::RangeInclusive<u16>) {
    let (low, high) = free_range(ports);
    let server = Server::with(&["--passive-ports", &format!("{low}-{high}")]);
    (server, low..=high)
}

/// The data ports that the server listens on.
fn data_ports(server: &Server) -> Vec<u16> {
    let mut ports = server.footprint().ports;
    ports.retain(|port| *port != server.address.port());
    ports
}

#[test]
fn the_data_connection_may_come_before_the_command_or_after() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    for passive in [Raw::epsv, Raw::pasv] {
        // FileZilla, ftplib and commons-net connect first.
        let data = data_connection(passive(&mut raw));
        raw.run("RETR a", 150);
        assert_eq!(read_all(data), b"abc");
        raw.expect(226);
        // Others send the command first; the 150 may come before the connection or wait for it.
        let address = passive(&mut raw);
        raw.send("RETR a");
        let data = data_connection(address);
        raw.expect(150);
        assert_eq!(read_all(data), b"abc");
        raw.expect(226);
        let address = passive(&mut raw);
        raw.send("STOR b");
        let mut data = data_connection(address);
        data.write_all(b"def").expect("three bytes");
        drop(data);
        raw.expect(150);
        raw.expect(226);
        assert_eq!(server.read("b"), b"def");
    }
}

#[test]
fn the_150_comes_before_anything_is_waited_for() {
    let server = Server::start();
    server.write("small", "abc");
    server.write("large", vec![b'x'; 32 * 1024 * 1024]);
    let mut raw = server.login();
    // A client that connects when it has been told to.
    let address = raw.epsv();
    raw.run("RETR small", 150);
    assert_eq!(read_all(data_connection(address)), b"abc");
    raw.expect(226);
    // One that sends when it has been told to.
    let mut data = data_connection(raw.epsv());
    raw.run("STOR new", 150);
    data.write_all(b"def").expect("three bytes");
    drop(data);
    raw.expect(226);
    // One that reads when it has been told to, and one that was told with the end.
    let data = data_connection(raw.epsv());
    raw.run("RETR large", 150);
    assert_eq!(read_all(data).len(), 32 * 1024 * 1024);
    raw.expect(226);
    let data = data_connection(raw.epsv());
    raw.run("RETR small", 150);
    raw.expect(226);
    assert_eq!(read_all(data), b"abc");
}

#[test]
fn an_upload_may_be_over_before_its_command() {
    let server = Server::start();
    let mut raw = server.login();
    let mut data = data_connection(raw.epsv());
    data.write_all(b"early").expect("five bytes");
    drop(data);
    raw.run("STOR a", 150);
    raw.expect(226);
    assert_eq!(server.read("a"), b"early");
}

#[test]
fn pasv_tells_the_address_that_the_client_came_to() {
    let server = Server::start();
    let mut raw = server.login();
    assert_eq!(raw.pasv().ip(), server.address.ip());
}

#[test]
fn a_transfer_with_no_data_connection_is_425() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    for line in ["RETR a", "STOR b", "LIST", "NLST", "MLSD"] {
        raw.run(line, 425);
    }
    // One EPSV is for one transfer.
    assert_eq!(raw.fetch("a"), b"abc");
    raw.run("RETR a", 425);
    raw.begin_refused("RETR missing", &[550]);
    raw.run("RETR a", 425);
    assert_eq!(support::names_in(&server.root), ["a"]);
}

#[test]
fn a_second_epsv_replaces_the_first() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let first = raw.epsv();
    let waiting = data_connection(first);
    let second = raw.epsv();
    assert_ne!(first, second, "both of one port");
    assert_eq!(data_ports(&server), [second.port()]);
    assert_eq!(data_bytes(waiting), b"", "data on the first port");
    assert!(try_connect(first).is_err(), "the first port is still open");
    let third = raw.pasv();
    assert_eq!(data_ports(&server), [third.port()]);
    let data = data_connection(third);
    raw.run("RETR a", 150);
    assert_eq!(read_all(data), b"abc");
    raw.expect(226);
    assert_eq!(data_ports(&server), [0; 0]);
}

#[test]
fn a_stranger_on_the_data_port_gets_nothing_and_stops_nothing() {
    let server = Server::start();
    let expected = Pattern::bytes(1, 100_000);
    server.write("a", &expected);
    let mut raw = server.login();
    for passive in [Raw::epsv, Raw::pasv] {
        let address = passive(&mut raw);
        let stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), address);
        raw.send("RETR a");
        assert_eq!(data_bytes(stranger), b"", "data for a stranger");
        let data = data_connection(address);
        raw.expect(150);
        assert!(read_all(data) == expected, "the rightful peer's data");
        raw.expect(226);

        let address = passive(&mut raw);
        let mut stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), address);
        // The server may have closed it by now.
        let _ = stranger.write_all(b"evil");
        let mut data = data_connection(address);
        raw.run("STOR b", 150);
        data.write_all(b"good").expect("four bytes");
        drop(data);
        raw.expect(226);
        assert_eq!(server.read("b"), b"good");
        assert_eq!(data_bytes(stranger), b"");
    }
}

#[test]
fn ports_stay_in_their_range() {
    let (server, range) = server_with_ports(4);
    server.write("a", "abc");
    let mut raw = server.login();
    for _ in 0..50 {
        for passive in [Raw::epsv, Raw::pasv] {
            let address = passive(&mut raw);
            assert!(
                range.contains(&address.port()),
                "{address} is not of {range:?}"
            );
            let data = data_connection(address);
            raw.run("RETR a", 150);
            assert_eq!(read_all(data), b"abc");
            raw.expect(226);
        }
    }
}

#[test]
fn ports_are_not_handed_out_in_a_row() {
    // RFC 2577 §8: a port that can be guessed is one to steal from.
    let server = Server::start();
    let mut raw = server.login();
    let ports: Vec<u16> = (0..20).map(|_| raw.epsv().port()).collect();
    let rising = ports.windows(2).filter(|pair| pair[1] == pair[0] + 1);
    assert!(rising.count() < 10, "{ports:?}");
    assert!(ports.iter().all(|port| (61_000..=65_535).contains(port)));
}

#[test]
fn a_port_that_nobody_came_to_rests_where_another_is_free() {
    let (server, range) = server_with_ports(2);
    let mut raw = server.login();
    let mut ports = Vec::new();
    for _ in 0..20 {
        // Each takes the place of the one before, to which the client may yet connect, or another one of its address.
        ports.push(raw.epsv().port());
        ports.push(raw.pasv().port());
    }
    assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
    drop(raw);
    // Where there is no other, it is taken all the same.
    let mut one = server.login();
    let mut other = server.login();
    let both = [one.epsv().port(), other.epsv().port()];
    assert!(both.iter().all(|port| range.contains(port)), "{both:?}");
}

#[test]
fn a_thousand_passive_ports_in_a_row_leak_nothing() {
    let (server, range) = server_with_ports(4);
    let before = server.at_rest();
    let mut raw = server.login();
    for _ in 0..500 {
        for address in [raw.epsv(), raw.pasv()] {
            assert!(
                range.contains(&address.port()),
                "{address} is not of {range:?}"
            );
        }
    }
    assert_eq!(data_ports(&server).len(), 1);
    raw.run("QUIT", 221);
    raw.expect_closed();
    server.wait_for_footprint(&before);
}

#[test]
fn a_port_is_free_when_its_connection_is_there() {
    // One port for all, as behind a firewall with one open.
    let (server, range) = server_with_ports(1);
    server.write("big", Pattern::bytes(1, 32 * 1024 * 1024));
    server.write("a", "abc");
    let mut slow = server.login();
    let mut reading = slow.begin("RETR big");
    reading
        .read_exact(&mut [0; 100])
        .expect("the transfer is under way");
    let mut raw = server.login();
    for _ in 0..3 {
        assert_eq!(raw.fetch("a"), b"abc");
    }
    let address = raw.epsv();
    assert_eq!(address.port(), *range.start());
    // Now the only port waits for its client, and there is none for another.
    let mut late = server.login();
    late.send("EPSV");
    // It waits: its answers come in order.
    late.send("NOOP");
    drop(raw);
    late.expect(229);
    late.expect(200);
    assert_eq!(late.fetch("a"), b"abc");
    assert_eq!(read_all(reading).len(), 32 * 1024 * 1024 - 100);
    slow.expect(226);
}

#[test]
fn who_waits_for_a_port_waits_no_longer_than_for_data() {
    let (low, high) = free_range(1);
    let ports = format!("{low}-{high}");
    let server = Server::with(&["--passive-ports", &ports, "--data-timeout", "1"]);
    let mut raw = server.login();
    raw.epsv();
    let mut late = server.login();
    late.run("EPSV", 425);
    late.run("NOOP", 200);
    // It takes the place of what was there, and waits for nobody.
    raw.epsv();
    raw.run("OPTS EPSV-AHEAD 2", 200);
    // The one that it would wait for is its own.
    raw.run("EPSV", 425);
}

#[test]
fn who_waits_for_a_port_and_leaves_is_gone() {
    let (server, _) = server_with_ports(1);
    let mut raw = server.login();
    let before = server.at_rest();
    raw.epsv();
    let mut late = server.login();
    late.send("EPSV");
    // The server answers during a wait, and by that is known to be in it.
    late.run("STAT", 211);
    drop(late);
    raw.run("ABOR", 226);
    server.wait_for_footprint(&before);
}

#[test]
fn a_data_connection_that_never_comes_is_425() {
    let server = Server::with(&["--data-timeout", "1"]);
    server.write("a", "abc");
    let before = server.at_rest();
    let mut raw = server.login();
    for line in ["RETR a", "STOR b", "MLSD"] {
        raw.epsv();
        raw.send(line);
        // The 150 may say that the server is about to open it (RFC 959), or be left out.
        if raw.expect_one_of(&[150, 425]).code == 150 {
            raw.expect(425);
        }
        assert_eq!(data_ports(&server), [0; 0], "after {line}");
    }
    assert_eq!(raw.fetch("a"), b"abc");
    drop(raw);
    server.wait_for_footprint(&before);
    assert_eq!(support::names_in(&server.root), ["a"]);
}

#[test]
fn a_download_that_stalls_is_426() {
    let server = Server::with(&["--data-timeout", "1"]);
    server.write("big", vec![0; 32 * 1024 * 1024]);
    let mut raw = server.login();
    let _unread = raw.begin("RETR big");
    raw.expect_one_of(&[426, 425, 451]);
    raw.run("NOOP", 200);
}

#[test]
fn an_upload_that_stalls_is_426() {
    let server = Server::with(&["--data-timeout", "1"]);
    server.write("a", "old");
    let mut raw = server.login();
    let mut silent = raw.begin("STOR a");
    silent.write_all(&[1; 1000]).expect("a thousand bytes");
    raw.expect_one_of(&[426, 425, 451]);
    raw.run("NOOP", 200);
    assert_eq!(support::names_in(&server.root), ["a"]);
    assert_eq!(server.read("a"), b"old");
}

#[test]
fn two_files_cannot_go_over_one_data_connection() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    let data = data_connection(raw.epsv());
    raw.send_bytes(b"RETR a\r\nRETR a\r\n");
    assert_eq!(read_all(data), b"abc");
    raw.expect(150);
    raw.expect(226);
    raw.expect(425);
}

#[test]
fn epsv_all_is_for_good() {
    // RFC 2428 §4: after EPSV ALL only EPSV sets up data connections.
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    raw.run("EPSV ALL", 200);
    raw.refused("PASV");
    assert_eq!(raw.fetch("a"), b"abc");
    let mut other = server.login();
    other.pasv();
    raw.run("EPSV 1", 229);
}
