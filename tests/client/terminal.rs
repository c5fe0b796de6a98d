//! The client at a prompt, in a pseudo-terminal.

use super::fake::{Place, Server, once};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use rustix::termios::{Winsize, tcsetwinsize};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: u64 = 30_000;
pub const PROMPT: &str = "ftp> ";
const ROWS: u16 = 24;

pub struct Terminal {
    session: PtySession,
    /// What was shown before the first prompt.
    pub welcome: String,
    screen: avt::Terminal,
    /// The beginning of a character, whose other bytes are still to come.
    rest: Vec<u8>,
}

/// What is on a screen.
#[derive(Debug)]
pub struct Shown {
    /// The lines, those that have left it at the top too, without blanks at their ends and empty ones at the end.
    pub lines: Vec<String>,
    /// In which of them the cursor is, and in which column.
    pub cursor: Option<(usize, usize)>,
}

impl Terminal {
    /// A client at its first prompt, on a terminal with so many columns.
    pub fn start(place: &Place, server: &Server, columns: u16, arguments: &[&str]) -> Self {
        Self::with(place, server, columns, arguments, &[])
    }

    /// The same, with environment variables.
    pub fn with(
        place: &Place,
        server: &Server,
        columns: u16,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut terminal = Self::silent(place, server, columns, arguments, variables);
        terminal.welcome = terminal.sees(PROMPT);
        terminal
    }

    /// The same, not at a prompt yet, or never.
    pub fn silent(
        place: &Place,
        server: &Server,
        columns: u16,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        // The pseudo-terminal has no size of its own before somebody sets one.
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty cols $0 rows $1; shift; exec \"$@\""])
            .args([columns.to_string(), ROWS.to_string()])
            .arg(env!("CARGO_BIN_EXE_ftp-client"))
            .args(["--port", &server.port.to_string()])
            .args(once(arguments))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.path(""))
            .env("TERM", "xterm-256color")
            .envs(variables.iter().copied())
            .current_dir(place.path(""));
        let options = Options::new().timeout_ms(Some(PATIENCE));
        Self {
            session: spawn_with_options(command, options).unwrap(),
            welcome: String::new(),
            screen: avt::Terminal::with_scrollback(columns.into(), ROWS.into(), None).unwrap(),
            rest: Vec::new(),
        }
    }

    /// Waits for a text, and gives what came before it.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        match self.session.exp_string(text) {
            Ok(before) => {
                self.put(before.chars().chain(text.chars()));
                before
            }
            Err(error) => panic!("waited in vain for {text:?}: {error}"),
        }
    }

    /// Waits for the screen to be as is wanted. What is not on it by then is left for [`Self::sees`].
    #[track_caller]
    pub fn shows(&mut self, wanted: impl Fn(&Shown) -> bool) -> Shown {
        let deadline = Instant::now() + Duration::from_millis(PATIENCE);
        loop {
            let shown = self.shown();
            if wanted(&shown) {
                return shown;
            }
            assert!(Instant::now() < deadline, "waited in vain: {shown:#?}");
            match self.session.try_read() {
                Some(c) => self.put([c]),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// The screen as it is.
    pub fn shown(&self) -> Shown {
        let lines = self.screen.screen().all_lines();
        let mut lines: Vec<String> = lines
            .map(|line| line.text().trim_end().to_owned())
            .collect();
        let cursor = self.screen.cursor();
        let (_, rows) = self.screen.size();
        let row = lines.len() - rows + cursor.row;
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Shown {
            lines,
            cursor: cursor.visible.then_some((row, cursor.col)),
        }
    }

    /// Changes the size of the screen, which breaks its lines anew, and does not let the client know.
    pub fn reflow(&mut self, columns: u16, rows: u16) {
        self.screen.resize(columns.into(), rows.into());
    }

    /// Changes the size of the terminal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.reflow(columns, rows);
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(self.session.process().get_file_handle().unwrap(), size).unwrap();
    }

    /// Puts on the screen what the session takes byte by byte for characters.
    fn put(&mut self, bytes: impl IntoIterator<Item = char>) {
        for byte in bytes {
            self.rest.push(u8::try_from(byte).unwrap());
            if let Ok(text) = std::str::from_utf8(&self.rest) {
                self.screen.feed(text);
                self.rest.clear();
            }
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
        let rest = self.session.exp_eof().unwrap();
        self.put(rest.chars());
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
