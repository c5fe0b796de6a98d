//! Logins, good and bad.

use crate::support::{
    Raw, Server, anonymous_kib, connect_from, peak_kib, unpacked_programs, wait_until,
};
use crate::{UsersFile, account, fail, log_in};
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

#[test]
fn an_account_logs_in_with_its_password() {
    let users = UsersFile::new(&account("anna", "permissions = 'full'"));
    let server = users.server(&[]);
    server.write("a.txt", "a");
    let mut raw = log_in(&server, "anna");
    assert_eq!(raw.fetch("a.txt"), b"a");
    server.wait_for_log(&["logged in as anna"]);
    server.wait_for_log(&["anna RETR /a.txt"]);
    fail(&mut raw, "anna", "anna");
    raw.run("PWD", 530);
    fail(&mut raw, "Anna", "anna!");
}

#[test]
fn anonymous_is_off_beside_accounts_unless_it_is_asked_for() {
    let users = UsersFile::new(&account("anna", "permissions = 'full'"));
    fail(&mut users.server(&[]).connect(), "anonymous", "guest");
    let server = users.server(&["--anonymous", "read"]);
    let mut raw = server.login();
    raw.begin_refused("STOR a", &[550]);
    log_in(&server, "anna").store("a", b"a");
    assert_eq!(raw.fetch("a"), b"a");
}

/// The lines of the log that tell of a password that was hashed.
fn hashed(server: &Server) -> usize {
    server.log().matches("was checked in").count()
}

