//! The end of the server: SIGTERM and SIGINT, sessions that are idle, and transfers that are not.

mod support;

use rustix::process::Signal;
use std::io::{Read, Write};
use support::{Pattern, Server, assert_same, data_bytes, names_in, try_connect};

const BIG: u64 = 32 * 1024 * 1024;

#[test]
fn a_server_with_no_clients_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        server.signal(signal);
        let status = server.ended();
        assert_eq!(status.code(), Some(0), "after {signal:?}");
        assert!(
            try_connect(server.address).is_err(),
            "somebody still listens"
        );
    }
}

#[test]
fn idle_sessions_get_421() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let mut greeted = server.connect();
        let mut idle = server.login();
        let mut waiting = server.login();
        waiting.epsv();
        server.signal(signal);
        for raw in [&mut greeted, &mut idle, &mut waiting] {
            raw.expect(421);
            raw.expect_closed();
        }
        assert_eq!(server.ended().code(), Some(0), "after {signal:?}");
    }
}

#[test]
fn the_log_counts_as_people_do() {
    for (count, open) in [(0, "0 sessions"), (1, "1 session"), (2, "2 sessions")] {
        let mut server = Server::start();
        let _clients: Vec<_> = (0..count).map(|_| server.login()).collect();
        assert!(server.stop().success());
        server.wait_for_log(&[&format!("shutting down, {open} open")]);
    }
}

#[test]
fn a_download_under_way_is_finished() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let big = Pattern::new(1, BIG);
        server.write("big", Pattern::bytes(1, BIG));
        let mut idle = server.login();
        let mut raw = server.login();
        let data = raw.begin("RETR big");
        server.signal(signal);
        server.wait_until_closed();
        idle.expect(421);
        assert_same("the download", data, big);
        raw.expect(226);
        // It may say that it closes now.
        if let Ok(reply) = raw.try_reply() {
            assert_eq!(reply.code, 421, "{reply}");
        }
        raw.expect_closed();
        assert_eq!(server.ended().code(), Some(0), "after {signal:?}");
        server.assert_never_panicked();
    }
}

#[test]
fn an_upload_under_way_is_finished() {
    let mut server = Server::start();
    server.write("a", "old");
    let new = Pattern::bytes(2, 1_000_000);
    let mut raw = server.login();
    let mut data = raw.begin("STOR a");
    data.write_all(&new[..500_000]).expect("one half");
    server.signal(Signal::TERM);
    server.wait_until_closed();
    data.write_all(&new[500_000..]).expect("the other half");
    drop(data);
    raw.expect(226);
    assert_eq!(server.ended().code(), Some(0));
    assert!(server.read("a") == new, "226 and not the new file");
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn what_does_not_end_within_the_drain_is_cut() {
    let mut server = Server::with(&["--drain", "1"]);
    server.write("big", vec![0; usize::try_from(BIG).expect("small")]);
    server.write("a", "old");
    let (mut one, mut two) = (server.login(), server.login());
    let mut down = one.begin("RETR big");
    down.read_exact(&mut [0; 1000]).expect("the first bytes");
    let mut up = two.begin("STOR a");
    up.write_all(&[1; 1000]).expect("the first bytes");
    let status = server.stop();
    assert_eq!(status.code(), Some(0));
    let got = data_bytes(down).len() as u64 + 1000;
    assert!(got < BIG, "the whole file, though nobody read it");
    // An upload that was cut is as one that was never begun.
    assert_eq!(server.read("a"), b"old");
    assert_eq!(names_in(&server.root), ["a", "big"]);
    server.assert_never_panicked();
}

#[test]
fn no_transfer_begins_after_the_signal() {
    let mut server = Server::start();
    server.write("a", "abc");
    server.write("big", vec![0; usize::try_from(BIG).expect("small")]);
    let (mut busy, mut raw) = (server.login(), server.login());
    let down = busy.begin("RETR big");
    let waiting = support::data_connection(raw.epsv());
    server.signal(Signal::TERM);
    server.wait_until_closed();
    raw.expect(421);
    raw.expect_closed();
    assert_eq!(data_bytes(waiting), b"");
    assert_eq!(support::read_all(down).len() as u64, BIG);
    busy.expect(226);
    assert_eq!(server.ended().code(), Some(0));
}
