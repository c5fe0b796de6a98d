//! One transfer, from its 150 to its final reply.

use super::data::{DataChannel, DataSource};
use super::failure;
use super::root::VirtualPath;
use super::session::{Session, reply};
use super::tls::Direction;
use super::watch::{Cut, Watch};
use crate::copy::CopyError;
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How many transfers there are at the moment.
#[derive(Debug, Default)]
pub(super) struct UnderWay(AtomicUsize);

/// One of them, until this is dropped.
struct Counted<'s>(&'s UnderWay);

/// A transfer that is about to begin.
pub(super) struct Transfer {
    pub(super) verb: &'static str,
    pub(super) path: VirtualPath,
    /// What the 150 says.
    pub(super) opening: String,
    pub(super) data: Option<DataSource>,
}

/// Which side of a transfer failed.
pub(super) enum Failure {
    Data(io::Error),
    File(io::Error),
}

/// As an upload sees it: what is read comes over the data connection, what is written goes to the file.
impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) => Self::Data(error),
            CopyError::Write(error) => Self::File(error),
        }
    }
}

impl UnderWay {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Counted<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Transfer {
    /// Opens the data connection, moves the bytes, closes it, logs, and returns the final reply.
    pub(super) fn run(
        self,
        session: &mut Session<'_>,
        work: impl FnOnce(&mut DataChannel<'_>) -> Result<(), Failure>,
    ) -> io::Result<Reply> {
        let Self {
            verb,
            path,
            opening,
            data,
        } = self;
        let Some(data) = data else {
            return Ok(no_data_connection());
        };
        let _counted = session.shared.transfers.enter();
        let began = Instant::now();
        session
            .control
            .send(&Reply::new(ReplyCode::ABOUT_TO_OPEN, opening))?;
        let activity = format!("{verb} {path}");
        let pace = session.login.pace();
        let protection = session.data_protection(direction(verb));
        let watch = Watch::new(&mut session.control, &session.shared.phase, &activity);
        let limits = &session.config.limits;
        let opened = data.open(session.peer.ip(), watch, limits.data);
        let opened = opened.and_then(|channel| match protection {
            Some(tls) => channel.protect(&tls, limits.handshake),
            None => Ok(channel),
        });
        let (moved, outcome) = match opened {
            Ok(mut channel) => {
                channel.keep_to(pace);
                let done = work(&mut channel);
                let done = done.and_then(|()| channel.finish().map_err(Failure::Data));
                let outcome = match (done, channel.cut()) {
                    (Ok(()), _) => reply(ReplyCode::TRANSFER_DONE, "Transfer complete."),
                    (Err(_), Some(cut)) => cut_reply(cut, ReplyCode::TRANSFER_ABORTED),
                    (Err(Failure::File(error)), None) => Ok(failure::file(&error, &path)),
                    (Err(Failure::Data(error)), None) => {
                        let text = format!("The data connection failed: {error}.");
                        reply(ReplyCode::TRANSFER_ABORTED, text)
                    }
                };
                (channel.moved(), outcome)
            }
            Err(cut) => (0, cut_reply(cut, ReplyCode::CANNOT_OPEN_DATA)),
        };
        let said = match &outcome {
            Ok(reply) => format!("{} {}", reply.code(), reply.text()),
            Err(error) => error.to_string(),
        };
        let (peer, user, seconds) = (
            session.peer,
            session.login.name(),
            began.elapsed().as_secs_f64(),
        );
        log::info!("{peer} {user} {activity} {moved} bytes {seconds:.3} s: {said}");
        session.transfer_logged = true;
        outcome
    }
}

/// Which way the data of a command goes.
fn direction(verb: &str) -> Direction {
    match verb {
        "STOR" | "APPE" | "STOU" => Direction::Upload,
        _ => Direction::Download,
    }
}

/// The reply to a transfer that was cut, where there is still somebody to reply to.
pub(super) fn cut_reply(cut: Cut, code: ReplyCode) -> io::Result<Reply> {
    match cut {
        Cut::Aborted => reply(ReplyCode::TRANSFER_ABORTED, "Transfer aborted."),
        Cut::Gone => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the control connection is gone",
        )),
        Cut::Unreachable => reply(code, "The data connection could not be made."),
        Cut::Stalled if code == ReplyCode::CANNOT_OPEN_DATA => {
            reply(code, "No data connection came.")
        }
        Cut::Stalled => reply(code, "The data connection stood still for too long."),
        Cut::Handshake => {
            let text = "TLS on the data connection failed.";
            reply(ReplyCode::DATA_TLS_FAILED, text)
        }
        Cut::NotResumed => {
            let text = "The data connection must resume the control connection's TLS session.";
            reply(ReplyCode::DATA_TLS_FAILED, text)
        }
        Cut::Shutdown => reply(code, "The server is shutting down."),
    }
}

/// The reply to a transfer command that nothing was prepared for.
pub(super) fn no_data_connection() -> Reply {
    Reply::new(
        ReplyCode::CANNOT_OPEN_DATA,
        "Send EPSV, PASV, EPRT or PORT first.",
    )
}
