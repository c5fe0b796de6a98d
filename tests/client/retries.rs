//! What is tried again, what is not, and from where it goes on.

use super::fake::{Place, Run, Server, Session, reset_on_close};
use std::io::Write;

/// Runs a client that tries three times more to its end, and checks that it was with `code`, and the script was followed.
#[track_caller]
fn run(place: &Place, server: Server, typed: &str, code: i32) -> Run {
    let port = server.port.to_string();
    let arguments = ["--port", &port, "--retries", "3", "--retry-wait", "1"];
    let run = place.run(&arguments, None, typed);
    assert_eq!(run.code, Some(code), "{run}");
    server.finish(&run);
    run
}

fn asked(s: &mut Session) {
    s.expect("TYPE I", "200 image");
    s.expect("SIZE f", "213 12");
    s.expect("MDTM f", "213 20260102030405");
}

#[test]
fn a_download_goes_on_from_its_part_after_a_reset() {
    let place = Place::new();
    let server = Server::with(|listener| {
        let mut s = Session::accept(&listener);
        s.login_able();
        asked(&mut s);
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        let mut data = data.open();
        data.write_all(b"hello, ").unwrap();
        drop(data);
        reset_on_close(s.control.get_ref());
        drop(s);
        let mut s = Session::accept(&listener);
        s.login_able();
        asked(&mut s);
        let data = s.epsv();
        s.expect("REST 7", "350 go on");
        s.expect("RETR f", "150 here it comes");
        data.send(b"world");
        s.say("226 done");
        s.expect("HASH f", "213 CRC32 0-12 ffab723a f");
        s.quit();
    });
    let run = run(&place, server, "get f", 0);
    run.tells("trying again in 0.001 s, 1 of 3");
    run.tells("going on after 7 bytes");
    assert_eq!(place.downloads(), [("f".into(), "hello, world".into())]);
}

#[test]
fn a_download_that_was_cut_and_seems_whole_to_the_server_goes_on() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login_able();
        asked(s);
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        data.send(b"hello, ");
        s.say("226 done");
        // Whether it is another file by now.
        s.expect("SIZE f", "213 12");
        s.expect("MDTM f", "213 20260102030405");
        s.expect("SIZE f", "213 12");
        s.expect("MDTM f", "213 20260102030405");
        let data = s.epsv();
        s.expect("REST 7", "350 go on");
        s.expect("RETR f", "150 here it comes");
        data.send(b"world");
        s.say("226 done");
        s.expect("HASH f", "213 CRC32 0-12 ffab723a f");
        s.quit();
    });
    let run = run(&place, server, "get f", 0);
    run.tells("only 7 of 12 bytes came");
    assert_eq!(place.downloads(), [("f".into(), "hello, world".into())]);
}

#[test]
fn what_is_temporary_is_tried_three_times_more_in_the_same_session() {
    let place = Place::new();
    place.write("f", b"hello");
    let server = Server::play(|s| {
        s.login();
        s.expect("TYPE I", "200 image");
        for _ in 0..3 {
            let _data = s.epsv();
            s.expect("STOR f.part", "450 busy");
        }
        let data = s.epsv();
        s.expect("STOR f.part", "150 go");
        assert_eq!(data.receive().unwrap(), b"hello");
        s.say("226 done");
        s.named("f");
        for _ in 0..4 {
            let _data = s.epsv();
            s.expect("STOR f.part", "450 busy");
        }
        s.quit();
    });
    let run = run(&place, server, "put f\nput f", 1);
    run.tells("trying again in 0.004 s, 3 of 3");
    run.tells("sent f: 5 bytes");
    run.tells("line 2: put f: the server answered \"450 busy\"");
}

#[test]
fn a_refusal_for_good_is_not_tried_again() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "550 no");
        let _data = s.epsv();
        s.expect("RETR f", "550 no such file");
        s.quit();
    });
    let run = run(&place, server, "get f", 1);
    assert!(!run.err.contains("again in"), "{run}");
}

#[test]
fn a_server_that_is_full_when_connecting_anew_is_left_alone() {
    let place = Place::new();
    let server = Server::with(|listener| {
        let mut s = Session::accept(&listener);
        s.login();
        s.expect("TYPE I", "200 image");
        drop(s);
        Session::accept(&listener).say("421 too many");
    });
    let run = run(&place, server, "get f", 3);
    run.tells("421 too many");
}
