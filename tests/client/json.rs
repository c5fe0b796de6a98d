//! `--json`: every line is an object, on standard output of what was asked for, on standard error of what happened.

use super::fake::{Place, Run, Server, Session, check_with, deaf_port};
use super::terminal::Terminal;
use serde_json::{Value, json};

/// The objects of a stream. Fails unless each of its lines is one that shows nothing a terminal would obey.
#[track_caller]
fn objects(stream: &str) -> Vec<Value> {
    let object = |line: &str| {
        assert!(
            !line.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{line:?}"
        );
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
        assert!(value.is_object(), "{line:?}");
        value
    };
    stream.lines().map(object).collect()
}

/// The events of a run, without the times that they took.
#[track_caller]
fn events(run: &Run) -> Vec<Value> {
    let mut events = objects(&run.err);
    for event in &mut events {
        if let Some(seconds) = event
            .as_object_mut()
            .and_then(|event| event.remove("seconds"))
        {
            assert!(
                seconds.as_f64().is_some_and(|seconds| seconds >= 0.0),
                "{run}"
            );
        }
    }
    events
}

/// Runs a client with `--json`, and gives the event that it has to begin with too.
#[track_caller]
fn run(
    place: &Place,
    arguments: &[&str],
    typed: &str,
    code: i32,
    script: impl FnOnce(&mut Session) + Send + 'static,
) -> (Run, Value) {
    let arguments = [&["--json", "--port", "{port}"], arguments].concat();
    let run = check_with(place, &arguments, typed, code, script);
    let is_connected = |event: &Value| event["event"] == "connected";
    let connected = events(&run).into_iter().find(is_connected).unwrap();
    let port = &connected["port"];
    assert!(port.is_u64(), "{run}");
    let expected = json!({
        "event": "connected", "host": "127.0.0.1", "port": port, "user": "anonymous", "again": false,
    });
    assert_eq!(connected, expected, "{run}");
    (run, connected)
}

#[test]
fn rows_of_a_listing() {
    let rows = "type=file;size=5;modify=20260102030405;UNIX.mode=0640; a \"b\"\u{202e}c\r\n\
                type=dir;size=4096; d\r\ntype=OS.unix=slink; l\r\n";
    let (run, _) = run(&Place::new(), &[], "ls x\nls", 0, move |s| {
        s.login();
        for command in ["MLSD x", "MLSD"] {
            let data = s.epsv();
            s.expect(command, "150 here it comes");
            data.send(rows.as_bytes());
            s.say("226 done");
        }
        s.quit();
    });
    let all = objects(&run.out);
    assert_eq!(
        all[..3],
        [
            json!({
                "folder": "x", "name": "a \"b\"\u{202e}c", "type": "file", "size": 5,
                "modified": "2026-01-02T03:04:05Z", "mode": "0640",
            }),
            json!({
                "folder": "x", "name": "d", "type": "folder", "size": null, "modified": null, "mode": null,
            }),
            all[2].clone(),
        ],
        "{run}"
    );
    assert_eq!((all.len(), &all[5]["name"]), (6, &json!("l")), "{run}");
    assert_eq!(all[3]["folder"], Value::Null, "{run}");
}

#[test]
fn what_is_moved() {
    let place = Place::new();
    place.write("f", b"hello");
    let typed =
        "get f\nget f -\nput f\nmkdir d\nrm f\nmv a b\nchmod 640 f\ncd d\nbinary\nput missing";
    let (run, connected) = run(&place, &[], typed, 7, |s| {
        s.login();
        s.retr(5).send(b"hello");
        s.say("226 done");
        s.expect("SIZE f", "213 5");
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        data.send(b"hello");
        s.say("226 done");
        let data = s.epsv();
        s.expect("STOR f.part", "150 go on");
        data.receive().unwrap();
        s.say("226 done");
        s.named("f");
        s.expect("MKD d", "257 \"d\"");
        s.expect("DELE f", "250 gone");
        s.expect("RNFR a", "350 and now?");
        s.expect("RNTO b", "250 renamed");
        s.expect("SITE CHMOD 640 f", "200 done");
        s.expect("CWD d", "250 there");
        s.expect("PWD", "257 \"/d\"");
        s.quit();
    });
    let moved = |event: &str, local: Option<&str>| json!({ "event": event, "remote": "f", "local": local, "bytes": 5, "resumed_at": 0 });
    let events = events(&run);
    assert_eq!(
        events[..9],
        [
            connected,
            moved("got", Some("client_downloads/f")),
            moved("got", None),
            moved("sent", Some("f")),
            json!({ "event": "made", "remote": "d" }),
            json!({ "event": "removed", "remote": "f" }),
            json!({ "event": "renamed", "from": "a", "to": "b" }),
            json!({ "event": "mode", "remote": "f", "mode": "0640" }),
            json!({ "event": "entered", "remote": "/d" }),
        ],
        "{run}"
    );
    assert_eq!(events[9]["event"], "message", "{run}");
    let last = &events[10];
    assert_eq!(
        (&last["event"], &last["exit_code"]),
        (&json!("error"), &json!(7)),
        "{run}"
    );
    assert_eq!((events.len(), &last["final"]), (11, &json!(true)), "{run}");
    // The bytes of a file are as they are.
    assert_eq!(run.out, "hello", "{run}");
}

