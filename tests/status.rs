//! `ftp-server status` and `ftp-server kick`: a running server, seen and steered from outside.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use support::{Server, UsersFile, account, data_bytes, names_in, wait_for, wait_until};
use tempfile::TempDir;

const BIG: u64 = 1 << 40;

/// The state folder of a server that was given none.
fn state(server: &Server) -> PathBuf {
    server.state().join("multi-client-ftp")
}

#[track_caller]
fn run(state: &Path, arguments: &[&str]) -> Output {
    Server::command()
        .args(arguments)
        .env("FTP_SERVER_STATE_DIR", state)
        .output()
        .expect("the server's binary runs")
}

#[track_caller]
fn succeed(state: &Path, arguments: &[&str]) -> String {
    let output = run(state, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn fail(state: &Path, arguments: &[&str]) -> String {
    let output = run(state, arguments);
    assert!(!output.status.success(), "{arguments:?} passed");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// The sessions as `status --json` has them.
#[track_caller]
fn sessions(state: &Path) -> Vec<Value> {
    succeed(state, &["status", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect()
}

#[test]
fn status_tells_who_is_there_and_what_each_does() {
    let users = UsersFile::new(&account("anna", "permissions = 'full'"));
    let server = users.server(&["--anonymous", "read"]);
    let name = "a\u{202e}b \"c\"";
    server.write_sparse(name, BIG);
    let state = state(&server);
    assert_eq!(sessions(&state), Vec::<Value>::new());
    let greeted = server.connect();
    let mut idle = server.connect();
    idle.run("USER anna", 331);
    idle.run("PASS anna!", 230);
    let mut busy = server.login();
    let mut data = busy.begin(&format!("RETR {name}"));
    data.read_exact(&mut [0; 100_000]).expect("bytes");

    let told = wait_for("bytes that have moved", || {
        let told = sessions(&state);
        (told.len() == 3 && told[2]["bytes"].as_u64()? >= 100_000).then_some(told)
    });
    for (number, (row, raw)) in told.iter().zip([&greeted, &idle, &busy]).enumerate() {
        assert_eq!(row["session"], number as u64 + 1, "{row}");
        assert_eq!(row["peer"], raw.local().to_string(), "{row}");
        assert!(row["connected_seconds"].is_f64(), "{row}");
    }
    let users: Vec<_> = told.iter().map(|row| row["user"].as_str()).collect();
    assert_eq!(users, [None, Some("anna"), Some("anonymous")]);
    for row in &told[..2] {
        for key in ["verb", "path", "bytes", "seconds", "bytes_per_second"] {
            assert!(row[key].is_null(), "{key} of {row}");
        }
    }
    assert_eq!(told[2]["verb"], "RETR");
    assert_eq!(told[2]["path"], format!("/{name}"));
    assert!(told[2]["bytes_per_second"].is_u64(), "{}", told[2]);

    // What would turn the line around is escaped.
    let table = succeed(&state, &["status"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(lines[0].starts_with("ID  USER"), "{table}");
    assert!(lines[3].contains(&busy.local().to_string()), "{table}");
    assert!(lines[3].ends_with("RETR /a\\u{202e}b \"c\""), "{table}");
    assert_eq!(lines[4], "sessions: 3, transfers: 1");
    drop((data, busy, greeted, idle));
    wait_until("nobody to be there", || sessions(&state).is_empty());
}

#[test]
fn status_watches_until_nobody_reads() {
    let server = Server::start();
    let _raw = server.login();
    let mut child = Server::command()
        .args(["status", "--watch"])
        .env("FTP_SERVER_STATE_DIR", state(&server))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server's binary runs");
    let output = child.stdout.take().expect("its standard output");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    for _ in 0..2 {
        let head = lines.next().expect("a table");
        assert!(head.starts_with("ID  USER"), "{head}");
        let row = lines.next().expect("a row");
        assert!(row.starts_with("1   anonymous"), "{row}");
        assert_eq!(lines.next().as_deref(), Some("sessions: 1, transfers: 0"));
        assert_eq!(lines.next().as_deref(), Some(""));
    }
    drop(lines);
    assert!(support::finish(&mut child, "status --watch").success());
}

#[test]
fn kick_ends_a_session_and_its_transfer() {
    let server = Server::start();
    server.write_sparse("big", BIG);
    let state = state(&server);
    let (mut idle, mut busy, mut sending, mut other) = (
        server.login(),
        server.login(),
        server.login(),
        server.login(),
    );
    let data = busy.begin("RETR big");
    let mut upload = sending.begin("STOR up");
    upload.write_all(b"some").expect("bytes are sent");
    wait_until("transfers", || {
        succeed(&state, &["status"]).contains("transfers: 2")
    });
    // One that does not read what it asked for is woken all the same.
    succeed(&state, &["kick", "2"]);
    busy.expect(426);
    busy.expect(421);
    busy.expect_closed();
    drop(data_bytes(data));
    succeed(&state, &["kick", "1"]);
    idle.expect(421);
    idle.expect_closed();
    succeed(&state, &["kick", "3"]);
    sending.expect(426);
    sending.expect(421);
    sending.expect_closed();
    server.wait_for_log(&["WARN", "session 3", "kick"]);
    other.run("NOOP", 200);
    let left = sessions(&state);
    assert_eq!((left.len(), &left[0]["session"]), (1, &Value::from(4)));

    for (number, word) in [("2", "no session 2"), ("17", "no session 17")] {
        let errors = fail(&state, &["kick", number]);
        assert!(errors.contains(word), "{errors}");
    }
    other.run("NOOP", 200);
}

#[test]
fn where_no_server_runs_it_says_so() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let path = folder.path().to_str().expect("UTF-8");
    for arguments in [&["status"][..], &["kick", "1"]] {
        let errors = fail(folder.path(), arguments);
        assert!(
            errors.contains("no server runs") && errors.contains(path),
            "{errors}"
        );
        assert!(errors.contains("--state-dir"), "{errors}");
    }
}

#[test]
fn the_socket_is_private_and_goes_with_its_server_even_from_a_sandbox() {
    // Whoever may look into the process of another sees all else as it is; the sandbox is what this is about.
    let mut server = Server::with(&["--sandbox", "auto"]);
    let folder = state(&server).join("status");
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
    };
    assert_eq!(mode(&folder) & 0o777, 0o700);
    assert_eq!(names_in(&folder), ["lock", "socket"]);
    // What asks stays none of the server's.
    assert_eq!(sessions(&state(&server)), Vec::<Value>::new());
    assert!(server.stop().success());
    assert_eq!(names_in(&folder), ["lock"]);
    let errors = fail(&state(&server), &["status"]);
    assert!(errors.contains("no server runs"), "{errors}");
}

#[test]
fn a_second_server_leaves_the_socket_to_the_first_and_a_stale_one_is_replaced() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let flags = ["--state-dir", folder.path().to_str().expect("UTF-8")];
    let mut first = Server::with(&flags);
    let _one = first.login();
    let mut second = Server::with(&flags);
    second.wait_for_log(&["WARN", "another one runs", "--state-dir"]);
    let _two = second.login();
    let _three = second.login();
    assert_eq!(sessions(folder.path()).len(), 1);
    assert!(second.stop().success());
    assert_eq!(sessions(folder.path()).len(), 1);
    first.signal(Signal::KILL);
    first.ended();
    let errors = fail(folder.path(), &["status"]);
    assert!(errors.contains("no server runs"), "{errors}");
    let third = Server::with(&flags);
    assert_eq!(sessions(folder.path()).len(), 0);
    third.assert_never_panicked();
}

#[test]
fn who_says_nothing_or_nonsense_at_the_socket_does_not_hold_it() {
    let server = Server::start();
    let state = state(&server);
    let socket = state.join("status/socket");
    let silent: Vec<_> = (0..3)
        .map(|_| UnixStream::connect(&socket).expect("a connection"))
        .collect();
    for nonsense in [
        &b"\xff\0\n"[..],
        &[b'x'; 1000],
        b"kick\n",
        b"kick -1\n",
        b"status x\n",
    ] {
        let mut asking = UnixStream::connect(&socket).expect("a connection");
        asking
            .set_read_timeout(Some(support::PATIENCE))
            .expect("a deadline");
        asking.write_all(nonsense).expect("bytes are sent");
        let mut answer = String::new();
        // It may be cut off, since it was not read to its end.
        let _ = asking.read_to_string(&mut answer);
        assert!(!answer.starts_with("ok"), "{answer}");
    }
    assert_eq!(sessions(&state), Vec::<Value>::new());
    drop(silent);
    server.assert_never_panicked();
}

#[test]
fn a_server_that_drains_still_tells_what_it_waits_for() {
    let mut server = Server::with(&["--drain", "1h"]);
    server.write_sparse("big", BIG);
    let state = state(&server);
    let mut raw = server.login();
    let data = raw.begin("RETR big");
    server.signal(Signal::TERM);
    server.wait_until_closed();
    assert_eq!(sessions(&state)[0]["path"], "/big");
    succeed(&state, &["kick", "1"]);
    raw.expect(426);
    assert_eq!(server.ended().code(), Some(0));
    drop(data_bytes(data));
}
