//! The verbs beside `ls`, `get` and `put`: what they send, and what they make of odd answers.

use super::fake::{Data, Place, Session, check};

/// Answers `MLSD` of a folder with these names.
#[track_caller]
fn names(s: &mut Session, command: &str, rows: &str) {
    let data = s.epsv();
    s.expect(command, "150 here it comes");
    data.send(rows.as_bytes());
    s.say("226 done");
}

#[test]
fn every_verb_sends_its_command() {
    let typed = "rm a\nmkdir 'b c' d\nrmdir b\nmv a b/\nchmod 640 x\ncdup\nmodtime x\nmodtime y\nhash x\n\
                 size x\nsite HELP me\nquote STAT  \"x y\nhash\nbinary\n";
    let run = check(&Place::new(), typed, 0, |s| {
        s.login();
        s.expect("DELE a", "250 gone");
        s.expect("MKD b c", "257 \"/b c\"");
        s.expect("MKD d", "257 \"/d\"");
        s.expect("RMD b", "250 gone");
        s.expect("RNFR a", "350 and now?");
        s.expect("RNTO b/a", "250 renamed");
        s.expect("SITE CHMOD 640 x", "200 done");
        s.expect("CDUP", "200 up");
        s.expect("PWD", "257 \"/\"");
        s.expect("MDTM x", "213 20260102030405.678");
        s.expect("MDTM y", "213 yesterday");
        s.expect("HASH x", "213 SHA-256 0-5 abcdef x");
        s.expect("TYPE I", "200 image");
        s.expect("SIZE x", "213 5");
        s.expect("SITE HELP me", "214-there\n is\n214 none");
        s.expect("STAT  \"x y", "211 fine");
        s.quit();
    });
    assert_eq!(
        run.out,
        "2026-01-02 03:04:05 UTC\nyesterday\nSHA-256 abcdef\n5\n214 there\n214 is\n214 none\n211 fine\n",
        "{run}"
    );
    run.tells("there is nothing to switch");
}

#[test]
fn a_rename_that_the_server_takes_for_done_is_none() {
    let run = check(&Place::new(), "mv a b", 1, |s| {
        s.login();
        s.expect("RNFR a", "250 as you like");
        s.quit();
    });
    run.tells("250 as you like");
}

#[test]
fn a_550_is_about_the_name_or_about_the_user() {
    // As our server has it, and vsftpd, ProFTPD and Pure-FTPd.
    for (reply, advice) in [
        ("550 /x: no such file or folder.", "check the name with ls"),
        (
            "550 Permission denied: anonymous may not use DELE.",
            "log in as a user who may",
        ),
        ("550 Permission denied.", "log in as a user who may"),
        ("550 x: Operation not permitted", "log in as a user who may"),
        ("550 Could not delete x: No such file", "check the name"),
    ] {
        let run = check(&Place::new(), "rm x", 1, |s| {
            s.login();
            s.expect("DELE x", reply);
            s.quit();
        });
        run.tells(advice);
    }
}

#[test]
fn lines_that_cannot_be_quoted_are_not_sent() {
    for (line, says) in [
        ("quote RETR x", "get, put, append and ls"),
        ("quote pasv", "belongs to a transfer"),
        ("quote PASS s3cret", "user NAME does that"),
        ("quote AUTH TLS", "changes how"),
        ("quote a\rDELE x", "control characters"),
        ("site", "usage: site COMMAND"),
    ] {
        let run = check(&Place::new(), line, 2, |s| {
            s.login();
            s.quit();
        });
        run.tells(says);
        assert!(!run.err.contains("s3cret"), "{run}");
    }
}

#[test]
fn globs_are_matched_here_and_one_failure_hides_none_of_the_others() {
    let place = Place::new();
    let rows = "type=file; a.log\r\ntype=file; b.log\r\ntype=dir; c.log\r\ntype=file; .d.log\r\n";
    let run = check(&place, "rm *.log\npwd", 1, |s| {
        s.login();
        names(s, "MLSD", rows);
        s.expect("DELE a.log", "550 not yours");
        s.expect("DELE b.log", "250 gone");
        s.quit();
    });
    run.tells("a.log: the server answered \"550 not yours\"");
    run.tells("removed b.log");
    run.tells("1 of 2 failed, the first was");
}

