//! How the client ends: every exit code, and what it stands for.

use super::fake::{Place, Run, Server, Session, check, deaf_port};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::sync::mpsc::channel;

/// Lets anybody in, and answers commands.
fn answers(replies: &'static [(&'static str, &'static str)]) -> impl FnOnce(&mut Session) + Send {
    move |s| {
        s.login();
        for (command, reply) in replies {
            s.expect(command, reply);
        }
        s.quit();
    }
}

#[test]
fn of_what_was_asked() {
    for (typed, code, replies) in [
        ("", 0, &[][..]),
        ("pwd\n# and no more", 0, &[("PWD", "257 \"/\"")]),
        ("exit\nnonsense", 0, &[]),
        ("-rm x", 0, &[("DELE x", "550 no")]),
        ("rm x", 1, &[("DELE x", "550 no")]),
        ("rm x", 1, &[("DELE x", "450 not now")]),
        ("!exit 9", 1, &[]),
        (
            "mkdir a b",
            1,
            &[("MKD a", "550 no"), ("MKD b", "257 \"b\"")],
        ),
        ("nonsense", 2, &[]),
        ("get", 2, &[]),
        ("get ../x/..", 2, &[]),
        ("lcd missing", 7, &[]),
        ("put missing", 7, &[]),
    ] {
        let run = check(&Place::new(), typed, code, answers(replies));
        let silent = code == 0 && !typed.contains("rm");
        assert_eq!(run.err.is_empty(), silent, "{typed}: {run}");
    }
}

#[test]
fn of_the_command_line() {
    for arguments in [
        &["--nonsense"][..],
        &["--jobs", "0"],
        &["http://127.0.0.1/"],
        &["ftp://me:s3cret@127.0.0.1/"],
        &["@missing"],
        &["-c", "ls", "-b", "-"],
    ] {
        let run = Place::new().run(arguments, None, "");
        assert_eq!(run.code, Some(2), "{arguments:?}: {run}");
    }
    for arguments in [&["--help"][..], &["--version"], &["man"]] {
        let run = Place::new().run(arguments, None, "");
        assert_eq!((run.code, &*run.err), (Some(0), ""), "{arguments:?}: {run}");
    }
}

#[test]
fn of_servers_that_are_not_there_or_let_nobody_in() {
    let (_socket, port) = deaf_port();
    let run = Place::new().run(&["--port", &port.to_string()], None, "ls");
    assert_eq!(run.code, Some(3), "{run}");
    check(&Place::new(), "ls", 3, |s| s.say("421 full"));
    check(&Place::new(), "ls", 4, |s| {
        s.say("220 ready");
        s.expect("USER anonymous", "530 nobody");
    });
}

#[test]
fn of_a_server_that_says_nothing() {
    let (tell, told) = channel::<()>();
    let server = Server::play(move |s| {
        s.login();
        assert_eq!(s.command(), "PWD");
        let _ = told.recv();
    });
    let port = server.port.to_string();
    let run = Place::new().run(&["--port", &port, "--timeout", "1"], None, "pwd");
    assert_eq!(run.code, Some(5), "{run}");
    drop(tell);
    server.finish(&run);
}

#[test]
fn of_encryption_that_is_not_to_be_had() {
    let server = Server::play(|s| {
        s.say("220 ready");
        s.expect("AUTH TLS", "502 no");
    });
    let url = format!("ftp://127.0.0.1:{}/", server.port);
    let run = Place::new().run(&["--tls", "require", &url], None, "ls");
    assert_eq!(run.code, Some(6), "{run}");
    run.tells("no TLS with 127.0.0.1");
    server.finish(&run);
}

#[test]
fn of_local_files() {
    let place = Place::new();
    place.write("client_downloads", b"a file where a folder is meant");
    let server = Server::play(|s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 5");
        s.quit();
    });
    let run = place.ftp(&server, "get f");
    assert_eq!(run.code, Some(7), "{run}");
    server.finish(&run);
}

#[test]
fn of_ctrl_c() {
    let (tell, told) = channel::<()>();
    let (asked, has_asked) = channel();
    let server = Server::play(move |s| {
        s.login();
        assert_eq!(s.command(), "PWD");
        asked.send(()).unwrap();
        let _ = told.recv();
    });
    let mut child = Place::new().start(&["--port", &server.port.to_string()], None);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"pwd\n").unwrap();
    has_asked.recv().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    drop(input);
    let run = Run::of(child);
    assert_eq!(run.code, Some(130), "{run}");
    run.tells("Ctrl-C");
    drop(tell);
    server.finish(&run);
}
