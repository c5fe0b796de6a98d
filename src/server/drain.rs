//! The end of a server: no session begins anything any more, transfers under way may finish, and what takes too long is cut.

use super::Shared;
use super::notice::Notice;
use super::phase::Phase;
use crate::shown::counted;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

/// How often a server that drains looks whether it is empty.
const DRAIN_TICK: Duration = Duration::from_millis(20);
/// How long sessions get to end after their transfers have been cut.
const CUT_GRACE: Duration = Duration::from_secs(5);
/// How long the process may take to end after its sessions, as a service manager is told.
const END_GRACE: Duration = Duration::from_secs(5);

impl Shared {
    /// Ends all sessions: idle ones now, others after their transfer, and those that take too long by force.
    pub(super) fn drain(&self, stop: &UnixStream, notice: &mut Notice) {
        let open = counted(self.sessions.count(), "session");
        log::info!("shutting down, {open} open");
        let limit = self.config().limits.drain;
        notice.stopping(limit + CUT_GRACE + END_GRACE, self.busy());
        self.phase.set(Phase::DRAINING);
        self.sessions.shut(Shutdown::Read);
        if self.empty_within(limit, Some(stop), notice) {
            return;
        }
        let left = counted(self.sessions.count(), "session");
        log::warn!("cutting the transfers of {left}");
        self.phase.set(Phase::CUTTING);
        self.sessions.shut(Shutdown::Both);
        self.empty_within(CUT_GRACE, None, notice);
    }

    /// Whether the last session ended within `limit`, and before a byte arrived at `hurry`.
    fn empty_within(
        &self,
        limit: Duration,
        hurry: Option<&UnixStream>,
        notice: &mut Notice,
    ) -> bool {
        let deadline = Instant::now() + limit;
        while self.sessions.count() > 0 {
            if Instant::now() >= deadline {
                return false;
            }
            notice.busy(|| self.busy());
            let Some(hurry) = hurry else {
                thread::sleep(DRAIN_TICK);
                continue;
            };
            let tick = Timespec::try_from(DRAIN_TICK).ok();
            if rustix::event::poll(&mut [PollFd::new(hurry, PollFlags::IN)], tick.as_ref()) == Ok(1)
            {
                return false;
            }
        }
        true
    }
}
