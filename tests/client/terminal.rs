//! The client at a prompt, in a pseudo-terminal.

use super::fake::{Place, Server, once};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use std::process::Command;

const PATIENCE: u64 = 30_000;
pub const PROMPT: &str = "ftp> ";

pub struct Terminal {
    session: PtySession,
    /// What was shown before the first prompt.
    pub welcome: String,
}

impl Terminal {
    /// A client at its first prompt, on a terminal with so many columns.
    pub fn start(place: &Place, server: &Server, columns: u16, arguments: &[&str]) -> Self {
        // The pseudo-terminal has no size of its own before somebody sets one.
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty cols $0 rows 24; exec \"$@\""])
            .arg(columns.to_string())
            .arg(env!("CARGO_BIN_EXE_ftp-client"))
            .args(["--port", &server.port.to_string()])
            .args(once(arguments))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.path(""))
            .env("TERM", "xterm-256color")
            .current_dir(place.path(""));
        let options = Options::new().timeout_ms(Some(PATIENCE));
        let mut terminal = Self {
            session: spawn_with_options(command, options).unwrap(),
            welcome: String::new(),
        };
        terminal.welcome = terminal.sees(PROMPT);
        terminal
    }

    /// Waits for a text, and gives what came before it.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        match self.session.exp_string(text) {
            Ok(before) => before,
            Err(error) => panic!("waited in vain for {text:?}: {error}"),
        }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.presses(&format!("{line}\r"));
    }

    /// Presses keys.
    pub fn presses(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&mut self) {
        self.presses("\x03");
    }

    /// Waits for the client's end, and gives its exit code.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        self.session.exp_eof().unwrap();
        // The type is nix's, of which the tests have none of their own.
        let status = format!("{:?}", self.session.process().wait().unwrap());
        let code = status.strip_suffix(')').and_then(|s| s.rsplit(", ").next());
        assert!(
            status.starts_with("Exited"),
            "the client ended with {status}"
        );
        code.unwrap().parse().unwrap()
    }
}
