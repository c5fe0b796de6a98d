//! `--metrics`: what is counted, for Prometheus, and whether the server is alive and ready. Its own main, since without
//! promtool that has to be told at the end.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use programs::Test;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use support::{Raw, Server, UsersFile, account, data_bytes, wait_until};

const CHECKER: &str = "promtool";

const TESTS: &[Test] = &[
    ("everything is counted", None, counted),
    ("promtool finds no fault", Some(CHECKER), checked),
    ("alive, ready, and not ready while draining", None, ready),
    (
        "nothing but GET, and no longer than it may be",
        None,
        bounds,
    ),
    ("who says nothing does not hold it for long", None, silent),
    (
        "no metrics where nobody asked for them, and a port in use",
        None,
        absent,
    ),
];

fn main() -> ExitCode {
    programs::try_all(TESTS, programs::has)
}

const FLAGS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

#[track_caller]
fn address(server: &Server) -> SocketAddr {
    let url = server.announced("metrics at http://");
    let address = url.strip_suffix("/metrics").expect("a path");
    address.parse().expect("an address")
}

/// What comes back for these bytes.
#[track_caller]
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = support::try_connect(address).expect("a connection");
    socket.write_all(request).expect("a request");
    String::from_utf8(data_bytes(socket)).expect("UTF-8")
}

