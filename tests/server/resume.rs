//! REST with RETR and STOR, and APPE, on files that are whole (RFC 3659 §5). Cut uploads are in `partials.rs`.

use crate::support::{Pattern, Server, data_connection, names_in, read_all, reset};
use std::io::{Seek, SeekFrom, Write};

const GIB: u64 = 1024 * 1024 * 1024;

#[test]
fn a_download_begins_where_rest_says() {
    let server = Server::start();
    let bytes = Pattern::bytes(1, 100_000);
    server.write("a", &bytes);
    let mut raw = server.login();
    for at in [0, 1, 65_536, 99_999, 100_000] {
        raw.run(&format!("REST {at}"), 350);
        assert!(raw.fetch("a") == bytes[at..], "from byte {at}");
    }
}

#[test]
fn rest_is_for_the_next_transfer_only() {
    let server = Server::start();
    server.write("a", "abcdef");
    let mut raw = server.login();
    raw.run("REST 3", 350);
    assert_eq!(raw.fetch("a"), b"def");
    assert_eq!(raw.fetch("a"), b"abcdef");
    // A transfer that is refused uses it up too, or the one after it would be short.
    raw.run("REST 3", 350);
    raw.begin_refused("RETR missing", &[550]);
    assert_eq!(raw.fetch("a"), b"abcdef");
    raw.run("REST 3", 350);
    raw.run("REST 0", 350);
    assert_eq!(raw.fetch("a"), b"abcdef");
}

/// curl sends REST behind EPSV, lftp and wget before it, and some ask SIZE and MDTM in between.
#[test]
fn other_commands_may_stand_between_rest_and_its_transfer() {
    let server = Server::start();
    server.write("a", "abcdef");
    let mut raw = server.login();
    raw.run("REST 2", 350);
    raw.run("TYPE I", 200);
    raw.run("SIZE a", 213);
    raw.run("MDTM a", 213);
    assert_eq!(raw.fetch("a"), b"cdef");
    let data = data_connection(raw.epsv());
    raw.run("REST 4", 350);
    raw.run("RETR a", 150);
    assert_eq!(read_all(data), b"ef");
    raw.expect(226);
}

#[test]
fn an_upload_goes_on_where_rest_says() {
    let server = Server::start();
    let mut raw = server.login();
    for (at, then) in [(6, "abcdef+"), (3, "abc+"), (0, "+")] {
        server.write("a", "abcdef");
        raw.run(&format!("REST {at}"), 350);
        raw.store("a", b"+");
        assert_eq!(server.read("a"), then.as_bytes(), "from byte {at}");
    }
    // Where nothing is there is nothing to go on from but its beginning.
    raw.run("REST 0", 350);
    raw.store("new", b"n");
    assert_eq!(server.read("new"), b"n");
    assert_eq!(names_in(&server.root), ["a", "new"]);
}

#[test]
fn appe_writes_behind_what_is_there() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    for (path, more, then) in [
        ("a", "def", "abcdef"),
        ("a", "", "abcdef"),
        ("new", "n", "n"),
        ("new", "ew", "new"),
    ] {
        let mut data = raw.begin(&format!("APPE {path}"));
        data.write_all(more.as_bytes()).expect("a few bytes");
        drop(data);
        raw.expect(226);
        assert_eq!(server.read(path), then.as_bytes());
    }
    raw.begin_refused("APPE missing/a", &[550, 553]);
    raw.begin_refused("APPE /", &[550, 553]);
    assert_eq!(names_in(&server.root), ["a", "new"]);
}

#[test]
fn a_resumed_file_keeps_its_old_content_until_the_end() {
    let server = Server::start();
    let old = Pattern::bytes(1, 300_000);
    for (command, kept) in [("APPE a", 300_000), ("STOR a", 100_000)] {
        server.write("a", &old);
        let mut raw = server.login();
        raw.run("REST 100000", 350);
        let mut data = raw.begin(command);
        data.write_all(b"more").expect("four bytes");
        let mut other = server.login();
        assert!(
            other.fetch("a") == old,
            "{command}: another sees the change"
        );
        assert_eq!(other.run("SIZE a", 213).text, "213 300000");
        drop(data);
        raw.expect(226);
        let mut then = old[..kept].to_vec();
        then.extend_from_slice(b"more");
        assert!(other.fetch("a") == then, "{command}: the new content");
    }
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn a_resume_that_is_cut_leaves_the_old_file() {
    let server = Server::start();
    server.write("a", "old content");
    let mut raw = server.login();
    for command in ["APPE a", "STOR a"] {
        raw.run("REST 3", 350);
        let mut data = raw.begin(command);
        data.write_all(&[1; 100_000]).expect("a part of it");
        reset(data);
        raw.expect_one_of(&[426, 451]);
        assert_eq!(server.read("a"), b"old content", "after {command}");
    }
    assert_eq!(names_in(&server.root), ["a"]);
}

/// RFC 1123 §4.1.3.4: 554 where REST's position does not fit the file.
#[test]
fn positions_past_the_end_are_554() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.login();
    for at in [
        "4",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
    ] {
        for command in ["RETR a", "STOR a", "STOR missing"] {
            raw.run(&format!("REST {at}"), 350);
            raw.begin_refused(command, &[554]);
        }
    }
    assert_eq!(server.read("a"), b"abc");
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn a_download_begins_behind_four_gibibytes() {
    let server = Server::start();
    let mut file = server.write_sparse("big", 5 * GIB);
    file.seek(SeekFrom::End(0)).expect("a position");
    file.write_all(b"the end").expect("a few bytes");
    let mut raw = server.login();
    raw.run("TYPE I", 200);
    assert_eq!(
        raw.run("SIZE big", 213).text,
        format!("213 {}", 5 * GIB + 7)
    );
    raw.run(&format!("REST {}", 5 * GIB + 4), 350);
    assert_eq!(raw.fetch("big"), b"end");
}

/// The owner and the permissions of a file that is gone on with are those that it had.
#[test]
fn a_resumed_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    server.write("a", "abc");
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(server.path("a"), mode).expect("permissions");
    let mut raw = server.login();
    raw.run("REST 3", 350);
    raw.store("a", b"def");
    let now = std::fs::metadata(server.path("a")).expect("the file");
    assert_eq!(now.permissions().mode() & 0o7777, 0o640);
    assert_eq!(server.read("a"), b"abcdef");
}
