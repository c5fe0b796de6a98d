//! Sessions: login, what works before it, replies to the commands that only talk, the idle limit, and the log.

mod support;

use support::{Server, data_connection};

#[test]
fn an_anonymous_client_logs_in() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.run("USER anonymous", 331);
    raw.run("PASS", 230);
    raw.run("QUIT", 221);
    raw.expect_closed();
    let mut other = server.connect();
    other.run("user ftp", 331);
    other.run("pass x", 230);
}

#[test]
fn nobody_else_logs_in() {
    let server = Server::start();
    let mut raw = server.connect();
    // RFC 2577 §5: the reply to USER must not tell which users there are.
    raw.run("USER root", 331);
    raw.run("PASS x", 530);
    raw.run("PWD", 530);
    raw.login();
    raw.run("PWD", 257);
}

#[test]
fn anonymous_off_lets_nobody_in() {
    let server = Server::with(&["--anonymous", "off"]);
    let mut raw = server.connect();
    raw.send("USER anonymous");
    if raw.expect_one_of(&[331, 530]).code == 331 {
        raw.run("PASS x", 530);
    }
    raw.run("PWD", 530);
}

#[test]
fn a_password_comes_after_a_user() {
    let server = Server::start();
    server.connect().run("PASS x", 503);
}

/// RFC 959 §4.1.1: without a USER before it, it is 503 and nothing else.
#[test]
fn a_password_too_many_changes_nothing() {
    let server = Server::start();
    server.make_folder("d");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    raw.run("PASS x", 503);
    assert!(raw.run("PWD", 257).text.contains("\"/d\""));
    assert_eq!(raw.list("NLST"), "");
}

#[test]
fn before_login_nothing_touches_files() {
    let server = Server::start();
    server.write("a.txt", "a");
    let mut raw = server.connect();
    for line in [
        "PWD",
        "CWD /",
        "CDUP",
        "MKD d",
        "SIZE a.txt",
        "MDTM a.txt",
        "MLST a.txt",
        "EPSV",
        "PASV",
        "LIST",
        "NLST",
        "MLSD",
        "RETR a.txt",
        "STOR b.txt",
    ] {
        raw.run(line, 530);
    }
    assert_eq!(support::names_in(&server.root), ["a.txt"]);
    raw.login();
}

#[test]
fn clients_may_look_around_before_login() {
    let server = Server::start();
    let mut raw = server.connect();
    // FileZilla and WinSCP ask these before USER.
    raw.run("FEAT", 211);
    for opts in ["OPTS UTF8 ON", "OPTS utf8 on", "opts UTF-8 on", "OPTS UTF8"] {
        raw.run(opts, 200);
    }
    raw.run("CLNT WinSCP", 200);
    raw.run("NOOP", 200);
    raw.run("HELP", 214);
    let system = raw.run("SYST", 215);
    // RFC 959 has the name first; clients choose their parser of LIST by it.
    assert!(system.text.starts_with("215 UNIX"), "{system}");
    raw.login();
}

#[test]
fn feat_tells_what_there_is() {
    let server = Server::start();
    let mut raw = server.connect();
    let reply = raw.run("FEAT", 211);
    let lines = reply.inner_lines();
    for line in &lines {
        // RFC 2389 §3.2: one space, then the feature.
        assert!(
            line.starts_with(' ') && !line.starts_with("  "),
            "{line:?} of {reply}"
        );
    }
    let features: Vec<String> = lines
        .iter()
        .map(|line| line.trim().to_ascii_uppercase())
        .collect();
    for wanted in ["UTF8", "SIZE", "MDTM", "EPSV", "MLST"] {
        assert!(
            features
                .iter()
                .any(|feature| feature.split(' ').next() == Some(wanted)),
            "no {wanted} in {features:?}"
        );
    }
    // RFC 3659 §7.8: MLST lists its facts, a star at those that are sent.
    let facts = features
        .iter()
        .find_map(|feature| feature.strip_prefix("MLST "))
        .unwrap_or_else(|| panic!("no facts behind MLST in {features:?}"));
    for fact in ["TYPE*;", "SIZE*;", "MODIFY*;"] {
        assert!(facts.contains(fact), "no {fact} in {facts:?}");
    }
    // RFC 3659 §7.8 again: MLSD is no feature of its own. And what is promised must be there.
    for feature in &features {
        let verb = feature.split(' ').next().unwrap_or_default();
        if ["UTF8", "TVFS", "EPSV-AHEAD"].contains(&verb) {
            continue;
        }
        raw.send(verb);
        let reply = raw.reply();
        assert!(
            reply.code != 500 && reply.code != 502,
            "FEAT promises {feature:?}, and {verb} gets {reply}"
        );
    }
}

