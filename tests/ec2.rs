//! `--public-address` behind NAT as on EC2: what its metadata service says, by a stand-in, and who is told.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use programs::Test;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::thread;
use support::{Namespace, PATIENCE, Raw, Server, data_connection, read_all, wait_until};
use tempfile::TempDir;

/// What a machine has to let root make, and what most containers do not.
const ADDRESSES: &str = "network namespace";

/// What the instance is called on the Internet.
const PUBLIC: &str = "198.51.100.9";
/// Clients of the Internet, of a VPC, and of one that has a carrier's addresses.
const FAR: &str = "203.0.113.5";
const NEAR: [&str; 2] = ["10.0.0.5", "100.64.0.5"];

const TOKEN: &str = "AQAEANxyz-_0=";

const TESTS: &[Test] = &[
    ("EC2 says the address", None, good),
    ("it is asked again on SIGHUP", None, asked_again),
    ("an answer with no end of its own", None, without_length),
    ("a service that does not answer", None, slow),
    ("a service that drips", None, drips),
    ("no service", None, nobody),
    ("a service that refuses", None, refuses),
    ("a service that talks nonsense", None, nonsense),
    ("an endpoint that is none", None, no_endpoint),
    ("who is told which address, by EC2", Some(ADDRESSES), told),
    ("who is told which address, by hand", Some(ADDRESSES), given),
];

fn main() -> ExitCode {
    programs::try_all(TESTS, |need| match Namespace::new() {
        Ok(_) => true,
        Err(why) => {
            programs::say(&format!("there is no {need} here: {why}"));
            false
        }
    })
}

/// A stand-in for the metadata service. It answers each question as it is told to, until this is dropped.
struct Metadata {
    address: SocketAddr,
    questions: Arc<Mutex<Vec<String>>>,
}

impl Metadata {
    /// `answer` is given the question and the connection.
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let questions = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&questions);
        // It ends with the process: a test has no more of them than it has servers.
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let mut connection = connection;
                let question = question(&mut connection);
                asked.lock().expect("whole").push(question.clone());
                answer(&question, &mut connection);
            }
        });
        Self { address, questions }
    }

    /// One that gives out tokens, and to who has one says this of the address.
    fn with(reply: impl Fn() -> String + Send + 'static) -> Self {
        Self::start(move |question, connection| {
            let text = if question.starts_with("PUT /latest/api/token HTTP/1.1\r\n") {
                ok(TOKEN)
            } else {
                reply()
            };
            let _ = connection.write_all(text.as_bytes());
        })
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn questions(&self) -> Vec<String> {
        self.questions.lock().expect("whole").clone()
    }
}

