//! TYPE A: CRLF on the wire and LF in files (RFC 959 §3.1.1.1), for the many clients that begin in it.

use crate::support::{Raw, Server, read_all, temporaries, wait_until};
use std::io::Write;

/// A server and a session in ASCII type.
fn ascii() -> (Server, Raw) {
    let server = Server::start();
    let mut raw = server.login();
    raw.run("TYPE A", 200);
    (server, raw)
}

#[test]
fn uploads_end_their_lines_in_lf() {
    let (server, mut raw) = ascii();
    for (wire, file) in [
        (&b"one\r\ntwo\r\n"[..], &b"one\ntwo\n"[..]),
        (b"no end", b"no end"),
        (b"\r\n\r\n", b"\n\n"),
        (b"", b""),
        // No line end: old Macs' text, progress bars. Bare LF is not for the wire, and kept where it comes.
        (b"a\rb\r", b"a\rb\r"),
        (b"a\r\r\nb", b"a\r\nb"),
        (b"a\nb\n", b"a\nb\n"),
        (b"\0\xff\r\n\xfe", b"\0\xff\n\xfe"),
    ] {
        raw.store("f", wire);
        assert_eq!(server.read("f"), file, "of {}", wire.escape_ascii());
    }
}

#[test]
fn downloads_end_their_lines_in_crlf() {
    let (server, mut raw) = ascii();
    for (file, wire) in [
        (&b"one\ntwo\n"[..], &b"one\r\ntwo\r\n"[..]),
        (b"no end", b"no end"),
        (b"\n\n", b"\r\n\r\n"),
        (b"", b""),
        (b"a\rb", b"a\rb"),
        // Text of Windows that was stored as bytes: a second CR would show as an empty line at every other.
        (b"one\r\ntwo\r\n", b"one\r\ntwo\r\n"),
    ] {
        server.write("f", file);
        assert_eq!(raw.fetch("f"), wire, "of {}", file.escape_ascii());
    }
    raw.run("TYPE I", 200);
    server.write("f", "one\ntwo\n");
    assert_eq!(raw.fetch("f"), b"one\ntwo\n");
}

#[test]
fn a_line_end_that_is_split_is_one() {
    let (server, mut raw) = ascii();
    let mut data = raw.begin("STOR f");
    data.write_all(b"one\r").expect("four bytes");
    // The CR has been read, and is held back until it is known what follows.
    wait_until("the server to have the first segment", || {
        let len = |name: &String| std::fs::metadata(server.path(name)).map_or(0, |file| file.len());
        temporaries(&server.root).iter().any(|name| len(name) == 3)
    });
    data.write_all(b"\ntwo\r").expect("five bytes");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("f"), b"one\ntwo\r");
}

#[test]
fn long_texts_come_through_whole() {
    let (server, mut raw) = ascii();
    // Lines of every length, so that some end falls on every border of every buffer.
    let lines: Vec<String> = (0..2000).map(|len| "x".repeat(len % 701)).collect();
    let (wire, file) = (lines.join("\r\n"), lines.join("\n"));
    raw.store("f", wire.as_bytes());
    assert!(
        server.read("f") == file.as_bytes(),
        "the stored text differs"
    );
    assert!(
        raw.fetch("f") == wire.as_bytes(),
        "the fetched text differs"
    );
}

#[test]
fn appe_and_listings_in_ascii() {
    let (server, mut raw) = ascii();
    server.write("f", "one\n");
    let mut data = raw.begin("APPE f");
    data.write_all(b"two\r\n").expect("five bytes");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("f"), b"one\ntwo\n");
    assert_eq!(read_all(raw.begin("NLST")), b"f\r\n");
    raw.expect(226);
}

/// RFC 3659 §4: SIZE is what a transfer in the current type would send, which only reading the file could tell.
#[test]
fn size_is_refused_rather_than_wrong() {
    let (server, mut raw) = ascii();
    server.write("f", "one\ntwo\n");
    raw.run("SIZE f", 550);
    raw.run("SIZE missing", 550);
    raw.run("TYPE I", 200);
    assert_eq!(raw.run("SIZE f", 213).text, "213 8");
    raw.run("TYPE A N", 200);
    raw.run("SIZE f", 550);
    raw.run("TYPE L 8", 200);
    assert_eq!(raw.run("SIZE f", 213).text, "213 8");
    assert_eq!(raw.fetch("f"), b"one\ntwo\n");
}

#[test]
fn rest_is_refused_rather_than_wrong() {
    let (server, mut raw) = ascii();
    server.write("f", "one\ntwo\n");
    for command in ["RETR f", "STOR f"] {
        raw.send("REST 4");
        if raw.expect_one_of(&[350, 501, 504]).code == 350 {
            raw.begin_refused(command, &[501, 504, 550, 554]);
        }
        assert_eq!(raw.fetch("f"), b"one\r\ntwo\r\n", "after {command}");
    }
    raw.run("REST 0", 350);
    raw.store("f", b"new\r\n");
    assert_eq!(server.read("f"), b"new\n");
}
