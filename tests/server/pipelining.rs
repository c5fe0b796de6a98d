//! Whole sessions in one segment, and in many: every reply in its order (RFC 1123 §4.1, lftp's `ftp:sync-mode off`).

use crate::support::{Active, Server, data_connection, read_all};
use std::io::Write;
use std::net::Ipv4Addr;

/// What a session says that stores a file, fetches it, lists it and leaves; the data come to `active`.
fn script(active: &Active) -> String {
    let port = active.port_line();
    [
        "USER anonymous",
        "PASS x",
        "FEAT",
        "TYPE I",
        "MKD d",
        "CWD d",
        &port,
        "STOR a",
        "SIZE a",
        &port,
        "RETR a",
        "MLST a",
        &port,
        "NLST",
        "PWD",
        "NOSUCH",
        "CDUP",
        "QUIT",
        "",
    ]
    .join("\r\n")
}

const REPLIES: [u16; 21] = [
    331, 230, 211, 200, 257, 250, 200, 150, 226, 213, 200, 150, 226, 250, 200, 150, 226, 257, 500,
    250, 221,
];

/// Plays the data side of the script.
#[track_caller]
fn transfer(active: &Active) {
    active.accept().write_all(b"abc").expect("three bytes");
    assert_eq!(read_all(active.accept()), b"abc");
    assert_eq!(read_all(active.accept()), b"a\r\n");
}

#[test]
fn a_whole_session_in_one_segment() {
    let server = Server::start();
    let active = Active::at(Ipv4Addr::LOCALHOST);
    let mut raw = server.connect();
    raw.send_bytes(script(&active).as_bytes());
    transfer(&active);
    raw.expect_all(&REPLIES);
    raw.expect_closed();
    assert_eq!(server.read("d/a"), b"abc");
}

/// `printf … | nc`: nothing is read before all is said, and the client's half is closed behind it.
#[test]
fn a_session_whose_client_has_said_all_it_will() {
    let server = Server::start();
    let active = Active::at(Ipv4Addr::LOCALHOST);
    let mut raw = server.connect();
    raw.send_bytes(script(&active).as_bytes());
    raw.finish_sending();
    transfer(&active);
    raw.expect_all(&REPLIES);
    raw.expect_closed();
    assert_eq!(server.read("d/a"), b"abc");
}

#[test]
fn a_whole_session_byte_by_byte() {
    let server = Server::start();
    let active = Active::at(Ipv4Addr::LOCALHOST);
    let mut raw = server.connect();
    for byte in script(&active).bytes() {
        raw.send_bytes(&[byte]);
    }
    transfer(&active);
    raw.expect_all(&REPLIES);
    raw.expect_closed();
    assert_eq!(server.read("d/a"), b"abc");
}

/// lftp's mirror asks for the size and the time of many files at once.
#[test]
fn a_thousand_questions_in_one_go() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    raw.send_bytes("SIZE a\r\nMDTM missing\r\n".repeat(1000).as_bytes());
    for _ in 0..1000 {
        raw.expect_all(&[213, 550]);
    }
}

/// With `OPTS EPSV-AHEAD` the data connections are made while a file flows: each transfer takes the one that was prepared
/// first, the refused ones too.
#[test]
fn data_connections_are_prepared_ahead() {
    let server = Server::start();
    for name in ["a", "b", "c"] {
        server.write(name, name);
    }
    let mut raw = server.login();
    let before = server.footprint();
    raw.run("TYPE I", 200);
    raw.run("OPTS EPSV-AHEAD 4", 200);
    let data: Vec<_> = (0..4).map(|_| data_connection(raw.epsv())).collect();
    raw.run("EPSV", 425);
    raw.send_bytes(b"RETR a\r\nRETR missing\r\nRETR b\r\nSTOR d\r\nRETR c\r\n");
    let mut data = data.into_iter();
    let mut next = || data.next().expect("a data connection");
    assert_eq!(read_all(next()), b"a");
    // There is no such file, so this one is of no use any more.
    drop(next());
    assert_eq!(read_all(next()), b"b");
    next().write_all(b"new").expect("three bytes");
    raw.expect_all(&[150, 226, 550, 150, 226, 150, 226, 425]);
    assert_eq!(server.read("d"), b"new");
    server.wait_for_footprint(&before);
}

#[test]
fn what_was_prepared_ahead_is_given_back() {
    let server = Server::start();
    let before = server.at_rest();
    let mut raw = server.login();
    for option in ["OPTS EPSV-AHEAD", "OPTS EPSV-AHEAD 0", "OPTS EPSV-AHEAD 9"] {
        raw.run(option, 501);
    }
    raw.run("OPTS EPSV-AHEAD 8", 200);
    for _ in 0..8 {
        raw.epsv();
    }
    raw.run("ABOR", 226);
    raw.run("RETR a", 550);
    assert_eq!(server.footprint().ports, before.ports);
    raw.epsv();
    raw.epsv();
    drop(raw);
    server.wait_for_footprint(&before);
}
