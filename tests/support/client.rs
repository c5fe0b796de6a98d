//! The real client as a process of its own, its commands by standard input.

use super::{PATIENCE, finish, signal};
use rustix::process::Signal;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A place to run the client in: a current folder for `put`, and a folder for downloads.
pub(crate) struct Client {
    servers: Vec<SocketAddr>,
    folder: Arc<TempDir>,
    flags: Vec<String>,
    /// The program, with its arguments, that starts the client in its own place.
    starter: Vec<String>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self::of(&[server])
    }

    /// One that may go from any of these servers to the next.
    pub(crate) fn of(servers: &[SocketAddr]) -> Self {
        let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        std::fs::create_dir(folder.path().join("downloads")).expect("a folder for downloads");
        Self {
            servers: servers.to_vec(),
            folder: Arc::new(folder),
            flags: Vec::new(),
            starter: Vec::new(),
        }
    }

    /// The client, started by this program with its arguments.
    pub(crate) fn by(mut self, starter: &[String]) -> Self {
        self.starter = starter.to_vec();
        self
    }

    /// The client with these flags too.
    pub(crate) fn with(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(ToString::to_string).collect();
        self
    }

    /// The client in the same place, with these flags.
    pub(crate) fn flagged(&self, flags: &[&str]) -> Self {
        self.at(&self.servers).with(flags)
    }

    /// The client in the same place, for these servers.
    pub(crate) fn at(&self, servers: &[SocketAddr]) -> Self {
        Self {
            servers: servers.to_vec(),
            folder: Arc::clone(&self.folder),
            flags: self.flags.clone(),
            starter: self.starter.clone(),
        }
    }

    /// The client's current folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a download of this name lands.
    pub(crate) fn download(&self, name: &str) -> PathBuf {
        self.folder.path().join("downloads").join(name)
    }

    /// The client's flags. Most servers of the tests have TLS that nobody vouches for, and most tests are not about that.
    fn flags(&self) -> impl Iterator<Item = &str> {
        let about_tls = ["--tls", "--accept-new", "--fingerprint"];
        let says = |flag: &String| about_tls.contains(&flag.split('=').next().unwrap_or(flag));
        let off: &[&str] = match self.flags.iter().any(says) {
            true => &[],
            false => &["--tls", "off"],
        };
        off.iter()
            .copied()
            .chain(self.flags.iter().map(String::as_str))
    }

    /// Puts a file into the client's current folder.
    #[track_caller]
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), bytes)
            .unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
    }

    /// Starts the client, which has read all of its commands when this is back.
    #[track_caller]
    pub(crate) fn spawn(&self, commands: &str) -> Running {
        let client = env!("CARGO_BIN_EXE_ftp-client").to_owned();
        let words: Vec<_> = self.starter.iter().chain([&client]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args(self.where_to())
            .arg("--downloads")
            .arg(self.folder.path().join("downloads"))
            .args(self.flags())
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the client's binary runs");
        // A few lines always fit into the pipe, so this does not wait for the client. One that ends before it has
        // read them is for the caller to see by its status.
        let mut input = child.stdin.take().expect("its standard input");
        let _ = input.write_all(commands.as_bytes());
        Running {
            child: Some(child),
            commands: commands.to_owned(),
        }
    }

    fn where_to(&self) -> [String; 4] {
        let (host, port) = match &self.servers[..] {
            [server] => (server.ip().to_string(), server.port()),
            several => {
                let several: Vec<_> = several.iter().map(ToString::to_string).collect();
                // All have their own port.
                (several.join(","), 1)
            }
        };
        ["--host".into(), host, "--port".into(), port.to_string()]
    }

    /// Runs the client to its end.
    #[track_caller]
    pub(crate) fn run(&self, commands: &str) -> Output {
        self.spawn(commands).output()
    }

    /// Runs the client to its end, which must be a good one, and gives its standard output.
    #[track_caller]
    pub(crate) fn succeed(&self, commands: &str) -> String {
        let output = self.run(commands);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{commands:?} ended with {}:\n{errors}",
            output.status
        );
        String::from_utf8(output.stdout).expect("the client writes UTF-8")
    }
}

/// A client that runs, and dies with this value.
pub(crate) struct Running {
    child: Option<Child>,
    commands: String,
}

impl Running {
    #[track_caller]
    pub(crate) fn signal(&self, wanted: Signal) {
        signal(
            self.child.as_ref().expect("it has not been waited for"),
            wanted,
        );
    }

    /// Whether it has ended.
    #[track_caller]
    pub(crate) fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("it has not been waited for");
        child.try_wait().expect("its status").is_some()
    }

    /// Waits for its end. What it writes must fit into a pipe (64 KiB).
    #[track_caller]
    pub(crate) fn output(mut self) -> Output {
        let mut child = self.child.take().expect("it has not been waited for");
        let what = format!("ftp-client with {:?} (within {PATIENCE:?})", self.commands);
        finish(&mut child, &what);
        child.wait_with_output().expect("the client's output")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
