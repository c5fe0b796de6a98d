//! One transfer, from its 150 to its final reply.

use super::data::{DataChannel, DataSource, FEW};
use super::failure;
use super::metrics::Outcome;
use super::record::{self, Transferred};
use super::root::VirtualPath;
use super::session::{KICKED, Session, reply};
use super::tls::Direction;
use super::watch::{Cut, Watch};
use crate::copy::CopyError;
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;

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

impl Transfer {
    /// Opens the data connection, moves the bytes, closes it, logs, and returns the final reply.
    pub(super) fn run(
        self,
        session: &mut Session<'_>,
        to_move: impl FnOnce(&mut DataChannel<'_>) -> Result<(), Failure>,
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
        // With a small file it goes out together with the final reply.
        session
            .control
            .hold(&Reply::new(ReplyCode::ABOUT_TO_OPEN, opening));
        let working = session.live.work_on(verb, path);
        let work = &*working.work;
        let paces = session.paces();
        let protection = session.data_protection(direction(verb));
        let mut watch = Watch::new(
            &mut session.control,
            &session.shared.phase,
            session.live,
            work,
        );
        watch.counter = Some(session.shared.metrics.bytes(direction(verb)));
        let opened = data.open(session.peer.ip(), watch, session.config.limits.data);
        let opened = opened.and_then(|channel| match protection {
            Some(tls) => channel.protect(&tls, session.config.limits.handshake),
            None => Ok(channel),
        });
        let (bytes, cut, reply) = match opened {
            Ok(mut channel) => {
                channel.keep_to(paces);
                if direction(verb) == Direction::Download {
                    channel.fill_segments();
                }
                let done =
                    to_move(&mut channel).and_then(|()| channel.finish().map_err(Failure::Data));
                let cut = channel.cut().filter(|_| done.is_err());
                (channel.moved(), cut, last_reply(done, cut, &work.path))
            }
            Err(cut) => (0, Some(cut), cut_reply(cut, ReplyCode::CANNOT_OPEN_DATA)),
        };
        if direction(verb) == Direction::Download || bytes <= FEW {
            session.shared.lanes.pass();
        }
        record::transferred(
            session,
            &Transferred {
                verb,
                path: work.path.as_str(),
                bytes,
                took: work.since.elapsed(),
                outcome: outcome(&reply, cut),
                reply: reply.as_ref(),
            },
        );
        session.transfer_logged = true;
        reply
    }
}

/// The final reply to a transfer whose data connection was there.
fn last_reply(
    done: Result<(), Failure>,
    cut: Option<Cut>,
    path: &VirtualPath,
) -> io::Result<Reply> {
    match (done, cut) {
        (Ok(()), _) => reply(ReplyCode::TRANSFER_DONE, "Transfer complete."),
        (Err(_), Some(cut)) => cut_reply(cut, ReplyCode::TRANSFER_ABORTED),
        (Err(Failure::File(error)), None) => Ok(failure::file(&error, path)),
        (Err(Failure::Data(error)), None) => {
            let text = format!("The data connection failed: {error}.");
            reply(ReplyCode::TRANSFER_ABORTED, text)
        }
    }
}

fn outcome(reply: &io::Result<Reply>, cut: Option<Cut>) -> Outcome {
    let code = reply.as_ref().map(Reply::code);
    match cut {
        Some(Cut::Aborted | Cut::Gone | Cut::Shutdown | Cut::Kicked) => Outcome::Aborted,
        _ if code.is_ok_and(|code| code == ReplyCode::TRANSFER_DONE) => Outcome::Completed,
        _ => Outcome::Failed,
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
        Cut::Kicked => reply(code, KICKED),
    }
}

/// The reply to a transfer command that nothing was prepared for.
pub(super) fn no_data_connection() -> Reply {
    Reply::new(
        ReplyCode::CANNOT_OPEN_DATA,
        "Send EPSV, PASV, EPRT or PORT first.",
    )
}
