//! Transfers that take long: what keeps their control connection alive, and what becomes of them when it dies.

use super::fake::{Place, Server, Session, check, sparse};
use std::io::Write;
use std::net::TcpStream;

/// Everything up to the 150 of `get f`, a file of `hello, world`.
fn begins(s: &mut Session) -> TcpStream {
    s.expect("TYPE I", "200 image");
    s.expect("SIZE f", "213 12");
    s.expect("MDTM f", "213 20260102030405");
    let data = s.epsv();
    s.expect("RETR f", "150 here it comes");
    data.open()
}

const OFTEN: [&str; 2] = ["--pulse", "1"];

/// Where the answers to the `NOOP`s come, none of them is taken for the end of the transfer.
#[test]
fn answers_to_noops_are_not_taken_for_the_last_reply() {
    for (before, behind) in [(2, 0), (0, 2), (1, 1)] {
        for answer in ["200 ok", "500 what?"] {
            let place = Place::new();
            let server = Server::play(move |s| {
                s.login_able();
                let mut data = begins(s);
                data.write_all(b"hello, ").unwrap();
                s.expect_noops(2);
                for _ in 0..before {
                    s.say(answer);
                }
                data.write_all(b"world").unwrap();
                drop(data);
                let more = s.noops_so_far();
                s.say("226 done");
                for _ in 0..behind + more {
                    s.say(answer);
                }
                s.expect("PWD", "257 \"/here\" it is");
                s.quit();
            });
            let port = server.port.to_string();
            let arguments = ["--port", &port, OFTEN[0], OFTEN[1]];
            let run = place.run(&arguments, None, "get f\npwd");
            assert_eq!(run.code, Some(0), "{run}");
            assert_eq!(run.out, "/here\n", "{run}");
            assert_eq!(place.downloads(), [("f".into(), "hello, world".into())]);
            server.finish(&run);
        }
    }
}

#[test]
fn a_refusal_in_the_end_is_one_in_spite_of_the_noops() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 12");
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        let data = data.open();
        s.expect_noops(1);
        s.say("200 ok");
        drop(data);
        s.say("451 disk trouble");
    });
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, OFTEN[0], OFTEN[1]], None, "get f");
    assert_eq!(run.code, Some(1), "{run}");
    run.tells("451 disk trouble");
    server.finish(&run);
}

/// The data came whole, and the control connection had died: nothing is fetched again.
#[test]
fn a_download_whose_control_connection_died_is_done() {
    let place = Place::new();
    let server = Server::with(|listener| {
        let mut s = Session::accept(&listener);
        s.login_able();
        let mut data = begins(&mut s);
        drop(s);
        data.write_all(b"hello, world").unwrap();
        drop(data);
        let mut s = Session::accept(&listener);
        s.login_able();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 12");
        s.expect("MDTM f", "213 20260102030405");
        s.expect("HASH f", "213 CRC32 0-12 ffab723a f");
        s.quit();
    });
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, "--retries", "1"], None, "get f");
    assert_eq!(run.code, Some(0), "{run}");
    run.tells("going on after 12 bytes");
    assert_eq!(place.downloads(), [("f".into(), "hello, world".into())]);
    server.finish(&run);
}

/// As far as the server without `HASH` can tell, all of the part is there: it has only to be given its name.
#[test]
fn an_upload_whose_control_connection_died_goes_on_from_its_part() {
    let place = Place::new();
    place.write("f", b"hello, world");
    for there in [12_usize, 7] {
        let server = Server::with(move |listener| {
            let mut s = Session::accept(&listener);
            s.login_resuming();
            s.expect("PWD", "257 \"/\"");
            s.stor("150 go").receive().unwrap();
            drop(s);
            let mut s = Session::accept(&listener);
            s.login_resuming();
            s.expect("CWD /", "250 there");
            s.expect("TYPE I", "200 image");
            s.expect("SIZE f.part", &format!("213 {there}"));
            let data = s.epsv();
            s.expect(&format!("REST {there}"), "350 go on");
            s.expect("STOR f.part", "150 go");
            assert_eq!(data.receive().unwrap(), &b"hello, world"[there..]);
            s.say("226 done");
            s.named("f");
            s.quit();
        });
        let port = server.port.to_string();
        let run = place.run(&["--port", &port, "--retries", "1"], None, "put f");
        assert_eq!(run.code, Some(0), "{run}");
        run.tells(&format!("going on after {there} bytes"));
        server.finish(&run);
    }
}

/// 64 KiB at 256 KiB a second take at least a quarter of a second less what is made up for at the beginning; the client
/// says how long it took.
#[test]
fn a_rate_is_kept_both_ways() {
    let place = Place::new();
    sparse(&place, "f", 64 * 1024);
    let server = Server::play(|s| {
        s.login();
        assert_eq!(s.stor("150 go").receive().unwrap().len(), 64 * 1024);
        s.say("226 done");
        s.named("f");
        s.expect("SIZE f", "213 65536");
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        data.send(&[7; 65536]);
        s.say("226 done");
        s.quit();
    });
    let port = server.port.to_string();
    let began = std::time::Instant::now();
    let run = place.run(
        &["--port", &port, "--limit-rate", "256K"],
        None,
        "put f\nget f",
    );
    let took = began.elapsed().as_secs_f64();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(took >= 0.3, "both ways in {took} s; {run}");
    server.finish(&run);
}

#[test]
fn rates_that_are_none() {
    for rate in ["0", "fast", "2X", "-1", "99999999999G"] {
        let run = Place::new().run(&["--limit-rate", rate], None, "");
        assert_eq!(run.code, Some(2), "{rate}: {run}");
    }
    check(&Place::new(), "exit", 0, |s| {
        s.login();
        s.quit();
    });
}
