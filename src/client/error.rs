//! What can go wrong, as far as the exit code depends on it.

use super::{interrupt, text};
use crate::protocol::reply::{Class, Reply, ReplyCode};
use crate::stream::timed_out;
use std::io;
use std::path::Path;

/// A failure whose kind matters to whoever started the client: each kind has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The command line or a command's arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no FTP server to talk to, or it takes no more clients.
    #[error("{0}")]
    Connect(String),
    /// The server takes no more clients for now (421).
    #[error("{0}")]
    Busy(String),
    /// The server does not let this user in.
    #[error("{0}")]
    Login(String),
    /// A deadline passed.
    #[error("{0}")]
    TimedOut(String),
    /// There is no encrypted connection to be had, or not to the one who was meant.
    #[error("{0}")]
    Tls(String),
    /// A connection broke.
    #[error("{0}")]
    Lost(String),
    /// A transfer did not bring what the server had announced.
    #[error("{0}")]
    Mismatch(String),
    /// A download ended well and before its time: a connection that something on its way closes has no other end.
    #[error("{0}")]
    Short(String),
    /// What was asked for cannot be done, and neither the server nor a connection is to blame.
    #[error("{0}")]
    Failed(String),
    /// A file or folder on this side.
    #[error("{0}")]
    Local(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
    /// The server answered, and the answer was no.
    #[error("the server answered \"{} {}\"{}", .0.code(), text::reply(.0), advice(.0))]
    Refused(Reply),
}

impl Trouble {
    /// Whether a file or folder on this side is to blame.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Whether the fault lies on this side, so that the server's complaint about it would only hide it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Local(_) | Self::Mismatch(_))
    }
}

/// Lets only a positive final reply through.
///
/// # Errors
/// [`Trouble::Refused`].
pub(super) fn accepted(reply: Reply) -> anyhow::Result<Reply> {
    match reply.class() {
        Class::Completion => Ok(reply),
        _ => Err(Trouble::Refused(reply).into()),
    }
}

/// Whether Ctrl-C is why something was not done.
#[must_use]
pub(super) fn is_interrupted(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::Interrupted(_)))
}

/// Whether what went wrong may go right a little later.
#[must_use]
pub(super) fn is_temporary(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(
            Trouble::Lost(_)
            | Trouble::Short(_)
            | Trouble::TimedOut(_)
            | Trouble::Connect(_)
            | Trouble::Busy(_),
        ) => true,
        Some(Trouble::Refused(reply)) => reply.class() == Class::TransientNegative,
        _ => false,
    }
}

/// Whether there is no session to be had with the server, whatever is asked of it.
#[must_use]
pub(super) fn is_unreachable(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Trouble::Connect(_) | Trouble::Busy(_) | Trouble::Login(_) | Trouble::Tls(_))
    )
}

/// Whether another server over the same folder may well give what this one did not: it is down, full, or stopped in the midst
/// of it. A refusal, and doubts about who it is, are for the user to hear.
#[must_use]
pub(super) fn may_be_had_elsewhere(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Trouble::Connect(_) | Trouble::Busy(_) | Trouble::Lost(_) | Trouble::TimedOut(_))
    )
}

/// Whether the server has no more room for this connection, so that one connection less may be what helps.
#[must_use]
pub(super) fn is_crowded(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(Trouble::Busy(_) | Trouble::Login(_)) => true,
        Some(Trouble::Refused(reply)) => reply.code() == ReplyCode::CANNOT_OPEN_DATA,
        _ => false,
    }
}

/// What could not be done to a local file, and why.
pub(super) fn local_trouble(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::Local(format!("cannot {what} {}: {error}", path.display()))
}

/// Why a download ended before its time, after so many bytes.
pub(super) fn download_failed(error: &io::Error, came: u64) -> Trouble {
    let came = text::bytes(came);
    if timed_out(error) {
        Trouble::TimedOut(format!("the server stopped sending after {came}"))
    } else {
        Trouble::Lost(format!("the data connection broke after {came}: {error}"))
    }
}

/// Why an upload ended before its time.
pub(super) fn upload_failed(error: &io::Error) -> Trouble {
    if timed_out(error) {
        Trouble::TimedOut("the server stopped taking the file".to_owned())
    } else {
        Trouble::Lost(format!("the data connection broke: {error}"))
    }
}

/// The exit code for a failure: 1 a command failed, 2 usage, 3 could not connect, 4 login refused, 5 timed out,
/// 6 no encrypted connection, 7 trouble with a local file, 130 interrupted.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(Trouble::Usage(_)) => 2,
        Some(Trouble::Connect(_) | Trouble::Busy(_)) => 3,
        Some(Trouble::Login(_)) => 4,
        Some(Trouble::TimedOut(_)) => 5,
        Some(Trouble::Tls(_)) => 6,
        Some(Trouble::Local(_)) => 7,
        Some(Trouble::Interrupted(_)) => interrupt::EXIT_CODE,
        Some(
            Trouble::Lost(_)
            | Trouble::Mismatch(_)
            | Trouble::Short(_)
            | Trouble::Failed(_)
            | Trouble::Refused(_),
        )
        | None => 1,
    }
}

/// What to do where another user is allowed to.
const MAY_NOT: &str = "; log in as a user who may (--user)";

/// Whether a 550, which has one code for both, tells of what the user may not do and not of what is not there.
fn is_about_rights(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["permission", "permitted", "denied", "not allowed"]
        .iter()
        .any(|word| text.contains(word))
}

/// What the user can do about a reply; replies that speak for themselves get nothing.
fn advice(reply: &Reply) -> &'static str {
    match reply.code() {
        ReplyCode::NOT_AVAILABLE => "; it closed the connection, try again later",
        ReplyCode::CANNOT_OPEN_DATA => "; a firewall may be in the way of its data ports",
        ReplyCode::TRANSFER_ABORTED | ReplyCode::FILE_BUSY | ReplyCode::LOCAL_ERROR => {
            "; try again"
        }
        ReplyCode::NO_SPACE | ReplyCode::OVER_LIMIT => "; there is no room for it on the server",
        ReplyCode::UNKNOWN_COMMAND | ReplyCode::NOT_IMPLEMENTED | ReplyCode::NOT_FOR_PARAMETER => {
            "; this server cannot do that"
        }
        ReplyCode::NOT_LOGGED_IN => MAY_NOT,
        ReplyCode::UNAVAILABLE if is_about_rights(reply.text()) => MAY_NOT,
        ReplyCode::UNAVAILABLE => "; check the name with ls",
        ReplyCode::NAME_NOT_ALLOWED => "; try another name",
        _ => "",
    }
}