fn question(connection: &mut TcpStream) -> String {
    connection
        .set_read_timeout(Some(PATIENCE))
        .expect("the wait has an end");
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|count| count == 1) {
        said.push(byte[0]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn with_status(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
}

/// A server that asks there.
#[track_caller]
fn server(endpoint: &str) -> Server {
    server_at("127.0.0.1", &["--public-address", "auto"], endpoint)
}

#[track_caller]
fn server_at(host: &str, flags: &[&str], endpoint: &str) -> Server {
    let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let mut command = Server::command();
    command
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        .args(["--host", host, "--port", "0", "--root"])
        .arg(outside.path().join("root"))
        .args(flags);
    Server::from_command(command, outside)
}

/// The server goes on without the address, and has said why.
#[track_caller]
fn goes_on(server: &Server, why: &str) {
    let line = server.wait_for_log(&["WARN", "--public-address auto: ", why]);
    assert!(line.contains("give --public-address ADDR"), "{line}");
    let mut raw = server.login();
    assert_eq!(raw.pasv().ip(), server.address.ip());
    server.assert_never_panicked();
}

fn good() {
    let metadata = Metadata::with(|| ok(PUBLIC));
    let server = server(&metadata.endpoint());
    server.wait_for_log(&["INFO", PUBLIC, "as EC2 has it"]);
    let questions = metadata.questions();
    assert_eq!(questions.len(), 2, "{questions:?}");
    let has = |question: &str, line: &str| {
        let mut lines = question.lines();
        assert!(lines.any(|had| had == line), "no {line:?} in {question:?}");
    };
    has(&questions[0], "X-aws-ec2-metadata-token-ttl-seconds: 60");
    has(&questions[1], "GET /latest/meta-data/public-ipv4 HTTP/1.1");
    has(&questions[1], &format!("X-aws-ec2-metadata-token: {TOKEN}"));
    // Loopback is as near as can be.
    let mut raw = server.login();
    assert_eq!(raw.pasv().ip(), server.address.ip());
}

fn asked_again() {
    let said = Arc::new(Mutex::new(ok(PUBLIC)));
    let now = Arc::clone(&said);
    let metadata = Metadata::with(move || now.lock().expect("whole").clone());
    let server = server(&metadata.endpoint());
    server.wait_for_log(&[PUBLIC]);
    *said.lock().expect("whole") = ok("198.51.100.77");
    server.signal(Signal::HUP);
    server.wait_for_log(&["198.51.100.77", "as EC2 has it"]);
    assert_eq!(metadata.questions().len(), 4);
    server.login().run("PWD", 257);
}

fn without_length() {
    let metadata = Metadata::with(|| format!("HTTP/1.0 200 OK\r\n\r\n{PUBLIC}\n"));
    server(&metadata.endpoint()).wait_for_log(&[PUBLIC, "as EC2 has it"]);
}

fn slow() {
    // The connections are kept open.
    let kept = Mutex::new(Vec::new());
    let metadata = Metadata::start(move |_, connection| {
        let connection = connection.try_clone().expect("a descriptor");
        kept.lock().expect("whole").push(connection);
    });
    goes_on(
        &server(&metadata.endpoint()),
        "does not answer in time (is this an EC2 instance?)",
    );
}

/// Each byte comes within a time-out, but their end would never come.
fn drips() {
    let metadata = Metadata::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while connection.write_all(b"x").is_ok() {
            // The pace of the stand-in: nothing waits for it.
            thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    goes_on(&server(&metadata.endpoint()), "does not answer in time");
}

fn nobody() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("its address");
    drop(closed);
    goes_on(
        &server(&format!("http://{address}/")),
        "Connection refused (os error 111) (is this an EC2 instance?)",
    );
}

fn refuses() {
    for (token, address, why) in [
        ("403 Forbidden", "", "gives out no token"),
        ("500 Oh", "", "it answers \"HTTP/1.1 500 Oh\""),
        ("", "404 Not Found", "has no public IPv4 address"),
        ("", "503 Slow Down", "it answers \"HTTP/1.1 503 Slow Down\""),
    ] {
        let metadata = Metadata::start(move |question, connection| {
            let text = match question.starts_with("PUT") {
                true if token.is_empty() => ok(TOKEN),
                true => with_status(token),
                false => with_status(address),
            };
            let _ = connection.write_all(text.as_bytes());
        });
        goes_on(&server(&metadata.endpoint()), why);
    }
}

fn nonsense() {
    for (said, why) in [
        (String::new(), "no answer of HTTP"),
        ("\u{0}\u{1}".repeat(40_000), "no answer of HTTP"),
        ("HTTP/1.1 \u{e9}\r\n\r\n".to_owned(), "no answer of HTTP"),
        (
            ok("<html>\u{7}"),
            "that is no IPv4 address: \"<html>\\u{7}\"",
        ),
        (ok("::1"), "that is no IPv4 address"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n198.".to_owned(),
            "was cut off",
        ),
    ] {
        let metadata = Metadata::with(move || said.clone());
        goes_on(&server(&metadata.endpoint()), why);
    }
    // A token that would be a header of its own.
    let metadata = Metadata::start(|_, connection| {
        let _ = connection.write_all(ok("a\r\nX-More: b").as_bytes());
    });
    goes_on(&server(&metadata.endpoint()), "its token is none");
    assert_eq!(metadata.questions().len(), 1);
}

fn no_endpoint() {
    for endpoint in ["nonsense", "https://127.0.0.1", "http://"] {
        goes_on(&server(endpoint), "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    }
}

fn told() {
    in_own_network(|| {
        let metadata = Metadata::with(|| ok(PUBLIC));
        let flags = ["--public-address", "auto"];
        let server = server_at("0.0.0.0", &flags, &metadata.endpoint());
        tells(&server);
    });
}

fn given() {
    in_own_network(|| {
        let flags = ["--public-address", PUBLIC];
        tells(&server_at("0.0.0.0", &flags, "http://127.0.0.1:1"));
    });
}

/// Clients of other networks are told the public address, those of the own one that by which they came, and `EPSV`, which
/// has no address, is for all.
fn tells(server: &Server) {
    server.write("a", "abc");
    for here in [FAR, NEAR[0], NEAR[1], "127.0.0.1"] {
        let address = SocketAddr::new(here.parse().expect("an address"), server.address.port());
        // What connects to an address of its own comes from there.
        let mut raw = Raw::connect(address);
        raw.login();
        assert_eq!(raw.local().ip(), address.ip());
        let expected = if here == FAR { PUBLIC } else { here };
        let told = raw.pasv();
        assert_eq!(told.ip().to_string(), expected, "told to {here}");
        // NAT maps the one to the other, with the same port.
        let data = data_connection((address.ip(), told.port()).into());
        raw.run("RETR a", 150);
        assert_eq!(read_all(data), b"abc");
        raw.expect(226);
        assert_eq!(raw.fetch("a"), b"abc");
    }
}

/// Does it where these addresses are the machine's, and nobody else's.
fn in_own_network(work: impl FnOnce() + Send) {
    let space = Namespace::new().expect("there was one a moment ago");
    space.inside(|| {
        for address in [FAR, NEAR[0], NEAR[1]] {
            let added = Command::new("ip")
                .args(["address", "add", &format!("{address}/32"), "dev", "lo"])
                .status();
            assert!(added.is_ok_and(|status| status.success()), "{address}");
        }
        wait_until("the addresses", || {
            TcpListener::bind((FAR, 0)).is_ok() && TcpListener::bind((NEAR[1], 0)).is_ok()
        });
        work();
    });
}
