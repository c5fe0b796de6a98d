//! The small commands: HOST, HELP, STAT, ALLO, TYPE, MODE, STRU, and the X-commands of RFC 775 that old clients say.

use crate::support::{Server, names_in};

/// Windows' `ftp.exe` says XPWD, XMKD and XRMD, and nothing else.
#[test]
fn the_x_commands_are_the_same_by_another_name() {
    let server = Server::with(&["--anonymous", "full"]);
    let mut raw = server.login();
    assert_eq!(raw.run("XMKD d", 257).quoted(), "/d");
    raw.run("XCWD d", 250);
    assert_eq!(raw.run("XPWD", 257).quoted(), "/d");
    raw.run("XCUP", 250);
    assert_eq!(raw.run("XPWD", 257).quoted(), "/");
    raw.run("XRMD d", 250);
    raw.run("XRMD d", 550);
    raw.run("XCWD d", 550);
    assert_eq!(names_in(&server.root), [""; 0]);
    for line in ["XMKD", "XCWD", "XRMD", "XPWD x", "XCUP x"] {
        raw.run(line, 501);
    }
    let mut stranger = server.connect();
    for line in ["XMKD d", "XCWD /", "XRMD d", "XPWD", "XCUP"] {
        stranger.run(line, 530);
    }
}

/// RFC 7151: HOST comes before USER, and 220 means that the host is known.
#[test]
fn host_is_any() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.run("HOST ftp.example.com", 220);
    raw.run("HOST [::1]", 220);
    raw.run("HOST", 501);
    raw.login();
}

#[test]
fn types_by_all_their_names() {
    let server = Server::start();
    server.write("a", "1\n");
    let mut raw = server.login();
    for (line, code, sent) in [
        ("TYPE I", 200, "1\n"),
        ("type i", 200, "1\n"),
        ("TYPE L 8", 200, "1\n"),
        // Some clients forget the blank.
        ("TYPE L8", 200, "1\n"),
        ("TYPE A", 200, "1\r\n"),
        ("TYPE A N", 200, "1\r\n"),
        ("TYPE I", 200, "1\n"),
        // RFC 959 §5.3.2: what is in the RFC and not here is 504, what is in none 501; the type stays.
        ("TYPE E", 504, "1\n"),
        ("TYPE E N", 504, "1\n"),
        ("TYPE A T", 504, "1\n"),
        ("TYPE A C", 504, "1\n"),
        ("TYPE L 7", 504, "1\n"),
        ("TYPE L 36", 504, "1\n"),
        ("TYPE", 501, "1\n"),
        ("TYPE X", 501, "1\n"),
        ("TYPE L", 501, "1\n"),
        ("TYPE L x", 501, "1\n"),
        ("TYPE A Q", 501, "1\n"),
        ("TYPE I N N", 501, "1\n"),
    ] {
        raw.run(line, code);
        assert_eq!(raw.fetch("a"), sent.as_bytes(), "after {line}");
    }
}

#[test]
fn modes_and_structures() {
    let server = Server::start();
    let mut raw = server.login();
    for (line, code) in [
        ("mode s", 200),
        ("MODE Z", 501),
        ("MODE", 501),
        ("MODE SS", 501),
        ("stru f", 200),
        ("STRU", 501),
        ("STRU FF", 501),
    ] {
        raw.run(line, code);
    }
    for line in ["ALLO 0", "ALLO 18446744073709551615", "ALLO 10 R 20"] {
        raw.send(line);
        raw.expect_one_of(&[200, 202]);
    }
    for line in ["ALLO", "ALLO -1", "ALLO 18446744073709551616", "ALLO 1x"] {
        raw.run(line, 501);
    }
}

#[test]
fn help_with_and_without_a_command() {
    let server = Server::start();
    let mut raw = server.connect();
    let help = raw.run("HELP", 214);
    let feat = raw.run("FEAT", 211);
    // What FEAT promises, HELP knows.
    for line in feat.inner_lines() {
        let verb = line.trim().split(' ').next().unwrap_or_default();
        if !["UTF8", "TVFS", "EPSV-AHEAD"].contains(&verb) {
            assert!(help.text.contains(verb), "no {verb} in {help}");
        }
    }
    for line in ["HELP RETR", "help retr", "HELP SITE"] {
        raw.run(line, 214);
    }
    raw.send("HELP NOSUCH");
    raw.expect_one_of(&[214, 501, 502, 504]);
}

/// RFC 959 §4.1.3: 211 of the server, 212 of a folder, 213 of a file, all over the control connection.
#[test]
fn stat_tells_of_the_session_and_of_files() {
    let server = Server::start();
    server.make_folder("d");
    server.write("d/a b", "abc");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    raw.run("TYPE A", 200);
    let status = raw.run("STAT", 211);
    for part in ["anonymous", "/d", "127.0.0.1"] {
        assert!(status.text.contains(part), "no {part} in {status}");
    }
    let root = server.root.to_string_lossy();
    assert!(!status.text.contains(&*root), "{status}");
    for (line, code) in [
        ("STAT /d", 212),
        ("STAT .", 212),
        ("STAT a b", 213),
        ("STAT -l a b", 213),
        ("STAT -la /d", 212),
    ] {
        let reply = raw.run(line, code);
        let rows = reply.inner_lines();
        assert!(
            rows.len() == 1 && rows[0].ends_with("a b") && rows[0].contains(" 3 "),
            "{reply}"
        );
    }
    raw.run("STAT missing", 550);
    let mut stranger = server.connect();
    stranger.run("STAT", 211);
    stranger.run("STAT /", 530);
}

/// A folder of names that look like the end of a reply of many lines.
#[test]
fn no_name_ends_a_reply() {
    let server = Server::start();
    for name in ["212 End", "250 x", "213 y"] {
        server.write(name, "");
    }
    let mut raw = server.login();
    assert_eq!(raw.run("STAT /", 212).inner_lines().len(), 3);
    assert_eq!(raw.run("MLST 250 x", 250).inner_lines().len(), 1);
    raw.run("OPTS MLST", 200);
    assert_eq!(raw.run("MLST 250 x", 250).inner_lines().len(), 1);
    raw.run("NOOP", 200);
}

#[test]
fn utf8_is_on_whatever_a_client_says() {
    let server = Server::start();
    server.write("übung", "ü");
    let mut raw = server.connect();
    for line in [
        "OPTS UTF8 ON",
        "OPTS UTF-8 ON",
        "opts utf8 on",
        "OPTS UTF8",
        "OPTS UTF-8",
        "Opts Utf8 oN",
    ] {
        raw.run(line, 200);
    }
    // It cannot be switched off (RFC 2640), and a client that asks is told so.
    raw.run("OPTS UTF8 OFF", 504);
    raw.login();
    raw.run("OPTS UTF8 ON", 200);
    assert_eq!(raw.fetch("übung"), "ü".as_bytes());
    assert_eq!(raw.rows("NLST"), ["übung"]);
}

/// RFC 959 §4.1.1: USER begins again from the start, in a session that was logged in.
#[test]
fn another_user_begins_anew() {
    let server = Server::start();
    server.make_folder("d");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    raw.run("USER nobody", 331);
    raw.run("PWD", 530);
    raw.run("PASS x", 530);
    raw.run("PWD", 530);
    raw.login();
    assert_eq!(raw.run("PWD", 257).quoted(), "/");
}
