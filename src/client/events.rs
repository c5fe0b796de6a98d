//! What the client tells on standard error: lines for people, or with `--json` an object a line for programs.

mod object;
mod sums;

use super::error::{Trouble, exit_code};
use super::hosts::Host;
use super::transfer::Moved;
use super::{progress, text};
use crate::json::Object;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
pub use sums::{Mirrored, Total};

/// Standard error belongs to the whole process, and so does what is spoken there.
static JSON: AtomicBool = AtomicBool::new(false);

/// Tells everything as JSON from now on, on standard output too where that has lines.
pub fn speak_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// Whether programs are listening. They want no bars, no prompt and no colours.
#[must_use]
pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Something that has happened. Its text, by `Display`, is for people, and is cleaned when it is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// There is a session.
    Connected {
        /// The server's name or address.
        host: String,
        /// Its control port.
        port: u16,
        /// Who is logged in.
        user: String,
        /// It is the same session as before, over a new connection.
        again: bool,
    },
    /// One of several servers cannot be had.
    HostFailed(Host, Failure),
    /// One of several servers is the one from now on.
    Using(Host),
    /// The session is in this folder of the server now.
    Entered(String),
    /// A file has come.
    Got {
        /// Its path on the server.
        remote: String,
        /// Where it is now; `None` if it went to standard output.
        local: Option<PathBuf>,
        /// How many bytes, in what time.
        moved: Moved,
    },
    /// A file has gone.
    Sent {
        /// Where it is now.
        remote: String,
        /// Where it came from; `None` if from standard input.
        local: Option<PathBuf>,
        /// How many bytes, in what time.
        moved: Moved,
    },
    /// A file has become longer.
    Added {
        /// Its path on the server.
        remote: String,
        /// Where the rest came from.
        local: PathBuf,
        /// How many bytes, in what time.
        moved: Moved,
    },
    /// All files of a command are through.
    Total(Total),
    /// A file or folder on the server is gone.
    Removed(String),
    /// A file or folder on this side is gone.
    RemovedHere(PathBuf),
    /// A folder is a mirror of another.
    Mirrored(Mirrored),
    /// A folder on the server is there.
    Made(String),
    /// A file or folder on the server has another name.
    Renamed {
        /// What it was called.
        from: String,
        /// What it is called.
        to: String,
    },
    /// A file or folder on the server has other permission bits.
    ModeSet {
        /// Its path.
        remote: String,
        /// The bits.
        mode: u32,
    },
    /// Something is tried again after a while.
    Retry {
        /// What it was about, on the server.
        remote: String,
        /// Why it failed.
        failure: Failure,
        /// How long the wait is.
        wait: Duration,
        /// Which attempt the next is, from 1.
        attempt: u32,
        /// Of so many.
        of: u32,
    },
    /// Something failed, and the client goes on.
    Failed(Failure),
    /// The client ends because of this.
    Ended(Failure),
    /// Anything else that people may want to know.
    Message(String),
}

/// Why something failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// All that is known of it.
    pub text: String,
    /// What the client ends with because of it, if it does.
    pub exit_code: u8,
    /// The server's reply, if that is what it was.
    pub reply: Option<u16>,
}

impl From<&anyhow::Error> for Failure {
    fn from(error: &anyhow::Error) -> Self {
        Self {
            text: format!("{error:#}"),
            exit_code: exit_code(error),
            reply: match error.downcast_ref() {
                Some(Trouble::Refused(reply)) => Some(reply.code().0),
                _ => None,
            },
        }
    }
}

impl Event {
    /// A file has come, to `local` or to standard output.
    #[must_use]
    pub fn got(remote: &str, local: Option<PathBuf>, moved: Moved) -> Self {
        Self::Got {
            remote: remote.to_owned(),
            local,
            moved,
        }
    }

    /// A file has gone, from `local` or from standard input.
    #[must_use]
    pub fn sent(remote: &str, local: Option<PathBuf>, moved: Moved) -> Self {
        Self::Sent {
            remote: remote.to_owned(),
            local,
            moved,
        }
    }

    /// Something about `remote` is tried again after a while, which is the first or a later attempt of so many.
    #[must_use]
    pub fn retry(
        remote: &str,
        error: &anyhow::Error,
        wait: Duration,
        (attempt, of): (u32, u32),
    ) -> Self {
        Self::Retry {
            remote: remote.to_owned(),
            failure: Failure::from(error),
            wait,
            attempt,
            of,
        }
    }

    /// Tells it, as whoever listens wants it.
    pub fn tell(&self) {
        let mut line = match is_json() {
            true => self.object().to_string(),
            false => text::clean(&self.to_string()).into_owned(),
        };
        // Nobody is left to tell when standard error itself is closed.
        line.push('\n');
        let _ = progress::aside(|| io::stderr().write_all(line.as_bytes()));
    }

    /// Tells it if programs are listening: people see for themselves.
    pub fn note(&self) {
        if is_json() {
            self.tell();
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { again: true, .. } => f.write_str("connected again"),
            Self::Connected {
                host, port, user, ..
            } => write!(f, "connected to {host} port {port} as {user}"),
            Self::HostFailed(host, failure) => {
                write!(f, "{host} failed: {}", failure.text)
            }
            Self::Using(host) => write!(f, "using {host}"),
            Self::Entered(folder) => write!(f, "now in {folder}"),
            Self::Got {
                remote,
                local,
                moved,
            } => {
                write!(f, "got {remote}: {moved}")?;
                match local {
                    Some(path) => write!(f, ", saved as {}", path.display()),
                    None => Ok(()),
                }
            }
            Self::Sent { remote, moved, .. } => write!(f, "sent {remote}: {moved}"),
            Self::Added { remote, moved, .. } => write!(f, "added to {remote}: {moved}"),
            Self::Total(total) => total.fmt(f),
            Self::Removed(path) => write!(f, "removed {path}"),
            Self::RemovedHere(path) => write!(f, "removed {}", path.display()),
            Self::Mirrored(mirrored) => mirrored.fmt(f),
            Self::Made(path) => write!(f, "made {path}"),
            Self::Renamed { from, to } => write!(f, "renamed {from} to {to}"),
            Self::ModeSet { remote, mode } => write!(f, "set to {mode:03o}: {remote}"),
            Self::Retry {
                remote,
                failure,
                wait,
                attempt,
                of,
            } => write!(
                f,
                "{remote}: {}; trying again in {} s, {attempt} of {of}",
                failure.text,
                wait.as_secs_f32()
            ),
            Self::Failed(failure) => f.write_str(&failure.text),
            Self::Ended(failure) => write!(f, "ftp-client: {}", failure.text),
            Self::Message(text) => f.write_str(text),
        }
    }
}

/// A line of the log as an object: one more kind of event.
#[must_use]
pub fn log_line(level: &str, text: &str) -> String {
    let object = Object::default().with("event", "log");
    object.with("level", level).with("text", text).to_string()
}
