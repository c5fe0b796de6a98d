//! Ctrl-C while the client works.

use super::fake::{Place, Run, Server, Session};
use super::terminal::{PROMPT, Terminal};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Everything up to the first seven bytes of `hello, world`.
fn hello(s: &mut Session) -> TcpStream {
    asked(s);
    let data = s.epsv();
    s.expect("RETR f", "150 here it comes");
    let mut data = data.open();
    data.write_all(b"hello, ").unwrap();
    data
}

fn asked(s: &mut Session) {
    s.expect("SIZE f", "213 12");
    s.expect("MDTM f", "213 20260102030405");
}

/// Waits for the client to have written the seven bytes.
fn wait_for_part(place: &Place) {
    let part = place.path("client_downloads/f.part");
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < 7 {
        assert!(Instant::now() < deadline, "no part of the download");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_download_is_stopped_and_goes_on_later_in_the_same_session() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login_able();
        s.expect("TYPE I", "200 image");
        let mut data = hello(s);
        s.expect("ABOR", "426 cut\n226 aborted");
        assert!(!matches!(data.read(&mut [0]), Ok(1..)));
        asked(s);
        let data = s.epsv();
        s.expect("REST 7", "350 go on");
        s.expect("RETR f", "150 here it comes");
        data.send(b"world");
        s.say("226 done");
        s.expect("HASH f", "213 CRC32 0-12 ffab723a f");
        s.quit();
    });
    let mut terminal = Terminal::start(&place, &server, 80, &[]);
    terminal.types("get f");
    wait_for_part(&place);
    terminal.interrupt();
    terminal.sees("get f: stopped by Ctrl-C");
    terminal.sees(PROMPT);
    terminal.types("get f");
    terminal.sees("going on after 7 bytes");
    terminal.sees(PROMPT);
    terminal.types("exit");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(place.downloads(), [("f".into(), "hello, world".into())]);
    server.ended();
}

#[test]
fn a_second_one_leaves() {
    let place = Place::new();
    let (tell, aborted) = channel();
    let (done, wait) = channel::<()>();
    let server = Server::play(move |s| {
        s.login_able();
        s.expect("TYPE I", "200 image");
        let _data = hello(s);
        assert_eq!(s.command(), "ABOR");
        tell.send(()).unwrap();
        let _ = wait.recv();
    });
    let mut terminal = Terminal::start(&place, &server, 80, &[]);
    terminal.types("get f");
    wait_for_part(&place);
    terminal.interrupt();
    aborted.recv().unwrap();
    terminal.interrupt();
    assert_eq!(terminal.ends(), 130);
    drop(done);
    server.ended();
    assert!(place.path("client_downloads/f.part").exists());
}

#[test]
fn an_upload_is_stopped_by_a_reset_and_an_abor() {
    let place = Place::new();
    super::fake::sparse(&place, "f", 1 << 40);
    let (tell, begun) = channel();
    let server = Server::play(move |s| {
        s.login();
        let mut data = s.stor("150 go").open();
        data.read_exact(&mut [0; 65536]).unwrap();
        tell.send(()).unwrap();
        s.expect("ABOR", "426 cut\n226 aborted");
        assert!(std::io::copy(&mut data, &mut std::io::sink()).is_err());
        s.expect("PWD", "257 \"/\" is the folder");
        s.quit();
    });
    let mut terminal = Terminal::start(&place, &server, 80, &[]);
    terminal.types("put f");
    begun.recv().unwrap();
    terminal.interrupt();
    terminal.sees("put f: stopped by Ctrl-C");
    terminal.types("pwd");
    terminal.sees("/");
    terminal.types("exit");
    assert_eq!(terminal.ends(), 0);
    server.ended();
}

#[test]
fn a_wait_for_a_reply_ends_and_the_next_command_connects_again() {
    let place = Place::new();
    let (tell, asked) = channel();
    let server = Server::with(move |listener| {
        let mut first = Session::accept(&listener);
        first.login();
        assert_eq!(first.command(), "PWD");
        tell.send(()).unwrap();
        let mut second = Session::accept(&listener);
        second.login();
        second.expect("PWD", "257 \"/here\" it is");
        second.quit();
    });
    let mut terminal = Terminal::start(&place, &server, 80, &[]);
    terminal.types("pwd");
    asked.recv().unwrap();
    terminal.interrupt();
    terminal.sees("stopped by Ctrl-C while the server was at PWD");
    terminal.types("pwd");
    terminal.sees("/here");
    terminal.types("exit");
    assert_eq!(terminal.ends(), 0);
    server.ended();
}

#[test]
fn a_script_ends_with_it_whatever_the_dash_says() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login_able();
        s.expect("TYPE I", "200 image");
        let _data = hello(s);
        s.expect("ABOR", "426 cut\n226 aborted");
        s.quit();
    });
    let mut child = place.start(&["--port", &server.port.to_string()], None);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"-get f\npwd\n").unwrap();
    wait_for_part(&place);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let run = Run::of(child);
    assert_eq!(run.code, Some(130), "{run}");
    run.tells("stopped by Ctrl-C");
    server.finish(&run);
    assert!(place.path("client_downloads/f.part").exists());
}
