//! Verbs as commands of their own: what goes over the wire for them.

use super::fake::{Place, Run, Server, Session, check_with};

/// Runs a client with nothing on standard input, and checks how it ended.
#[track_caller]
fn shot(
    place: &Place,
    arguments: &[&str],
    code: i32,
    script: impl FnOnce(&mut Session) + Send + 'static,
) -> Run {
    check_with(place, arguments, "", code, script)
}

/// Answers a `RETR` with `hello`.
#[track_caller]
fn hello(s: &mut Session, path: &str) {
    s.expect("TYPE I", "200 image");
    s.expect(&format!("SIZE {path}"), "213 5");
    let data = s.epsv();
    s.expect(&format!("RETR {path}"), "150 here it comes");
    data.send(b"hello");
    s.say("226 done");
}

/// Answers a `STOR` of `hello`.
#[track_caller]
fn takes(s: &mut Session, path: &str) {
    let data = s.epsv();
    s.expect(&format!("STOR {path}.part"), "150 go on");
    assert_eq!(data.receive().unwrap(), b"hello");
    s.say("226 done");
    s.named(path);
}

#[track_caller]
fn lists(s: &mut Session, folder: &str, rows: &str) {
    let data = s.epsv();
    s.expect(format!("MLSD {folder}").trim_end(), "150 here it comes");
    data.send(rows.as_bytes());
    s.say("226 done");
}

#[track_caller]
fn holds(place: &Place, name: &str, content: &str) {
    let found = std::fs::read(place.path(name));
    assert_eq!(found.ok().as_deref(), Some(content.as_bytes()), "{name}");
}

#[test]
fn a_file_of_a_url_is_no_folder_to_go_to() {
    for (url, path) in [
        ("ftp://{}/d/f", "d/f"),
        ("ftp://{}/f", "f"),
        ("ftp://{}/%2Fetc/f", "/etc/f"),
        ("ftp://{}/a%20b/f", "a b/f"),
    ] {
        let place = Place::new();
        let run = shot(&place, &["get", url], 0, |s| {
            s.login();
            hello(s, path);
            s.quit();
        });
        run.tells(&format!("got {path}: "));
        holds(&place, "f", "hello");
        assert_eq!(run.out, "", "{run}");
    }
}

#[test]
fn where_a_download_lands() {
    for (more, at) in [
        (&["g"][..], "g"),
        (&["new/"], "new/f"),
        (&["new/g"], "new/g"),
        (&["there"], "there/f"),
        (&["there/../*"], "*"),
        (&["~"], "~"),
        (&["--downloads", "d"], "d/f"),
        (&["--downloads", "d", "g"], "d/g"),
        (&["--", "-g"], "-g"),
    ] {
        let place = Place::new();
        std::fs::create_dir(place.path("there")).unwrap();
        shot(&place, &[&["get", "ftp://{}/f"], more].concat(), 0, |s| {
            s.login();
            hello(s, "f");
            s.quit();
        });
        holds(&place, at, "hello");
    }
    let run = shot(&Place::new(), &["get", "ftp://{}/f", "-"], 0, |s| {
        s.login();
        hello(s, "f");
        s.quit();
    });
    assert_eq!((&*run.out, &*run.err), ("hello", ""), "{run}");
}

#[test]
fn a_glob_is_one_unless_it_is_escaped() {
    let place = Place::new();
    shot(&place, &["get", "ftp://{}/d/*.c", "--verify"], 1, |s| {
        s.login();
        lists(
            s,
            "d",
            "type=file; x.c\r\ntype=dir; y.c\r\ntype=file; z\r\n",
        );
        hello(s, "d/x.c");
        s.quit();
    })
    .tells("checksum");
    shot(&place, &["get", "ftp://{}/d/%2A.c"], 0, |s| {
        s.login();
        hello(s, "d/*.c");
        s.quit();
    });
    holds(&place, "*.c", "hello");
    let run = shot(&place, &["ls", "ftp://{}/*.c"], 0, |s| {
        s.login();
        lists(s, "", "type=file; x.c\r\ntype=dir; y.c\r\ntype=file; z\r\n");
        s.quit();
    });
    assert_eq!(run.out, "x.c\ny.c\n", "{run}");
}

#[test]
fn a_listing() {
    for (url, folder) in [
        ("ftp://{}", ""),
        ("ftp://{}/d/", "d"),
        ("ftp://{}/%2F", "/"),
        ("ftp://{}/a%20b", "a b"),
    ] {
        let run = shot(
            &Place::new(),
            &["--timeout", "20", "ls", url],
            0,
            move |s| {
                s.login();
                lists(s, folder, "type=file; x\r\ntype=dir; y\r\n");
                s.quit();
            },
        );
        assert_eq!((&*run.out, &*run.err), ("x\ny\n", ""), "{run}");
    }
}

#[test]
fn an_upload() {
    let place = Place::new();
    place.write("-f *", b"hello");
    for (url, path) in [
        ("ftp://{}", "-f *"),
        ("ftp://{}/d/", "d/-f *"),
        ("ftp://{}/d/%2A*", "d/**"),
    ] {
        shot(&place, &["put", "--", "-f *", url], 0, |s| {
            s.login();
            s.expect("TYPE I", "200 image");
            takes(s, path);
            s.quit();
        });
    }
    let run = check_with(&place, &["put", "-", "ftp://{}/d/f"], "hello", 0, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        takes(s, "d/f");
        s.quit();
    });
    run.tells("sent d/f: 5 bytes");
}

