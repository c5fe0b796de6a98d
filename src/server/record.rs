//! The lines of the log that tell of sessions and transfers: a sentence for people, and for `--log-format json` its parts
//! under names of their own.

use super::metrics::Outcome;
use super::session::Session;
use super::sessions::Live;
use crate::protocol::command::Command;
use crate::protocol::reply::Reply;
use crate::shown::escaped;
use std::fmt;
use std::io;
use std::time::Duration;

/// A transfer that has ended.
pub(super) struct Transferred<'t> {
    pub(super) verb: &'t str,
    pub(super) path: &'t str,
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
    /// The final reply, or why there was none.
    pub(super) reply: Result<&'t Reply, &'t io::Error>,
}

#[inline(never)]
pub(super) fn connected(live: &Live) {
    let peer = &*live.shown_peer;
    log::info!(session = live.number, peer; "{peer} connected");
}

#[inline(never)]
pub(super) fn entered(session: &Session<'_>) {
    let (peer, user) = (&*session.live.shown_peer, session.login.name());
    log::info!(
        session = session.live.number, peer, user;
        "{peer} logged in as {user}"
    );
}

#[inline(never)]
pub(super) fn disconnected(live: &Live, outcome: &str) {
    let (peer, after) = (&*live.shown_peer, live.since.elapsed());
    let user = live.user();
    log::info!(
        session = live.number, peer, user = user.as_deref(), seconds = after.as_secs_f64(), outcome;
        "{peer} disconnected after {} s: {outcome}", Millis(after)
    );
}

#[inline(never)]
pub(super) fn command(session: &Session<'_>, command: &Command) {
    let peer = &*session.live.shown_peer;
    log::debug!(
        session = session.live.number, peer, user = session.login.name();
        "{peer} {}", escaped(&command.to_string())
    );
}

#[inline(never)]
pub(super) fn reply(session: &Session<'_>, reply: &Reply) {
    let peer = &*session.live.shown_peer;
    log::trace!(
        session = session.live.number, peer, user = session.login.name();
        "{peer} {}", escaped(reply.to_string().trim_end())
    );
}

/// A transfer that did not come so far that anything was to move.
#[inline(never)]
pub(super) fn refused(session: &Session<'_>, command: &Command, reply: &Reply) {
    let command = command.to_string();
    let (verb, path) = command.split_once(' ').unwrap_or((&command, ""));
    transferred(
        session,
        &Transferred {
            verb,
            path,
            bytes: 0,
            took: Duration::ZERO,
            outcome: Outcome::Refused,
            reply: Ok(reply),
        },
    );
}

/// Logs a transfer, and counts it.
#[inline(never)]
pub(super) fn transferred(session: &Session<'_>, done: &Transferred<'_>) {
    let (peer, user) = (&*session.live.shown_peer, session.login.name());
    let &Transferred {
        verb,
        path,
        bytes,
        took,
        outcome,
        reply,
    } = done;
    let code = reply.ok().map(|reply| reply.code().0);
    let joint = if path.is_empty() { "" } else { " " };
    log::info!(
        session = session.live.number, peer, user, verb, path, bytes, seconds = took.as_secs_f64(),
        outcome = outcome.name(), code;
        "{peer} {user} {verb}{joint}{} {bytes} bytes {} s: {}", escaped(path), Millis(took), Said(reply)
    );
    let metrics = &session.shared.metrics;
    metrics.transferred(verb, outcome, took);
}

/// The final reply to a transfer, or why there was none.
struct Said<'t>(Result<&'t Reply, &'t io::Error>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(reply) => write!(f, "{} {}", reply.code(), reply.text()),
            Err(error) => error.fmt(f),
        }
    }
}

/// Seconds to three places. As a floating-point number they would take 1.2 KiB of stack, which an idle session keeps.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With the noughts that they may begin with, behind a digit that is left out.
        let mut digits = itoa::Buffer::new();
        let millis = digits.format(1000 + self.0.subsec_millis());
        write!(f, "{}.{}", self.0.as_secs(), &millis[1..])
    }
}
