//! The client in a pseudo-terminal, and the screen that it has drawn there.

use crate::support::wait_until;
use rexpect::process::PtyProcess;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use vt100::{Parser, Screen};

/// So many columns that no line of the session needs two rows.
pub(crate) const COLUMNS: u16 = 100;
/// So many rows that nothing scrolls away.
const ROWS: u16 = 60;

const PROMPT: &str = "ftp>";

pub(crate) struct Terminal {
    /// All that the client has written so far.
    written: Arc<Mutex<Vec<u8>>>,
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
            .args(["--port", &port])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("TERM", "xterm-256color")
            .current_dir(folder);
        let client = PtyProcess::new(command).expect("a pseudo-terminal");
        let keys = client.get_file_handle().expect("its keyboard");
        let mut output = client.get_file_handle().expect("its screen");
        let written = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&written);
        // It ends when the client has.
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                let mut written = ours.lock().unwrap_or_else(PoisonError::into_inner);
                written.extend_from_slice(&chunk[..count]);
            }
        });
        let terminal = Self {
            written,
            keys,
            _client: client,
            port,
        };
        terminal.waits_at_prompt(0);
        terminal
    }

    /// The screen as it is now, with the port that the server has when nobody says another.
    pub(crate) fn screen(&self) -> Screen {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&written).replace(&self.port, "8080");
        let size = |count| NonZeroU16::new(count).expect("it is not 0");
        let mut parser = Parser::new(size(ROWS), size(COLUMNS), 0);
        parser.process(text.as_bytes());
        parser.screen().clone()
    }

    /// The text of a row, and which row the cursor is in.
    fn row(&self) -> (String, u16) {
        let screen = self.screen();
        let (row, _) = screen.cursor_position();
        let text = screen.rows(0, COLUMNS).nth(row.into()).unwrap_or_default();
        (text.trim_end().to_owned(), row)
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

    /// Ends the line, and waits until the screen has this text.
    #[track_caller]
    pub(crate) fn enter_until(&mut self, text: &str, meanwhile: impl FnOnce()) {
        self.keys.write_all(b"\r").expect("keys");
        meanwhile();
        wait_until(&format!("{text:?} on the screen"), || {
            self.screen().contents().contains(text)
        });
    }

    #[track_caller]
    fn waits_at_prompt(&self, row: u16) {
        wait_until("the prompt", || {
            let (text, at) = self.row();
            text == PROMPT && at >= row
        });
    }
}
