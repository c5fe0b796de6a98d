//! A link with a round trip: two network namespaces, and a relay between them that holds each packet for half of it, and
//! loses some where a test wants that.
//!
//! ```text
//! near: wire ═ veth ═ macvtap ── relay (a thread of the test) ── macvtap ═ veth ═ wire :far
//! ```
//! macvtap gives the frames of a device as a file, with no call that `rustix` does not have. Its frames may be as long as
//! TCP makes them before a network card would cut them (64 KiB, the MTU being 1500), so that the relay has few of them to
//! carry and is not what limits the rate. Linux and root only.

use super::namespace::{Namespace, ip};
use super::relay::{Counts, Loss, Relay};
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

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
        Self::new(round_trip, Loss::default())
    }

    /// The same, of whose packets some are lost.
    pub(crate) fn with_loss(round_trip: Duration, loss: Loss) -> Result<Self, String> {
        let link = Self::new(round_trip, loss)?;
        for side in [&link.near, &link.far] {
            // A frame is then what a network card would send, and not as much as 45 of those, which would be lost together.
            let line = "link set wire gso_max_segs 1 gso_max_size 1514".to_owned();
            ip(&["-netns", side.space.name()], &[line])?;
        }
        Ok(link)
    }

    /// See [`Namespace::use_cubic`].
    pub(crate) fn use_cubic(&self) -> Result<(), String> {
        self.near.space.use_cubic()?;
        self.far.space.use_cubic()
    }

    fn new(round_trip: Duration, loss: Loss) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let near = Space::new(count, Self::NEAR, Self::FAR)?;
        let far = Space::new(count, Self::FAR, Self::NEAR)?;
        let relay = Relay::start(near.frames()?, far.frames()?, round_trip / 2, loss);
        Ok(Self { relay, near, far })
    }

    /// Does it on the near side: its sockets, and the programs that it starts, are there.
    pub(crate) fn near<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.near.space.inside(act)
    }

    /// Does it on the far side.
    pub(crate) fn far<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.far.space.inside(act)
    }

    /// What has gone over the link to and from this port of the far side so far.
    pub(crate) fn counts(&self, port: u16) -> Counts {
        self.relay.counts(port)
    }

    /// How many packets the link has lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.relay.lost()
    }

    /// Lets nothing more through of the connections that there are to this port of the far side, and tells neither end,
    /// as a router does that has forgotten them. New connections are let through.
    pub(crate) fn forget(&self, port: u16) {
        self.relay.forget(port);
    }
}

/// A namespace with one device, `wire`, and the device in this namespace through which the relay has its frames.
struct Space {
    space: Namespace,
    /// The other end of `wire`, in this namespace.
    outer: String,
    tap: String,
}

impl Space {
    fn new(count: u32, own: Ipv4Addr, other: Ipv4Addr) -> Result<Self, String> {
        let (process, side) = (std::process::id(), own.octets()[3]);
        let made = Self {
            space: Namespace::new()?,
            // At most 15 bytes.
            outer: format!("fl{process}.{count}v{side}"),
            tap: format!("fl{process}.{count}t{side}"),
        };
        // From here on, what has been made is removed again, should something fail.
        let Self { space, outer, tap } = &made;
        let name = space.name();
        // Nobody has to ask for the hardware address, which would take a round trip of its own.
        let hardware = |address: Ipv4Addr| format!("02:00:00:00:00:{:02x}", address.octets()[3]);
        ip(
            &[],
            &[
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
                "link set wire addrgenmode none up".to_owned(),
                format!("addr add {own}/24 dev wire"),
                format!(
                    "neigh add {other} lladdr {} dev wire nud permanent",
                    hardware(other)
                ),
            ],
        )?;
        Ok(made)
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
}

impl Drop for Space {
    fn drop(&mut self) {
        // It may not have been made. Both ends of a veth go together, and the tap with them.
        let _ = ip(&[], &[format!("link delete {}", self.outer)]);
    }
}
