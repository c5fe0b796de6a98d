//! Text for the screen: cleaned of what a terminal would obey, and numbers that people can read.

use super::error::Trouble;
use super::events::{self, Event};
use super::progress;
use crate::json::Object;
use crate::protocol::reply::Reply;
pub use crate::shown::bytes;
use crate::shown::{is_unfit, scaled};
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

/// How much of a reply is shown, in characters.
const SHOWN: usize = 1000;

/// Replaces every control, escape and text-direction character by U+FFFD.
///
/// What comes from a server must not move the cursor, retitle the window or turn a name around.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(is_unfit) {
        Cow::Owned(text.replace(is_unfit, "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text of a reply on one line, cleaned, and cut where it gets too long to read.
#[must_use]
pub fn reply(reply: &Reply) -> String {
    let joined = reply.joined();
    let mut shown: String = clean(joined.trim()).chars().take(SHOWN).collect();
    if shown.len() < joined.trim().len() && shown.chars().count() == SHOWN {
        shown.push('…');
    }
    shown
}

/// Writes one cleaned line on standard error, where everything goes that is not data. What a program would want to read
/// is an [`Event`] of its own.
pub fn say(line: &str) {
    Event::Message(line.to_owned()).tell();
}

/// Asks on the terminal, and gives the line that is typed.
///
/// # Errors
/// Standard input cannot be read.
pub fn ask(question: &str) -> io::Result<String> {
    let mut answer = String::new();
    progress::aside(|| {
        write!(io::stderr(), "{}", clean(question))?;
        io::stdin().read_line(&mut answer).map(drop)
    })?;
    Ok(answer)
}

/// Writes lines on standard output, cleaned; for programs each as an object that has it as it is. A reader that went
/// away is no failure.
///
/// # Errors
/// Standard output cannot be written, on a full disk for instance.
pub fn show(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Result<(), Trouble> {
    print(lines.into_iter().map(|line| match events::is_json() {
        true => Object::default().with("text", line.as_ref()).to_string(),
        false => clean(line.as_ref()).into_owned(),
    }))
}

/// Writes lines that are clean already, with colours perhaps, or JSON, on standard output.
///
/// # Errors
/// See [`show`].
pub fn print(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Result<(), Trouble> {
    let write = || {
        let mut out = io::BufWriter::new(io::stdout().lock());
        for line in lines {
            writeln!(out, "{}", line.as_ref())?;
        }
        out.flush()
    };
    match write() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::Local(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Writes objects on standard output.
///
/// # Errors
/// See [`show`].
pub fn rows(rows: impl IntoIterator<Item = Object>) -> Result<(), Trouble> {
    print(rows.into_iter().map(|row| row.to_string()))
}

/// Checks that `name` names one file of one folder: no path, no control characters.
///
/// # Errors
/// [`Trouble::Usage`], which says what is wrong with the name.
pub fn single_name(name: &str) -> Result<&str, Trouble> {
    let fault = match name {
        "" => "is empty",
        "." | ".." => "means a folder",
        _ if name.contains(['/', '\\']) => "is a path, where one name is meant",
        _ if name.contains(char::is_control) => "holds control characters",
        _ => return Ok(name),
    };
    Err(Trouble::Usage(format!(
        "\"{name}\" cannot be a file name: it {fault}"
    )))
}

/// Text in lines of no more than `columns`, each with `indent` before it. A longer word stands alone.
#[must_use]
pub fn wrap(text: &str, indent: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines
}

/// A number of bytes for a narrow column: `14`, `1.4 MiB`.
#[must_use]
pub fn short_bytes(count: u64) -> String {
    if count < 1024 {
        format!("{count} B  ")
    } else {
        bytes(count)
    }
}

/// What was moved in which time, and how fast: `1.4 MiB in 0.52 s (2.7 MiB/s)`.
#[must_use]
pub fn rate(count: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let time = match took.as_secs() {
        0 if took.as_millis() < 100 => format!("{:.1} ms", seconds * 1000.0),
        0..60 => format!("{seconds:.2} s"),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    };
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let speed = scaled(count as f64 / seconds.max(1e-6));
    format!("{} in {time} ({speed}/s)", bytes(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::reply::ReplyCode;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(
            clean("a\x1b[2Jb\u{9b}c\u{202e}d\r\n"),
            "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}d\u{FFFD}\u{FFFD}"
        );
        assert_eq!(clean("Grüße 日本 👩\u{200d}💻"), "Grüße 日本 👩\u{200d}💻");
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrap("a bc  def g", " ", 5), [" a bc", " def", " g"]);
        assert_eq!(wrap("", " ", 5), [""; 0]);
    }

    #[test]
    fn a_long_reply_is_cut() {
        let long = Reply::new(ReplyCode::OK, "é".repeat(5000));
        assert_eq!(reply(&long).chars().count(), SHOWN + 1);
        assert_eq!(reply(&Reply::new(ReplyCode::OK, " ok ")), "ok");
    }

    #[test]
    fn names_that_are_none() {
        for name in [
            "", ".", "..", "a/b", "a\\b", "../x", "a\0", "a\x1b[m", "a\u{85}",
        ] {
            assert!(single_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "...", " a b ", "-rf", "ü"] {
            assert!(single_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(
            rate(1 << 20, Duration::from_millis(500)),
            "1.0 MiB in 0.50 s (2.0 MiB/s)"
        );
        assert_eq!(rate(0, Duration::ZERO), "0 bytes in 0.0 ms (0 B/s)");
        assert!(rate(1, Duration::from_secs(61)).contains("1 min 01 s"));
    }
}
