//! `USER` and `PASS` (RFC 959 §4.1.1).

use super::metrics;
use super::record;
use super::root::{Bounds, Root, VirtualPath};
use super::session::{Session, reply};
use super::users::{Member, Refusal};
use crate::copy::Pace;
use crate::protocol::command::{Arg, Password};
use crate::protocol::reply::{Reply, ReplyCode};
use crate::shown::counted;
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
    let reply = log_in(session, &name, password);
    if let Login::Done(..) = session.login {
        record::entered(session);
    }
    reply
}

#[inline(never)]
fn log_in(session: &mut Session<'_>, name: &str, password: &Password) -> io::Result<Reply> {
    let users = &session.shared.users;
    let anonymous = session.config.anonymous;
    match users.log_in(anonymous, name, password, session.peer.ip()) {
        Ok(member) => enter(session, member),
        Err(Refusal::Wrong) => Ok(refuse(session, name)),
        Err(Refusal::Sessions(most)) => {
            let why = format!("has its {} already", counted(most, "session"));
            put_off(session, name, "too many sessions", &why);
            let text = format!("This account {why}, try again later.");
            reply(ReplyCode::NOT_AVAILABLE, text)
        }
        Err(Refusal::Busy) => {
            let why = "is put off, too many log in at a time";
            put_off(session, name, "too many logins at a time", why);
            let text = "Too many are logging in, try again later.";
            reply(ReplyCode::NOT_AVAILABLE, text)
        }
    }
}

/// Ends the session of someone for whom there is no room.
#[inline(never)]
fn put_off(session: &mut Session<'_>, name: &str, over: &'static str, why: &str) {
    let peer = &*session.live.shown_peer;
    log::warn!(
        session = session.live.number, peer, user = name;
        "{peer} {name:?} {why}"
    );
    session.over = Some(over);
}

/// Lets someone in whose password was right.
#[inline(never)]
fn enter(session: &mut Session<'_>, member: Member) -> io::Result<Reply> {
    let account = &member.account;
    let bounds = Bounds {
        file_size: account.max_file_size,
        quota: account.quota,
    };
    let (peer, name) = (session.peer, &account.name);
    match session.shared.root.below(&account.root, bounds) {
        Ok(root) => {
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
#[inline(never)]
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
