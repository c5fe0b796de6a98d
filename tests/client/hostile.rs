//! Servers that mean harm: replies, listings and data without end, sizes that are none, and text that a terminal would
//! obey.

use super::fake::{Place, Run, Server, Session, check};
use super::listing::list;
use super::terminal::{PROMPT, Terminal};
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// A new title for the window, red letters by C1, a bell, and text that runs the other way.
const EVIL: &str = "\x1b]0;evil\x07\u{9b}31m\u{202e}live";
/// What of it may be shown.
const TAME: &str = "\u{FFFD}]0;evil\u{FFFD}\u{FFFD}31m\u{FFFD}live";

/// Checks that nothing a terminal would obey was written.
#[track_caller]
fn is_tame(run: &Run) {
    for text in [&run.out, &run.err] {
        let odd = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(odd), "{text:?}");
    }
}

/// Runs a client that waits no longer than a second against `script`, and checks how it ended.
#[track_caller]
fn impatient(
    typed: &str,
    code: i32,
    script: impl FnOnce(&mut Session) + Send + 'static,
) -> (Place, Run) {
    let place = Place::new();
    let server = Server::play(script);
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, "--timeout", "1"], None, typed);
    assert_eq!(run.code, Some(code), "{run}");
    server.finish(&run);
    (place, run)
}

/// Says a line until nobody listens any more.
fn say_for_ever(s: &mut Session, line: &str) {
    let many = format!("{line}\r\n").repeat(1000);
    while s.control.get_mut().write_all(many.as_bytes()).is_ok() {}
}

