//! `USER` and `PASS` (RFC 959 §4.1.1).

use super::metrics;
use super::root::{Bounds, Root, VirtualPath};
use super::session::{Session, reply};
use super::users::{Member, Refusal};
use crate::copy::Pace;
use crate::protocol::command::{Arg, Password};
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;
use std::sync::Arc;

/// How far a login has come.
#[derive(Debug)]
pub(super) enum Login {
    /// Nothing was said.
    None,
    /// `USER` was said.
    Named(String),
    /// `PASS` was good: who it is, and the folder that is theirs.
    Done(Member, Root),
}

impl Login {
    /// The name as it stands in the log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::None | Self::Named(_) => "-",
            Self::Done(member, _) => &member.account.name,
        }
    }

    /// What its transfers keep to, if the account has a rate.
    pub(super) fn pace(&self) -> Option<Arc<Pace>> {
        match self {
            Self::Done(member, _) => member.pace.clone(),
            Self::None | Self::Named(_) => None,
        }
    }
}

pub(super) fn user(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    session.login = Login::None;
    session.live.belongs_to(None);
    if let Some(refusal) = session.refuse_login_in_clear(name.as_str()) {
        return Ok(refusal);
    }
    session.login = Login::Named(name.as_str().to_owned());
    session.cwd = VirtualPath::root();
    // The same for every name, so that nobody learns which ones exist.
    reply(
        ReplyCode::NEED_PASSWORD,
        "Send the password; for anonymous, anything will do.",
    )
}

pub(super) fn pass(session: &mut Session<'_>, password: &Password) -> io::Result<Reply> {
    let Login::Named(name) = &mut session.login else {
        return reply(ReplyCode::BAD_SEQUENCE, "Send USER first.");
    };
    let name = std::mem::take(name);
    session.login = Login::None;
    let users = &session.shared.users;
    let anonymous = session.config.anonymous;
    match users.log_in(anonymous, &name, password, session.peer.ip()) {
        Ok(member) => enter(session, member),
        Err(Refusal::Wrong) => Ok(refuse(session, &name)),
        Err(Refusal::Sessions(most)) => {
            let peer = session.peer;
            log::warn!(
                session = session.live.number, peer:% = peer, user = name.as_str();
                "{peer} {name:?} has its {most} sessions already"
            );
            session.over = Some("too many sessions");
            let text = format!("This account has its {most} sessions already, try again later.");
            reply(ReplyCode::NOT_AVAILABLE, text)
        }
        Err(Refusal::Busy) => {
            let peer = session.peer;
            log::warn!(
                session = session.live.number, peer:% = peer, user = name.as_str();
                "{peer} login of {name:?} put off: too many at a time"
            );
            session.over = Some("too many logins at a time");
            let text = "Too many are logging in, try again later.";
            reply(ReplyCode::NOT_AVAILABLE, text)
        }
    }
}

/// Lets someone in whose password was right.
fn enter(session: &mut Session<'_>, member: Member) -> io::Result<Reply> {
    let account = &member.account;
    let bounds = Bounds {
        file_size: account.max_file_size,
        quota: account.quota,
    };
    let (peer, name) = (session.peer, &account.name);
    match session.shared.root.below(&account.root, bounds) {
        Ok(root) => {
            log::info!(
                session = session.live.number, peer:% = peer, user = name.as_str();
                "{peer} logged in as {name}"
            );
            session.live.belongs_to(Some(&member.account));
            metrics::count(&session.shared.metrics.logins);
            session.login = Login::Done(member, root);
            reply(ReplyCode::LOGGED_IN, "Logged in.")
        }
        Err(error) => {
            let root = &account.root;
            log::error!("{peer} cannot open the folder of {name}, {root:?}: {error}");
            let text = "The folder of this account cannot be opened, ask who runs the server.";
            reply(ReplyCode::NOT_LOGGED_IN, text)
        }
    }
}

/// Refuses a login, later from one to the next, and ends the session after too many. `deploy/fail2ban` reads the line in the
/// log.
fn refuse(session: &mut Session<'_>, name: &str) -> Reply {
    let (peer, shared) = (session.peer, session.shared);
    metrics::count(&shared.metrics.failed_logins);
    log::warn!(
        session = session.live.number, peer:% = peer, user = name;
        "login failure from {} port {} for {name:?}",
        peer.ip(),
        peer.port()
    );
    let wait = shared.users.failed(name, peer.ip());
    log::debug!("{peer} waits for {:.3} s", wait.as_secs_f64());
    shared.phase.rest(wait);
    session.failed_logins += 1;
    if session.failed_logins >= session.config.limits.login_attempts {
        session.over = Some("too many login failures");
    }
    Reply::new(ReplyCode::NOT_LOGGED_IN, "Login refused.")
}