#[test]
fn globs_of_folders_ask_for_each() {
    let run = check(&Place::new(), "size */x?\nls 'a*'/x*", 0, |s| {
        s.login();
        names(s, "MLSD", "type=dir; a*\r\ntype=file; f\r\ntype=dir; b\r\n");
        names(s, "MLSD a*", "type=file; x1\r\n");
        names(s, "MLSD b", "type=file; x2\r\ntype=file; x22\r\n");
        s.expect("TYPE I", "200 image");
        s.expect("SIZE a*/x1", "213 1");
        s.expect("SIZE b/x2", "213 2");
        names(s, "MLSD a*", "type=file; x1\r\ntype=file; y\r\n");
        s.quit();
    });
    assert_eq!(run.out, "1  a*/x1\n2  b/x2\na*/x1\n", "{run}");
}

#[test]
fn the_standard_streams_are_files_too() {
    let place = Place::new();
    let run = check(&place, "get f -\ncat f\nput - g\nnot a command", 0, |s| {
        s.login();
        s.retr(5).send(b"he\x1bll");
        s.say("226 done");
        s.expect("SIZE f", "213 1");
        let data = s.epsv();
        s.expect("RETR f", "150 go");
        data.send(b"o");
        s.say("226 done");
        let data = s.epsv();
        s.expect("STOR g.part", "150 go");
        assert_eq!(data.receive().unwrap(), b"not a command");
        s.say("226 done");
        s.named("g");
        s.quit();
    });
    assert_eq!(run.out, "he\x1bllo", "{run}");
    assert_eq!(place.downloads(), [], "{run}");
    for line in ["get f '-'", "put - "] {
        let code = if line.starts_with("put") { 2 } else { 0 };
        check(&place, line, code, move |s| {
            s.login();
            if code == 0 {
                s.retr(1).send(b"x");
                s.say("226 done");
            }
            s.quit();
        });
    }
    assert_eq!(place.downloads(), [("-".into(), "x".into())]);
}

#[test]
fn fewer_bytes_than_announced_are_a_failure_on_the_standard_stream_too() {
    let run = check(&Place::new(), "get f -", 1, |s| {
        s.login();
        s.retr(5).send(b"hel");
        s.say("226 done");
        s.quit();
    });
    run.tells("3 bytes came where the server had said 5");
}

#[test]
fn append_and_local_globs() {
    let place = Place::new();
    for name in ["a.txt", "b.txt", "img/c.png"] {
        place.write(name, name.as_bytes());
    }
    let run = check(
        &place,
        "append a.txt log\nput *.txt in\nput img/*\nmput nothing*",
        1,
        |s| {
            s.login();
            s.expect("TYPE I", "200 image");
            let takes = |s: &mut Session, data: Data, command: &str, content: &str| {
                s.expect(command, "150 go");
                assert_eq!(data.receive().unwrap(), content.as_bytes());
                s.say("226 done");
            };
            let data = s.epsv();
            takes(s, data, "APPE log", "a.txt");
            let data = s.epsv();
            takes(s, data, "STOR in/a.txt.part", "a.txt");
            // The next file is asked for before this one has its name.
            let data = s.epsv();
            s.named("in/a.txt");
            takes(s, data, "STOR in/b.txt.part", "b.txt");
            s.named("in/b.txt");
            let data = s.epsv();
            takes(s, data, "STOR c.png.part", "img/c.png");
            s.named("c.png");
            s.quit();
        },
    );
    run.tells("no file matches nothing*");
}

#[test]
fn downloads_land_where_the_second_argument_says() {
    let place = Place::new();
    place.write("elsewhere/x", b"");
    let path = place.path("elsewhere/whole").display().to_string();
    let typed = format!(
        "get f {path}\nget f ~/elsewhere/home\nget f in/g\nget f in\nlcd elsewhere\nget f here\n"
    );
    check(&place, &typed, 0, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        for _ in 0..5 {
            s.expect("SIZE f", "213 1");
            let data = s.epsv();
            s.expect("RETR f", "150 go");
            data.send(b"x");
            s.say("226 done");
        }
        s.quit();
    });
    for name in [
        "elsewhere/whole",
        "elsewhere/home",
        "elsewhere/here",
        "client_downloads/in/g",
        "client_downloads/in/f",
    ] {
        assert!(place.path(name).is_file(), "{name}");
    }
}

#[test]
fn the_shell_gets_the_line_as_it_is() {
    let run = check(
        &Place::new(),
        "!echo \"it's\" ; echo $((1+1))\n-!exit 3",
        0,
        |s| {
            s.login();
            s.quit();
        },
    );
    assert_eq!(run.out, "it's\n2\n", "{run}");
    run.tells("exit status: 3");
}
