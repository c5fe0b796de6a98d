//! A stand-in for systemd: it listens for the server, starts it with what it listens on, and hears what it says.

use crate::support::{PATIENCE, Server, Text, finish, signal, wait_for};
use rustix::process::Signal;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;
use tempfile::TempDir;

/// What systemd does before it starts a service: the listeners become descriptors 3 and 4, and no others are passed on. All
/// that the server writes goes to its standard error.
const PASS_ON: &str = "exec 3<&0 4<&1 </dev/null 1>&2; \
    test \"$LISTEN_FDS\" = 2 || exec 4<&-; \
    LISTEN_PID=$$; export LISTEN_PID; \
    exec \"$0\" \"$@\"";

pub(crate) struct StandIn {
    listener: TcpListener,
    /// The one for connections that begin with TLS.
    pub(crate) tls: Option<TcpListener>,
    notices: UnixDatagram,
    folder: TempDir,
}

/// A service that it has started. It dies with this value.
pub(crate) struct Service {
    child: Child,
    log: Text,
}

impl StandIn {
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        std::fs::create_dir(folder.path().join("root")).expect("the root folder");
        let notices = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        notices
            .set_read_timeout(Some(PATIENCE))
            .expect("the wait has an end");
        Self {
            listener: listener(),
            tls: None,
            notices,
            folder,
        }
    }

    pub(crate) fn with_tls() -> Self {
        Self {
            tls: Some(listener()),
            ..Self::new()
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("its address")
    }

    /// A path in the served folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    /// Starts the server on what this listens on.
    pub(crate) fn start(&self, flags: &[&str]) -> Service {
        self.start_as(flags, |_| {})
    }

    /// The same, with changes to what it is started with.
    pub(crate) fn start_as(&self, flags: &[&str], change: impl FnOnce(&mut Command)) -> Service {
        let mut command = Server::by(&["sh", "-c", PASS_ON]);
        command
            .args(flags)
            .env("FTP_SERVER_HOST", "127.0.0.1")
            .env("FTP_SERVER_PORT", "0")
            .env("FTP_SERVER_ROOT", self.folder.path().join("root"))
            .env("LISTEN_FDS", "1")
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("FTP_SERVER_STATE_DIR", self.folder.path().join("state"))
            // As under systemd: what is said later has to get out of it.
            .env("FTP_SERVER_SANDBOX", "auto")
            .stdin(passed_on(&self.listener))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(tls) = &self.tls {
            command
                .env("LISTEN_FDS", "2")
                .env("LISTEN_FDNAMES", "ftp:ftps")
                .stdout(passed_on(tls));
        }
        change(&mut command);
        let mut child = command.spawn().expect("a shell");
        let log = Text::collect(child.stderr.take().expect("its standard error"));
        Service { child, log }
    }

    /// Waits for a notice with this line, and returns all of it. What was said before is passed over.
    #[track_caller]
    pub(crate) fn hears(&self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Vec::new();
        while Instant::now() < deadline {
            let notice = heard(&self.notices);
            if notice.lines().any(|said| said == line) {
                return notice;
            }
            before.push(notice);
        }
        panic!("{line} was not said, but {before:?}");
    }
}

/// The next notice.
#[track_caller]
pub(crate) fn heard(notices: &UnixDatagram) -> String {
    let mut notice = [0; 1024];
    let count = notices.recv(&mut notice).expect("a notice in time");
    String::from_utf8_lossy(&notice[..count]).into_owned()
}

impl Service {
    pub(crate) fn log(&self) -> String {
        self.log.get()
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, part: &str) -> String {
        wait_for(&format!("a log line with {part:?}"), || {
            let log = self.log();
            log.lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        })
    }

    pub(crate) fn signal(&self, wanted: Signal) {
        signal(&self.child, wanted);
    }

    /// Waits for its end, which something has begun.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        finish(&mut self.child, "the server")
    }

    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}--- end ---", self.log());
        }
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

fn passed_on(listener: &TcpListener) -> Stdio {
    let descriptor = listener.try_clone().expect("a descriptor");
    OwnedFd::from(descriptor).into()
}
