//! What a transfer waits for: its data socket, and meanwhile what the client says on the control connection.

use super::Phase;
use super::control::{Control, Seen};
use super::sessions::Live;
use crate::protocol::reply::{Reply, ReplyCode};
use crate::shown::counted;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a transfer looks around while the server drains: by then its control connection has been shut for reading, so
/// that nothing there wakes it any more.
const GLANCE_EVERY: Duration = Duration::from_millis(100);

/// Why a transfer ended before its time, for reasons other than its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client sent `ABOR`.
    Aborted,
    /// The control connection is gone.
    Gone,
    /// The client could not be reached where its `PORT` or `EPRT` said, or the system has no room for a connection.
    Unreachable,
    /// Nothing moved for as long as `--data-timeout`.
    Stalled,
    /// The data connection's TLS handshake failed.
    Handshake,
    /// The data connection's TLS does not resume the session of the control connection.
    NotResumed,
    /// The server is shutting down and will wait no longer.
    Shutdown,
    /// Whoever runs the server has ended the session.
    Kicked,
}

/// Waits for a data socket and watches the control connection meanwhile.
pub(super) struct Watch<'s> {
    pub(super) control: &'s mut Control,
    pub(super) phase: &'s Phase,
    live: &'s Live,
    /// What is going on, for a client that asks with `STAT`.
    pub(super) activity: &'s dyn fmt::Display,
    /// How many bytes have gone over the data connection.
    pub(super) moved: u64,
    /// Where they are counted beside those of all other transfers.
    pub(super) counter: Option<&'s AtomicU64>,
}

impl<'s> Watch<'s> {
    pub(super) const fn new(
        control: &'s mut Control,
        phase: &'s Phase,
        live: &'s Live,
        activity: &'s dyn fmt::Display,
    ) -> Self {
        Self {
            control,
            phase,
            live,
            activity,
            moved: 0,
            counter: None,
        }
    }
}

impl Watch<'_> {
    /// Counts bytes that have gone over the data connection.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.moved += bytes;
        self.live.moved(self.moved);
        if let Some(counter) = self.counter {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Waits until `socket` is ready for `events`.
    pub(super) fn wait(
        &mut self,
        socket: impl AsFd,
        events: PollFlags,
        deadline: Instant,
    ) -> Result<(), Cut> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Cut::Stalled);
            }
            if self.poll(&socket, events, left)? {
                return Ok(());
            }
        }
    }

    /// Lets the time until `next` pass. A socket that broke meanwhile ends it early: the next call says how.
    pub(super) fn pass(&mut self, socket: impl AsFd, next: Instant) -> Result<(), Cut> {
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() || self.poll(&socket, PollFlags::empty(), left)? {
                return Ok(());
            }
        }
    }

    /// Waits for at most `limit`; says whether `socket` is ready.
    ///
    /// What has arrived on the data connection goes before the end of the control connection: a client that was cut off in
    /// an upload can then go on from all that came.
    pub(super) fn poll(
        &mut self,
        socket: impl AsFd,
        events: PollFlags,
        limit: Duration,
    ) -> Result<bool, Cut> {
        self.release()?;
        if self.control.is_aborted() {
            return Err(Cut::Aborted);
        }
        // What came in one segment with the transfer's own command is in memory already, where no poll sees it.
        if self.control.has_unread() {
            self.look()?;
        }
        // With no interest in input the poll still tells of a connection that is gone in both directions.
        let interest = if self.control.wants_input() {
            PollFlags::IN
        } else {
            PollFlags::empty()
        };
        let limit = if self.is_lost() {
            Duration::ZERO
        } else if self.phase.is_draining() {
            limit.min(GLANCE_EVERY)
        } else {
            limit
        };
        let mut watched = [
            PollFd::new(&socket, events),
            PollFd::new(&*self.control, interest),
        ];
        let limit = Timespec::try_from(limit).unwrap_or(Timespec {
            tv_sec: i64::MAX,
            tv_nsec: 0,
        });
        match rustix::event::poll(&mut watched, Some(&limit)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(false),
            Err(_) => return Err(Cut::Gone),
        }
        let (ready, control) = (!watched[0].revents().is_empty(), watched[1].revents());
        self.obey()?;
        if control.contains(PollFlags::IN) {
            self.look()?;
        }
        let broken = control.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        let unread = ready && events.contains(PollFlags::IN);
        if (broken || self.is_lost()) && !unread {
            Err(Cut::Gone)
        } else {
            Ok(ready)
        }
    }

    /// Sends the 150 if it is held back.
    pub(super) fn release(&mut self) -> Result<(), Cut> {
        self.control.release().map_err(|_| Cut::Gone)
    }

    /// Looks at the control connection alone, without waiting.
    pub(super) fn glance(&mut self) -> Result<(), Cut> {
        self.release()?;
        if self.control.is_aborted() {
            return Err(Cut::Aborted);
        }
        self.obey()?;
        self.look()?;
        if self.is_lost() {
            Err(Cut::Gone)
        } else {
            Ok(())
        }
    }

    /// Looks whether it is to end for reasons of the server's.
    fn obey(&self) -> Result<(), Cut> {
        if self.phase.is_cutting() {
            Err(Cut::Shutdown)
        } else if self.live.is_kicked() {
            Err(Cut::Kicked)
        } else {
            Ok(())
        }
    }

    /// Takes in what the client has said, and answers each `STAT` of it.
    fn look(&mut self) -> Result<(), Cut> {
        loop {
            match self.control.look() {
                Seen::Abort => return Err(Cut::Aborted),
                Seen::Status => {
                    let moved = counted(self.moved, "byte");
                    let text = format!("{}, {moved} so far.", self.activity);
                    let status = Reply::new(ReplyCode::SYSTEM_STATUS, text);
                    self.control.send(&status).map_err(|_| Cut::Gone)?;
                }
                Seen::Nothing => return Ok(()),
            }
        }
    }

    /// Whether the client has closed its control connection. A server that drains has closed that side itself, to wake the
    /// sessions that are idle.
    fn is_lost(&self) -> bool {
        self.control.is_closed() && !self.phase.is_draining()
    }
}
