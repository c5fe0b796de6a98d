//! A link with a round trip: two network namespaces, and a relay between them that holds each packet for half of it.
//!
//! ```text
//! near: wire ═ veth ═ macvtap ── relay (a thread of the test) ── macvtap ═ veth ═ wire :far
//! ```
//! macvtap gives the frames of a device as a file, with no call that `rustix` does not have. Its frames may be as long as
//! TCP makes them before a network card would cut them (64 KiB, the MTU being 1500), so that the relay has few of them to
//! carry and is not what limits the rate. Linux and root only.

use super::relay::{Counts, Relay};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Where `ip` keeps namespaces that have names.
const SPACES: &str = "/run/netns";
/// How the names of the namespaces begin; the number of the process follows.
const PREFIX: &str = "ftp-link-";
/// Packets that may wait for the relay: more than TCP has under way at once, so that none is lost.
const QUEUE: u32 = 20_000;

/// Two namespaces and what joins them, which go with this value.
pub(crate) struct Link {
    // The relay lets go of the devices before they are removed.
    relay: Relay,
    near: Space,
    far: Space,
}

impl Link {
    /// The address of the near side.
    pub(crate) const NEAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    /// The address of the far side.
    pub(crate) const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// A link on which an answer comes after `round_trip` at the earliest. `Err` says why this machine has none.
    pub(crate) fn with_round_trip(round_trip: Duration) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_left_over();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let near = Space::new(count, Self::NEAR, Self::FAR)?;
        let far = Space::new(count, Self::FAR, Self::NEAR)?;
        let relay = Relay::start(near.frames()?, far.frames()?, round_trip / 2);
        Ok(Self { relay, near, far })
    }

    /// Does it on the near side: its sockets, and the programs that it starts, are there.
    pub(crate) fn near<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.near.inside(act)
    }

    /// Does it on the far side.
    pub(crate) fn far<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.far.inside(act)
    }

    /// What has gone over the link to and from this port of the far side so far.
    pub(crate) fn counts(&self, port: u16) -> Counts {
        self.relay.counts(port)
    }

    /// Lets nothing more through of the connections that there are to this port of the far side, and tells neither end,
    /// as a router does that has forgotten them. New connections are let through.
    pub(crate) fn forget(&self, port: u16) {
        self.relay.forget(port);
    }
}

/// A namespace with one device, `wire`, and the device in this namespace through which the relay has its frames.
struct Space {
    name: String,
    /// The other end of `wire`, in this namespace.
    outer: String,
    tap: String,
}

impl Space {
    fn new(count: u32, own: Ipv4Addr, other: Ipv4Addr) -> Result<Self, String> {
        let (process, side) = (std::process::id(), own.octets()[3]);
        let space = Self {
            name: format!("{PREFIX}{process}-{count}-{side}"),
            // At most 15 bytes.
            outer: format!("fl{process}.{count}v{side}"),
            tap: format!("fl{process}.{count}t{side}"),
        };
        // From here on, what has been made is removed again, should something fail.
        let Self { name, outer, tap } = &space;
        // Nobody has to ask for the hardware address, which would take a round trip of its own.
        let hardware = |address: Ipv4Addr| format!("02:00:00:00:00:{:02x}", address.octets()[3]);
        ip(
            &[],
            &[
                format!("netns add {name}"),
                format!(
                    "link add {outer} type veth peer name wire netns {name} address {}",
                    hardware(own)
                ),
                format!("link set {outer} addrgenmode none up"),
                format!("link add link {outer} name {tap} type macvtap mode passthru"),
                format!("link set {tap} addrgenmode none txqueuelen {QUEUE} up"),
            ],
        )?;
        ip(
            &["-netns", name],
            &[
                "link set lo up".to_owned(),
                "link set wire addrgenmode none up".to_owned(),
                format!("addr add {own}/24 dev wire"),
                format!(
                    "neigh add {other} lladdr {} dev wire nud permanent",
                    hardware(other)
                ),
            ],
        )?;
        Ok(space)
    }

    /// The file of the frames that come from `wire`, and to which those are written that go there.
    fn frames(&self) -> Result<File, String> {
        let number = Path::new("/sys/class/net").join(&self.tap).join("ifindex");
        let number = fs::read_to_string(&number)
            .map_err(|error| format!("cannot read {}: {error}", number.display()))?;
        let path = format!("/dev/tap{}", number.trim());
        File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| format!("cannot open {path}: {error}"))
    }

    fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
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

impl Drop for Space {
    fn drop(&mut self) {
        // Either of them may not have been made. Both ends of a veth go together, and the tap with them.
        let _ = ip(&[], &[format!("link delete {}", self.outer)]);
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
fn ip(args: &[&str], lines: &[String]) -> Result<(), String> {
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
