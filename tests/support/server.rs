//! The real server as a process of its own, on a free port and a temporary folder.

use super::{
    Footprint, PATIENCE, Raw, connect_from, finish, looks_into_others, signal, wait_for, wait_until,
};
use rustix::process::Signal;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server that serves `root`, and dies with this value. When the test fails, its log is shown.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The folder that it serves.
    pub(crate) root: PathBuf,
    child: Child,
    output: Text,
    log: Text,
    /// Where it keeps its certificate.
    state: TempDir,
    /// Holds `root` and nothing else, so that a test can put beside it what no client may reach.
    outside: Arc<TempDir>,
}

impl Server {
    /// A server with the default flags.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with these flags too.
    #[track_caller]
    pub(crate) fn with(flags: &[&str]) -> Self {
        Self::spawn(Self::command(), flags)
    }

    /// A server that begins with a low soft limit of open files, as a login shell's often is.
    #[track_caller]
    pub(crate) fn with_few_files(files: u32, flags: &[&str]) -> Self {
        let script = format!("ulimit -S -n {files} && exec \"$0\" \"$@\"");
        Self::spawn(Self::by(&["sh", "-c", &script]), flags)
    }

    /// A program, with its arguments, that starts the server in its own place.
    pub(crate) fn by(starter: &[&str]) -> Command {
        let mut command = clean(starter[0]);
        command.args(&starter[1..]).arg(Self::binary());
        command
    }

    /// The server's binary with no flags and none of the caller's settings.
    pub(crate) fn command() -> Command {
        clean(Self::binary())
    }

