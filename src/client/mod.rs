//! The `ftp>` prompt: what it was asked to do, the session with the server, and the loop over the lines.

pub mod bookmarks;
pub mod commands;
mod completion;
pub mod connection;
mod download;
pub mod error;
pub mod events;
pub mod glob;
pub mod history;
pub mod hosts;
pub mod interrupt;
mod jobs;
pub mod listing;
mod login;
mod mirror;
mod names;
pub mod netrc;
pub mod oneshot;
mod part;
pub mod pipe;
pub use crate::places;
pub mod progress;
pub mod prompt;
mod record;
pub mod screen;
pub mod target;
pub mod text;
pub mod tls;
pub mod transfer;
mod tree;
pub mod trust;
mod upload;
pub mod words;

use crate::copy::Pace;
use crate::protocol::command::{Command, Password};
use anyhow::Result;
use commands::Verb;
use connection::{Connection, Limits};
use error::Trouble;
use events::{Event, Failure};
use hosts::{Host, Hosts};
use names::Names;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use tls::TlsMode;
use trust::Trust;
use words::Word;

/// Who logs in when no user is named (RFC 1635).
pub const ANONYMOUS: &str = "anonymous";
/// The environment variable that may hold the password.
pub const PASSWORD_VARIABLE: &str = "FTP_PASSWORD";

/// What the client was started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server, or several over one folder.
    pub hosts: Hosts,
    /// Whether connections begin with TLS there.
    pub implicit_tls: bool,
    /// Whether there is TLS.
    pub tls: TlsMode,
    /// Which certificates are trusted.
    pub trust: Arc<Trust>,
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
    /// How many connections the files of one command may go over.
    pub jobs: usize,
    /// How fast all of them together may move data.
    pub pace: Option<Arc<Pace>>,
    /// Whether data connections go where a 227 says.
    pub follow_pasv: bool,
    /// How often a transfer is tried again when what went wrong may go right later.
    pub retries: u32,
    /// How long the wait before the first of these is; each further one is twice as long.
    pub retry_wait: Duration,
    /// How long to wait.
    pub limits: Limits,
}

