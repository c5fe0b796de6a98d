//! The `ftp>` prompt: what it was asked to do, the session with the server, and the loop over the lines.

pub mod commands;
pub mod connection;
pub mod error;
pub mod listing;
mod login;
mod part;
pub mod prompt;
mod record;
pub mod text;
pub mod transfer;

use crate::copy::Checksum;
use crate::protocol::command::{Command, Password};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::Reply;
use anyhow::{Context, Result};
use connection::{Connection, Limits};
use error::Trouble;
use std::io::{self, BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Who logs in when no user is named (RFC 1635).
pub const ANONYMOUS: &str = "anonymous";
/// The environment variable that may hold the password.
pub const PASSWORD_VARIABLE: &str = "FTP_PASSWORD";
/// How many lines of a greeting are shown.
const GREETING_LINES: usize = 20;

/// What the client was started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's name or address.
    pub host: String,
    /// Its control port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The server's folder to begin in.
    pub folder: Option<String>,
    /// The local folder that downloads go to.
    pub downloads: PathBuf,
    /// Where records of uploads under way are kept.
    pub state: PathBuf,
    /// Whether every file is compared by checksum after it arrived.
    pub verify: bool,
    /// How long to wait.
    pub limits: Limits,
}

/// A user's session, which outlives the connections that it goes through.
#[derive(Debug)]
pub struct Client {
    options: Options,
    password: Option<Password>,
    connection: Option<Connection>,
    /// Where to be on the server, should the connection have to be made anew.
    folder: Option<String>,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Trouble::Connect`] or [`Trouble::Login`] mostly.
    pub fn open(options: Options) -> Result<Self> {
        let mut client = Self {
            folder: options.folder.clone(),
            options,
            password: None,
            connection: None,
        };
        client.connection = Some(client.dial()?);
        Ok(client)
    }

    /// What the client was started with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Runs the lines of standard input to the end, or to `exit`. On a terminal with a prompt, and an error is told and the
    /// next line read; else the first error ends it.
    ///
    /// # Errors
    /// What the failed line says, with its number.
    pub fn run(mut self) -> Result<()> {
        let mut input = io::stdin().lock();
        let interactive = input.is_terminal();
        if interactive {
            self.welcome();
        }
        let outcome = self.lines(&mut input, interactive);
        if let Some(connection) = self.connection {
            connection.quit();
        }
        outcome
    }

    fn lines(&mut self, input: &mut impl BufRead, interactive: bool) -> Result<()> {
        for number in 1_u64.. {
            if interactive {
                let _ = write!(io::stderr(), "ftp> ");
            }
            let line = match prompt::read_line(input) {
                Ok(Some(line)) => Ok(line),
                Ok(None) => {
                    if interactive {
                        // Ctrl-D leaves the cursor behind the prompt.
                        text::say("");
                    }
                    break;
                }
                // Asking a terminal that is gone would go on for ever.
                Err(error @ Trouble::Local(_)) => return Err(error.into()),
                Err(error) => Err(error.into()),
            };
            match line.and_then(|line| self.line(&line)) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) if interactive => {
                    text::say(&format!("{error:#}"));
                    self.tell_if_lost();
                }
                Err(error) => return Err(error.context(format!("line {number}"))),
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<ControlFlow<()>> {
        if line.trim_start().starts_with('#') {
            return Ok(ControlFlow::Continue(()));
        }
        commands::run(self, &prompt::words(line)?)
    }

    /// Where the record of an upload is kept: a name made of all that says which file it is, here and on the server. `None`
    /// if the server could not go on from a part, or could not say what is in it.
    ///
    /// # Errors
    /// The connection broke.
    pub fn upload_record(&mut self, local: &Path, remote: &str) -> Result<Option<PathBuf>> {
        let abilities = &self.connection()?.abilities;
        if !abilities.rest || abilities.hash.is_none() {
            return Ok(None);
        }
        if self.folder.is_none() {
            self.ask_folder()?;
        }
        let folder = self.folder.clone().unwrap_or_default();
        let local = local.canonicalize().unwrap_or_else(|_| local.to_owned());
        let Options {
            host,
            port,
            user,
            state,
            ..
        } = &self.options;
        let mut checksum = Checksum::new(HashAlgorithm::Sha256);
        write!(
            checksum,
            "{host}\0{port}\0{user}\0{folder}\0{remote}\0{}",
            local.display()
        )?;
        Ok(Some(state.join("uploads").join(checksum.finish())))
    }

    /// Makes sure that there is a connection, in the folder where the session was.
    ///
    /// # Errors
    /// See [`Self::open`]; or the folder is no longer there.
    pub fn connect(&mut self) -> Result<()> {
        if !self.connection.as_mut().is_some_and(Connection::is_alive) {
            if self.connection.take().is_some() {
                text::say("the server had closed the connection");
            }
            let dialled = self.dial();
            if let Err(error) = &dialled
                && matches!(error.downcast_ref(), Some(Trouble::Refused(_)))
            {
                // The folder is gone. The next try begins where every session does.
                self.folder = None;
            }
            self.connection = Some(dialled?);
            text::say("connected again");
        }
        Ok(())
    }

    /// The connection.
    ///
    /// # Errors
    /// [`Trouble::Lost`] if there is none: see [`Self::connect`].
    pub fn connection(&mut self) -> Result<&mut Connection, Trouble> {
        self.connection
            .as_mut()
            .ok_or_else(|| Trouble::Lost("there is no connection".to_owned()))
    }

    /// Asks the server for its current folder, and remembers it. `None` if the server does not say (RFC 959, 257).
    ///
    /// # Errors
    /// The server refused, or the connection broke.
    pub fn ask_folder(&mut self) -> Result<Option<String>> {
        let reply = self.connection()?.expect(&Command::Pwd)?;
        self.folder = quoted(reply.text());
        Ok(self.folder.clone())
    }

    fn dial(&mut self) -> Result<Connection> {
        let Options {
            host, port, limits, ..
        } = &self.options;
        let mut connection = Connection::open(host, *port, *limits)?;
        let user = self.options.user.clone();
        connection.login(&user, || self.ask_password())?;
        if let Some(folder) = &self.folder {
            let cwd = folder
                .parse()
                .map(Command::Cwd)
                .with_context(|| format!("the folder \"{folder}\""))?;
            connection
                .expect(&cwd)
                .with_context(|| format!("the folder \"{folder}\""))?;
        }
        Ok(connection)
    }

    fn ask_password(&mut self) -> Result<Password> {
        let user = &self.options.user;
        let password = if let Some(password) = &self.password {
            return Ok(password.clone());
        } else if user == ANONYMOUS {
            "anonymous@".to_owned()
        } else if let Some(password) = std::env::var_os(PASSWORD_VARIABLE) {
            password
                .into_string()
                .map_err(|_| Trouble::Usage(format!("{PASSWORD_VARIABLE} is not UTF-8 text")))?
        } else if io::stdin().is_terminal() {
            rpassword::prompt_password(format!("Password of {}: ", text::clean(user)))
                .map_err(|error| Trouble::Local(format!("cannot ask for the password: {error}")))?
        } else {
            return Err(Trouble::Usage(format!(
                "the server wants a password of {user}: set {PASSWORD_VARIABLE}, or start the client on a terminal"
            ))
            .into());
        };
        let password: Password = password
            .parse()
            .map_err(|_| Trouble::Usage("a password cannot hold a line end".to_owned()))?;
        Ok(self.password.insert(password).clone())
    }

    fn welcome(&self) {
        let greeting = self.connection.as_ref().map(Connection::greeting);
        for line in greeting
            .map_or(&[][..], Reply::lines)
            .iter()
            .take(GREETING_LINES)
        {
            text::say(line);
        }
        let Options {
            host, port, user, ..
        } = &self.options;
        text::say(&format!(
            "Connected to {host} port {port} as {user}. Type help for the verbs, exit to leave."
        ));
    }

    fn tell_if_lost(&mut self) {
        if self.connection.as_ref().is_some_and(Connection::is_broken) {
            self.connection = None;
            text::say("the connection is lost; the next command connects again");
        }
    }
}

/// The path of a 257 reply: between quotes, and a quote in it is doubled (RFC 959 appendix II).
fn quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    let mut path = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' && chars.next_if_eq(&'"').is_none() {
            return Some(path).filter(|path| !path.is_empty());
        }
        path.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn the_path_of_257() {
        for (text, path) in [
            ("\"/a b\" is the current directory", Some("/a b")),
            ("\"/say \"\"hi\"\"\" created", Some("/say \"hi\"")),
            ("\"\" odd", None),
            ("\"/open", None),
            ("/plain", None),
        ] {
            assert_eq!(quoted(text).as_deref(), path, "{text}");
        }
    }
}