    /// Runs the server to its end: for flags that it is to refuse.
    #[track_caller]
    pub(crate) fn run(flags: &[&str]) -> Output {
        let state = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        let mut child = Self::command()
            .args(flags)
            .env("XDG_STATE_HOME", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's binary runs");
        finish(&mut child, &format!("ftp-server {flags:?}"));
        child.wait_with_output().expect("the server's output")
    }

    /// A server that listens on this address of this machine.
    #[track_caller]
    pub(crate) fn at(host: &str) -> Self {
        Self::at_with(host, &[])
    }

    /// A server that listens on this address of this machine, with these flags too.
    #[track_caller]
    pub(crate) fn at_with(host: &str, flags: &[&str]) -> Self {
        Self::spawn_at(host, Self::command(), flags)
    }

    /// Starts the command, a server on a temporary folder, with these flags.
    #[track_caller]
    pub(crate) fn spawn(command: Command, flags: &[&str]) -> Self {
        Self::spawn_at("127.0.0.1", command, flags)
    }

    #[track_caller]
    fn spawn_at(host: &str, mut command: Command, flags: &[&str]) -> Self {
        let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        let root = outside.path().join("root");
        std::fs::create_dir(&root).expect("the root folder");
        command.args(["--host", host, "--port", "0", "--root"]);
        command.arg(&root).args(flags);
        Self::from_command(command, outside)
    }

    /// Starts the command as it is; `outside` must hold the folder `root` that it serves.
    #[track_caller]
    pub(crate) fn from_command(command: Command, outside: TempDir) -> Self {
        Self::begin(command, Arc::new(outside))
    }

    /// Another server over the same folder.
    #[track_caller]
    pub(crate) fn beside(&self, flags: &[&str]) -> Self {
        let mut command = Self::command();
        command.args(["--host", "127.0.0.1", "--port", "0", "--root"]);
        command.arg(&self.root).args(flags);
        Self::begin(command, Arc::clone(&self.outside))
    }

    /// Kills it, and has another server take its place, at another port.
    #[track_caller]
    pub(crate) fn restart(&mut self, flags: &[&str]) {
        let _ = self.child.kill();
        self.ended();
        *self = self.beside(flags);
    }

    #[track_caller]
    fn begin(mut command: Command, outside: Arc<TempDir>) -> Self {
        let state = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("XDG_STATE_HOME", state.path())
            .spawn()
            .expect("the server's binary runs");
        let output = Text::collect(child.stdout.take().expect("its standard output"));
        let log = Text::collect(child.stderr.take().expect("its standard error"));
        let first = wait_for("the server's first line", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the server ended at once with {status}:\n{}", log.get());
            }
            Some(output.get().split_once('\n')?.0.to_owned())
        });
        let address = first
            .strip_prefix("ftp-server listening on ")
            .and_then(|address| address.trim().parse().ok())
            .unwrap_or_else(|| panic!("expected the listening address, got {first:?}"));
        Self {
            address,
            root: outside.path().join("root"),
            child,
            output,
            log,
            outside,
            state,
        }
    }

    const fn binary() -> &'static str {
        env!("CARGO_BIN_EXE_ftp-server")
    }

    /// A new session that has read its greeting.
    #[track_caller]
    pub(crate) fn connect(&self) -> Raw {
        Raw::connect(self.address)
    }

    /// A new session, logged in.
    #[track_caller]
    pub(crate) fn login(&self) -> Raw {
        let mut raw = self.connect();
        raw.login();
        raw
    }

    /// A new session from another address of this machine, logged in.
    #[track_caller]
    pub(crate) fn login_from(&self, address: Ipv4Addr) -> Raw {
        let mut raw = Raw::over(connect_from(address, self.address));
        raw.expect(220);
        raw.login();
        raw
    }

    /// A path in the served folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder that holds the served folder.
    pub(crate) fn outside(&self) -> &Path {
        self.outside.path()
    }

    /// Puts a file into the served folder.
    #[track_caller]
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes)
            .unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
    }

    /// Puts a folder into the served folder.
    #[track_caller]
    pub(crate) fn make_folder(&self, name: &str) {
        std::fs::create_dir_all(self.path(name))
            .unwrap_or_else(|error| panic!("cannot make {name}: {error}"));
    }

    /// Puts a file of holes into the served folder, which takes up no space.
    #[track_caller]
    pub(crate) fn write_sparse(&self, name: &str, len: u64) -> File {
        let file = File::create(self.path(name)).expect("a file");
        file.set_len(len).expect("a file with holes");
        file
    }

    /// Reads a file of the served folder.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
    }

    /// A line of its standard output, from behind this beginning on.
    #[track_caller]
    pub(crate) fn announced(&self, beginning: &str) -> String {
        wait_for(&format!("a line {beginning:?}"), || {
            let output = self.output.get();
            let mut lines = output.split_inclusive('\n');
            lines
                .find_map(|line| Some(line.strip_prefix(beginning)?.strip_suffix('\n')?.to_owned()))
        })
    }

    /// Where it takes connections that begin with TLS.
    #[track_caller]
    pub(crate) fn tls_address(&self) -> SocketAddr {
        let address = self.announced("ftp-server listening with TLS on ");
        address.parse().expect("an address")
    }

    /// The folder that it has for what it keeps.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.get()
    }

    /// Waits for a log line that holds all of these.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, parts: &[&str]) -> String {
        wait_for(&format!("a log line with {parts:?}"), || {
            let log = self.log();
            let mut lines = log.lines();
            lines
                .find(|line| parts.iter().all(|part| line.contains(part)))
                .map(str::to_owned)
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the kernel says of the process under this name, in `/proc/PID/status`.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process's status");
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| *key == name);
        found.expect("the line").1.trim().to_owned()
    }

    pub(crate) fn footprint(&self) -> Footprint {
        Footprint::of(self.pid(), &self.root)
    }

    /// What it holds with no client, to compare with later. The least of a few looks is taken, since the sweep of its
    /// folder has files open for moments.
    pub(crate) fn at_rest(&self) -> Footprint {
        let mut rest = self.footprint();
        for _ in 0..5 {
            rest.descriptors = rest.descriptors.min(self.footprint().descriptors);
        }
        rest
    }

    /// Waits until the server holds no more than it held then.
    #[track_caller]
    pub(crate) fn wait_for_footprint(&self, before: &Footprint) {
        let mut now = self.footprint();
        let deadline = Instant::now() + PATIENCE;
        while !now.is_within(before) {
            assert!(
                Instant::now() < deadline,
                "the server leaks: it held {before:?} and now holds {now:?}"
            );
            thread::sleep(Duration::from_millis(5));
            now = self.footprint();
        }
    }

    /// Sends a signal and goes on.
    #[track_caller]
    pub(crate) fn signal(&self, wanted: Signal) {
        signal(&self.child, wanted);
    }

    /// Waits until nobody can connect any more.
    #[track_caller]
    pub(crate) fn wait_until_closed(&self) {
        wait_until("the server to refuse new clients", || {
            super::try_connect(self.address).is_err()
        });
    }

    /// Waits for the end of the process, which something has begun.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        finish(&mut self.child, "the server")
    }

    /// Asks it to end, and waits.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Ends it for good and says so when there is anything of a panic in its log.
    #[track_caller]
    pub(crate) fn assert_never_panicked(&self) {
        let log = self.log();
        assert!(!log.contains("panicked at"), "the server panicked:\n{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}--- end ---", self.log());
        }
    }
}

/// A command with none of the settings that the caller's environment may hold.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("FTP_") || name.starts_with("RUST_LOG") {
            command.env_remove(&key);
        }
    }
    if !looks_into_others() {
        // What the server holds could not be counted: with a sandbox it is nobody's to look into. The tests of the sandbox
        // have the flag, which goes before.
        command.env("FTP_SERVER_SANDBOX", "off");
    }
    command
}

/// What a process has written so far. A thread empties the pipe, so that the process never waits for a reader.
pub(crate) struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    pub(crate) fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&text);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                text.extend_from_slice(&chunk[..count]);
            }
        });
        Self(ours)
    }

    pub(crate) fn get(&self) -> String {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }
}
