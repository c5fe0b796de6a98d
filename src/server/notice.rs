//! What a service manager is told: that the server is ready, reads its files again, ends, and how busy it is (`sd_notify(3)`).
//! Without one, nobody.

use crate::shown::counted;
use rustix::net::SendFlags;
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The variable that says where the service manager listens.
const VARIABLE: &str = "NOTIFY_SOCKET";
/// How often it is told how busy the server is, at the most.
const PAUSE: Duration = Duration::from_millis(500);
/// How long it may take to take what it must know.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the service manager, if there is one. It is found before the sandbox is entered, from which it could not be.
#[derive(Debug)]
pub(super) struct Notice {
    socket: Option<UnixDatagram>,
    told: Busy,
    told_at: Instant,
    /// Whether the server ends.
    ending: bool,
}

/// How much is going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) sessions: usize,
    pub(super) transfers: usize,
}

impl Notice {
    /// Connects to the service manager that has started the server.
    pub(super) fn connect() -> Self {
        let socket = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let socket = socket.and_then(|name| {
            let failed = |error| {
                log::warn!(
                    "cannot reach the service manager at {} ({VARIABLE}): {error}",
                    name.display()
                );
            };
            connect(&name).map_err(failed).ok()
        });
        Self {
            socket,
            told: Busy::default(),
            told_at: Instant::now(),
            ending: false,
        }
    }

    /// Clients are served, from now on or again.
    pub(super) fn ready(&mut self, busy: Busy) {
        self.must("READY=1", busy);
    }

    /// The files that the server was configured by are read again; [`Self::ready`] says that they were.
    pub(super) fn reloading(&mut self, busy: Busy) {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::try_from(now).unwrap_or_default().as_micros();
        self.must(&format!("RELOADING=1\nMONOTONIC_USEC={now}"), busy);
    }

    /// The server ends, and may take so long for it.
    pub(super) fn stopping(&mut self, within: Duration, busy: Busy) {
        self.ending = true;
        let within = within.as_micros();
        self.must(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={within}"), busy);
    }

    /// Tells how busy the server is, if that has changed and it was not told a moment ago.
    pub(super) fn busy(&mut self, busy: impl FnOnce() -> Busy) {
        if self.socket.is_none() || self.told_at.elapsed() < PAUSE {
            return;
        }
        let busy = busy();
        if busy != self.told {
            // One that does not take it now is told of the next change.
            let _ = self.send(&self.status(busy), SendFlags::DONTWAIT);
            self.note(busy);
        }
    }

    fn must(&mut self, state: &str, busy: Busy) {
        let text = format!("{state}\n{}", self.status(busy));
        if let Err(error) = self.send(&text, SendFlags::empty()) {
            let state = state.lines().next().unwrap_or_default();
            log::warn!("the service manager does not hear {state}: {error}");
        }
        self.note(busy);
    }

    fn send(&self, text: &str, flags: SendFlags) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            rustix::net::send(socket, text.as_bytes(), flags)?;
        }
        Ok(())
    }

    fn note(&mut self, busy: Busy) {
        self.told = busy;
        self.told_at = Instant::now();
    }

    fn status(&self, busy: Busy) -> String {
        let sessions = counted(busy.sessions, "session");
        let transfers = counted(busy.transfers, "transfer");
        let ending = if self.ending { "shutting down, " } else { "" };
        format!("STATUS={ending}{sessions}, {transfers}\n")
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match name.as_bytes() {
        // One that is no file.
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    socket.connect_addr(&address)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}
