//! The server as a service of systemd's: it takes over what was listened on for it, says how it is, and ends in good order.

#[path = "../support/mod.rs"]
mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "../works_with/programs.rs"]
mod programs;
mod stand_in;
mod units;

use programs::Test;
use rustix::process::Signal;
use stand_in::{StandIn, heard};
use std::io::Read;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use support::{PATIENCE, Raw, TlsClient, data_bytes, wait_until};

/// Has `systemd-analyze`.
const SYSTEMD: &str = "systemd-analyze";

/// More than the kernel holds of a download that nobody reads.
const BIG: u64 = 32 * 1024 * 1024;

const TESTS: &[Test] = &[
    ("a listener that was passed on is served", None, passed_on),
    ("the one called ftps begins with TLS", None, called_ftps),
    ("one called ftps and no TLS", None, called_ftps_without_tls),
    ("listeners for somebody else", None, for_somebody_else),
    ("what is no listener", None, no_listener),
    ("nobody is refused while it starts anew", None, starts_anew),
    ("ready, and files read again", None, ready_and_reloading),
    ("the status has sessions and transfers", None, status),
    ("a slow transfer is waited for", None, drain),
    ("an abstract socket hears it too", None, abstract_socket),
    ("a service manager that is not there", None, nobody_hears),
    ("the units are in order", Some(SYSTEMD), units::in_order),
    ("the units are hardened", Some(SYSTEMD), units::hardened),
    ("the server takes what the unit says", None, units::settings),
];

fn main() -> ExitCode {
    programs::try_all(TESTS, programs::has)
}

fn passed_on() {
    let stand_in = StandIn::new();
    // Nobody could listen there.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("its address").port().to_string();
    std::fs::write(stand_in.path("a"), "abc").expect("a file");
    // Who comes before the server is there waits for it.
    let mut early = Raw::dial(stand_in.address());
    let mut service = stand_in.start(&["--port", &taken]);
    early.expect(220);
    early.login();
    assert_eq!(early.fetch("a"), b"abc");
    let address = stand_in.address();
    service.wait_for_log(&format!("ftp-server listening on {address}"));
    early.run("QUIT", 221);
    service.stop();
}

fn called_ftps() {
    let stand_in = StandIn::with_tls();
    std::fs::write(stand_in.path("a"), "abc").expect("a file");
    let service = stand_in.start(&[]);
    let tls = stand_in.tls.as_ref().expect("a listener").local_addr();
    let tls = tls.expect("its address");
    let client = TlsClient::new();
    let mut raw = Raw::dial_tls(tls, &client);
    raw.expect(220);
    raw.login();
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
    Raw::connect(stand_in.address()).run("QUIT", 221);
    service.wait_for_log(&format!("ftp-server listening with TLS on {tls}"));
}

fn called_ftps_without_tls() {
    let stand_in = StandIn::with_tls();
    let mut service = stand_in.start(&["--tls", "off"]);
    assert!(!service.ended().success(), "it started");
    service.wait_for_log("ftps was passed on, and --tls is off");
}

fn for_somebody_else() {
    let stand_in = StandIn::new();
    let mut command = support::Server::by(&["env", "LISTEN_FDS=1", "LISTEN_PID=1"]);
    command.env("NOTIFY_SOCKET", "");
    let server = support::Server::spawn(command, &[]);
    assert_ne!(server.address, stand_in.address());
    server.login().run("PWD", 257);
}

fn no_listener() {
    let stand_in = StandIn::new();
    let unbound = UnixDatagram::unbound().expect("a socket");
    for (stdin, why) in [
        (Stdio::null(), "not a socket"),
        (
            std::os::fd::OwnedFd::from(unbound).into(),
            "not a valid tcp socket",
        ),
    ] {
        let mut service = stand_in.start_as(&[], |command| {
            command.stdin(stdin);
        });
        assert!(!service.ended().success(), "it started");
        let line = service.wait_for_log("LISTEN_FDS");
        assert!(line.contains(why), "{line}");
    }
    let client = Raw::dial(stand_in.address());
    let mut service = stand_in.start_as(&[], |command| {
        let connection = client.wire().socket().try_clone().expect("a descriptor");
        command.stdin(std::os::fd::OwnedFd::from(connection));
    });
    assert!(!service.ended().success(), "it started");
    service.wait_for_log("it does not listen");
}