#[test]
fn types_modes_and_structures() {
    let server = Server::start();
    let mut raw = server.login();
    for (line, code) in [
        ("TYPE I", 200),
        ("TYPE A", 200),
        ("type a n", 200),
        ("TYPE L 8", 200),
        ("TYPE E", 504),
        ("TYPE X", 501),
        ("TYPE", 501),
        ("MODE S", 200),
        ("MODE B", 504),
        ("MODE C", 504),
        ("MODE X", 501),
        ("STRU F", 200),
        ("STRU R", 504),
        ("STRU P", 504),
        ("STRU X", 501),
        ("ALLO x", 501),
        ("EPSV 3", 522),
    ] {
        raw.run(line, code);
    }
    // RFC 959: 200 where room is set aside, 202 where there is no need to.
    for line in ["ALLO 1000", "ALLO 1000 R 10"] {
        raw.send(line);
        raw.expect_one_of(&[200, 202]);
    }
}

#[test]
fn options_that_there_are_not() {
    let server = Server::start();
    let mut raw = server.connect();
    for line in ["OPTS", "OPTS NOSUCH ON", "OPTS UTF8 PERHAPS"] {
        raw.run(line, 501);
    }
}

#[test]
fn mlst_facts_can_be_chosen() {
    // RFC 3659 §7.9. A server with one set of facts may refuse, but not break what it sends.
    let server = Server::start();
    server.write("a.txt", "abc");
    let mut raw = server.login();
    raw.send("OPTS MLST type;size;");
    raw.expect_one_of(&[200, 501]);
    let rows = raw.rows("MLSD");
    assert!(
        rows.iter().any(|row| row.ends_with("; a.txt")),
        "no a.txt in {rows:?}"
    );
}

#[test]
fn unknown_and_unserved_commands() {
    let server = Server::start();
    let mut raw = server.login();
    for line in ["FOO", "FOO bar", "", " ", "LISTEN", "XYZZY"] {
        raw.run(line, 500);
    }
    for line in ["ACCT x", "SMNT x", "REIN", "LPSV", "MIC x"] {
        raw.run(line, 502);
    }
    raw.run("NOOP", 200);
}

#[test]
fn missing_and_needless_arguments() {
    let server = Server::start();
    let mut raw = server.login();
    for line in [
        "CWD", "MKD", "RETR", "RETR ", "STOR", "SIZE", "MDTM", "USER", "MODE", "STRU", "ALLO",
        "NOOP x", "PWD x", "CDUP x", "PASV x", "QUIT x",
    ] {
        raw.run(line, 501);
    }
    raw.run("NOOP", 200);
}

#[test]
fn commands_in_one_packet_are_answered_in_order() {
    let server = Server::start();
    server.write("a.txt", "abc");
    let mut raw = server.connect();
    raw.send_bytes(
        b"USER anonymous\r\nPASS x\r\nPWD\r\nSYST\r\nFOO\r\nTYPE I\r\nSIZE a.txt\r\nQUIT\r\n",
    );
    for code in [331, 230, 257, 215, 500, 200, 213, 221] {
        raw.expect(code);
    }
    raw.expect_closed();
}

