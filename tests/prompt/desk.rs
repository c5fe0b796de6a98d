//! Where a person sits: a server, a home folder, and clients in a pseudo-terminal.

use super::PROMPT;
use super::support::{PATIENCE, Server};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A server, and a user with a home folder who starts clients in a folder of their own.
pub(super) struct Desk {
    pub(super) server: Server,
    folder: TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        std::fs::create_dir(folder.path().join("work")).expect("a folder to work in");
        Self {
            server: Server::with(&["--anonymous", "full"]),
            folder,
        }
    }

    pub(super) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn work(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub(super) fn history(&self) -> PathBuf {
        self.home().join(".local/state/multi-client-ftp/history")
    }

    pub(super) fn command(&self, columns: u16) -> Command {
        self.command_to(self.server.address.port(), columns)
    }

    pub(super) fn command_to(&self, port: u16, columns: u16) -> Command {
        // The pseudo-terminal has no size of its own before somebody sets one.
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty cols $0 rows 24; exec \"$@\""])
            .arg(columns.to_string())
            .arg(env!("CARGO_BIN_EXE_ftp-client"))
            .args(["--port", &port.to_string(), "--tls", "off"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .current_dir(self.work(""));
        command
    }

    /// A client at its first prompt, with all that it writes as it is.
    #[track_caller]
    pub(super) fn raw(&self, command: Command) -> Terminal {
        Terminal::start(command, false)
    }

    /// A client at its first prompt.
    #[track_caller]
    pub(super) fn prompt(&self) -> Terminal {
        Terminal::start(self.command(80), true)
    }
}

/// A client in a pseudo-terminal.
pub(super) struct Terminal(PtySession);

impl Terminal {
    #[track_caller]
    pub(super) fn start(command: Command, strip: bool) -> Self {
        let patience = u64::try_from(PATIENCE.as_millis()).expect("a short time");
        let options = Options::new()
            .timeout_ms(Some(patience))
            .strip_ansi_escape_codes(strip);
        let session = spawn_with_options(command, options).expect("a pseudo-terminal");
        let mut terminal = Self(session);
        terminal.sees(PROMPT);
        terminal
    }

    /// Waits for a text, and gives what came before it.
    #[track_caller]
    pub(super) fn sees(&mut self, text: &str) -> String {
        match self.0.exp_string(text) {
            Ok(before) => before,
            Err(error) => panic!("waited in vain for {text:?}: {error}"),
        }
    }

    /// Presses keys.
    #[track_caller]
    pub(super) fn keys(&mut self, keys: &str) {
        self.0.send(keys).expect("keys");
        self.0.flush().expect("keys");
    }

    /// Types a line, and gives all up to the next prompt: the line as it was shown, and the answer.
    #[track_caller]
    pub(super) fn line(&mut self, line: &str) -> String {
        self.keys(&format!("{line}\r"));
        // The line editor shows the line again with each key; the line end comes with the last of them.
        let shown = self.sees("\n");
        shown + "\n" + &self.sees(PROMPT)
    }

    /// Ends the client with `keys`, and checks that it ended well.
    #[track_caller]
    pub(super) fn leave(mut self, keys: &str) {
        self.keys(keys);
        if let Err(error) = self.0.exp_eof() {
            panic!("the client did not leave: {error}");
        }
    }
}
