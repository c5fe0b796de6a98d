//! `--log-format json`: a log for programs.

mod support;

use serde_json::Value;
use support::{Server, UsersFile, account};

/// The log as objects. Every line has to be one.
#[track_caller]
fn lines(server: &Server) -> Vec<Value> {
    let parse = |line: &str| {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        assert!(object["message"].is_string(), "{line}");
        let level = object["level"].as_str().expect("a level");
        assert!(
            ["trace", "debug", "info", "warn", "error"].contains(&level),
            "{line}"
        );
        let time = object["time"].as_str().expect("a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
        object
    };
    server.log().lines().map(parse).collect()
}

#[track_caller]
fn find<'l>(lines: &'l [Value], part: &str) -> &'l Value {
    let mut lines = lines.iter();
    let found = lines.find(|line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains(part))
    });
    found.unwrap_or_else(|| panic!("no line with {part:?}"))
}

#[test]
fn each_line_is_an_object_whatever_names_hold() {
    let users = UsersFile::new(&account("None", "permissions = 'full'"));
    let mut server = users.server(&["--log-format", "json", "-vv"]);
    let mut raw = server.connect();
    let peer = raw.local().to_string();
    raw.run("USER \"\\\u{202e}\u{9b}\u{1b}[2J", 331);
    raw.run("PASS \"secret\\", 530);
    raw.run("USER None", 331);
    raw.run("PASS None!", 230);
    raw.run("TYPE I", 200);
    let name = "a \"b\"\\\u{202e}ü\u{1f600}";
    raw.store(name, b"12345");
    assert_eq!(raw.fetch(name), b"12345");
    raw.begin_refused("RETR no \"such\" file", &[550]);
    raw.send_bytes(b"STAT \xc3\x28\r\n");
    raw.expect_refusal();
    raw.run("QUIT", 221);
    raw.expect_closed();
    server.wait_for_log(&["disconnected"]);
    assert!(server.stop().success());

    let lines = lines(&server);
    assert!(!server.log().contains("secret"), "a password is in the log");
    let connected = find(&lines, "connected");
    assert_eq!(connected["session"], 1);
    assert_eq!(connected["peer"], peer);
    let failed = find(&lines, "login failure");
    assert_eq!(failed["level"], "warn");
    assert_eq!(failed["user"], "\"\\\u{202e}\u{9b}\u{1b}[2J");
    assert_eq!(find(&lines, "logged in as")["user"], "None");
    for (verb, code, outcome, path, bytes) in [
        ("STOR", 226, "completed", format!("/{name}"), 5),
        ("RETR", 226, "completed", format!("/{name}"), 5),
        ("RETR", 550, "refused", "no \"such\" file".to_owned(), 0),
    ] {
        let mut lines = lines.iter();
        let line = lines
            .find(|line| line["verb"] == verb && line["code"] == code)
            .unwrap_or_else(|| panic!("no line of the {verb} with {code}"));
        assert_eq!(line["path"], path, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["bytes"], bytes, "{line}");
        assert_eq!(line["user"], "None", "{line}");
        assert_eq!(line["session"], 1, "{line}");
        assert_eq!(line["peer"], peer, "{line}");
        assert!(line["seconds"].is_f64(), "{line}");
    }
    let ended = find(&lines, "disconnected");
    assert_eq!(ended["outcome"], "QUIT");
    assert_eq!(ended["user"], "None");
    assert!(ended["seconds"].is_f64(), "{ended}");
}

#[test]
fn transfers_that_were_cut_say_so() {
    let mut server = Server::with(&["--log-format", "json"]);
    server.write_sparse("big", 1 << 40);
    let mut raw = server.login();
    let data = raw.begin("RETR big");
    raw.send("ABOR");
    raw.expect(426);
    raw.expect(226);
    drop(data);
    // One whose client has gone gets no reply.
    let data = raw.begin("RETR big");
    drop(raw);
    server.wait_for_log(&["the control connection is gone"]);
    drop(data);
    server.wait_for_log(&["disconnected"]);
    assert!(server.stop().success());
    let aborted = lines(&server);
    let gone = find(&aborted, "the control connection is gone");
    assert_eq!(gone["outcome"], "aborted");
    assert!(gone["code"].is_null(), "{gone}");
    let line = find(&aborted, "RETR /big");
    assert_eq!(
        (&line["outcome"], &line["code"]),
        (&"aborted".into(), &426.into())
    );
}

#[test]
fn the_log_is_text_where_nothing_else_is_said() {
    let server = Server::with(&["--log-format", "text"]);
    server.login().store("a", b"abc");
    let line = server.wait_for_log(&["STOR"]);
    assert!(
        line.contains(" INFO ") && line.contains("] 127.0.0.1:"),
        "{line}"
    );
    assert!(
        line.contains(" anonymous STOR /a 3 bytes ") && line.ends_with("226 Transfer complete."),
        "{line}"
    );
}
