//! `AUTH`, `PBSZ`, `PROT` and `CCC` (RFC 4217), and who may do without them.

use super::login::Login;
use super::root::VirtualPath;
use super::session::{Session, ok, reply};
use super::tls::{DataProtection, Direction, SessionTls};
use super::users;
use crate::protocol::command::{Command, CommandError, Mechanism, Protection as Level};
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// How a session is protected.
#[derive(Debug, Default)]
pub(super) struct Protection {
    /// There once the control connection is under TLS.
    tls: Option<Box<SessionTls>>,
    buffer_size_said: bool,
    data_is_private: bool,
}

/// RFC 4217 §4. The handshake follows the reply, see [`begin`].
#[inline(never)]
pub(super) fn auth(session: &mut Session<'_>, mechanism: Mechanism) -> io::Result<Reply> {
    if !session.shared.tls.is_on() {
        return Ok(CommandError::NotImplemented.reply());
    }
    if session.protection.tls.is_some() {
        return reply(ReplyCode::BAD_SEQUENCE, "TLS is on already.");
    }
    reply(
        ReplyCode::SECURITY_DONE,
        format!("Begin the {mechanism} handshake."),
    )
}

/// Puts the control connection under TLS. Who was logged in is so no more, and what was prepared is gone (RFC 4217 §4).
pub(super) fn begin(session: &mut Session<'_>, data_is_private: bool) -> io::Result<()> {
    let failed =
        |error: io::Error| io::Error::new(error.kind(), format!("TLS handshake failed: {error}"));
    let Some(tls) = session.shared.tls.session()? else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let socket = Arc::clone(session.control.stream().socket());
    let deadline = Instant::now() + session.config.limits.handshake;
    session
        .control
        .start_tls(tls.over_control(socket)?, deadline)
        .map_err(failed)?;
    if let Some(tls) = session.control.stream().tls() {
        let peer = session.peer;
        log::info!(session = session.live.number, peer:% = peer; "{peer} {}", tls.description());
    }
    session.protection = Protection {
        tls: Some(Box::new(tls)),
        buffer_size_said: false,
        data_is_private,
    };
    session.login = Login::None;
    session.live.belongs_to(None);
    session.cwd = VirtualPath::root();
    session.prepared.clear();
    session.restart_at = 0;
    Ok(())
}

/// RFC 4217 §8: with TLS the size of the protection buffer is always 0.
#[inline(never)]
pub(super) fn pbsz(session: &mut Session<'_>) -> io::Result<Reply> {
    if session.protection.tls.is_none() {
        return auth_first();
    }
    session.protection.buffer_size_said = true;
    ok("PBSZ=0")
}

/// RFC 4217 §9.
#[inline(never)]
pub(super) fn prot(session: &mut Session<'_>, level: Level) -> io::Result<Reply> {
    if session.protection.tls.is_none() {
        return auth_first();
    }
    if !session.protection.buffer_size_said {
        return reply(ReplyCode::BAD_SEQUENCE, "Send PBSZ 0 first.");
    }
    match level {
        Level::Clear if session.shared.tls.is_required() => reply(
            ReplyCode::DENIED_BY_POLICY,
            "Data is private on this server, send PROT P.",
        ),
        Level::Clear => {
            session.protection.data_is_private = false;
            ok("Data goes in clear.")
        }
        Level::Private => {
            session.protection.data_is_private = true;
            ok("Data is private.")
        }
        Level::Safe | Level::Confidential => reply(
            ReplyCode::UNSUPPORTED_PROTECTION,
            "TLS has only PROT C and PROT P.",
        ),
    }
}

/// RFC 4217 §6. A control connection in clear again could be taken over by whoever is between.
#[inline(never)]
pub(super) fn ccc(session: &mut Session<'_>) -> io::Result<Reply> {
    if session.protection.tls.is_none() {
        return auth_first();
    }
    reply(
        ReplyCode::DENIED_BY_POLICY,
        "The control connection stays under TLS.",
    )
}

fn auth_first() -> io::Result<Reply> {
    reply(ReplyCode::BAD_SEQUENCE, "Send AUTH TLS first.")
}

/// What `FEAT` says (RFC 4217 §6 of RFC 2389's answer).
pub(super) fn features(session: &Session<'_>) -> &'static [&'static str] {
    if session.shared.tls.is_on() {
        &["AUTH TLS", "PBSZ", "PROT"]
    } else {
        &[]
    }
}

impl Session<'_> {
    /// The TLS of the next data connection, if there is to be any.
    pub(super) fn data_protection(&self, direction: Direction) -> Option<DataProtection> {
        let tls = self.protection.tls.as_ref()?;
        let options = &self.config.tls;
        self.protection.data_is_private.then(|| DataProtection {
            peer: self.peer,
            config: Arc::clone(tls.of_data(direction)),
            resumption: options.data_resumption,
            close_notify: options.close_notify,
        })
    }

    /// The refusal of a login in clear that needs TLS. Said at `USER`, before the password goes over the wire, and the same
    /// for every name that is not public.
    pub(super) fn refuse_login_in_clear(&self, name: &str) -> Option<Reply> {
        let tls = &self.shared.tls;
        let refusal = if self.protection.tls.is_some() {
            return None;
        } else if tls.is_required() {
            "This server is for TLS only: send AUTH TLS first, or set your client to explicit TLS."
        } else if users::is_public(name)
            || self.peer.ip().is_loopback()
            || self.config.tls.plain_passwords
        {
            return None;
        } else if tls.is_on() {
            "No passwords in clear: send AUTH TLS first, or set your client to explicit TLS."
        } else {
            "No passwords in clear, and TLS is off: log in from this host, or start the server with --plain-passwords."
        };
        Some(Reply::new(ReplyCode::NOT_LOGGED_IN, refusal))
    }

    /// The refusal of a transfer in clear, on a server where data has to be private.
    pub(super) fn refuse_data_in_clear(&self, command: &Command) -> Option<Reply> {
        let refused = self.shared.tls.is_required()
            && !self.protection.data_is_private
            && super::session::is_transfer(command);
        refused.then(|| {
            Reply::new(
                ReplyCode::PROTECTION_TOO_LOW,
                "Data is private on this server, send PBSZ 0 and PROT P first.",
            )
        })
    }
}
