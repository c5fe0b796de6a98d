//! Whole sessions in one segment, and in many: every reply in its order (RFC 1123 §4.1, lftp's `ftp:sync-mode off`).

use crate::support::{Active, Server, read_all};
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
