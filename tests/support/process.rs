//! Processes: their ends, signals to them, and what they hold (by Linux's `/proc`).

use super::{PATIENCE, temporaries};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Sends a signal to a child that has not been waited for, so its number cannot be another's yet.
#[track_caller]
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal)
        .unwrap_or_else(|error| panic!("cannot send {signal:?} to the child: {error}"));
}

/// Waits for the child to end; kills it when it does not.
#[track_caller]
pub(crate) fn finish(child: &mut Child, what: &str) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{what} did not end within {PATIENCE:?}");
            }
            Err(error) => panic!("cannot wait for {what}: {error}"),
        }
    }
}

/// What a server holds and has to give back when its clients are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    /// TCP ports that it listens on, the control port included.
    pub(crate) ports: Vec<u16>,
    pub(crate) temporaries: Vec<String>,
}

impl Footprint {
    /// Whether all of this was there before.
    pub(crate) fn is_within(&self, before: &Self) -> bool {
        self.threads <= before.threads
            && self.descriptors <= before.descriptors
            && self.ports.iter().all(|port| before.ports.contains(port))
            && self
                .temporaries
                .iter()
                .all(|name| before.temporaries.contains(name))
    }

    pub(crate) fn of(pid: u32, root: &Path) -> Self {
        Self {
            threads: threads(pid),
            descriptors: descriptors(pid),
            ports: sockets(pid, LISTEN),
            temporaries: temporaries(root),
        }
    }
}

/// How many threads the process has.
pub(crate) fn threads(pid: u32) -> usize {
    count(&format!("/proc/{pid}/task"))
}

/// How many descriptors the process has open.
pub(crate) fn descriptors(pid: u32) -> usize {
    count(&format!("/proc/{pid}/fd"))
}

#[track_caller]
fn count(folder: &str) -> usize {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot read {folder}: {error}"))
        .count()
}

/// Whether this process may count the descriptors of one that lets itself be looked into by nobody: who has
/// `CAP_SYS_PTRACE` may, as root has outside of containers.
pub(crate) fn looks_into_others() -> bool {
    const SYS_PTRACE: u64 = 1 << 19;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & SYS_PTRACE != 0)
}

/// The process's memory, its share of what it shares with others (PSS).
#[track_caller]
pub(crate) fn pss_kib(pid: u32) -> u64 {
    kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// The process's memory that is of no file: what it has on its heap and its stacks, whoever else runs the program.
#[track_caller]
pub(crate) fn anonymous_kib(pid: u32) -> u64 {
    kib(&format!("/proc/{pid}/status"), "RssAnon:")
}

/// The most memory that the process has ever had.
#[track_caller]
pub(crate) fn peak_kib(pid: u32) -> u64 {
    kib(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// The number of a line `key 123 kB`.
#[track_caller]
fn kib(path: &str, key: &str) -> u64 {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_else(|| panic!("no {key} in {path}:\n{text}"))
}

/// The states of `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// The local ports of the process's open TCP connections.
pub(crate) fn connections(pid: u32) -> Vec<u16> {
    sockets(pid, ESTABLISHED)
}

fn sockets(pid: u32, state: &str) -> Vec<u16> {
    let own: HashSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.ok()?.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let mut ports: Vec<u16> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|row| {
            // sl local_address rem_address st queues timer retransmits uid timeout inode …
            let fields: Vec<&str> = row.split_ascii_whitespace().collect();
            let wanted = *fields.get(3)? == state && own.contains(*fields.get(9)?);
            let (_, port) = fields.get(1)?.rsplit_once(':')?;
            wanted.then(|| u16::from_str_radix(port, 16).ok()).flatten()
        })
        .collect();
    ports.sort_unstable();
    ports
}

/// The folder that `.ci/install-programs` unpacks foreign programs into, which may not be there.
pub(crate) fn unpacked_programs() -> PathBuf {
    // Beside the folder `tmp` of the target folder.
    let usual = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("programs");
    let ours = std::env::var_os("FTP_TEST_PROGRAMS").map_or(usual, PathBuf::from);
    std::path::absolute(&ours).unwrap_or(ours)
}

/// Raises this process's limit of open files as far as it may be, and says what it is now.
pub(crate) fn raise_file_limit() -> u64 {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: hard,
            maximum: hard,
        },
    )
    .unwrap_or_else(|error| panic!("cannot raise the limit of open files to {hard:?}: {error}"));
    hard.unwrap_or(u64::MAX)
}
