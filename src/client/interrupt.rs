//! Ctrl-C: while a command runs, the first stops that command and the second ends the program.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGINT;
use signal_hook::{flag, low_level};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What a program that Ctrl-C has ended says to its shell: 128 and the number of SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Signals belong to the whole process, and so does this. `None` if the system would not have it: then Ctrl-C ends the
/// program, as it does with most.
static SIGNALS: OnceLock<Option<Signals>> = OnceLock::new();

struct Signals {
    /// The next Ctrl-C ends the program.
    leaves: Arc<AtomicBool>,
    raised: Arc<AtomicBool>,
    /// Becomes readable with the signal, for whoever waits for a socket too. Nobody reads it before the command is over:
    /// it is there for all threads.
    bell: UnixStream,
}

impl Signals {
    fn open() -> io::Result<Self> {
        let (bell, ringer) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let signals = Self {
            leaves: Arc::new(AtomicBool::new(true)),
            raised: Arc::new(AtomicBool::new(false)),
            bell,
        };
        // Carried out in this order: the first signal of a command makes the second one leave.
        flag::register_conditional_shutdown(SIGINT, EXIT_CODE.into(), signals.leaves.clone())?;
        flag::register(SIGINT, signals.leaves.clone())?;
        flag::register(SIGINT, signals.raised.clone())?;
        low_level::pipe::register(SIGINT, ringer)?;
        Ok(signals)
    }

    fn reset(&self) {
        let mut bell = &self.bell;
        while matches!(bell.read(&mut [0; 64]), Ok(1..)) {}
        self.raised.store(false, Ordering::SeqCst);
    }

    fn installed() -> Option<&'static Self> {
        SIGNALS.get().and_then(Option::as_ref)
    }
}

/// As long as this lives, Ctrl-C stops what waits here and not the program.
#[derive(Debug)]
pub(super) struct Heeded(());

/// Makes Ctrl-C stop what is done from now on, until the value is dropped.
#[must_use]
pub(super) fn heed() -> Heeded {
    let signals = SIGNALS.get_or_init(|| {
        Signals::open()
            .inspect_err(|error| log::debug!("Ctrl-C will end the program: {error}"))
            .ok()
    });
    if let Some(signals) = signals {
        signals.reset();
        signals.leaves.store(false, Ordering::SeqCst);
    }
    Heeded(())
}

impl Drop for Heeded {
    fn drop(&mut self) {
        if let Some(signals) = Signals::installed() {
            signals.leaves.store(true, Ordering::SeqCst);
            signals.reset();
        }
    }
}

/// Whether the command that runs is to stop.
#[must_use]
pub(super) fn is_raised() -> bool {
    Signals::installed().is_some_and(|signals| signals.raised.load(Ordering::SeqCst))
}

/// Waits until `socket` is `ready`, or as long as `limit`, or until Ctrl-C if that is `heeded`.
///
/// # Errors
/// `TimedOut`; or another if [`is_raised`].
pub(super) fn wait(
    socket: BorrowedFd<'_>,
    ready: PollFlags,
    limit: Duration,
    heeded: bool,
) -> io::Result<()> {
    if heeded && is_raised() {
        return Err(io::Error::other("stopped by Ctrl-C"));
    }
    let signals = Signals::installed().filter(|_| heeded);
    let mut watched = vec![PollFd::from_borrowed_fd(socket, ready)];
    watched.extend(signals.map(|signals| PollFd::new(&signals.bell, PollFlags::IN)));
    poll_until(&mut watched, Instant::now() + limit)?;
    if heeded && is_raised() {
        return Err(io::Error::other("stopped by Ctrl-C"));
    }
    match watched[0].revents().is_empty() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(()),
    }
}

/// Lets time pass, but no more after Ctrl-C.
pub(super) fn pause(limit: Duration) {
    match Signals::installed() {
        Some(signals) => {
            // A poll that fails is no reason to do more than go on at once.
            let _ = wait(signals.bell.as_fd(), PollFlags::IN, limit, true);
        }
        None => std::thread::sleep(limit),
    }
}

fn poll_until(watched: &mut [PollFd<'_>], deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        match poll(watched, left.as_ref()) {
            // The signal is noticed by its flag.
            Err(Errno::INTR) if !is_raised() => {}
            Err(Errno::INTR) => return Ok(()),
            outcome => return Ok(outcome.map(drop)?),
        }
    }
}
