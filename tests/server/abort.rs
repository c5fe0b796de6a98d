//! Commands while a transfer is under way: ABOR, STAT, QUIT, and whatever is sent ahead (RFC 959 §4.1.3, RFC 1123 §4.1).

use crate::support::{
    Server, data_bytes, data_connection, names_in, partials_in, read_all, wait_until,
};
use std::io::{Read, Write};
use std::net::TcpStream;

/// More than all the buffers between the server and a client that does not read.
const BIG: u64 = 64 * 1024 * 1024;
/// What a Telnet client sends before an urgent command: Interrupt Process and Data Mark (RFC 854).
const SYNCH: &[u8] = b"\xff\xf4\xff\xf2";

/// A server with a file that takes a client's help to be sent, and a session.
fn with_big_file() -> (Server, crate::support::Raw) {
    let server = Server::start();
    server.write_sparse("big", BIG);
    server.write("a", "abc");
    let raw = server.login();
    (server, raw)
}

/// Reads the first bytes and no more.
#[track_caller]
fn read_a_little(data: &mut TcpStream) {
    data.read_exact(&mut [0; 1000]).expect("the first bytes");
}

#[test]
fn abor_in_a_download_is_426_and_226() {
    let (_server, mut raw) = with_big_file();
    let mut data = raw.begin("RETR big");
    read_a_little(&mut data);
    raw.send("ABOR");
    raw.expect_all(&[426, 226]);
    assert!(
        (data_bytes(data).len() as u64) < BIG,
        "all came all the same"
    );
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn abor_in_an_upload_is_426_and_226() {
    let (server, mut raw) = with_big_file();
    for path in ["new", "a"] {
        let mut data = raw.begin(&format!("STOR {path}"));
        data.write_all(b"part").expect("four bytes");
        raw.send("abor");
        raw.expect_all(&[426, 226]);
        raw.run("NOOP", 200);
    }
    assert_eq!(server.read("a"), b"abc", "a file that was to be replaced");
    assert!(!server.path("new").exists(), "half a file is shown");
    raw.store("new", b"whole");
    assert_eq!(server.read("new"), b"whole");
    assert_eq!(partials_in(&server.root), [""; 0]);
}

#[test]
fn abor_with_nothing_to_abort_is_226() {
    let (_server, mut raw) = with_big_file();
    raw.run("ABOR", 226);
    assert_eq!(raw.fetch("a"), b"abc");
    raw.run("ABOR", 226);
    raw.epsv();
    raw.run("ABOR", 226);
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn abor_ends_the_wait_for_a_data_connection() {
    let (server, mut raw) = with_big_file();
    for command in ["RETR big", "STOR new", "MLSD"] {
        raw.epsv();
        raw.run(command, 150);
        raw.send("ABOR");
        raw.expect_one_of(&[425, 426]);
        raw.expect(226);
        assert_eq!(raw.fetch("a"), b"abc");
    }
    assert_eq!(names_in(&server.root), ["a", "big"]);
}

/// BSD's and Debian's `ftp`, tnftp: IAC IP IAC as urgent data, then DM and ABOR.
#[test]
fn abor_comes_with_a_telnet_synch() {
    let (_server, mut raw) = with_big_file();
    for urgent in [false, true] {
        let mut data = raw.begin("RETR big");
        read_a_little(&mut data);
        if urgent {
            raw.send_urgent(&SYNCH[..3]);
            raw.send_bytes(&SYNCH[3..]);
        } else {
            raw.send_bytes(SYNCH);
        }
        raw.send("ABOR");
        raw.expect_all(&[426, 226]);
        assert_eq!(raw.fetch("a"), b"abc");
    }
}

/// Python's ftplib sends the whole line as urgent data: `sendall(b"ABOR\r\n", MSG_OOB)`.
#[test]
fn abor_comes_as_urgent_data() {
    let (_server, mut raw) = with_big_file();
    let mut data = raw.begin("RETR big");
    read_a_little(&mut data);
    raw.send_urgent(b"ABOR\r\n");
    raw.expect_all(&[426, 226]);
    raw.send_urgent(b"ABOR\r\n");
    raw.expect(226);
    assert_eq!(raw.fetch("a"), b"abc");
}

/// A client that gives up at once may have both commands in one segment.
#[test]
fn abor_in_one_segment_with_its_transfer() {
    let (_server, mut raw) = with_big_file();
    let _unread = data_connection(raw.epsv());
    raw.send_bytes(b"RETR big\r\nABOR\r\nNOOP\r\n");
    raw.expect_all(&[150, 426, 226, 200]);
    raw.epsv();
    raw.send_bytes(b"STOR new\r\nNOOP\r\nABOR\r\n");
    raw.expect(150);
    raw.expect_one_of(&[425, 426]);
    raw.expect_all(&[200, 226]);
}

#[test]
fn stat_in_a_transfer_is_answered_at_once() {
    let (_server, mut raw) = with_big_file();
    let mut data = raw.begin("RETR big");
    read_a_little(&mut data);
    raw.run("STAT", 211);
    raw.send_bytes(&[SYNCH, b"STAT\r\n"].concat());
    raw.expect(211);
    // Two in one segment are two.
    raw.send_bytes(b"STAT\r\nstat\r\n");
    raw.expect_all(&[211, 211]);
    assert_eq!(read_all(data).len() as u64, BIG - 1000);
    raw.expect(226);

    let mut data = raw.begin("STOR new");
    data.write_all(b"abc").expect("three bytes");
    raw.run("STAT", 211);
    drop(data);
    raw.expect(226);
}

#[test]
fn stat_and_abor_in_one_segment() {
    let (_server, mut raw) = with_big_file();
    let _unread = raw.begin("RETR big");
    raw.send_bytes(b"STAT\r\nABOR\r\n");
    raw.expect_all(&[211, 426, 226]);
}

#[test]
fn quit_in_a_transfer_waits_for_its_end() {
    let (server, mut raw) = with_big_file();
    let mut data = raw.begin("RETR big");
    read_a_little(&mut data);
    raw.send("QUIT");
    assert_eq!(read_all(data).len() as u64, BIG - 1000);
    raw.expect_all(&[226, 221]);
    raw.expect_closed();

    // RFC 959 §4.1.1: also when the client has closed its side of the connection behind QUIT.
    let mut raw = server.login();
    let mut data = raw.begin("STOR new");
    data.write_all(b"whole").expect("five bytes");
    raw.send("QUIT");
    raw.finish_sending();
    drop(data);
    raw.expect_all(&[226, 221]);
    raw.expect_closed();
    assert_eq!(server.read("new"), b"whole");
}

#[test]
fn commands_sent_ahead_wait_their_turn() {
    let (_server, mut raw) = with_big_file();
    let mut data = raw.begin("RETR big");
    read_a_little(&mut data);
    raw.send_bytes(b"PWD\r\nFOO\r\nRETR\r\nSIZE a\r\nNOOP\r\nSTAT\r\nRNFR a\r\n");
    raw.send_bytes(b"\xc3\x28\r\nCWD missing\r\nMKD d\r\n");
    assert_eq!(read_all(data).len() as u64, BIG - 1000);
    raw.expect_all(&[226, 257, 500, 501, 213, 200, 211, 550, 501, 550, 257]);
}

#[test]
fn two_hundred_commands_sent_ahead_are_all_answered() {
    let (server, mut raw) = with_big_file();
    for ending in ["QUIT", "PWD"] {
        let mut data = raw.begin("RETR big");
        read_a_little(&mut data);
        for _ in 0..200 {
            raw.send("NOOP");
        }
        raw.send(ending);
        assert_eq!(read_all(data).len() as u64, BIG - 1000);
        raw.expect(226);
        raw.expect_all(&[200; 200]);
        raw.expect(if ending == "QUIT" { 221 } else { 257 });
        raw = server.login();
    }
}

#[test]
fn a_flood_of_commands_is_not_read_into_memory() {
    let (server, mut raw) = with_big_file();
    let before = crate::support::anonymous_kib(server.pid());
    let data = raw.begin("RETR big");
    // What the server does not take stays in the buffers of the sockets, and the client stands still.
    let sent = raw.flood(b"NOOP\r\n", 16 * 1024 * 1024);
    let grown = crate::support::anonymous_kib(server.pid()).saturating_sub(before);
    assert!(
        grown < 4096,
        "{grown} KiB more for {sent} bytes of commands"
    );
    drop(data);
    drop(raw);
    wait_until("the session to end", || {
        server.log().contains("disconnected")
    });
}
