//! What `ftp-server status` and `ftp-server kick` ask, over a Unix socket in the state folder.
//!
//! A question is a line, `status` or `kick NUMBER`. The answer is a line `ok`, or one that says what is wrong; behind `ok`
//! there is a line for each session, with its fields in the order of [`Row`] and NUL between them: no name holds that.

mod view;

pub use view::StatusCommand;

use super::Shared;
use super::desk::{Caller, Desk};
use super::sessions::Live;
use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The folder of the socket, a part of the state folder: the sandbox leaves the right to remove files only here.
const FOLDER: &str = "status";
const SOCKET: &str = "socket";
/// Whoever has it locked has the socket, so that none is taken for stale while a server answers at it.
const LOCK: &str = "lock";

/// How long a question and its answer may take together.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a question may be, in bytes.
const MAX_QUESTION: usize = 64;
/// How long a session that is to end gets to say so to its client, and how long after its connection was cut.
const KICK_GRACE: Duration = Duration::from_secs(2);
/// How often it is looked whether a session has ended.
const KICK_TICK: Duration = Duration::from_millis(5);

/// Where the socket's folder is.
pub(super) fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

/// The socket, at which nobody is answered yet. It is removed on drop.
#[derive(Debug)]
pub(super) struct Place {
    listener: UnixListener,
    path: PathBuf,
    /// Locked as long as the socket is this server's.
    _lock: File,
}

/// What answers, until it is dropped.
#[derive(Debug)]
pub(super) struct Status {
    _desk: Desk,
}

impl Place {
    /// Makes the socket, or says in the log why there is none: a server serves without it too.
    pub(super) fn take(state: Option<&Path>) -> Option<Self> {
        let Some(state) = state else {
            log::warn!("no folder for the socket of `ftp-server status`; --state-dir names one");
            return None;
        };
        match Self::make(&folder(state)) {
            Ok(place) => Some(place),
            Err(error) => {
                let state = state.display();
                log::warn!("`ftp-server status` will not see this server: {error:#} ({state})");
                None
            }
        }
    }

    fn make(folder: &Path) -> Result<Self> {
        let path = folder.join(SOCKET);
        crate::places::make_private(folder)
            .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o700)))
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(LOCK))
            .context("cannot make the lock of its socket")?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                bail!("another one runs with its state folder; --state-dir names one of its own")
            }
            Err(error) => return Err(error).context("cannot lock its socket"),
        }
        // Whose it was has no lock any more: it was killed.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
        let listen = || {
            let listener = UnixListener::bind(&path)?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>(listener)
        };
        Ok(Self {
            listener: listen().with_context(|| format!("cannot listen at {}", path.display()))?,
            path,
            _lock: lock,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The next server replaces it, should it stay.
        let _ = fs::remove_file(&self.path);
    }
}

impl Status {
    /// Begins to answer.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(super) fn start(place: Place, shared: &Arc<Shared>) -> io::Result<Self> {
        let shared = Arc::clone(shared);
        let answer = move |place: &Place| {
            let (socket, _) = place.listener.accept()?;
            let mut caller = Caller::new(&socket, LIMIT)?;
            let answered = caller
                .request(MAX_QUESTION, |question| question.ends_with(b"\n"))
                .and_then(|question| {
                    let text = answer(&shared, String::from_utf8_lossy(&question).trim_end());
                    // Ending a session may have taken longer than a question may.
                    Caller::new(&socket, LIMIT)?.answer(text.as_bytes())
                });
            if let Err(error) = answered {
                log::debug!("somebody at the status socket was not answered: {error}");
            }
            Ok(())
        };
        Ok(Self {
            _desk: Desk::open(place, answer)?,
        })
    }
}