#[test]
fn uploads_go_to_the_folder_of_the_url() {
    let place = Place::new();
    place.write("sub/b", b"hello");
    shot(
        &place,
        &["put", "sub/b", "-v", "missing", "ftp://{}/d"],
        7,
        |s| {
            s.login();
            s.expect("CWD d", "250 there");
            s.expect("TYPE I", "200 image");
            takes(s, "b");
            s.quit();
        },
    )
    .tells("missing");
    shot(&place, &["put", "missing", "sub/b", "ftp://{}/d"], 1, |s| {
        s.login();
        s.expect("CWD d", "550 no such folder");
    })
    .tells("the folder \"d\"");
    shot(&place, &["put", "-r", "sub", "ftp://{}/new"], 0, |s| {
        s.login();
        s.expect("MKD new", "257 \"new\"");
        s.expect("TYPE I", "200 image");
        takes(s, "new/b");
        s.quit();
    });
}

#[test]
fn who_and_where_is_in_the_url_or_in_flags() {
    let place = Place::new();
    let bookmark = |port: u16| {
        let url = format!("[work]\nurl = \"ftp://me@127.0.0.1:{port}/in%20here\"\n");
        place.write(".config/multi-client-ftp/bookmarks.toml", url.as_bytes());
    };
    for (arguments, path) in [
        (&["--user", "me", "get", "{}/f"][..], "f"),
        (&["get", "--user", "me", "{}/f"], "f"),
        (&["get", "{}/f", "--user", "me"], "f"),
        (&["--user", "you", "get", "{me}/f"], "f"),
        (&["get", "@work/d/f"], "in here/d/f"),
        (&["get", "@work//d/f"], "/d/f"),
    ] {
        let server = Server::play(move |s| {
            s.say("220 ready");
            s.expect("USER me", "230 in");
            s.expect("FEAT", "500 what?");
            hello(s, path);
            s.quit();
        });
        bookmark(server.port);
        let url = |user: &str| format!("ftp://{user}127.0.0.1:{}", server.port);
        let arguments: Vec<String> = arguments
            .iter()
            .map(|word| word.replace("{}", &url("")).replace("{me}", &url("me@")))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = place.run(&arguments, None, "");
        assert_eq!(run.code, Some(0), "{run}");
        server.finish(&run);
        std::fs::remove_file(place.path("f")).unwrap();
    }
    let server = Server::play(|s| {
        s.say("220 ready");
        s.expect("USER me", "230 in");
        s.expect("FEAT", "500 what?");
        s.expect("CWD in here/d", "250 there");
        s.quit();
    });
    bookmark(server.port);
    let run = place.run(&["@work/d", "-c", "exit"], None, "");
    assert_eq!(run.code, Some(0), "{run}");
    server.finish(&run);
}

#[test]
fn what_makes_no_sense_asks_no_server() {
    for (arguments, says) in [
        (&["get"][..], "URL"),
        (&["get", "f"], "ftp://user@host:port/folder"),
        (&["get", "ftp://127.0.0.1:1/d/"], "names no file"),
        (&["get", "ftp://me:s3cret@127.0.0.1:1/f"], "FTP_PASSWORD"),
        (&["put", "f"], "URL"),
        (&["put", "f", "g"], "ftp://user@host:port/folder"),
        (&["put", "-", "ftp://127.0.0.1:1/d/"], "no name"),
        (&["ls"], "URL"),
        (&["ls", "@nobody"], "no bookmark @nobody"),
        (&["--host", "h", "ls", "ftp://127.0.0.1:1/"], "--host"),
        (&["-c", "pwd", "ls", "ftp://127.0.0.1:1/"], "-c"),
        (&["ftp://127.0.0.1:1/", "ls", "ftp://127.0.0.1:1/"], "URL"),
        (&["mirror", "-R", "d"], "URL"),
    ] {
        let run = Place::new().run(arguments, None, "");
        assert_eq!(run.code, Some(2), "{arguments:?}: {run}");
        run.tells(says);
        assert!(!run.err.contains("s3cret"), "{run}");
    }
}

#[test]
fn the_failure_of_a_command_is_told_with_what_was_tried() {
    let run = shot(&Place::new(), &["get", "ftp://{}/d/f"], 1, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        s.expect("SIZE d/f", "550 no");
        let _data = s.epsv();
        s.expect("RETR d/f", "550 no such file");
        s.quit();
    });
    run.tells("ftp-client: get d/f: the server answered \"550 no such file\"");
}

#[test]
fn help_and_pages_have_all_the_forms() {
    let help = Place::new().run(&["--help"], None, "").out;
    let man = Place::new().run(&["man"], None, "").out;
    for verb in ["get", "put", "ls", "mirror"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{help}");
        let run = Place::new().run(&[verb, "--help"], None, "");
        assert!(run.out.contains("--retries"), "{run}");
        let heading = format!(".SH \"FTP-CLIENT {}\"", verb.to_uppercase());
        assert!(man.contains(&heading), "{man}");
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let run = Place::new().run(&["completions", shell], None, "");
            assert!(
                run.out.contains(verb) && run.out.contains("dry-run"),
                "{run}"
            );
        }
    }
}
