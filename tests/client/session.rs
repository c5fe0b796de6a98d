//! Greeting, login, the lines that are typed, and connections that end.

use super::fake::{Place, Run, Server, Session, check, deaf_port};
use std::io::Write;
use std::net::TcpListener;

#[test]
fn a_greeting_in_many_lines_after_a_120_dripped_byte_by_byte() {
    let run = check(&Place::new(), "pwd", 0, |s| {
        let greeting = "120 in a minute\r\n220-Welcome\r\n230 this is text\r\n220 ready\r\n";
        for byte in greeting.bytes() {
            s.control.get_mut().write_all(&[byte]).unwrap();
        }
        s.expect("USER anonymous", "331 your address?");
        s.expect("PASS anonymous@", "230-in\n hello\n230 really");
        s.expect("FEAT", "211 nothing");
        s.expect("PWD", "257 \"/say \"\"hi\"\"\" is it");
        s.quit();
    });
    assert_eq!(run.out, "/say \"hi\"\n", "{run}");
    assert_eq!(run.err, "", "{run}");
}

#[test]
fn no_server_no_session() {
    for (greeting, says) in [
        (
            "421 too many\x1b]0;x\x07 clients",
            "421 too many\u{FFFD}]0;x\u{FFFD} clients",
        ),
        ("500-go\n500 away", "500 go away"),
        ("SSH-2.0-OpenSSH", "does not speak FTP"),
        ("", "closed the connection"),
    ] {
        check(&Place::new(), "ls", 3, move |s| s.say(greeting)).tells(says);
    }
    let (_socket, port) = deaf_port();
    let run = Place::new().run(&["--port", &port.to_string()], None, "ls");
    assert_eq!(run.code, Some(3), "{run}");
    run.tells("is the server running");
}

#[test]
fn an_endless_reply_line_ends_the_client_not_its_memory() {
    let run = check(&Place::new(), "ls", 3, |s| {
        while s.control.get_mut().write_all(&[b'2'; 65536]).is_ok() {}
    });
    run.tells("longer than an FTP reply may be");
}

#[test]
fn a_silent_server_is_given_up() {
    let place = Place::new();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let server = Server::play(move |s| {
        s.login();
        assert_eq!(s.command(), "PWD");
        let _ = told.recv();
    });
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, "--timeout", "1"], None, "pwd");
    assert_eq!(run.code, Some(5), "{run}");
    run.tells("did not answer PWD in time");
    drop(tell);
    server.finish(&run);
}

#[test]
fn passwords_come_from_the_environment_and_show_nowhere() {
    let place = Place::new();
    let log_in = |reply: &'static str, password: Option<&str>| {
        let server = Server::play(move |s: &mut Session| {
            s.say("220 ready");
            s.expect("USER a b", "331 password?");
            match s.command().as_str() {
                "PASS s3cret" => s.say(reply),
                command => assert_eq!(command, "", "no password was to be had"),
            }
            if reply.starts_with('2') && !s.command().is_empty() {
                s.say("500 no FEAT");
                s.expect("CWD sub folder", "250 there");
                s.quit();
            }
        });
        let url = format!("ftp://a%20b@127.0.0.1:{}/sub%20folder", server.port);
        let run = place.run(&["-v", &url], password, "");
        assert!(!run.err.contains("s3cret"), "{run}");
        server.finish(&run);
        run
    };
    let run = log_in("230 in", Some("s3cret"));
    assert_eq!(run.code, Some(0), "{run}");
    run.tells("> PASS ***");
    let run = log_in("530 wrong", Some("s3cret"));
    assert_eq!(run.code, Some(4), "{run}");
    run.tells("530 wrong");
    let run = log_in("421 full", Some("s3cret"));
    assert_eq!(run.code, Some(3), "{run}");
    let run = log_in("230 in", None);
    assert_eq!(run.code, Some(2), "{run}");
    run.tells("set FTP_PASSWORD");
}

#[test]
fn bad_command_lines() {
    for (argument, says) in [
        ("ftp://me:s3cret@127.0.0.1/", "FTP_PASSWORD"),
        ("ftp://me:s3cret@127.0.0.1:99999/", "the URL is no good"),
        ("http://127.0.0.1/", "not an ftp URL"),
        ("ftp://127.0.0.1/a%0d%0aDELE%20x", "control characters"),
        ("127.0.0.1", "ftp://user@host:port/folder"),
        ("--timeout=0", "--timeout"),
        ("--nonsense", "--nonsense"),
    ] {
        let run = Place::new().run(&[argument], None, "");
        assert_eq!(run.code, Some(2), "{argument}: {run}");
        run.tells(says);
        assert!(!run.err.contains("s3cret"), "{run}");
    }
}