/// A user's session, which outlives the connections that it goes through.
#[derive(Debug)]
pub struct Client {
    options: Options,
    password: Option<Password>,
    /// The servers that the environment's password is for.
    first_hosts: Hosts,
    connection: Option<Connection>,
    /// The user wants no connection.
    closed: bool,
    /// Where to be on the server, should the connection have to be made anew.
    folder: Option<String>,
    names: Names,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Trouble::Connect`] or [`Trouble::Login`] mostly.
    pub fn open(options: Options) -> Result<Self> {
        let mut client = Self {
            folder: options.folder.clone(),
            first_hosts: options.hosts.clone(),
            options,
            password: None,
            connection: None,
            closed: false,
            names: Names::default(),
        };
        client.connection = Some(client.dial()?);
        client.connected(false).note();
        Ok(client)
    }

    /// What the client was started with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Where the session is, to come back to later.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            hosts: self.options.hosts.clone(),
            implicit_tls: self.options.implicit_tls,
            user: Some(self.options.user.clone()).filter(|user| user != ANONYMOUS),
            folder: self.folder.clone().filter(|folder| folder != "/"),
        }
    }

    /// Carries out a single verb, with words that nobody has typed at a prompt, and ends the session.
    ///
    /// # Errors
    /// What the verb says.
    pub fn one(mut self, verb: &str, words: &[Word]) -> Result<()> {
        let texts = words.iter().map(|word| &*word.text);
        let line = [verb]
            .into_iter()
            .chain(texts)
            .collect::<Vec<_>>()
            .join(" ");
        let outcome = self.stoppable(&line, |client| {
            commands::carry_out(client, Verb::find(verb)?, words, &line)
        });
        self.close();
        outcome.map(drop)
    }

    /// Carries out one line. A failure of one that begins with `-` is told, and is none.
    ///
    /// # Errors
    /// The line makes no sense, what its verb says, or [`Trouble::Interrupted`], dash or not.
    fn line(&mut self, line: &str) -> Result<ControlFlow<()>> {
        let line = line.trim();
        if line.starts_with('#') {
            return Ok(ControlFlow::Continue(()));
        }
        let (line, may_fail) = match line.strip_prefix('-') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match self.stoppable(line, |client| commands::run(client, line)) {
            Err(error) if may_fail && !error::is_interrupted(&error) => {
                self.tell(&error);
                Ok(ControlFlow::Continue(()))
            }
            outcome => outcome,
        }
    }

    /// Does what `line` says, which Ctrl-C stops.
    fn stoppable(
        &mut self,
        line: &str,
        run: impl FnOnce(&mut Self) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let _heeded = interrupt::heed();
        match run(self) {
            Err(error) if error::is_interrupted(&error) => Err(error),
            // It broke something that has another name for it: a connection that was being made, or the shell.
            Err(error) if interrupt::is_raised() => {
                Err(error.context(Trouble::Interrupted("stopped by Ctrl-C".to_owned())))
            }
            Ok(ControlFlow::Continue(())) if interrupt::is_raised() => {
                let text = format!("{line}: Ctrl-C came too late to stop it");
                Err(Trouble::Interrupted(text).into())
            }
            outcome => outcome,
        }
    }

    /// Makes sure that there is a connection, in the folder where the session was.
    ///
    /// # Errors
    /// See [`Self::open`]; or the folder is no longer there, or the user has closed the connection.
    pub fn connect(&mut self) -> Result<()> {
        self.recall();
        if self.closed {
            let error =
                "there is no connection; open HOST makes one, user NAME goes back to the last";
            return Err(Trouble::Connect(error.to_owned()).into());
        }
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
            self.connected(true).tell();
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

    /// Whether there is a connection, as far as can be told without asking the server.
    pub fn is_connected(&mut self) -> bool {
        self.recall();
        self.connection.as_mut().is_some_and(Connection::is_alive)
    }

    /// Leaves the server, if there is one, and goes to another.
    ///
    /// # Errors
    /// See [`Self::open`]. There is no connection then.
    pub fn reopen(&mut self, target: Target) -> Result<()> {
        self.close();
        self.options.aim(target)?;
        self.folder.clone_from(&self.options.folder);
        self.connection = Some(self.dial()?);
        self.closed = false;
        Ok(())
    }

    /// Says goodbye to the server, and forgets what belongs to this session with it.
    pub fn close(&mut self) {
        self.recall_now();
        if let Some(connection) = self.connection.take() {
            connection.quit();
        }
        self.closed = true;
        self.password = None;
        self.forget_names();
    }

    /// Asks the server for its current folder, and remembers it. `None` if the server does not say (RFC 959, 257).
    ///
    /// # Errors
    /// The server refused, or the connection broke.
    pub fn ask_folder(&mut self) -> Result<Option<String>> {
        let reply = self.connection()?.expect(&Command::Pwd)?;
        let folder = quoted(reply.text());
        match (&self.folder, &folder) {
            (None, Some(folder)) => self.located(folder),
            // Nobody knows any more what the listings were of.
            (Some(_), None) => self.forget_names(),
            _ => {}
        }
        self.folder.clone_from(&folder);
        Ok(folder)
    }

    /// The news that there is a session.
    fn connected(&self, again: bool) -> Event {
        let Host { name, port } = self.options.hosts.current();
        Event::Connected {
            host: name.clone(),
            port: *port,
            user: self.options.user.clone(),
            again,
        }
    }

    fn dial(&mut self) -> Result<Connection> {
        self.login().dial(|host| self.ask_password(host))
    }

    /// Tells of a failure after which the session goes on.
    fn tell(&mut self, error: &anyhow::Error) {
        Event::Failed(Failure::from(error)).tell();
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