impl std::os::fd::AsFd for Place {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

fn answer(shared: &Shared, question: &str) -> String {
    match question.split_once(' ').unwrap_or((question, "")) {
        ("status", "") => shared
            .sessions
            .all()
            .iter()
            .fold("ok\n".to_owned(), |all, live| {
                all + &Row::of(live).to_line() + "\n"
            }),
        ("kick", number) => match number.parse().map(|number| kick(shared, number)) {
            Ok(Ok(())) => "ok\n".to_owned(),
            Ok(Err(why)) => format!("{why}\n"),
            Err(_) => format!("{number:?} is no number of a session\n"),
        },
        _ => "the server does not know this question; it is of another version\n".to_owned(),
    }
}

/// Ends a session: its client is told if it reads, and cut off if it does not.
fn kick(shared: &Shared, number: u64) -> Result<(), String> {
    let Some(live) = shared.sessions.find(number) else {
        return Err(format!("there is no session {number}"));
    };
    let (peer, user) = (live.peer, live.user());
    log::warn!(
        session = number, peer:% = peer, user = user.as_deref();
        "{peer} session {number} is ended by `ftp-server kick`"
    );
    live.kick();
    if has_ended(shared, number) {
        return Ok(());
    }
    live.shut(Shutdown::Both);
    if has_ended(shared, number) {
        return Ok(());
    }
    Err(format!(
        "session {number} was cut off, and ends as soon as the system has done what it waits for"
    ))
}

fn has_ended(shared: &Shared, number: u64) -> bool {
    let deadline = Instant::now() + KICK_GRACE;
    while Instant::now() < deadline {
        if shared.sessions.find(number).is_none() {
            return true;
        }
        thread::sleep(KICK_TICK);
    }
    false
}

/// What is told of a session.
#[derive(Debug, Clone, PartialEq, Default)]
struct Row {
    session: u64,
    peer: String,
    /// Empty before the login.
    user: String,
    /// How long the session has lasted, in seconds.
    connected: f64,
    /// What it does; empty where that is nothing.
    verb: String,
    path: String,
    /// How many bytes that has moved, and for how long it has gone on, in seconds.
    bytes: u64,
    seconds: f64,
}

impl Row {
    fn of(live: &Live) -> Self {
        let mut row = Self {
            session: live.number,
            peer: live.shown_peer.to_string(),
            user: live.user().unwrap_or_default(),
            connected: live.since.elapsed().as_secs_f64(),
            ..Self::default()
        };
        if let Some((work, bytes)) = live.work() {
            work.verb.clone_into(&mut row.verb);
            work.path.as_str().clone_into(&mut row.path);
            row.bytes = bytes;
            row.seconds = work.since.elapsed().as_secs_f64();
        }
        row
    }

    fn to_line(&self) -> String {
        [
            &self.session.to_string(),
            &self.peer,
            &self.user,
            &self.connected.to_string(),
            &self.verb,
            &self.path,
            &self.bytes.to_string(),
            &self.seconds.to_string(),
        ]
        .map(|field| field.replace(['\0', '\n'], "\u{FFFD}"))
        .join("\0")
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.split('\0');
        let mut next = || fields.next();
        let row = Self {
            session: next()?.parse().ok()?,
            peer: next()?.to_owned(),
            user: next()?.to_owned(),
            connected: next()?.parse().ok()?,
            verb: next()?.to_owned(),
            path: next()?.to_owned(),
            bytes: next()?.parse().ok()?,
            seconds: next()?.parse().ok()?,
        };
        next().is_none().then_some(row)
    }
}

/// Asks the server that has this state folder. Returns what stands behind its `ok`.
fn ask(state: &Path, question: &str) -> Result<String> {
    let path = folder(state).join(SOCKET);
    let asked = || {
        let mut socket = UnixStream::connect(&path)?;
        // The longest answer is that of `kick`.
        socket.set_read_timeout(Some(LIMIT + 3 * KICK_GRACE))?;
        Caller::new(&socket, LIMIT)?.answer(format!("{question}\n").as_bytes())?;
        socket.set_nonblocking(false)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok::<_, io::Error>(answer)
    };
    let answer = asked().map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => anyhow::anyhow!(
            "no server runs with the state folder {}; --state-dir names another",
            state.display()
        ),
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "{error} for {}; only the user that the server runs as may ask it",
            path.display()
        ),
        _ => anyhow::anyhow!("the server at {} does not answer: {error}", path.display()),
    })?;
    match answer.split_once('\n') {
        Some(("ok", rest)) => Ok(rest.to_owned()),
        Some((why, _)) => bail!("{}", crate::shown::escaped(why)),
        None => bail!(
            "the server at {} ended before it had answered",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let row = Row {
            session: 7,
            peer: "[2001:db8::1]:40312".to_owned(),
            user: "anna".to_owned(),
            connected: 1.25,
            verb: "RETR".to_owned(),
            path: "/a \u{9b} ü".to_owned(),
            bytes: u64::MAX,
            seconds: 0.5,
        };
        assert_eq!(Row::from_line(&row.to_line()), Some(row));
        assert_eq!(
            Row::from_line(&Row::default().to_line()),
            Some(Row::default())
        );
        assert_eq!(Row::from_line(""), None);
    }
}
