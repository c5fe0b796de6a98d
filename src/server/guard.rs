//! The guard of who may do what.

use super::login::Login;
use super::session::Session;
use super::users::Permissions;
use crate::protocol::Line;
use crate::protocol::command::Command;
use crate::protocol::reply::{Reply, ReplyCode};
use crate::protocol::site::Site;

impl Session<'_> {
    /// Whether this session may give this command at all.
    pub(super) fn permit(&self, command: &Command) -> Result<(), Reply> {
        let Some(needed) = needed(command) else {
            return Ok(());
        };
        if let Some(refusal) = self.refuse_data_in_clear(command) {
            return Err(refusal);
        }
        match &self.login {
            Login::Done(member, _) if member.account.permissions.allow(needed) => Ok(()),
            Login::Done(..) => Err(self.denied(&format!("use {}", command.verb()))),
            Login::None | Login::Named(_) => Err(Reply::new(
                ReplyCode::NOT_LOGGED_IN,
                "Log in with USER and PASS first.",
            )),
        }
    }

    /// What the account that is logged in may do.
    pub(super) fn permissions(&self) -> Permissions {
        match &self.login {
            Login::Done(member, _) => member.account.permissions,
            Login::None | Login::Named(_) => Permissions::NONE,
        }
    }

    /// The refusal of what this account may not do.
    pub(super) fn denied(&self, what: &str) -> Reply {
        let text = format!("Permission denied: {} may not {what}.", self.login.name());
        Reply::new(ReplyCode::UNAVAILABLE, text)
    }
}

/// What an account needs for a command, any of it; `None` where no login is needed.
fn needed(command: &Command) -> Option<Permissions> {
    match command {
        Command::User(_)
        | Command::Pass(_)
        | Command::Auth(_)
        | Command::Pbsz(_)
        | Command::Prot(_)
        | Command::Ccc
        | Command::Quit
        | Command::Feat
        | Command::Opts(_)
        | Command::Clnt(_)
        | Command::Host(_)
        | Command::Syst
        | Command::Noop
        | Command::Help(_)
        | Command::Stat(None)
        | Command::Abor
        | Command::Site(Site::Help) => None,
        Command::Retr(_) => Some(Permissions::DOWNLOAD),
        Command::Stor(_)
        | Command::Appe(_)
        | Command::Stou(_)
        | Command::Mfmt(..)
        | Command::Site(Site::Utime(..)) => Some(Permissions::UPLOAD),
        Command::Mkd(_) => Some(Permissions::MKDIR),
        Command::Dele(_) | Command::Rmd(_) => Some(Permissions::DELETE),
        Command::Rnfr(_) | Command::Rnto(_) => Some(Permissions::RENAME),
        Command::Site(Site::Chmod(..)) => Some(Permissions::CHMOD),
        Command::List(_) | Command::Nlst(_) | Command::Mlsd(_) | Command::Stat(Some(_)) => {
            Some(Permissions::LIST)
        }
        // The handlers tell who can only upload no more than what that one's own cut uploads have left.
        Command::Size(_) | Command::Mdtm(_) | Command::Mlst(_) => {
            Some(Permissions::SEE.and(Permissions::UPLOAD))
        }
        Command::Hash(_) | Command::XHash(..) => {
            Some(Permissions::DOWNLOAD.and(Permissions::UPLOAD))
        }
        _ => Some(Permissions::NONE),
    }
}

/// The verbs that a browser may be made to send here, and that are none of FTP's. An answer to what follows them could be
/// read as a page of this host's (ALPACA), so there is none.
const HTTP_VERBS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

pub(super) fn is_http(line: &Line) -> bool {
    let Line::Text(text) = line else { return false };
    let verb = text.split(|&byte| byte == b' ').next().unwrap_or_default();
    HTTP_VERBS
        .iter()
        .any(|http| verb.eq_ignore_ascii_case(http.as_bytes()))
}