/// Says a byte now and then until nobody listens any more.
fn drip(s: &mut Session) {
    let control = s.control.get_mut();
    while control.write_all(b"2").is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_endless_greeting() {
    let run = check(&Place::new(), "pwd", 3, |s| say_for_ever(s, "220-welcome"));
    run.tells("longer than an FTP reply may be");
}

#[test]
fn an_endless_wait_for_the_greeting() {
    let (_, run) = impatient("pwd", 3, |s| {
        while s.control.get_mut().write_all(b"120 soon\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    run.tells("in time");
}

#[test]
fn an_endless_reply_line() {
    let run = check(&Place::new(), "pwd", 1, |s| {
        s.login();
        assert_eq!(s.command(), "PWD");
        while s.control.get_mut().write_all(&[b'2'; 65536]).is_ok() {}
    });
    run.tells("longer than an FTP reply may be");
}

#[test]
fn an_endless_reply_of_continuation_lines() {
    for line in ["257-more", "", " 257 no end", "226 of another code"] {
        let run = check(&Place::new(), "pwd", 1, move |s| {
            s.login();
            s.expect("PWD", "257-begun");
            say_for_ever(s, line);
        });
        run.tells("longer than an FTP reply may be");
    }
}

#[test]
fn a_reply_that_drips() {
    let (_, run) = impatient("pwd", 5, |s| {
        s.login();
        assert_eq!(s.command(), "PWD");
        drip(s);
    });
    run.tells("did not answer PWD in time");
    let (_, run) = impatient("pwd", 3, drip);
    run.tells("in time");
}

#[test]
fn a_quit_that_is_never_answered() {
    let (tell, told) = channel::<()>();
    let (_, run) = impatient("pwd", 0, move |s| {
        s.login();
        s.expect("PWD", "257 \"/\"");
        assert_eq!(s.command(), "QUIT");
        // Up to the client's end, which comes by itself.
        assert_eq!(s.command(), "");
        drop(told);
    });
    assert_eq!(run.out, "/\n", "{run}");
    drop(tell);
}

#[test]
fn ports_that_are_none() {
    for reply in [
        "229 ok (|||0|)",
        "229 ok (|||65536|)",
        "229 ok (|||-1|)",
        "229 ok (|||99999999999999999999|)",
        "229 ok (|1|192.0.2.1|21|)",
        "229 ok",
    ] {
        let run = check(&Place::new(), "ls", 1, move |s| {
            s.login();
            s.expect("EPSV", reply);
            s.expect("PASV", "227 ok (127,0,0,1,256,1)");
            s.quit();
        });
        run.tells("227 ok");
    }
}

#[test]
fn sizes_that_are_none() {
    for size in ["rubbish", "-1", "18446744073709551616", "", "5 6", "0x5"] {
        let place = Place::new();
        let run = check(&place, "get f", 0, move |s| {
            s.login();
            s.expect("TYPE I", "200 image");
            s.expect("SIZE f", &format!("213 {size}"));
            let data = s.epsv();
            s.expect("RETR f", "150 go");
            data.send(b"hello");
            s.say("226 done");
            s.quit();
        });
        assert_eq!(place.downloads(), [("f".into(), "hello".into())], "{run}");
    }
}

#[test]
fn a_size_that_no_disk_has_takes_no_room() {
    let place = Place::new();
    let run = check(&place, "get f", 1, |s| {
        s.login();
        s.retr(u64::MAX).send(b"hello");
        s.say("226 done");
        s.quit();
    });
    run.tells("only 5 of 18446744073709551615 bytes");
    assert_eq!(place.downloads(), [], "{run}");
}

#[test]
fn a_file_without_end() {
    for typed in ["get f", "get f -", "cat f"] {
        let run = check(&Place::new(), typed, 1, |s| {
            s.login();
            let mut data = s.retr(5).open();
            while data.write_all(&[b'x'; 65536]).is_ok() {}
            s.say("426 you closed it");
            s.quit();
        });
        assert!(run.out.len() < 1 << 20, "{typed}: {} bytes", run.out.len());
    }
}

#[test]
fn a_listing_without_end() {
    for row in ["type=file; a\r\n", "no line end "] {
        let run = check(&Place::new(), "ls", 1, move |s| {
            s.login();
            let data = s.epsv();
            s.expect("MLSD", "150 here it comes");
            let mut data = data.open();
            let many = row.repeat(10_000);
            while data.write_all(many.as_bytes()).is_ok() {}
            s.say("426 you closed it");
            s.quit();
        });
        run.tells("the listing does not end");
        assert_eq!(run.out, "", "{run}");
    }
}

#[test]
fn a_listing_of_a_million_entries_is_none_without_end() {
    let rows: String = (0..1_000_000)
        .map(|number| format!("type=file;size=1; f{number:06}\r\n"))
        .collect();
    let run = check(&Place::new(), "ls", 0, move |s| {
        s.login();
        list(s, "MLSD", rows.as_bytes());
        s.quit();
    });
    assert_eq!(run.out.lines().count(), 1_000_000);
    assert!(run.out.ends_with("f999998\nf999999\n"));
}

#[test]
fn names_that_would_be_a_second_command() {
    let place = Place::new();
    let rows = b"type=file; a\rDELE x\r\ntype=file; a\0DELE x\r\ntype=file; b\nDELE x\r\n\
                 type=file; a\xff\xf4DELE x\r\ntype=file; \x85c\r\n";
    let run = check(&place, "mget *", 1, move |s| {
        s.login();
        list(s, "MLSD", rows);
        s.expect("TYPE I", "200 image");
        // Bytes that are not UTF-8 are no name that could be asked for; they are asked for as they are shown.
        for name in ["a\u{FFFD}\u{FFFD}DELE x", "b", "\u{FFFD}c"] {
            s.expect(&format!("SIZE {name}"), "550 no");
            let _data = s.epsv();
            s.expect(&format!("RETR {name}"), "550 no");
        }
        s.quit();
    });
    run.tells("left out 2 that the server listed");
    is_tame(&run);
    let rows =
        b"-rw-r--r-- 1 a b 5 Jan  1  2020 a\rDELE x\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 a\0x\r\n";
    let run = check(&place, "rm *", 1, move |s| {
        s.login();
        let _data = s.epsv();
        s.expect("MLSD", "500 what?");
        list(s, "LIST", rows);
        // A file may be called `*`, so it is looked for once more.
        list(s, "LIST", rows);
        s.quit();
    });
    run.tells("no file matches *");
    is_tame(&run);
}

#[test]
fn text_that_a_terminal_would_obey() {
    let place = Place::new();
    place.write("f", b"hello");
    let typed = "ls\npwd\ncd x\nstatus\nquote HELP\nsite HELP\nsize f\nmodtime f\nhash f\nget *\n\
                 -rm f\n-rm a b\n-get f\n-put f\n-mv a b\n-cd y\n-ls y\n-frobnicate\nverbose on\npwd\n";
    let run = check(&place, typed, 0, |s| {
        s.say(&format!("220-{EVIL}\n220 {EVIL}"));
        s.expect("USER anonymous", &format!("230 {EVIL}"));
        s.expect("FEAT", &format!("211-{EVIL}\n {EVIL}\n211 {EVIL}"));
        let path = format!("257 \"/{EVIL}\" {EVIL}");
        list(s, "LIST", format!("-rw-r--r-- 1 a b 5 Jan  1  2020 {EVIL}\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 \u{202e}f\r\n").as_bytes());
        s.expect("PWD", &path);
        s.expect("CWD x", &format!("250 {EVIL}"));
        s.expect("PWD", &path);
        s.expect("PWD", &path);
        for command in ["HELP", "SITE HELP"] {
            s.expect(command, &format!("214-{EVIL}\n {EVIL}\n214 {EVIL}"));
        }
        s.expect("TYPE I", &format!("200 {EVIL}"));
        for command in ["SIZE f", "MDTM f", "HASH f"] {
            s.expect(command, &format!("213 {EVIL} {EVIL} {EVIL}"));
        }
        list(
            s,
            "LIST",
            "-rw-r--r-- 1 a b 1 Jan  1  2020 \u{202e}f\r\n".as_bytes(),
        );
        s.expect("SIZE \u{202e}f", "213 1");
        let data = s.epsv();
        s.expect("RETR \u{202e}f", &format!("150 {EVIL}"));
        data.send(b"x");
        s.say(&format!("226 {EVIL}"));
        let no = format!("550-{EVIL}\n {EVIL}\n550 {EVIL}");
        for command in ["DELE f", "DELE a", "DELE b"] {
            s.expect(command, &no);
        }
        s.expect("SIZE f", &no);
        for command in ["RETR f", "STOR f.part", "STOR f"] {
            let _data = s.epsv();
            s.expect(command, &no);
            if command == "STOR f.part" {
                s.expect("DELE f.part", &no);
            }
        }
        s.expect("RNFR a", &no);
        s.expect("CWD y", &no);
        let _data = s.epsv();
        s.expect("LIST y", &no);
        s.expect("PWD", &path);
        s.expect("QUIT", &format!("221 {EVIL}"));
    });
    is_tame(&run);
    assert!(run.out.contains(&format!("/{TAME}\n")), "{run}");
    run.tells(&format!("now in /{TAME}"));
    run.tells(&format!("550 {TAME} {TAME} {TAME}"));
}

#[test]
fn text_that_a_terminal_would_obey_to_someone_who_is_not_let_in() {
    for (user, code) in [("421", 3), ("530", 4)] {
        let run = check(&Place::new(), "ls", code, move |s| {
            s.say("220 ready");
            s.expect("USER anonymous", &format!("{user} {EVIL}"));
        });
        is_tame(&run);
        run.tells(TAME);
    }
}

#[test]
fn text_that_a_terminal_would_obey_at_the_prompt() {
    let place = Place::new();
    let (tell, told) = channel::<()>();
    let server = Server::play(move |s| {
        s.say(&format!("220-{EVIL}\n {EVIL}\n220 {EVIL}"));
        s.expect("USER anonymous", "230 in");
        s.expect("FEAT", "500 what?");
        let rows =
            format!("type=file; name{EVIL}\r\ntype=file; name\u{202e}\r\ntype=file; nameless\r\n");
        // For Tab, which offers only what can be typed.
        list(s, "MLSD", rows.as_bytes());
        s.expect("CWD nameless", "250 there");
        s.expect("PWD", &format!("257 \"/{EVIL}\""));
        list(s, "MLSD", rows.as_bytes());
        s.expect("TYPE I", "200 image");
        s.expect("SIZE name\u{202e}", "213 100000000");
        let data = s.epsv();
        s.expect("RETR name\u{202e}", "150 here it comes");
        let mut data = data.open();
        // Slowly, until the bar has been seen.
        while told.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            data.write_all(&[0; 10_000]).unwrap();
        }
        drop(data);
        s.say("226 done");
        s.quit();
    });
    let mut terminal = Terminal::start(&place, &server, 80, &[]);
    let mut raw = terminal.welcome.clone();
    terminal.presses("rm na\t");
    raw += &terminal.sees("nameless");
    terminal.presses("\x15cd nameless\r");
    raw += &terminal.sees("now in");
    raw += &terminal.sees(PROMPT);
    terminal.types("get *[!s]");
    raw += &terminal.sees("/s ");
    drop(tell);
    raw += &terminal.sees("bytes came");
    raw += &terminal.sees(PROMPT);
    terminal.types("exit");
    assert_eq!(terminal.ends(), 0);
    server.ended();
    // The terminal of the tests takes each byte for a character.
    let bytes: Vec<u8> = raw.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let text = String::from_utf8(bytes).unwrap();
    for evil in ["\x1b]0;", "\u{9b}", "\u{202e}"] {
        assert!(!text.contains(evil), "{evil:?} in {text:?}");
    }
    assert!(text.contains(TAME), "{text:?}");
}
