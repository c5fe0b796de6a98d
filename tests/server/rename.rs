//! RNFR and RNTO, DELE and RMD (RFC 959 §4.1.3).

use crate::support::{Raw, Server, names_in};
use std::io::Write;

fn full() -> (Server, Raw) {
    let server = Server::with(&["--anonymous", "full"]);
    server.write("a", "abc");
    server.make_folder("d/sub");
    server.write("d/inner", "inner");
    let raw = server.login();
    (server, raw)
}

#[test]
fn files_and_folders_get_other_names() {
    let (server, mut raw) = full();
    for (from, to) in [
        ("a", "b c"),
        ("b c", "d/a"),
        ("/d/a", "/a"),
        ("d", "e"),
        ("e/sub", "top"),
        ("top", "top"),
    ] {
        raw.run(&format!("RNFR {from}"), 350);
        raw.run(&format!("RNTO {to}"), 250);
    }
    assert_eq!(names_in(&server.root), ["a", "e", "top"]);
    assert_eq!(server.read("a"), b"abc");
    assert_eq!(server.read("e/inner"), b"inner");
}

/// As `rename` of Unix has it, and every client that saves under a temporary name counts on it.
#[test]
fn a_file_takes_the_place_of_another() {
    let (server, mut raw) = full();
    server.write("b", "old");
    raw.run("RNFR a", 350);
    raw.run("RNTO b", 250);
    assert_eq!(server.read("b"), b"abc");
    assert_eq!(names_in(&server.root), ["b", "d"]);
}

#[test]
fn renames_that_cannot_be() {
    let (server, mut raw) = full();
    server.make_folder("e/full");
    raw.run("RNFR missing", 550);
    raw.run("RNFR a/x", 550);
    for (from, to) in [
        ("d", "d/sub/inside"),
        ("d", "d/x"),
        ("a", "d"),
        ("d", "a"),
        ("d", "e"),
        ("a", "missing/a"),
        ("a", "a/b"),
        ("a", "/"),
        ("/", "x"),
        ("/", "d/x"),
    ] {
        raw.send(&format!("RNFR {from}"));
        if raw.expect_one_of(&[350, 550]).code == 350 {
            raw.send(&format!("RNTO {to}"));
            let reply = raw.reply();
            assert!([550, 553].contains(&reply.code), "{from} to {to}: {reply}");
        }
    }
    raw.run("RNFR a", 350);
    raw.run(&format!("RNTO {}", "n".repeat(256)), 550);
    assert_eq!(names_in(&server.root), ["a", "d", "e"]);
    assert_eq!(names_in(&server.path("d")), ["inner", "sub"]);
}

#[test]
fn rnto_follows_its_rnfr_at_once_or_is_503() {
    let (server, mut raw) = full();
    raw.run("RNTO b", 503);
    raw.run("RNFR missing", 550);
    raw.run("RNTO b", 503);
    // RFC 959 §4.1.3: RNFR "must be immediately followed by" RNTO; 503 is for what comes out of sequence.
    for (line, code) in [
        ("NOOP", 200),
        ("PWD", 257),
        ("FOO", 500),
        ("SIZE", 501),
        ("ACCT x", 502),
        ("RNFR missing", 550),
        ("RNTO", 501),
    ] {
        raw.run("RNFR a", 350);
        raw.run(line, code);
        raw.run("RNTO b", 503);
    }
    raw.run("RNFR d", 350);
    raw.run("RNFR a", 350);
    raw.run("RNTO b", 250);
    raw.run("RNTO c", 503);
    assert_eq!(names_in(&server.root), ["b", "d"]);
}

#[test]
fn files_are_deleted_and_empty_folders_removed() {
    let (server, mut raw) = full();
    raw.run("DELE a", 250);
    raw.run("DELE a", 550);
    raw.run("DELE d", 550);
    raw.run("RMD d/inner", 550);
    raw.run("RMD d", 550);
    raw.run("RMD missing", 550);
    raw.run("RMD d/sub", 250);
    raw.run("DELE d/inner", 250);
    raw.run("XRMD d", 250);
    for line in [
        "RMD /",
        "RMD .",
        "RMD ..",
        "DELE /",
        "DELE .",
        "DELE missing/x",
    ] {
        raw.run(line, 550);
    }
    assert_eq!(names_in(&server.root), [""; 0]);
    assert!(server.root.is_dir(), "the root itself is gone");
    raw.store("a", b"abc");
}

/// Under a download the file stays what it was, as Unix has it.
#[test]
fn a_file_that_is_being_read_may_be_deleted() {
    let (server, mut raw) = full();
    let data = raw.begin("APPE a");
    let mut other = server.login();
    other.run("DELE a", 250);
    (&data).write_all(b"def").expect("three bytes");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("a"), b"abcdef");
}

#[test]
fn accounts_that_may_write_only_rename_and_delete_nothing() {
    for level in ["read", "write"] {
        let server = Server::with(&["--anonymous", level]);
        server.write("a", "abc");
        server.make_folder("d");
        let mut raw = server.login();
        for line in ["RNFR a", "DELE a", "RMD d", "XRMD d", "RNTO b"] {
            raw.run(line, 550);
        }
        assert_eq!(names_in(&server.root), ["a", "d"]);
    }
}
