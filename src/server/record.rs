//! The lines of the log that tell of sessions and transfers: a sentence for people, and for `--log-format json` its parts
//! under names of their own.

use super::metrics::Outcome;
use super::session::Session;
use super::sessions::Live;
use crate::protocol::command::Command;
use crate::protocol::reply::Reply;
use crate::shown::escaped;
use std::time::Duration;

/// A transfer that has ended.
pub(super) struct Transferred<'t> {
    pub(super) verb: &'t str,
    pub(super) path: &'t str,
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
    /// The code of the final reply, where somebody is there to get one.
    pub(super) code: Option<u16>,
    /// The final reply, or why there was none.
    pub(super) said: &'t str,
}

pub(super) fn connected(live: &Live) {
    let peer = live.peer;
    log::info!(session = live.number, peer:% = peer; "{peer} connected");
}

pub(super) fn disconnected(live: &Live, outcome: &str) {
    let (peer, seconds) = (live.peer, live.since.elapsed().as_secs_f64());
    let user = live.user();
    log::info!(
        session = live.number, peer:% = peer, user = user.as_deref(), seconds, outcome;
        "{peer} disconnected after {seconds:.3} s: {outcome}"
    );
}

pub(super) fn command(session: &Session<'_>, command: &Command) {
    let peer = session.peer;
    log::debug!(
        session = session.live.number, peer:% = peer, user = session.login.name();
        "{peer} {}", escaped(&command.to_string())
    );
}

pub(super) fn reply(session: &Session<'_>, reply: &Reply) {
    let peer = session.peer;
    log::trace!(
        session = session.live.number, peer:% = peer, user = session.login.name();
        "{peer} {}", escaped(reply.to_string().trim_end())
    );
}

/// A transfer that did not come so far that anything was to move.
pub(super) fn refused(session: &Session<'_>, command: &Command, reply: &Reply) {
    let command = command.to_string();
    let (verb, path) = command.split_once(' ').unwrap_or((&command, ""));
    let said = format!("{} {}", reply.code(), reply.text());
    transferred(
        session,
        &Transferred {
            verb,
            path,
            bytes: 0,
            took: Duration::ZERO,
            outcome: Outcome::Refused,
            code: Some(reply.code().0),
            said: &said,
        },
    );
}

/// Logs a transfer, and counts it.
pub(super) fn transferred(session: &Session<'_>, done: &Transferred<'_>) {
    let (peer, user, seconds) = (session.peer, session.login.name(), done.took.as_secs_f64());
    let Transferred {
        verb,
        path,
        bytes,
        said,
        ..
    } = done;
    let joint = if path.is_empty() { "" } else { " " };
    log::info!(
        session = session.live.number, peer:% = peer, user, verb, path, bytes, seconds,
        outcome = done.outcome.name(), code = done.code;
        "{peer} {user} {verb}{joint}{} {bytes} bytes {seconds:.3} s: {said}", escaped(path)
    );
    let metrics = &session.shared.metrics;
    metrics.transferred(verb, done.outcome, done.took);
}
