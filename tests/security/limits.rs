//! What strangers can take up before they are logged in.

use crate::support::{Raw, Server};
use std::io::ErrorKind;

/// Sends lines until the server will not have any more, and returns the last reply.
#[track_caller]
fn talk_until_closed(raw: &mut Raw, line: &str) -> String {
    let mut last = String::new();
    for _ in 0..100_000 {
        if raw.try_send(format!("{line}\r\n").as_bytes()).is_err() {
            break;
        }
        match raw.try_reply() {
            Ok(reply) => last = reply.text,
            Err(_) => break,
        }
    }
    last
}

#[test]
fn who_does_not_log_in_in_time_is_let_go() {
    let server = Server::with(&["--login-timeout", "1"]);
    let before = server.at_rest();
    let mut silent = server.connect();
    let mut halfway = server.connect();
    halfway.run("USER anonymous", 331);
    let mut member = server.login();
    for raw in [&mut silent, &mut halfway] {
        let reply = raw.expect(421);
        assert!(reply.text.contains("within 1 second."), "{reply}");
        raw.expect_closed();
    }
    // Talking does not help, whether it is in lines or in bytes.
    let mut busy = server.connect();
    let last = talk_until_closed(&mut busy, "NOOP");
    assert!(last.starts_with("421"), "{last}");
    let mut drip = server.connect();
    let mut refused = None;
    while refused.is_none() {
        refused = drip.try_send(b"x").err().map(|error| error.kind());
        std::thread::yield_now();
        if let Some(reply) = drip.waiting() {
            assert_eq!(reply.code, 421);
            break;
        }
    }
    // Who is logged in has the time of --idle-timeout, and another name has that of a login from then on.
    member.run("NOOP", 200);
    member.run("USER anonymous", 331);
    member.run("PASS x", 230);
    member.run("QUIT", 221);
    member.expect_closed();
    drop((silent, halfway, busy, drip, member));
    server.wait_for_footprint(&before);
}

#[test]
fn junk_before_a_login_ends_the_connection() {
    let server = Server::start();
    for line in [
        "FOO",
        "\x16\x03\x01\x02",
        "RETR",
        "SSH-2.0-OpenSSH_9.9",
        "REST x",
    ] {
        let mut raw = server.connect();
        for _ in 0..20 {
            raw.send(line);
            raw.expect_one_of(&[500, 501]);
        }
        raw.expect(421);
        raw.expect_closed();
    }
    // After a login it is one's own time.
    let mut raw = server.login();
    for _ in 0..100 {
        raw.run("FOO", 500);
    }
}

#[test]
fn nobody_says_much_before_a_login() {
    let server = Server::start();
    for line in [&b"NOOP\r\n"[..], b"xxxxxxxx"] {
        let mut raw = server.connect();
        let mut failed = None;
        for _ in 0..10_000 {
            failed = raw.try_send(&line.repeat(100)).err();
            if failed.is_some() {
                break;
            }
            while raw.waiting().is_some_and(|reply| reply.code != 421) {}
        }
        let kind = failed.expect("the end of the connection").kind();
        assert!(
            matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
            "{kind}"
        );
    }
    server.assert_never_panicked();
    server.wait_for_log(&["Too much was said before a login."]);
}

/// A connection that is closed with something unread is reset, and many systems then forget what their client has not read.
#[test]
fn the_last_reply_arrives_whatever_the_client_sends() {
    let server = Server::with(&["--max-clients", "2"]);
    let before = server.at_rest();
    for line in [
        &b"NOOP\r\n"[..],
        b"FOO\r\n",
        b"GET / HTTP/1.1\r\n",
        b"xxxxxxxx",
    ] {
        let mut raw = server.connect();
        // More than the server reads of it.
        raw.send_bytes(&line.repeat(200 * 1024 / line.len()));
        while raw.reply().code != 421 {}
        raw.expect_closed();
        drop(raw);
        // It has its place until the server has seen that.
        server.wait_for_footprint(&before);
    }
    let mut raw = server.login();
    raw.send_bytes(&[&b"QUIT\r\n"[..], &b"NOOP\r\n".repeat(1000)].concat());
    raw.expect(221);
    raw.expect_closed();
    drop(raw);
    // Nobody stays longer for it than for a moment, be it silent or busy.
    server.wait_for_footprint(&before);
    let mut silent = server.login();
    silent.run("QUIT", 221);
    let mut busy = server.login();
    busy.send("QUIT");
    while busy.try_send(&[b'x'; 4096]).is_ok() {}
    server.wait_for_footprint(&before);
    // Who is turned away at the door may have spoken first as well.
    let _two = [server.login(), server.login()];
    let mut third = Raw::dial(server.address);
    third.expect(421);
    third.expect_closed();
}

/// RFC 959 lets a server have any SITE command: each is a way in of its own.
#[test]
fn site_has_nothing_but_what_this_project_defines() {
    let server = Server::with(&["--anonymous", "full"]);
    server.write("a", "a");
    let mut raw = server.login();
    for what in [
        "EXEC ls",
        "EXEC",
        "CPFR a",
        "CPTO b",
        "SYMLINK a b",
        "CHOWN 0 a",
        "CHGRP 0 a",
        "RMDIR d",
        "MKDIR d",
        "UMASK 0",
        "IDLE 1",
        "INDEX x",
        "ALIAS",
        "GROUP x",
        "GPASS x",
        "NEWER x",
        "PSWD a b",
        "ZONE",
        "UTIME",
    ] {
        let reply = raw.refused(&format!("SITE {what}"));
        assert!((500..=504).contains(&reply.code), "SITE {what}: {reply}");
    }
    raw.run("SITE HELP", 214);
    raw.run("SITE CHMOD 600 a", 200);
    assert_eq!(crate::support::names_in(&server.root), ["a"]);
}