#[test]
fn what_fails() {
    let place = Place::new();
    place.write("f", b"hello");
    let arguments = ["--retries", "1", "--retry-wait", "1"];
    let (run, connected) = run(&place, &arguments, "-rm x\nput f\n", 1, |s| {
        s.login();
        s.expect("DELE x", "550 no\x1b[m such file");
        s.expect("TYPE I", "200 image");
        for _ in 0..2 {
            let _data = s.epsv();
            s.expect("STOR f.part", "450 not now");
        }
        s.quit();
    });
    let mut events = events(&run);
    assert_eq!(events.remove(0), connected, "{run}");
    for (event, rest) in events.iter_mut().zip([
        json!({ "event": "error", "exit_code": 1, "reply": 550, "final": false }),
        json!({
            "event": "retry", "remote": "f", "exit_code": 1, "reply": 450, "wait": 0.001, "attempt": 1, "of": 1,
        }),
        json!({ "event": "error", "exit_code": 1, "reply": 450, "final": true }),
    ]) {
        let text = event.as_object_mut().unwrap().remove("error").unwrap();
        assert!(text.as_str().unwrap().contains("the server answered"), "{run}");
        assert_eq!(*event, rest, "{run}");
    }
    assert_eq!(events.len(), 3, "{run}");
}

#[test]
fn many_files_have_a_total_and_each_its_own_event() {
    let place = Place::new();
    let (run, _) = run(&place, &["-v"], "mget a b c", 1, |s| {
        s.login();
        s.expect("TYPE I", "200 image");
        for name in ["a", "b", "c"] {
            s.expect(&format!("SIZE {name}"), "213 1");
            let data = s.epsv();
            if name == "b" {
                s.expect("RETR b", "550 no such file");
                continue;
            }
            s.expect(&format!("RETR {name}"), "150 here it comes");
            data.send(b"x");
            s.say("226 done");
        }
        s.quit();
    });
    let events = events(&run);
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(
        (of("got"), of("error"), of("connected")),
        (2, 2, 1),
        "{run}"
    );
    assert!(of("log") > 10, "{run}");
    let total = json!({ "event": "total", "verb": "get", "files": 2, "of": 3, "bytes": 2 });
    assert!(events.contains(&total), "{run}");
}

#[test]
fn answers_have_fields_and_all_other_lines_are_texts() {
    let typed = "pwd\nsize f g\nmodtime f\nhash f\nquote NOOP\nlpwd\nhelp\nstatus\nbookmark list";
    let place = Place::new();
    place.write(
        ".config/multi-client-ftp/bookmarks.toml",
        b"[work]\nurl = \"ftp://h/\"\n",
    );
    let (run, _) = run(&place, &[], typed, 0, |s| {
        s.login();
        s.expect("PWD", "257 \"/a\"");
        s.expect("TYPE I", "200 image");
        s.expect("SIZE f", "213 5");
        s.expect("SIZE g", "213 6");
        s.expect("MDTM f", "213 20260102030405");
        s.expect("HASH f", "213 SHA-256 0-5 abcdef f");
        s.expect("NOOP", "200 fine");
        s.expect("PWD", "257 \"/a\"");
        s.quit();
    });
    let rows = objects(&run.out);
    assert_eq!(
        rows[..6],
        [
            json!({ "folder": "/a" }),
            json!({ "name": "f", "size": 5 }),
            json!({ "name": "g", "size": 6 }),
            json!({ "name": "f", "modified": "2026-01-02T03:04:05Z" }),
            json!({ "name": "f", "hash": "SHA-256 abcdef" }),
            json!({ "reply": 200, "text": "fine" }),
        ],
        "{run}"
    );
    assert!(rows[6]["text"].is_string(), "{run}");
    let bookmark = json!({ "name": "work", "url": "ftp://h/" });
    assert_eq!(rows.last(), Some(&bookmark), "{run}");
    events(&run);
}

#[test]
fn the_end_is_an_error_with_its_code() {
    let (_socket, port) = deaf_port();
    let dead = format!("ftp://127.0.0.1:{port}/");
    for (arguments, code) in [
        (&["--json", &dead][..], 3),
        (&["ls", &dead, "--json"], 3),
        (&["--json", "--nonsense"], 2),
        (&["get", "--json"], 2),
        (&["--json", "http://h/"], 2),
    ] {
        let run = Place::new().run(arguments, None, "");
        assert_eq!((run.code, &*run.out), (Some(code), ""), "{run}");
        let events = events(&run);
        let [end] = &events[..] else {
            panic!("{arguments:?}: {run}");
        };
        assert_eq!(end["event"], "error", "{run}");
        assert_eq!(
            (&end["exit_code"], &end["final"]),
            (&json!(code), &json!(true)),
            "{run}"
        );
    }
    // Whoever asks for help is no program.
    let help = Place::new().run(&["--json", "--help"], None, "");
    assert!(help.code == Some(0) && help.out.contains("Usage"), "{help}");
}

#[test]
fn on_a_terminal_there_is_no_prompt_and_no_bar() {
    let server = Server::play(|s| {
        s.login();
        let data = s.epsv();
        s.expect("MLSD", "150 here it comes");
        data.send(b"type=file;size=5; f\r\n");
        s.say("226 done");
        s.expect("DELE x", "550 no such file");
        s.quit();
    });
    let place = Place::new();
    let mut terminal = Terminal::silent(&place, &server, 80, &["--json"], &[]);
    terminal.sees("{\"event\":\"connected\"");
    terminal.types("ls");
    let before = terminal.sees("{\"folder\":null,\"name\":\"f\"");
    assert!(!before.contains("ftp>"), "{before:?}");
    terminal.types("rm x");
    terminal.sees("\"final\":true}");
    assert_eq!(terminal.ends(), 1);
    server.ended();
}
