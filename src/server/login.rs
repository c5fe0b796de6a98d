//! `USER` and `PASS` (RFC 959 §4.1.1).

use super::root::VirtualPath;
use super::session::{Session, reply};
use super::users::{self, Account};
use crate::protocol::command::{Arg, Password};
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;

/// How far a login has come.
#[derive(Debug)]
pub(super) enum Login {
    /// Nothing was said.
    None,
    /// `USER` was said.
    Named(String),
    /// `PASS` was good.
    Done(Account),
}

impl Login {
    /// The name as it stands in the log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::None | Self::Named(_) => "-",
            Self::Done(account) => &account.name,
        }
    }
}

pub(super) fn user(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    session.login = Login::None;
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

pub(super) fn pass(session: &mut Session<'_>, _password: &Password) -> io::Result<Reply> {
    let Login::Named(name) = std::mem::replace(&mut session.login, Login::None) else {
        return reply(ReplyCode::BAD_SEQUENCE, "Send USER first.");
    };
    match users::authenticate(&name, session.shared.config.anonymous) {
        Some(account) => {
            log::info!("{} logged in as {}", session.peer, account.name);
            session.login = Login::Done(account);
            reply(ReplyCode::LOGGED_IN, "Logged in.")
        }
        None => {
            log::warn!("{} login refused for {:?}", session.peer, name);
            reply(ReplyCode::NOT_LOGGED_IN, "Login refused.")
        }
    }
}
