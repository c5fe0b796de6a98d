//! `put`: the server gets the whole file, or knows that it did not.

use super::fake::{Place, Server, check, sparse};
use std::io::{Read, Write};

#[test]
fn all_bytes_arrive_and_the_last_reply_is_waited_for() {
    let place = Place::new();
    place.write("sub/f", b"hello");
    let run = check(&place, "put sub/f", 0, |s| {
        s.login();
        assert_eq!(s.stor("150 go").receive().unwrap(), b"hello");
        s.say("226 done");
        s.named("f");
        s.quit();
    });
    run.tells("sent f: 5 bytes in ");
}

#[test]
fn an_empty_file_and_another_name() {
    let place = Place::new();
    place.write("an empty one", b"");
    check(&place, "put 'an empty one' f", 0, |s| {
        s.login();
        assert_eq!(s.stor("125 go").receive().unwrap(), b"");
        s.say("250 done");
        s.named("f");
        s.quit();
    });
}

#[test]
fn done_before_the_data_was_closed() {
    let place = Place::new();
    place.write("f", b"hello");
    check(&place, "put f", 0, |s| {
        s.login();
        let data = s.stor("150 go\n226 done already");
        assert_eq!(data.receive().unwrap(), b"hello");
        s.named("f");
        s.quit();
    });
}

#[test]
fn a_refusal_instead_of_150() {
    let place = Place::new();
    place.write("f", b"hello");
    let run = check(&place, "put f", 1, |s| {
        s.login();
        let _data = s.stor("553 not that name");
        // The name may be all right without what is put behind it.
        s.expect("DELE f.part", "550 no such file");
        let _data = s.epsv();
        s.expect("STOR f", "553 not that one either");
        s.quit();
    });
    run.tells("553 not that one either");
}

#[test]
fn a_server_that_renames_nothing_is_sent_the_file_under_its_name() {
    let place = Place::new();
    place.write("f", b"hello");
    check(&place, "put f\nput f", 0, |s| {
        s.login();
        assert_eq!(s.stor("150 go").receive().unwrap(), b"hello");
        s.say("226 done");
        s.expect("RNFR f.part", "550 not you");
        s.expect("DELE f.part", "250 gone");
        // The second time it is known.
        for _ in 0..2 {
            let data = s.epsv();
            s.expect("STOR f", "150 go");
            assert_eq!(data.receive().unwrap(), b"hello");
            s.say("226 done");
        }
        s.quit();
    });
}

#[test]
fn what_was_read_from_a_pipe_is_not_lost_where_nothing_is_renamed() {
    let place = Place::new();
    let run = check(&place, "put - f\nhello", 1, |s| {
        s.login();
        assert_eq!(s.stor("150 go").receive().unwrap(), b"hello");
        s.say("226 done");
        s.expect("RNFR f.part", "550 not you");
        s.quit();
    });
    run.tells("all is there, and still called f.part");
}

#[test]
fn a_refusal_in_the_middle_is_told_in_the_servers_words() {
    let place = Place::new();
    sparse(&place, "f", 1 << 30);
    let run = check(&place, "put f", 1, |s| {
        s.login();
        let mut data = s.stor("150 go").open();
        data.read_exact(&mut [0; 1000]).unwrap();
        drop(data);
        s.say("552 quota");
        s.quit();
    });
    run.tells("552 quota");
}

#[test]
fn a_server_that_vanishes() {
    let place = Place::new();
    sparse(&place, "f", 1 << 30);
    check(&place, "put f", 1, |s| {
        s.login();
        let mut data = s.stor("150 go").open();
        data.read_exact(&mut [0; 1000]).unwrap();
    })
    .tells("the data connection broke");
}

#[test]
fn a_killed_client_does_not_look_like_the_end_of_the_file() {
    let place = Place::new();
    sparse(&place, "f", 1 << 30);
    let (begun, has_begun) = std::sync::mpsc::channel();
    let server = Server::play(move |s| {
        s.login();
        let mut data = s.stor("150 go").open();
        data.read_exact(&mut [0; 1000]).unwrap();
        begun.send(()).unwrap();
        let error = data.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
    let mut child = place.start(&["--port", &server.port.to_string()], None);
    child.stdin.take().unwrap().write_all(b"put f\n").unwrap();
    has_begun.recv().unwrap();
    child.kill().unwrap();
    server.finish(&super::fake::Run::of(child));
}

#[test]
fn a_client_killed_before_the_transfer_began_does_not_look_like_an_empty_file() {
    let place = Place::new();
    place.write("f", b"hello");
    let (asked, has_asked) = std::sync::mpsc::channel();
    let server = Server::play(move |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        let mut data = s.epsv().open();
        assert_eq!(s.command(), "STOR f.part");
        asked.send(()).unwrap();
        let error = data.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
    let mut child = place.start(&["--port", &server.port.to_string()], None);
    child.stdin.take().unwrap().write_all(b"put f\n").unwrap();
    has_asked.recv().unwrap();
    child.kill().unwrap();
    server.finish(&super::fake::Run::of(child));
}

#[test]
fn what_is_not_a_regular_file_is_not_sent() {
    let place = Place::new();
    place.write("folder/x", b"");
    for (typed, says) in [
        ("put folder", "it is a folder"),
        ("put ..", "it is a folder"),
        ("put /dev/null", "not a regular file"),
        ("put missing", "cannot read missing"),
    ] {
        let run = check(&place, typed, 7, |s| {
            s.login();
            s.quit();
        });
        run.tells(says);
    }
}

#[test]
fn a_file_that_does_not_tell_its_size_is_sent_to_its_end() {
    let place = Place::new();
    let content = std::fs::read("/proc/version").expect("Linux has one");
    check(&place, "put /proc/version f", 0, move |s| {
        s.login();
        assert_eq!(s.stor("150 go").receive().unwrap(), content);
        s.say("226 done");
        s.named("f");
        s.quit();
    });
}