#[test]
fn commands_behind_a_transfer_wait_for_its_end() {
    let server = Server::start();
    server.write("a.txt", "abc");
    let mut raw = server.login();
    let data = data_connection(raw.epsv());
    raw.send_bytes(b"RETR a.txt\r\nPWD\r\nNOOP\r\n");
    assert_eq!(support::read_all(data), b"abc");
    for code in [150, 226, 257, 200] {
        raw.expect(code);
    }
    // RFC 959: a QUIT behind a transfer waits for its end too.
    let data = data_connection(raw.epsv());
    raw.send_bytes(b"RETR a.txt\r\nQUIT\r\n");
    assert_eq!(support::read_all(data), b"abc");
    for code in [150, 226, 221] {
        raw.expect(code);
    }
    raw.expect_closed();
}

#[test]
fn an_idle_session_is_closed_with_421() {
    let server = Server::with(&["--idle-timeout", "1"]);
    let mut idle = server.login();
    let mut greeted = server.connect();
    idle.expect(421);
    idle.expect_closed();
    greeted.expect(421);
    greeted.expect_closed();
    server.connect().run("NOOP", 200);
}

#[test]
fn a_transfer_is_not_idle() {
    // The session says nothing on its control connection for far longer than it may be idle.
    let server = Server::with(&["--idle-timeout", "1"]);
    let mut raw = server.login();
    let data = raw.begin("STOR a.txt");
    let mut other = server.login();
    other.expect(421);
    other.expect_closed();
    drop(data);
    raw.expect(226);
}

#[test]
fn a_session_and_its_transfers_are_logged() {
    let server = Server::start();
    let mut raw = server.login();
    let peer = raw.local().to_string();
    raw.store("up.bin", &[7; 1234]);
    raw.fetch("up.bin");
    raw.begin_refused("RETR missing.bin", &[550]);
    server.wait_for_log(&[&peer, "anonymous", "STOR", "up.bin", "1234"]);
    server.wait_for_log(&[&peer, "anonymous", "RETR", "up.bin", "1234"]);
    server.wait_for_log(&[&peer, "anonymous", "RETR", "missing.bin"]);
    raw.run("QUIT", 221);
    raw.expect_closed();
    // Start, three transfers and end, and the log is on standard error only.
    support::wait_until("a line for the end of the session", || {
        let log = server.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&peer)).collect();
        let named = |line: &&&str| line.contains("RETR") || line.contains("STOR");
        lines.iter().filter(named).count() == 3 && lines.len() >= 5
    });
}

#[test]
fn control_characters_do_not_reach_the_log() {
    // Somebody who watches the log must not have the terminal taken over, nor be shown lines that nobody wrote.
    for flags in [&[][..], &["-v"]] {
        let server = Server::with(flags);
        let mut raw = server.connect();
        raw.send("USER a\x1b[2Jb\x07");
        raw.expect_one_of(&[331, 501, 530]);
        raw.send("PASS \x1b[2J");
        raw.expect_one_of(&[501, 503, 530]);
        raw.login();
        for line in [
            "RETR a\x1b[2Jb",
            "STOR a\x07b",
            "CWD a\tb",
            "MKD a\x7fb",
            "SIZE a\u{85}b",
            "\x1b[2J",
            "RETR a\rb",
            "RETR a\0b",
        ] {
            raw.refused(line);
        }
        raw.begin_refused("RETR a\x1b[2Jc", &[501, 550, 553]);
        raw.run("QUIT", 221);
        raw.expect_closed();
        server.wait_for_log(&["disconnected"]);
        let log = server.log();
        let unwanted = |c: char| c.is_control() && c != '\n';
        assert!(
            !log.contains(unwanted),
            "control characters in the log: {log:?}"
        );
        assert_eq!(support::names_in(&server.root), [""; 0]);
    }
}

#[test]
fn a_password_is_never_logged() {
    let server = Server::with(&["-v"]);
    let mut raw = server.connect();
    raw.run("USER anonymous", 331);
    raw.run("PASS s3cret", 230);
    raw.run("USER root", 331);
    raw.run("PASS hunter2", 530);
    raw.run("QUIT", 221);
    raw.expect_closed();
    server.wait_for_log(&["disconnected"]);
    let log = server.log();
    assert!(
        !log.contains("s3cret") && !log.contains("hunter2"),
        "a password in the log:\n{log}"
    );
}