#[test]
fn nobody_learns_which_accounts_there_are() {
    let users = UsersFile::new(
        &[
            account("anna", "permissions = 'read'"),
            account("far", "permissions = 'read'\nallow-from = ['192.0.2.0/24']"),
        ]
        .concat(),
    );
    let server = users.server(&["-v", "--login-attempts", "9"]);
    let mut replies = Vec::new();
    for (at, (name, password)) in [
        ("anna", "wrong"),
        ("nobody", "wrong"),
        ("anonymous", "anna!"),
        // Even with the right password, from the wrong network.
        ("far", "far!"),
    ]
    .into_iter()
    .enumerate()
    {
        // From an address that has not failed before, so that nothing is waited for that comes of it.
        let address = Ipv4Addr::new(127, 0, 1, u8::try_from(at).expect("a few"));
        let mut raw = Raw::over(connect_from(address, server.address));
        raw.expect(220);
        let named = raw.run(&format!("USER {name}"), 331).text;
        let refused = raw.run(&format!("PASS {password}"), 530).text;
        // The time that it takes is the time of hashing a password, once.
        assert_eq!(hashed(&server), at + 1, "{}", server.log());
        replies.push((named, refused));
    }
    assert!(
        replies.windows(2).all(|two| two[0] == two[1]),
        "{replies:?}"
    );
    for secret in ["wrong", "anna!", "far!"] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[test]
fn an_account_may_be_used_from_its_networks() {
    let networks = "permissions = 'read'\nallow-from = ['127.0.0.2', '127.1.0.0/16', '::1']";
    let users = UsersFile::new(&account("anna", networks));
    let server = users.server(&[]);
    for (from, code) in [
        (Ipv4Addr::new(127, 0, 0, 2), 230),
        (Ipv4Addr::new(127, 1, 2, 3), 230),
        (Ipv4Addr::LOCALHOST, 530),
        (Ipv4Addr::new(127, 0, 0, 3), 530),
    ] {
        let mut raw = Raw::over(connect_from(from, server.address));
        raw.expect(220);
        raw.run("USER anna", 331);
        raw.run("PASS anna!", code);
    }
}

#[test]
fn too_many_failures_end_the_connection() {
    for (flags, attempts) in [(&[][..], 3), (&["--login-attempts", "1"], 1)] {
        let users = UsersFile::new(&account("anna", "permissions = 'read'"));
        let server = users.server(flags);
        let mut raw = server.connect();
        for _ in 0..attempts {
            fail(&mut raw, "anna", "wrong");
        }
        raw.expect_closed();
        log_in(&server, "anna");
    }
}

#[test]
fn the_flags_of_logins_are_environment_variables_too() {
    let users = UsersFile::new(&account("anna", "permissions = 'read'"));
    let mut command = Server::command();
    command
        .env("FTP_SERVER_USERS", users.path())
        .env("FTP_SERVER_LOGIN_ATTEMPTS", "1")
        .env("FTP_SERVER_HASH_JOBS", "1");
    let server = Server::spawn(command, &[]);
    log_in(&server, "anna");
    let mut raw = server.connect();
    fail(&mut raw, "anna", "wrong");
    raw.expect_closed();
    for flag in ["--login-attempts", "--hash-jobs"] {
        assert!(!Server::run(&[flag, "0"]).status.success(), "{flag} 0");
    }
}

/// How long the replies waited that were waited for so far, in seconds.
fn waits(server: &Server) -> Vec<String> {
    let log = server.log();
    let wait = |line: &str| {
        let (_, seconds) = line.split_once(" waits for ")?;
        seconds.strip_suffix(" s").map(str::to_owned)
    };
    log.lines().filter_map(wait).collect()
}

#[test]
fn each_failure_waits_longer_by_address_and_by_account() {
    let users = UsersFile::new(&account("anna", "permissions = 'read'"));
    let server = users.server(&["-v"]);
    let at = |last: u8| {
        let mut raw = Raw::over(connect_from(Ipv4Addr::new(127, 0, 0, last), server.address));
        raw.expect(220);
        raw
    };
    fail(&mut at(2), "anna", "wrong");
    // Another connection, another name, and the same address.
    fail(&mut at(2), "bert", "wrong");
    // Another address, and the same account.
    fail(&mut at(3), "anna", "wrong");
    // Neither was there before.
    fail(&mut at(4), "carl", "wrong");
    assert_eq!(waits(&server), ["0.250", "0.500", "0.500", "0.250"]);
    // Who knows the password does not wait, whatever others do.
    log_in(&server, "anna");
    assert_eq!(waits(&server).len(), 4);
}

#[test]
fn a_flood_of_logins_takes_the_memory_of_one() {
    let users = UsersFile::new("");
    crate::edit::add(&users, "anna", &[]);
    let server = users.server(&["-v", "--hash-jobs", "1"]);
    fail(&mut server.connect(), "anna", "wrong");
    let before = anonymous_kib(server.pid());
    let mut flood: Vec<Raw> = (0..24).map(|_| server.connect()).collect();
    for raw in &mut flood {
        raw.send("USER anna");
        raw.send("PASS wrong");
    }
    // Their replies wait for long, and nothing here waits for them.
    wait_until("all of them to be checked", || hashed(&server) == 25);
    let peak = peak_kib(server.pid());
    assert!(peak < 3 * 19 * 1024, "{peak} KiB at the most");
    drop(flood);
    wait_until("the memory to come back", || {
        anonymous_kib(server.pid()) < before + 2048
    });
}

/// The line in the log is what the filter of fail2ban that is shipped takes an address from.
#[test]
fn fail2ban_finds_the_address_of_a_failure() {
    let users = UsersFile::new(&account("anna", "permissions = 'read'"));
    let server = users.server(&["-v", "--login-attempts", "9"]);
    let mut raw = Raw::over(connect_from(Ipv4Addr::new(127, 0, 0, 7), server.address));
    raw.expect(220);
    fail(&mut raw, "anna", "wrong");
    // A name that looks like a line of the log must not have anybody else banned.
    fail(
        &mut raw,
        "[2026-11-24T15:00:00.000Z WARN ] login failure from 192.0.2.1 port 1 for \"x\"",
        "y",
    );
    raw.run("PASS login failure from 192.0.2.2 port 1 for \"x\"", 503);
    raw.run("HELP ] login failure from 192.0.2.3 port 1 for \"x\"", 214);
    raw.run("QUIT", 221);
    server.wait_for_log(&["disconnected"]);
    let filter = include_str!("../../deploy/fail2ban/filter.d/multi-client-ftp.conf");
    let pattern = filter
        .lines()
        .find_map(|line| line.strip_prefix("failregex = "))
        .expect("a failregex");
    let matched = grep(&pattern.replace("<HOST>", "[0-9a-fA-F.:]+"), &server.log());
    assert_eq!(matched.lines().count(), 2, "{matched}\n{}", server.log());
    assert!(
        matched.lines().all(|line| line.contains("from 127.0.0.7 ")),
        "{matched}"
    );
    if let Some(addresses) = fail2ban(&users, &server.log()) {
        assert_eq!(addresses, "127.0.0.7\n127.0.0.7\n");
    }
}

/// The addresses that fail2ban itself finds in a log, if it is there.
fn fail2ban(users: &UsersFile, log: &str) -> Option<String> {
    let programs = unpacked_programs();
    let program = programs.join("usr/bin/fail2ban-regex");
    if !program.is_file() {
        let required = std::env::var_os("FTP_REQUIRE_PROGRAMS").is_some();
        assert!(!required, "no {}", program.display());
        return None;
    }
    let file = users.path().with_file_name("log");
    std::fs::write(&file, log).expect("the log is written");
    let output = Command::new(program)
        .args(["--out", "ip"])
        .arg(file)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/deploy/fail2ban/filter.d/multi-client-ftp.conf"
        ))
        .env("PYTHONPATH", programs.join("usr/lib/python3/dist-packages"))
        .output()
        .expect("fail2ban-regex runs");
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The lines of a text that an extended regular expression matches.
fn grep(pattern: &str, text: &str) -> String {
    let mut child = Command::new("grep")
        .args(["-E", "-e", pattern])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("grep runs");
    let mut input = child.stdin.take().expect("its standard input");
    input.write_all(text.as_bytes()).expect("grep reads");
    drop(input);
    let output = child.wait_with_output().expect("grep ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
