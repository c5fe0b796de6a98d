//! Who the user is, and what the server can do.

use super::connection::{Abilities, Connection};
use super::error::{Trouble, accepted, may_be_had_elsewhere};
use super::events::{Event, Failure};
use super::hosts::Host;
use super::{ANONYMOUS, Client, Options, PASSWORD_VARIABLE, interrupt, netrc, text};
use crate::copy::Checksum;
use crate::protocol::command::{Arg, Command, Password};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Class, Reply, ReplyCode};
use anyhow::{Context, Result};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

impl Connection {
    /// Logs in (RFC 959 §5.4) and learns what the server can do (RFC 2389). `password` is asked only if the server
    /// wants one.
    ///
    /// # Errors
    /// [`Trouble::Login`] if the server refuses, [`Trouble::Busy`] if it has no room, or what `password` says.
    pub fn login(&mut self, user: &str, password: impl FnOnce() -> Result<Password>) -> Result<()> {
        let name: Arg = user
            .parse()
            .map_err(|error| Trouble::Usage(format!("the user name \"{user}\": {error}")))?;
        let mut reply = self.send(&Command::User(name))?;
        if reply.code() == ReplyCode::NEED_PASSWORD {
            if self.tls.is_none() && !self.peer().ip().is_loopback() && user != ANONYMOUS {
                text::say("without TLS the password goes over the wire in clear");
            }
            reply = self.send(&Command::Pass(password()?))?;
        }
        let_in(user, &reply)?;
        self.learn_features()
    }

    /// Logs in to a server that another connection has come to know, and that answers what is sent ahead: all that it takes
    /// to move files goes out at once.
    ///
    /// # Errors
    /// See [`Self::login`]; or the folder is not there.
    fn login_again(
        &mut self,
        user: &str,
        password: Option<&Password>,
        folder: Option<&str>,
        known: &Abilities,
    ) -> Result<()> {
        self.abilities = known.clone();
        let mut commands = vec![Command::User(user.parse()?)];
        commands.extend(password.cloned().map(Command::Pass));
        let logins = commands.len();
        commands.extend(folder.map(cwd).transpose()?);
        commands.extend(self.ahead()?);
        let mut replies = self.batch(&commands)?.into_iter();
        let logins: Vec<Reply> = replies.by_ref().take(logins).collect();
        // Who was let in without a password may well be told that none was asked for.
        let good = |reply: &Reply| reply.class() == Class::Completion;
        let last = logins.iter().find(|reply| good(reply)).or(logins.last());
        last.map_or(Ok(()), |reply| let_in(user, reply))?;
        if let Some(folder) = folder {
            replies
                .next()
                .map(accepted)
                .transpose()
                .with_context(|| place(folder))?;
        }
        self.is_ahead(replies.all(|reply| good(&reply)));
        Ok(())
    }

