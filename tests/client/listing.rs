//! `ls`: `MLSD`, `LIST`, `NLST`, and names that nobody should trust.

use super::fake::{Place, Run, Server, Session, check};
use std::io::Write;

/// Answers one listing command.
#[track_caller]
pub(super) fn list(s: &mut Session, command: &str, rows: &[u8]) {
    let data = s.epsv();
    s.expect(command, "150 here it comes");
    data.send(rows);
    s.say("226 done");
}

#[track_caller]
fn refuse(s: &mut Session, command: &str, reply: &str) {
    let _data = s.epsv();
    s.expect(command, reply);
}

#[test]
fn facts_are_sorted_and_the_folder_itself_is_not_in_it() {
    let run = check(&Place::new(), "ls\ndir sub", 0, |s| {
        s.login();
        list(
            s,
            "MLSD",
            b"type=cdir; .\r\ntype=pdir; ..\r\ntype=file;size=1; b c\r\ntype=dir; a\r\n",
        );
        list(s, "MLSD sub", b"");
        s.quit();
    });
    assert_eq!(run.out, "a\nb c\n", "{run}");
    assert_eq!(run.err, "", "{run}");
}

#[test]
fn a_server_that_knows_no_mlsd_is_asked_with_list_from_then_on() {
    let run = check(&Place::new(), "ls\nls", 0, |s| {
        s.login();
        refuse(s, "MLSD", "500 what?");
        list(
            s,
            "LIST",
            b"total 1\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 unix file\r\ndrwxr-xr-x 1 a b 5 Jan  1  2020 .\r\n",
        );
        list(
            s,
            "LIST",
            b"01-01-20  01:24PM       <DIR>          Windows\n",
        );
        s.quit();
    });
    assert_eq!(run.out, "unix file\nWindows\n", "{run}");
}

#[test]
fn rows_that_nobody_can_read_lead_to_nlst() {
    let run = check(&Place::new(), "ls sub\nls", 0, |s| {
        s.login();
        refuse(s, "MLSD sub", "502 no");
        list(
            s,
            "LIST sub",
            b"+i8388621.48594,m825718503,r,s280,\tdjb.html\r\nanother\r\n",
        );
        list(s, "NLST sub", b"sub/x\r\nsub/y\r\n");
        refuse(s, "NLST", "550 No files found.");
        s.quit();
    });
    assert_eq!(run.out, "x\ny\n", "{run}");
}

#[test]
fn list_refused_leads_to_nlst() {
    let run = check(&Place::new(), "ls", 0, |s| {
        s.say("220 hi");
        s.expect("USER anonymous", "230 in");
        s.expect("FEAT", "211-Features\n UTF8\n SIZE\n211 End");
        s.expect("OPTS UTF8 ON", "501 never mind");
        // FEAT has no MLST, so MLSD is not even tried.
        refuse(s, "LIST", "502 no");
        list(s, "NLST", b"x\r\n");
        s.quit();
    });
    assert_eq!(run.out, "x\n", "{run}");
}

#[test]
fn a_file_and_a_missing_folder() {
    let run = check(&Place::new(), "ls f\nls nowhere", 1, |s| {
        s.login();
        refuse(s, "MLSD f", "501 not a folder");
        list(s, "LIST f", b"-rw-r--r-- 1 a b 5 Jan  1  2020 f\r\n");
        refuse(s, "MLSD nowhere", "550 no such folder");
        list(s, "LIST nowhere", b"");
        s.quit();
    });
    assert_eq!(run.out, "f\n", "{run}");
    run.tells("line 2: ls nowhere: the server answered \"550 no such folder\"");
}

#[test]
fn hostile_names_are_left_out_and_told_of() {
    let run = check(&Place::new(), "ls", 0, |s| {
        s.login();
        let names = [
            "../evil",
            "a/b",
            "x\\y",
            "red\x1b[31m",
            "bell\x07",
            "fine",
            "..",
            "\u{85}",
        ];
        let rows: String = names
            .iter()
            .map(|name| format!("type=file; {name}\r\n"))
            .collect();
        list(s, "MLSD", rows.as_bytes());
        s.quit();
    });
    assert_eq!(run.out, "fine\n", "{run}");
    run.tells("left out 6 that the server listed: \"../evil\"");
}

#[test]
fn direction_marks_and_bad_bytes_do_not_reach_the_terminal() {
    let run = check(&Place::new(), "ls", 0, |s| {
        s.login();
        list(
            s,
            "MLSD",
            b"type=file; a\xe2\x80\xaetxt.exe\r\ntype=file; b\xff\r\n",
        );
        s.quit();
    });
    assert_eq!(run.out, "a\u{FFFD}txt.exe\nb\u{FFFD}\n", "{run}");
}

#[test]
fn a_listing_that_is_cut_is_an_error() {
    let run = check(&Place::new(), "ls", 1, |s| {
        s.login();
        let data = s.epsv();
        s.expect("MLSD", "150 here it comes");
        data.send(b"type=file; a\r\n");
        s.say("451 disk trouble");
        s.quit();
    });
    assert_eq!(run.out, "", "{run}");
    run.tells("451 disk trouble");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let place = Place::new();
    let rows = "type=file; a name that fills the pipe\r\n".repeat(10_000);
    let server = Server::play(move |s| {
        s.login();
        list(s, "MLSD", rows.as_bytes());
        s.expect("PWD", "257 \"/\"");
        s.quit();
    });
    let mut child = place.start(&["--port", &server.port.to_string()], None);
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"ls\npwd\n").unwrap();
    let run = Run::of(child);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run}");
    server.finish(&run);
}
