//! Network namespaces: addresses, ports and connections that nobody else has. Linux and root only.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// Where `ip` keeps namespaces that have names.
const SPACES: &str = "/run/netns";
/// How TCP finds its rate, in the network of whoever writes there.
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// How the names of the namespaces begin; the number of the process follows.
const PREFIX: &str = "ftp-link-";

/// A namespace with its own loopback device, which goes with this value.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one. `Err` says why this machine has none.
    pub(crate) fn new() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_left_over();
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("{PREFIX}{process}-{count}");
        // From here on, what has been made is removed again, should something fail.
        let space = Self { name };
        ip(&[], &[format!("netns add {}", space.name)])?;
        ip(&["-netns", &space.name], &["link set lo up".to_owned()])?;
        Ok(space)
    }

    /// Has TCP in there find its rate by cubic, as Linux has it by itself. BBR, which a machine may be set to, holds bytes back by
    /// the clock: on one machine that is most of what there is to be seen.
    pub(crate) fn use_cubic(&self) -> Result<(), String> {
        self.inside(|| fs::write(CONGESTION_CONTROL, "cubic"))
            .map_err(|why| format!("cannot set {CONGESTION_CONTROL}: {why}"))
    }

    /// What `ip` knows it by.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Does it in there: sockets that it makes, and threads and programs that it starts, are there too.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let path = Path::new(SPACES).join(&self.name);
        let space = File::open(&path).expect("the namespace is there");
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(space.as_fd(), kind).expect("the namespace is entered");
            act()
        };
        // A namespace is a thread's, and so is that of the children that it starts.
        thread::scope(|scope| scope.spawn(enter).join())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&[], &[format!("netns delete {}", self.name)]);
    }
}

/// Removes the namespaces of processes that were killed before they could.
fn remove_left_over() {
    for entry in fs::read_dir(SPACES).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'));
        if process.is_some_and(|(process, _)| !Path::new("/proc").join(process).exists()) {
            // The devices go with it.
            let _ = ip(&[], &[format!("netns delete {name}")]);
        }
    }
}

/// Runs `ip`, once for all the lines.
pub(super) fn ip(args: &[&str], lines: &[String]) -> Result<(), String> {
    let failed = |error| format!("cannot run ip: {error}");
    let mut child = Command::new("ip")
        .args(args)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut input = String::new();
    for line in lines {
        let _ = writeln!(input, "{line}");
    }
    // When it ends early, its status says so.
    let _ = child
        .stdin
        .take()
        .map(|mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip: {}", why.lines().next().unwrap_or("failed")))
}