/// The status and the body of a page.
#[track_caller]
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let answer = ask(address, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let length = format!("Content-Length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
    (status(head), body.to_owned())
}

#[track_caller]
fn status(answer: &str) -> u16 {
    let code = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status in {answer:?}"))
}

/// The value of a metric on the page, by its name and labels.
#[track_caller]
fn value(page: &str, name: &str) -> f64 {
    let mut lines = page.lines().filter_map(|line| line.rsplit_once(' '));
    let found = lines.find(|(key, _)| *key == name);
    let (_, value) = found.unwrap_or_else(|| panic!("no {name} in\n{page}"));
    value.parse().expect("a number")
}

#[track_caller]
fn log_in(server: &Server, password: &str, code: u16) -> Raw {
    let mut raw = server.connect();
    raw.run("USER anna", 331);
    raw.run(&format!("PASS {password}"), code);
    raw
}

/// A server in whose life something has happened: what is counted of it does not change any more.
fn lived() -> (UsersFile, Server, Vec<Raw>) {
    let users = UsersFile::new(&account("anna", "permissions = 'full'"));
    let flags = [&FLAGS[..], &["--max-clients", "2"]].concat();
    let server = users.server(&flags);
    server.write_sparse("big", 1 << 40);
    let mut raw = log_in(&server, "wrong", 530);
    raw.run("QUIT", 221);
    raw.expect_closed();
    let page = || get(address(&server), "/metrics").1;
    wait_until("the place to be free", || {
        value(&page(), "ftp_sessions_open") == 0.0
    });
    let mut raw = log_in(&server, "anna!", 230);
    raw.run("TYPE I", 200);
    raw.store("a", &[b'x'; 1000]);
    assert_eq!(raw.fetch("a").len(), 1000);
    assert_eq!(raw.fetch("a").len(), 1000);
    raw.list("NLST");
    raw.begin_refused("RETR missing", &[550]);
    let data = raw.begin("RETR big");
    raw.send("ABOR");
    raw.expect(426);
    raw.expect(226);
    drop(data);
    raw.epsv();
    let other = server.connect();
    Raw::dial(server.address).expect(421);
    (users, server, vec![raw, other])
}

fn counted() {
    let (_users, server, raws) = lived();
    let (status, page) = get(address(&server), "/metrics");
    assert_eq!(status, 200);
    for (name, expected) in [
        ("ftp_sessions_open", 2),
        ("ftp_sessions_total", 3),
        ("ftp_sessions_refused_total", 1),
        ("ftp_logins_total", 1),
        ("ftp_login_failures_total", 1),
        ("ftp_passive_ports_in_use", 1),
        ("ftp_transfers_running", 0),
        ("ftp_transferred_bytes_total{direction=\"received\"}", 1000),
        (
            "ftp_transfers_total{verb=\"RETR\",outcome=\"completed\"}",
            2,
        ),
        ("ftp_transfers_total{verb=\"RETR\",outcome=\"aborted\"}", 1),
        ("ftp_transfers_total{verb=\"RETR\",outcome=\"refused\"}", 1),
        ("ftp_transfers_total{verb=\"RETR\",outcome=\"failed\"}", 0),
        (
            "ftp_transfers_total{verb=\"STOR\",outcome=\"completed\"}",
            1,
        ),
        (
            "ftp_transfers_total{verb=\"NLST\",outcome=\"completed\"}",
            1,
        ),
        ("ftp_transfer_duration_seconds_count{verb=\"RETR\"}", 3),
        (
            "ftp_transfer_duration_seconds_bucket{verb=\"RETR\",le=\"+Inf\"}",
            3,
        ),
        (
            "ftp_transfer_duration_seconds_bucket{verb=\"RETR\",le=\"3600\"}",
            3,
        ),
    ] {
        assert_eq!(value(&page, name), f64::from(expected), "{name} in\n{page}");
    }
    assert!(
        value(&page, "ftp_transferred_bytes_total{direction=\"sent\"}") >= 2000.0,
        "{page}"
    );
    assert!(
        value(&page, "ftp_transfer_duration_seconds_sum{verb=\"RETR\"}") > 0.0,
        "{page}"
    );
    drop(raws);
    wait_until("all to be given back", || {
        let (_, page) = get(address(&server), "/metrics");
        ["ftp_sessions_open", "ftp_passive_ports_in_use"]
            .iter()
            .all(|name| value(&page, name) == 0.0)
    });
}

fn checked() {
    let (_users, server, _raws) = lived();
    let (_, page) = get(address(&server), "/metrics");
    let mut child = programs::command(CHECKER)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut input = child.stdin.take().expect("its standard input");
    input.write_all(page.as_bytes()).expect("the page is taken");
    drop(input);
    support::finish(&mut child, CHECKER);
    let output = child.wait_with_output().expect("its output");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{page}");
}

fn ready() {
    let flags = [&FLAGS[..], &["--drain", "1h"]].concat();
    let mut server = Server::with(&flags);
    server.write_sparse("big", 1 << 40);
    let address = address(&server);
    assert_eq!(get(address, "/healthz"), (200, "alive\n".to_owned()));
    assert_eq!(get(address, "/readyz"), (200, "ready\n".to_owned()));
    let mut raw = server.login();
    let data = raw.begin("RETR big");
    server.signal(Signal::TERM);
    wait_until("the server not to be ready", || {
        get(address, "/readyz").0 == 503
    });
    assert_eq!(get(address, "/healthz").0, 200);
    assert_eq!(
        value(&get(address, "/metrics").1, "ftp_transfers_running"),
        1.0
    );
    drop((data, raw));
    assert_eq!(server.ended().code(), Some(0));
}

fn bounds() {
    let server = Server::with(&FLAGS);
    let address = address(&server);
    for (request, expected) in [
        ("POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", 405),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", 405),
        ("GET /nothing HTTP/1.1\r\n\r\n", 404),
        ("GET /healthz?x=1 HTTP/1.0\r\n\r\n", 200),
        ("GET /healthz HTTP/2\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        ("USER anonymous\r\n\r\n", 400),
    ] {
        assert_eq!(
            status(&ask(address, request.as_bytes())),
            expected,
            "{request:?}"
        );
    }
    let endless = format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(20_000));
    assert_eq!(status(&ask(address, endless.as_bytes())), 431);
    assert_eq!(get(address, "/healthz").0, 200);
    server.assert_never_panicked();
}

fn silent() {
    let server = Server::with(&FLAGS);
    let address = address(&server);
    let mut held: Vec<_> = (0..3)
        .map(|_| support::try_connect(address).expect("a connection"))
        .collect();
    held[0]
        .write_all(b"GET /healthz")
        .expect("a part of a request");
    assert_eq!(get(address, "/healthz").0, 200);
    // They have been let go, and nothing was said to who had not asked.
    for mut socket in held {
        let mut said = Vec::new();
        let _ = socket.read_to_end(&mut said);
        assert_eq!(said, b"");
    }
}

fn absent() {
    let server = Server::with(&FLAGS);
    let taken = address(&server).to_string();
    let root = server.root.to_str().expect("UTF-8");
    let output = Server::run(&[
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--root",
        root,
        "--metrics",
        &taken,
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && output.stdout.is_empty(),
        "{errors}"
    );
    assert!(
        errors.contains(&taken) && errors.contains("--metrics"),
        "{errors}"
    );
}
