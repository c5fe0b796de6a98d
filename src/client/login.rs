//! Who the user is, and what the server can do.

use super::connection::Connection;
use super::error::Trouble;
use super::{ANONYMOUS, Client, PASSWORD_VARIABLE, netrc, text};
use crate::protocol::command::{Arg, Command, Password};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Class, ReplyCode};
use anyhow::Result;
use std::io::{self, IsTerminal};

impl Connection {
    /// Logs in (RFC 959 §5.4) and learns what the server can do (RFC 2389). `password` is asked only if the server
    /// wants one.
    ///
    /// # Errors
    /// [`Trouble::Login`] if the server refuses, [`Trouble::Connect`] if it has no room, or what `password` says.
    pub fn login(&mut self, user: &str, password: impl FnOnce() -> Result<Password>) -> Result<()> {
        let name: Arg = user
            .parse()
            .map_err(|error| Trouble::Usage(format!("the user name \"{user}\": {error}")))?;
        let mut reply = self.send(&Command::User(name))?;
        if reply.code() == ReplyCode::NEED_PASSWORD {
            reply = self.send(&Command::Pass(password()?))?;
        }
        match reply.class() {
            Class::Completion => {}
            _ if reply.code() == ReplyCode::NOT_AVAILABLE => {
                return Err(Trouble::Connect(Trouble::Refused(reply).to_string()).into());
            }
            _ => {
                return Err(Trouble::Login(format!(
                    "cannot log in as {user}: the server answered \"{} {}\"; {}",
                    reply.code(),
                    text::reply(&reply),
                    if user == ANONYMOUS {
                        "name a user with --user"
                    } else {
                        "check the user's name and password"
                    }
                ))
                .into());
            }
        }
        self.learn_features()
    }

    fn learn_features(&mut self) -> Result<()> {
        let reply = self.send(&Command::Feat)?;
        if reply.class() != Class::Completion {
            return Ok(());
        }
        let has = |name: &str| {
            reply.lines().iter().any(|line| {
                let word = line.split_ascii_whitespace().next().unwrap_or_default();
                word.eq_ignore_ascii_case(name)
            })
        };
        self.abilities.mlsd = has("MLST") || has("MLSD");
        self.abilities.mdtm = has("MDTM");
        self.abilities.mfmt = has("MFMT");
        self.abilities.rest = has("REST");
        self.abilities.hash = reply.lines().iter().find_map(|line| chosen_hash(line));
        if has("UTF8") {
            // Older Windows servers speak UTF-8 only when told; the others do not mind, and a refusal changes nothing.
            self.send(&Command::Opts("UTF8 ON".parse()?))?;
        }
        Ok(())
    }
}

impl Client {
    /// The password of the user, from where it is to be had without asking, or from the terminal.
    pub(super) fn ask_password(&mut self) -> Result<Password> {
        if let Some(password) = &self.password {
            return Ok(password.clone());
        }
        let (host, user) = (&self.options.host, &self.options.user);
        let from_environment = std::env::var_os(PASSWORD_VARIABLE)
            // It was set for the server on the command line, and is nobody else's business.
            .filter(|_| *host == self.first_host);
        let password = if user == ANONYMOUS {
            "anonymous@".to_owned()
        } else if let Some(password) = from_environment {
            password
                .into_string()
                .map_err(|_| Trouble::Usage(format!("{PASSWORD_VARIABLE} is not UTF-8 text")))?
        } else if let Some(password) = netrc::password(host, user)? {
            password
        } else if io::stdin().is_terminal() {
            rpassword::prompt_password(format!("Password of {}: ", text::clean(user)))
                .map_err(|error| Trouble::Local(format!("cannot ask for the password: {error}")))?
        } else {
            return Err(Trouble::Usage(format!(
                "the server wants a password of {user}: set {PASSWORD_VARIABLE}, put it into ~/.netrc, or start the \
                 client on a terminal"
            ))
            .into());
        };
        let password: Password = password
            .parse()
            .map_err(|_| Trouble::Usage("a password cannot hold a line end".to_owned()))?;
        Ok(self.password.insert(password).clone())
    }
}

/// The algorithm with a star in `HASH SHA-256*;SHA-1` (draft-bryan-ftpext-hash §3.1).
fn chosen_hash(feature: &str) -> Option<HashAlgorithm> {
    let (name, algorithms) = feature.trim().split_once(' ')?;
    let chosen = algorithms
        .split(';')
        .find_map(|algorithm| algorithm.strip_suffix('*'))?;
    chosen
        .parse()
        .ok()
        .filter(|_| name.eq_ignore_ascii_case("HASH"))
}