    fn learn_features(&mut self) -> Result<()> {
        let reply = self.send(&Command::Feat)?;
        if reply.class() != Class::Completion {
            return Ok(());
        }
        let value = |name: &str| {
            reply.lines().find_map(|line| {
                let (word, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
                word.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let has = |name: &str| value(name).is_some();
        self.abilities.mlsd = has("MLST") || has("MLSD");
        self.abilities.mdtm = has("MDTM");
        self.abilities.mfmt = has("MFMT");
        self.abilities.rest = has("REST");
        self.abilities.atomic = value("STOR").is_some_and(|how| how.eq_ignore_ascii_case("ATOMIC"));
        let most = value("EPSV-AHEAD").and_then(|most| most.parse().ok());
        self.abilities.prepares = most.unwrap_or(1).max(1);
        self.abilities.hash = reply.lines().find_map(chosen_hash);
        if has("UTF8") && self.abilities.prepares == 1 {
            // Older Windows servers speak UTF-8 only when told; the others do not mind, and a refusal changes nothing.
            self.send(&Command::Opts("UTF8 ON".parse()?))?;
        }
        Ok(())
    }
}

/// Whether the last reply to a login lets the user in.
fn let_in(user: &str, reply: &Reply) -> Result<()> {
    match reply.class() {
        Class::Completion => Ok(()),
        _ if reply.code() == ReplyCode::NOT_AVAILABLE => {
            Err(Trouble::Busy(Trouble::Refused(reply.clone()).to_string()).into())
        }
        _ => Err(Trouble::Login(format!(
            "cannot log in as {user}: the server answered \"{} {}\"; {}",
            reply.code(),
            text::reply(reply),
            if user == ANONYMOUS {
                "name a user with --user"
            } else {
                "check the user's name and password"
            }
        ))
        .into()),
    }
}

/// What goes to the session's folder, and what is said of it where that fails.
fn cwd(folder: &str) -> Result<Command> {
    folder
        .parse()
        .map(Command::Cwd)
        .with_context(|| place(folder))
}

fn place(folder: &str) -> String {
    format!("the folder \"{folder}\"")
}

/// All that it takes to connect and be where the session is.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) options: Options,
    password: Option<Password>,
    folder: Option<String>,
    /// What is known of which server.
    known: Option<(Host, Abilities)>,
}

impl Login {
    /// Connects, logs in and goes to the folder, at the first of the servers where that can be done. The one that was
    /// reached last is tried first. `password` is asked with the server's name.
    ///
    /// # Errors
    /// See [`Connection::open`] and [`Connection::login`]; or the folder is not there. Of several servers that were all
    /// tried in vain, the error names all.
    pub(super) fn dial(
        &self,
        mut password: impl FnMut(&str) -> Result<Password>,
    ) -> Result<Connection> {
        let hosts = &self.options.hosts;
        let several = hosts.all().len() > 1;
        let mut failures = Vec::new();
        for host in hosts.in_turn() {
            let error = match self.dial_one(host, || password(&host.name)) {
                Ok(connection) => {
                    if !failures.is_empty() || host != hosts.current() {
                        Event::Using(host.clone()).tell();
                    }
                    hosts.settle(host);
                    return Ok(connection);
                }
                Err(error) => error,
            };
            if !several || interrupt::is_raised() || !may_be_had_elsewhere(&error) {
                return Err(error);
            }
            Event::HostFailed(host.clone(), Failure::from(&error)).tell();
            failures.push(format!("{host}: {error:#}"));
        }
        let text = format!(
            "none of the servers can be reached: {}",
            failures.join("; ")
        );
        Err(Trouble::Connect(text).into())
    }

    /// The same at the server alone that was reached last: for a further connection beside others that are there.
    ///
    /// # Errors
    /// See [`Self::dial`].
    pub(super) fn dial_beside(&self) -> Result<Connection> {
        self.dial_one(self.options.hosts.current(), || self.password())
    }

    fn dial_one(
        &self,
        host: &Host,
        password: impl FnOnce() -> Result<Password>,
    ) -> Result<Connection> {
        let Options { limits, .. } = &self.options;
        let trust = self.options.implicit_tls.then_some(&*self.options.trust);
        let mut connection = Connection::open(&host.name, host.port, *limits, trust)?;
        connection.ask_for_tls(host, &self.options)?;
        connection.pace.clone_from(&self.options.pace);
        if self.options.follow_pasv {
            connection.follow_pasv();
        }
        let (user, tls) = (&self.options.user, self.options.tls);
        let known = self.known.as_ref().filter(|(of, _)| of == host);
        if let Some((_, known)) = known.filter(|(_, known)| known.prepares > 1) {
            let (password, folder) = (self.password.as_ref(), self.folder.as_deref());
            connection.login_again(user, password, folder, known)?;
            connection.protect_data(tls)?;
            return Ok(connection);
        }
        connection.login(user, password)?;
        connection.protect_data(tls)?;
        if let Some(folder) = &self.folder {
            connection
                .expect(&cwd(folder)?)
                .with_context(|| place(folder))?;
        }
        Ok(connection)
    }

    /// The password that the first connection was let in with.
    ///
    /// # Errors
    /// [`Trouble::Login`]: it did not need one.
    pub(super) fn password(&self) -> Result<Password> {
        let missing = "the server wants a password, and did not before; try again";
        let missing = || Trouble::Login(missing.to_owned()).into();
        self.password.clone().ok_or_else(missing)
    }

    /// Where the record of an upload is kept: a name made of all that says which file it is, here and on the server.
    /// `None` if the server could not go on from a part, or it would not be known whose part that is.
    ///
    /// # Errors
    /// None in truth: a checksum takes all that is written to it.
    pub(super) fn upload_record(
        &self,
        abilities: &Abilities,
        local: &Path,
        remote: &str,
    ) -> Result<Option<PathBuf>> {
        if !abilities.rest || abilities.hash.is_none() && !abilities.stages() {
            return Ok(None);
        }
        let folder = self.folder.as_deref().unwrap_or_default();
        let local = local.canonicalize().unwrap_or_else(|_| local.to_owned());
        let Options {
            hosts, user, state, ..
        } = &self.options;
        // Whichever of the servers it began at, another goes on.
        let hosts = hosts.key();
        let mut checksum = Checksum::new(HashAlgorithm::Sha256);
        write!(
            checksum,
            "{hosts}\0{user}\0{folder}\0{remote}\0{}",
            local.display()
        )?;
        Ok(Some(state.join("uploads").join(checksum.finish())))
    }
}

impl Client {
    /// All that it takes to connect once more.
    pub(super) fn login(&self) -> Login {
        Login {
            options: self.options.clone(),
            password: self.password.clone(),
            folder: self.folder.clone(),
            known: self
                .connection
                .as_ref()
                .map(|connection| connection.abilities.clone())
                .map(|known| (self.options.hosts.current().clone(), known)),
        }
    }

    /// The password of the user at this server, from where it is to be had without asking, or from the terminal.
    pub(super) fn ask_password(&mut self, host: &str) -> Result<Password> {
        if let Some(password) = &self.password {
            return Ok(password.clone());
        }
        let user = &self.options.user;
        let from_environment = std::env::var_os(PASSWORD_VARIABLE)
            // It was set for the server on the command line, and is nobody else's business.
            .filter(|_| {
                self.first_hosts
                    .all()
                    .iter()
                    .any(|first| first.name == host)
            });
        let password = if user == ANONYMOUS {
            Zeroizing::new("anonymous@".to_owned())
        } else if let Some(password) = from_environment {
            password
                .into_string()
                .map(Zeroizing::new)
                .map_err(|_| Trouble::Usage(format!("{PASSWORD_VARIABLE} is not UTF-8 text")))?
        } else if let Some(password) = netrc::password(host, user)? {
            password
        } else if io::stdin().is_terminal() {
            rpassword::prompt_password(format!("Password of {}: ", text::clean(user)))
                .map(Zeroizing::new)
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