/// Some come all the time, as fast as they can, while servers come and go. Each is greeted.
fn starts_anew() {
    let stand_in = StandIn::new();
    let address = stand_in.address();
    let (enough, greeted) = (AtomicBool::new(false), AtomicUsize::new(0));
    let comes = || {
        while !enough.load(Ordering::Relaxed) {
            // Fails where it is refused, or not greeted.
            let mut raw = Raw::connect(address);
            // One that ends may have said so already.
            let _ = raw.try_send(b"QUIT\r\n");
            let last = raw.try_reply().map(|reply| reply.code);
            assert!(matches!(last, Ok(221 | 421)), "{last:?} behind 220");
            greeted.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(comes)).collect();
        let stopped = || clients.iter().any(thread::ScopedJoinHandle::is_finished);
        for _ in 0..5 {
            let before = greeted.load(Ordering::Relaxed);
            let mut service = stand_in.start(&[]);
            wait_until("some clients of this server", || {
                stopped() || greeted.load(Ordering::Relaxed) >= before + 50
            });
            service.stop();
        }
        // The last of them are to be greeted by somebody.
        let _last = stand_in.start(&[]);
        enough.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("nobody is refused");
        }
    });
}

fn ready_and_reloading() {
    let stand_in = StandIn::new();
    let mut service = stand_in.start(&[]);
    stand_in.hears("READY=1");
    Raw::connect(stand_in.address()).run("QUIT", 221);
    service.signal(Signal::HUP);
    let reloading = stand_in.hears("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    stand_in.hears("READY=1");
    service.stop();
    stand_in.hears("STOPPING=1");
}

fn status() {
    let stand_in = StandIn::new();
    std::fs::File::create(stand_in.path("big"))
        .and_then(|file| file.set_len(BIG))
        .expect("a large file");
    let _service = stand_in.start(&[]);
    let ready = stand_in.hears("READY=1");
    assert!(
        ready.contains("\nSTATUS=0 sessions, 0 transfers\n"),
        "{ready}"
    );
    let mut raw = Raw::connect(stand_in.address());
    raw.login();
    stand_in.hears("STATUS=1 session, 0 transfers");
    let data = raw.begin("RETR big");
    stand_in.hears("STATUS=1 session, 1 transfer");
    let mut other = Raw::connect(stand_in.address());
    stand_in.hears("STATUS=2 sessions, 1 transfer");
    assert_eq!(data_bytes(data).len() as u64, BIG);
    raw.expect(226);
    stand_in.hears("STATUS=2 sessions, 0 transfers");
    for raw in [&mut raw, &mut other] {
        raw.run("QUIT", 221);
    }
    drop((raw, other));
    stand_in.hears("STATUS=0 sessions, 0 transfers");
}

fn drain() {
    let stand_in = StandIn::new();
    std::fs::File::create(stand_in.path("big"))
        .and_then(|file| file.set_len(BIG))
        .expect("a large file");
    let mut service = stand_in.start(&["--drain", "5m"]);
    let mut raw = Raw::connect(stand_in.address());
    raw.login();
    let mut data = raw.begin("RETR big");
    data.read_exact(&mut [0; 1000]).expect("the first bytes");
    service.signal(Signal::TERM);
    let notice = stand_in.hears("STOPPING=1");
    let within = notice
        .lines()
        .find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    let within: u64 = within.and_then(|time| time.parse().ok()).expect("a time");
    assert!(within > 300_000_000, "systemd would not wait: {notice}");
    assert!(
        notice.contains("STATUS=shutting down, 1 session, 1 transfer"),
        "{notice}"
    );
    // It is still at it: the rest comes, and only then it ends.
    assert_eq!(data_bytes(data).len() as u64 + 1000, BIG);
    raw.expect(226);
    let status = service.ended();
    assert!(status.success(), "{status}");
}

fn abstract_socket() {
    let name = format!("ftp-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let notices = UnixDatagram::bind_addr(&address).expect("a socket");
    notices
        .set_read_timeout(Some(PATIENCE))
        .expect("the wait has an end");
    let stand_in = StandIn::new();
    let mut service = stand_in.start_as(&[], |command| {
        command.env("NOTIFY_SOCKET", format!("@{name}"));
    });
    assert!(heard(&notices).starts_with("READY=1\n"));
    // From within the sandbox.
    service.signal(Signal::HUP);
    assert!(heard(&notices).starts_with("RELOADING=1\n"));
    assert!(heard(&notices).starts_with("READY=1\n"));
    service.stop();
    assert!(heard(&notices).starts_with("STOPPING=1\n"));
}

fn nobody_hears() {
    let stand_in = StandIn::new();
    let mut service = stand_in.start_as(&[], |command| {
        command.env("NOTIFY_SOCKET", "/nonexistent/notify");
    });
    let mut raw = Raw::connect(stand_in.address());
    raw.login();
    raw.run("QUIT", 221);
    service.wait_for_log("cannot reach the service manager at /nonexistent/notify");
    service.stop();
}
