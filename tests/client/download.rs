//! `get`: the file appears when it is whole, or not at all.

use super::fake::{Place, Server, Session, check, deaf_port, reset_on_close};
use std::io::Write;

/// Runs a `get f` over an old `f` that fails with `code`, and checks that the old file is all there is.
#[track_caller]
fn keeps_the_old_file(code: i32, says: &str, script: impl FnOnce(&mut Session) + Send + 'static) {
    let place = Place::new();
    place.write("client_downloads/f", b"old");
    let run = check(&place, "get f", code, script);
    run.tells(says);
    run.tells("line 1: get f: ");
    assert_eq!(place.downloads(), [("f".into(), "old".into())], "{run}");
}

#[test]
fn a_whole_file_replaces_the_old_one() {
    let place = Place::new();
    place.write("client_downloads/f", b"old");
    place.write("client_downloads/f.part", b"left from a crash, and longer");
    let run = check(&place, "get f", 0, |s| {
        s.login();
        s.retr(5).send(b"hello");
        s.say("226 done");
        s.quit();
    });
    run.tells("got f: 5 bytes in ");
    run.tells("saved as client_downloads/f");
    assert_eq!(run.out, "", "{run}");
    assert_eq!(place.downloads(), [("f".into(), "hello".into())], "{run}");
}

#[test]
fn fewer_bytes_than_announced_are_not_a_file() {
    keeps_the_old_file(1, "only 3 of 5 bytes", |s| {
        s.login();
        s.retr(5).send(b"hel");
        s.say("226 done");
        s.quit();
    });
}

#[test]
fn more_bytes_than_announced_are_not_a_file() {
    keeps_the_old_file(1, "more bytes came", |s| {
        s.login();
        let mut data = s.retr(5).open();
        data.write_all(b"hello, and").unwrap();
        // The client hangs up by itself, however much there still is.
        while data.write_all(&[0; 65536]).is_ok() {}
        s.say("426 you closed it");
        s.quit();
    });
}

#[test]
fn a_cut_that_the_server_tells_of() {
    keeps_the_old_file(1, "426 disk trouble", |s| {
        s.login();
        s.retr(5).send(b"hel");
        s.say("426 disk trouble");
        s.quit();
    });
}

#[test]
fn a_reset_data_connection() {
    keeps_the_old_file(1, "451 it broke", |s| {
        s.login();
        let mut data = s.retr(1 << 40).open();
        data.write_all(b"hel").unwrap();
        reset_on_close(&data);
        drop(data);
        s.say("451 it broke");
        s.quit();
    });
}

#[test]
fn a_server_that_vanishes() {
    keeps_the_old_file(1, "closed the connection before it answered RETR", |s| {
        s.login();
        s.retr(5).send(b"hello");
    });
}

#[test]
fn a_server_that_falls_silent() {
    let place = Place::new();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let server = Server::play(move |s| {
        s.login();
        let _data = s.retr(5).open();
        let _ = told.recv();
    });
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, "--timeout", "1"], None, "get f");
    assert_eq!(run.code, Some(5), "{run}");
    run.tells("stopped sending after 0 bytes");
    assert_eq!(place.downloads(), [], "{run}");
    drop(tell);
    server.finish(&run);
}

#[test]
fn done_before_the_data_has_ended() {
    let place = Place::new();
    let content = "x".repeat(3_000_000);
    let sent = content.clone();
    let run = check(&place, "get f", 0, move |s| {
        s.login();
        let data = s.retr(3_000_000);
        s.say("226 done, as far as I care");
        data.send(sent.as_bytes());
        s.quit();
    });
    assert!(place.downloads() == [("f".into(), content)], "{run}");
}

#[test]
fn a_server_without_size_decides_by_226_and_is_not_asked_again() {
    let place = Place::new();
    let run = check(&place, "get f\nget f", 0, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "502 no");
        for content in ["a", "bc"] {
            let data = s.epsv();
            s.expect("RETR f", "150 go");
            data.send(content.as_bytes());
            s.say("226 done");
        }
        s.quit();
    });
    assert_eq!(place.downloads(), [("f".into(), "bc".into())], "{run}");
}

#[test]
fn epsv_refused_means_pasv_from_then_on_and_its_address_is_ignored() {
    let place = Place::new();
    let run = check(&place, "get f\nget f", 0, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        for turn in 0..2 {
            s.expect("SIZE f", "213 2");
            if turn == 0 {
                s.expect("EPSV", "500 what?");
            }
            let data = s.pasv();
            s.expect("RETR f", "150 go");
            data.send(b"ab");
            s.say("226 done");
        }
        s.quit();
    });
    assert_eq!(place.downloads(), [("f".into(), "ab".into())], "{run}");
}

#[test]
fn a_port_of_epsv_that_nobody_answers_means_pasv() {
    let place = Place::new();
    check(&place, "get f", 0, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 2");
        let (_socket, port) = deaf_port();
        s.expect("EPSV", &format!("229 ok (|||{port}|)"));
        let data = s.pasv();
        s.expect("RETR f", "150 go");
        data.send(b"ab");
        s.say("226 done");
        s.quit();
    });
    check(&place, "get f", 1, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 2");
        s.expect("EPSV", "229 (nonsense)");
        s.expect("PASV", "227 nonsense");
        s.quit();
    })
    .tells("227 nonsense");
}

#[test]
fn a_missing_file_leaves_no_trace() {
    let place = Place::new();
    let run = check(&place, "get f", 1, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "550 no \x1b[31msuch file");
        let _data = s.epsv();
        s.expect("RETR f", "550 no \x1b[31msuch file");
        s.quit();
    });
    run.tells("550 no \u{FFFD}[31msuch file");
    assert_eq!(place.downloads(), [], "{run}");
}

#[test]
fn two_clients_do_not_write_the_same_part() {
    let place = Place::new();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = std::sync::mpsc::channel::<()>();
    let first = Server::play(move |s| {
        s.login();
        let mut data = s.retr(5).open();
        begun.send(()).unwrap();
        told.recv().unwrap();
        data.write_all(b"hello").unwrap();
        drop(data);
        s.say("226 done");
        s.quit();
    });
    let mut child = place.start(&["--port", &first.port.to_string()], None);
    child.stdin.take().unwrap().write_all(b"get f\n").unwrap();
    has_begun.recv().unwrap();
    let run = check(&place, "get f", 7, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 5");
        s.quit();
    });
    run.tells("another download does");
    tell.send(()).unwrap();
    let run = super::fake::Run::of(child);
    assert_eq!(run.code, Some(0), "{run}");
    first.finish(&run);
    assert_eq!(place.downloads(), [("f".into(), "hello".into())], "{run}");
}

#[test]
fn local_trouble_is_told_before_the_transfer() {
    let place = Place::new();
    place.write("client_downloads", b"a file");
    check(&place, "get f", 7, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 5");
        s.quit();
    })
    .tells("client_downloads");
    let place = Place::new();
    place.write("client_downloads/f/x", b"");
    check(&place, "get f", 7, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 5");
        s.quit();
    })
    .tells("there is a folder of that name");
}
