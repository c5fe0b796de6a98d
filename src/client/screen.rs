//! The terminal: its size, whether it takes colours, and text that is shown there a screenful at a time.

use super::error::Trouble;
use super::text;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use rustix::termios::{tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, IsTerminal, Read, Write};

/// What is asked below each screenful.
const MORE: &str = "-- more: Space or Enter; q to stop --";

/// The columns and rows of the terminal on standard output; `None` if it is none, or does not tell.
#[must_use]
pub fn size() -> Option<(usize, usize)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let told = size.ws_col > 0 && size.ws_row > 0;
    told.then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// Whether standard output shows colours, and may.
#[must_use]
pub fn has_colours() -> bool {
    takes_colours(&io::stdout())
}

/// Whether a stream shows colours, and may (no-color.org).
pub(super) fn takes_colours(stream: &impl IsTerminal) -> bool {
    let set = |variable: &str| std::env::var_os(variable).unwrap_or_default();
    stream.is_terminal() && set("NO_COLOR").is_empty() && set("TERM") != "dumb"
}

/// Text from a server as lines that a terminal may be given: cleaned, tabs as blanks.
pub fn lines(text: &[u8]) -> impl Iterator<Item = String> + '_ {
    text.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = String::from_utf8_lossy(line).replace('\t', "        ");
        text::clean(&line).into_owned()
    })
}

/// Shows lines a screenful at a time, and waits for a key between them. Without a terminal there is nothing to wait for.
///
/// # Errors
/// Standard output cannot be written.
pub fn page(lines: impl Iterator<Item = String>) -> Result<(), Trouble> {
    let keys = Keys::open().ok();
    let mut screen = Vec::new();
    let mut used = 0;
    for line in lines {
        let (columns, rows) = size().unwrap_or((80, 24));
        let height = line.chars().count().div_ceil(columns).max(1);
        // The last row is for the question.
        if used + height > rows.saturating_sub(1).max(1) && !screen.is_empty() {
            text::print(screen.drain(..))?;
            used = 0;
            if keys.as_ref().is_some_and(|keys| !keys.goes_on()) {
                return Ok(());
            }
        }
        used += height;
        screen.push(line);
    }
    text::print(screen)
}

/// Standard input with each key handed on at once and not shown, until this is dropped.
struct Keys {
    before: Termios,
}

impl Keys {
    fn open() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut each = before.clone();
        // Ctrl-C is read as a key too: it stops the text and not the client.
        each.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        each.special_codes[SpecialCodeIndex::VMIN] = 1;
        each.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &each)?;
        Ok(Self { before })
    }

    /// Asks, and takes the question away again.
    fn goes_on(&self) -> bool {
        let mut err = io::stderr();
        let _ = write!(err, "{MORE}").and_then(|()| err.flush());
        let mut key = [0];
        let read = io::stdin().read(&mut key);
        let _ = write!(err, "\r{:1$}\r", "", MORE.len());
        matches!(read, Ok(1)) && !matches!(key[0], b'q' | b'Q' | 3 | 4 | 0x1b)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_of_a_server_is_cleaned_for_the_terminal() {
        let lines: Vec<String> = super::lines(b"a\tb\r\n\n\x1b[31mc\xff").collect();
        assert_eq!(lines, ["a        b", "", "\u{FFFD}[31mc\u{FFFD}"]);
    }
}