#[test]
fn comments_and_empty_lines_are_nothing_and_the_first_failure_ends_it() {
    let run = check(
        &Place::new(),
        "# a comment\n\n  \t\r\nPWD\r\ncd x\npwd\n",
        1,
        |s| {
            s.login();
            s.expect("PWD", "257 \"/\"");
            s.expect("CWD x", "550 no such folder");
            s.quit();
        },
    );
    assert_eq!(run.out, "/\n", "{run}");
    run.tells("ftp-client: line 5: cd x: the server answered \"550 no such folder\"");
    assert_eq!(run.err.lines().count(), 1, "{run}");
}

#[test]
fn exit_ends_it_before_the_end_of_the_input() {
    for exit in ["exit", "QUIT", "bye", "ex"] {
        check(&Place::new(), &format!("{exit}\nnonsense\n"), 0, |s| {
            s.login();
            s.quit();
        });
    }
}

#[test]
fn lines_that_make_no_sense_never_reach_the_server() {
    let long = format!("get {}", "x".repeat(65536));
    for (typed, says) in [
        (&b"frobnicate"[..], "help shows all"),
        (b"gte x", "did you mean get?"),
        (b"p x", "pwd or put"),
        (b"get", "usage: get [-r] [--segments=N] FILE [LOCAL]"),
        (b"get a b c", "goes in quotes"),
        (b"get 'a", "not closed"),
        (b"get ''", "empty"),
        (b"get ..", "cannot be a file name"),
        (b"get sub/", "cannot be a file name"),
        (b"get a\\b", "is a path"),
        (b"get x ../y", "is a path"),
        (b"get x\x1b[31m", "control characters"),
        (b"put 'a\rDELE x'", "control characters"),
        (b"mkdir a\0b", "control characters"),
        (b"get \xff", "not UTF-8"),
        (long.as_bytes(), "longer than"),
    ] {
        let server = Server::play(|s| {
            s.login();
            s.quit();
        });
        let run = Place::new().ftp(&server, typed);
        assert_eq!(run.code, Some(2), "{run}");
        run.tells(says);
        server.finish(&run);
    }
}

#[test]
fn an_idle_session_that_the_server_ended_goes_on_in_its_folder() {
    let (closed, has_closed) = std::sync::mpsc::channel();
    let server = Server::with(move |listener| {
        let mut s = Session::accept(&listener);
        s.login();
        s.expect("CWD sub", "250 there");
        s.expect("PWD", "257 \"/sub\"");
        s.say("421 idle for too long");
        drop(s);
        closed.send(()).unwrap();
        let mut s = Session::accept(&listener);
        s.login();
        s.expect("CWD /sub", "250 there again");
        s.expect("PWD", "257 \"/sub\"");
        s.quit();
    });
    let mut child = Place::new().start(&["--port", &server.port.to_string()], None);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"cd sub\n").unwrap();
    has_closed.recv().unwrap();
    input.write_all(b"pwd\n").unwrap();
    drop(input);
    let run = Run::of(child);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "/sub\n"), "{run}");
    run.tells("connected again");
    server.finish(&run);
}

#[test]
fn a_reply_that_nobody_asked_for_is_passed_over() {
    let (said, has_said) = std::sync::mpsc::channel();
    let server = Server::play(move |s| {
        s.login();
        s.expect("PWD", "257 \"/\"");
        s.say("226 and another thing");
        said.send(()).unwrap();
        s.expect("PWD", "257 \"/\"");
        s.quit();
    });
    let mut child = Place::new().start(&["--port", &server.port.to_string()], None);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"pwd\n").unwrap();
    has_said.recv().unwrap();
    input.write_all(b"pwd\n").unwrap();
    drop(input);
    let run = Run::of(child);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "/\n/\n"), "{run}");
    server.finish(&run);
}

#[test]
fn help_is_made_from_the_table() {
    let run = check(&Place::new(), "help\n? ls", 0, |s| {
        s.login();
        s.quit();
    });
    for text in [
        "get [-r] [--segments=N] FILE [LOCAL]",
        "(also: quit, bye)",
        "\nls [FOLDER]...\n",
        "also: dir",
    ] {
        assert!(run.out.contains(text), "{text}: {run}");
    }
}

#[test]
fn all_of_it_over_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: no IPv6 on this machine");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let server = Server::on(listener, |listener| {
        let mut s = Session::accept(&listener);
        s.login();
        s.retr(5).send(b"hello");
        s.say("226 done");
        s.quit();
    });
    let place = Place::new();
    let run = place.run(&[&format!("ftp://[::1]:{port}")], None, "get f");
    assert_eq!(run.code, Some(0), "{run}");
    server.finish(&run);
}
