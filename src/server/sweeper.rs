//! The thread that clears away dead uploads, at start and from time to time.

use super::Shared;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The longest and the shortest time between two rounds.
const MOST: Duration = Duration::from_secs(3600);
const LEAST: Duration = Duration::from_secs(1);

/// Sweeps until it is dropped.
#[derive(Debug)]
pub(super) struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Begins the first round.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().spawn(move || run(&shared, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It panics only if there is a defect in it, which the panic itself has told of.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, stopped: &Receiver<()>) {
    loop {
        let age = shared.config().keep_partials;
        let removed = shared
            .root
            .sweep(age, || stopped.try_recv() == Err(TryRecvError::Empty));
        if removed > 0 {
            log::info!(
                "removed {removed} unfinished uploads that nobody had gone on with for {} s",
                age.as_secs()
            );
        }
        if stopped.recv_timeout((age / 4).clamp(LEAST, MOST)) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
