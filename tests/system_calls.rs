//! What the server asks of the kernel for one file, as strace sees it: what is on the disk before an upload is
//! acknowledged, and that a small file costs no call that it does not need.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use programs::Test;
use std::fs;
use std::process::ExitCode;
use support::{Server, wait_for};
use tempfile::TempDir;

const TRACER: &str = "strace";
const CONTENT: &[u8] = &[b'x'; 4096];

/// EPSV: a random port out of those drawn ahead, which is then free or not, and its number.
const PORT: &[&str] = &["socket", "setsockopt", "bind", "listen", "sendto"];

const TESTS: &[Test] = &[
    (
        "an acknowledged upload is on the disk",
        Some(TRACER),
        acknowledged,
    ),
    (
        "relaxed durability leaves it to the system",
        Some(TRACER),
        relaxed,
    ),
    ("the calls of a small download", Some(TRACER), download),
    ("the calls of a small upload", Some(TRACER), upload),
];

fn main() -> ExitCode {
    programs::try_all(TESTS, programs::has)
}

fn acknowledged() {
    let calls = calls_of("STOR", &[]);
    let at = |name: &str| {
        let at = calls.iter().position(|call| call == name);
        at.unwrap_or_else(|| panic!("no {name} in {calls:?}"))
    };
    // The last of them is the reply.
    assert!(at("write") < at("fdatasync"), "{calls:?}");
    assert!(at("fdatasync") < at("renameat2"), "{calls:?}");
    assert!(at("renameat2") < at("fsync"), "{calls:?}");
    assert!(at("fsync") < calls.len() - 1, "{calls:?}");
}

fn relaxed() {
    let calls = calls_of("STOR", &["--durability", "relaxed"]);
    assert!(calls.iter().any(|call| call == "renameat2"), "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("sync")), "{calls:?}");
}

fn download() {
    let expected = [
        // RETR: the file, its size.
        "recvfrom",
        "openat2",
        "statx",
        // The one connection, the port's end, the bytes, which go out with the connection's end.
        "accept4",
        "close",
        "setsockopt",
        "sendfile",
        "close",
        "close",
        // The line in the log; 150 and 226.
        "write",
        "sendto",
    ];
    assert_eq!(calls_of("RETR", &[]), [PORT, &expected].concat());
}

fn upload() {
    let expected = [
        // STOR: what is there, as far as is known; the file; that somebody writes to it, and that it is still this one.
        "recvfrom",
        "openat2",
        "openat",
        "flock",
        "fstat",
        "newfstatat",
        // The bytes, their end.
        "accept4",
        "close",
        "recvfrom",
        "write",
        "recvfrom",
        // 150. The disk; whether the client is still there.
        "sendto",
        "fdatasync",
        "recvfrom",
        // Into place, and that on the disk.
        "renameat2",
        "fsync",
        // The file, the connection.
        "close",
        "close",
        "write",
        "sendto",
    ];
    assert_eq!(calls_of("STOR", &[]), [PORT, &expected].concat());
}

/// The calls from the EPSV of a transfer to its 226. It is the third one: the first may cost what is never needed again.
#[track_caller]
fn calls_of(verb: &str, flags: &[&str]) -> Vec<String> {
    let folder = TempDir::new().expect("a temporary folder");
    let log = folder.path().join("log");
    let mut command = programs::command(TRACER);
    let server = Server::command();
    // As a grandchild, so that whoever ends the child ends the server. Full lines: of names cut short nothing could be told.
    command.args(["-D", "-f", "-s", "200", "-o"]).arg(&log);
    command.arg(server.get_program());
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let server = Server::spawn(command, flags);
    let mut session = server.login();
    session.run("TYPE I", 200);
    for name in ["1", "2", "3"] {
        server.write(name, CONTENT);
        let path = if verb == "STOR" {
            format!("new-{name}")
        } else {
            name.to_owned()
        };
        // As many clients have it: connected before the command, so that the server never waits.
        let data = session.open_data();
        if verb == "STOR" {
            give(&data);
        }
        session.send(&format!("{verb} {path}"));
        session.expect(150);
        session.expect(226);
    }
    session.run("QUIT", 221);
    session.expect_closed();
    let begin = format!("\"{verb} ");
    let text = wait_for("the end of the session in strace's log", || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.contains("\"QUIT").then_some(text)
    });
    let text: Vec<&str> = text.lines().collect();
    let received = text.iter().rposition(|line| line.contains(&begin));
    let received = received.unwrap_or_else(|| panic!("no {verb} in strace's log"));
    let first = text[..received]
        .iter()
        .rposition(|line| line.contains("\"EPSV"));
    let first = first.expect("EPSV comes first") + 1;
    let last = text[received..]
        .iter()
        .position(|line| line.contains("sendto(") && line.contains("226 "));
    let last = received + last.expect("226 comes last");
    let session = text[received].split_once(' ').map(|(thread, _)| thread);
    text[first..=last]
        .iter()
        .filter(|line| line.split_once(' ').map(|(thread, _)| thread) == session)
        .copied()
        .filter_map(call)
        .collect()
}

/// Sends a small file and its end.
fn give(mut data: &std::net::TcpStream) {
    use std::io::Write;
    data.write_all(CONTENT).expect("the bytes are taken");
    data.shutdown(std::net::Shutdown::Write)
        .expect("the end is taken");
}

/// The name of the call that a line is about: "PID NAME(ARGUMENTS) = RESULT". None for what only an unoptimised build does,
/// which asks at each close whether the descriptor is open.
fn call(line: &str) -> Option<String> {
    let (_, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    (!arguments.contains("F_GETFD")).then(|| name.to_owned())
}
