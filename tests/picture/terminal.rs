//! The client in a pseudo-terminal, and the screen that it has drawn there.

use crate::support::{Text, wait_until};
use avt::{Line, Terminal as Screen};
use rexpect::process::PtyProcess;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// So many columns that no line of the session needs two rows.
pub(crate) const COLUMNS: u16 = 100;
/// So many rows that nothing scrolls away.
const ROWS: u16 = 60;

const PROMPT: &str = "ftp>";

pub(crate) struct Terminal {
    /// All that the client has written so far.
    written: Text,
    keys: File,
    _client: PtyProcess,
    port: String,
}

impl Terminal {
    /// The client at its first prompt, which works in `folder` and has its home there.
    #[track_caller]
    pub(crate) fn start(folder: &Path, port: u16) -> Self {
        let port = port.to_string();
        // The pseudo-terminal has no size of its own before somebody sets one.
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty cols $0 rows $1; shift; exec \"$@\""])
            .args([COLUMNS.to_string(), ROWS.to_string()])
            .arg(env!("CARGO_BIN_EXE_ftp-client"))
            .args(["--port", &port, "--tls", "off"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("TERM", "xterm-256color")
            .current_dir(folder);
        let client = PtyProcess::new(command).expect("a pseudo-terminal");
        let keys = client.get_file_handle().expect("its keyboard");
        let screen = client.get_file_handle().expect("its screen");
        let terminal = Self {
            written: Text::collect(screen),
            keys,
            _client: client,
            port,
        };
        terminal.waits_at_prompt(0);
        terminal
    }

    /// The screen as it is now, with the port that the server has when nobody says another.
    pub(crate) fn screen(&self) -> Screen {
        let text = self.written.get().replace(&self.port, "8080");
        let mut screen = Screen::new(COLUMNS.into(), ROWS.into()).expect("a size");
        screen.feed(&*text);
        screen
    }

    /// The text of a row, and which row the cursor is in.
    fn row(&self) -> (String, usize) {
        let screen = self.screen();
        let row = screen.cursor().row;
        let text = screen.screen().line(row).map_or(String::new(), Line::text);
        (text.trim_end().to_owned(), row)
    }

    /// How many lines of the screen have this text.
    pub(crate) fn lines_with(&self, text: &str) -> usize {
        let screen = self.screen();
        let lines = screen.screen().visible_lines();
        lines.filter(|line| line.text().contains(text)).count()
    }

    /// Presses keys, and waits until the row of the cursor is this.
    #[track_caller]
    pub(crate) fn keys(&mut self, keys: &str, shown: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys");
        wait_until(&format!("{shown:?} on the screen"), || {
            self.row().0 == shown
        });
    }

    /// Types a line, and waits for the next prompt.
    #[track_caller]
    pub(crate) fn line(&mut self, line: &str) {
        self.keys(line, &format!("{PROMPT} {line}"));
        self.enter();
    }

    /// Ends the line, and waits for the next prompt.
    #[track_caller]
    pub(crate) fn enter(&mut self) {
        let (_, row) = self.row();
        self.keys.write_all(b"\r").expect("keys");
        self.waits_at_prompt(row + 1);
    }

    /// Ends the line, and does this while the client carries it out.
    pub(crate) fn enter_meanwhile(&mut self, act: impl FnOnce()) {
        self.keys.write_all(b"\r").expect("keys");
        act();
    }

    #[track_caller]
    fn waits_at_prompt(&self, row: usize) {
        wait_until("the prompt", || {
            let (text, at) = self.row();
            text == PROMPT && at >= row
        });
    }
}
