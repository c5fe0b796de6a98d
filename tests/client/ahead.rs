//! Small files, for which commands are sent ahead where the server answers those.

use super::fake::{Data, Place, Run, Server, Session, reset_on_close};
use std::io::Write;
use std::net::TcpListener;

const LISTED: &str = "type=file;size=1; a\r\ntype=file;size=1; b\r\ntype=file;size=1; c\r\n";

/// Everything up to the transfers of `mget *`.
fn listed(s: &mut Session) {
    let data = s.epsv();
    s.expect("MLSD", "150 here it comes");
    data.send(LISTED.as_bytes());
    s.say("226 done");
    s.expect("TYPE I", "200 image");
}

fn sends(s: &mut Session, data: Data, name: &str) {
    s.expect(&format!("RETR {name}"), "150 here it comes");
    data.send(name.as_bytes());
    s.say("226 done");
}

/// Fetches `a` the slow way, which asks for its size.
fn asked(s: &mut Session, name: &str) {
    s.expect(&format!("SIZE {name}"), "213 1");
    let data = s.epsv();
    sends(s, data, name);
}

/// Fetches these over a new connection, the slow way.
fn all_anew(listener: &TcpListener, names: &[&str]) {
    let mut s = Session::accept(listener);
    s.login();
    s.expect("TYPE I", "200 image");
    for name in names {
        asked(&mut s, name);
    }
    s.quit();
}

#[track_caller]
fn all_there(place: &Place, run: &Run) {
    let file = |name: &str| (name.to_owned(), name.to_owned());
    assert_eq!(
        place.downloads(),
        [file("a"), file("b"), file("c")],
        "{run}"
    );
}

#[test]
fn the_next_port_is_asked_for_during_a_transfer_and_then_the_next_transfers_too() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login();
        listed(s);
        let data = s.epsv();
        s.expect("RETR a", "150 here it comes");
        // Sent while `a` flows, and answered behind it.
        let (next, reply) = Data::offer(s);
        assert_eq!(s.command(), "EPSV");
        data.send(b"a");
        s.say("226 done");
        s.say(&reply);
        s.expect("RETR b", "150 here it comes");
        // It is known by now that nothing gets lost: this goes for transfers too.
        let (last, reply) = Data::offer(s);
        assert_eq!(s.command(), "EPSV");
        assert_eq!(s.command(), "RETR c");
        next.send(b"b");
        s.say("226 done");
        s.say(&reply);
        s.say("150 here it comes");
        last.send(b"c");
        s.say("226 done");
        s.quit();
    });
    let run = place.ftp(&server, "mget *");
    assert_eq!(run.code, Some(0), "{run}");
    all_there(&place, &run);
    server.finish(&run);
}

#[test]
fn a_server_that_loses_what_is_sent_during_a_transfer() {
    let place = Place::new();
    let server = Server::with(|listener| {
        let mut s = Session::accept(&listener);
        s.login();
        listed(&mut s);
        let data = s.epsv();
        sends(&mut s, data, "a");
        // Lost: nobody answers.
        assert_eq!(s.command(), "EPSV");
        all_anew(&listener, &["b", "c"]);
    });
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, "--timeout", "2"], None, "mget *");
    assert_eq!(run.code, Some(0), "{run}");
    all_there(&place, &run);
    server.finish(&run);
}

/// ProFTPD answers 450 at once to whatever would open a data connection during a transfer, and pyftpdlib gives up the
/// transfer for it.
#[test]
fn a_server_that_answers_before_its_turn() {
    for early in ["450 data transfer in progress", "229 Extended (|||9|)"] {
        let place = Place::new();
        let server = Server::with(move |listener| {
            let mut s = Session::accept(&listener);
            s.login();
            listed(&mut s);
            let _data = s.epsv();
            s.expect("RETR a", "150 here it comes");
            s.expect("EPSV", early);
            all_anew(&listener, &["a", "b", "c"]);
        });
        let run = place.ftp(&server, "mget *");
        assert_eq!(run.code, Some(0), "{run}");
        all_there(&place, &run);
        server.finish(&run);
    }
}

#[test]
fn a_file_that_is_refused_holds_up_none_of_the_others() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login();
        listed(s);
        let _data = s.epsv();
        s.expect("RETR a", "550 not for you");
        let data = s.epsv();
        sends(s, data, "b");
        let data = s.epsv();
        sends(s, data, "c");
        // Once more by itself, so that it is known why.
        s.expect("SIZE a", "550 not for you");
        let _data = s.epsv();
        s.expect("RETR a", "550 not for you");
        s.quit();
    });
    let run = place.ftp(&server, "mget *");
    assert_eq!(run.code, Some(1), "{run}");
    run.tells("a: the server answered \"550 not for you\"");
    assert_eq!(place.downloads().len(), 2, "{run}");
    server.finish(&run);
}

#[test]
fn files_under_way_when_the_connection_breaks_are_fetched_again() {
    let place = Place::new();
    let server = Server::with(|listener| {
        let mut s = Session::accept(&listener);
        s.login();
        listed(&mut s);
        let data = s.epsv();
        s.expect("RETR a", "150 here it comes");
        assert_eq!(s.command(), "EPSV");
        data.open().write_all(b"").unwrap();
        reset_on_close(s.control.get_ref());
        drop(s);
        all_anew(&listener, &["a", "b", "c"]);
    });
    let run = place.ftp(&server, "mget *");
    assert_eq!(run.code, Some(0), "{run}");
    all_there(&place, &run);
    server.finish(&run);
}

/// A server that lets data connections be prepared is sent all at once, in the order in which it uses them.
#[test]
fn data_connections_are_prepared_ahead() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.say("220 ready");
        s.expect("USER anonymous", "230 in");
        s.expect(
            "FEAT",
            "211-Features\n EPSV-AHEAD 2\n MLST type*;size*;modify*;\n211 End",
        );
        listed(s);
        s.expect("OPTS EPSV-AHEAD 2", "200 two");
        let (mut data, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (next, reply) = Data::offer(s);
            data.push(next);
            replies.push(reply);
        }
        for command in ["EPSV", "EPSV", "RETR a", "EPSV", "RETR b", "RETR c"] {
            assert_eq!(s.command(), command);
        }
        let mut data = data.into_iter().zip(["a", "b", "c"]);
        let mut sends = |s: &mut Session| {
            let (data, name) = data.next().unwrap();
            s.say("150 here it comes");
            data.send(name.as_bytes());
            s.say("226 done");
        };
        s.say(&replies[0]);
        s.say(&replies[1]);
        sends(s);
        s.say(&replies[2]);
        sends(s);
        sends(s);
        s.quit();
    });
    let run = place.ftp(&server, "mget *");
    assert_eq!(run.code, Some(0), "{run}");
    all_there(&place, &run);
    server.finish(&run);
}
