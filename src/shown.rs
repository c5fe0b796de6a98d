//! Text of strangers as it may be shown, and numbers that people can read.

use std::borrow::Cow;
use std::fmt::Display;

/// Control characters (C0, C1, DEL), the direction marks of Unicode, and characters that cannot be seen: what a terminal
/// would obey, or what turns a name around. The joiners U+200C and U+200D stay: real scripts are written with them.
#[must_use]
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// The text with every such character escaped, as in `\n` or `\u{9b}`.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unfit(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// How many there are of something, of which one is a `what`: `1 session`, `2 sessions`.
#[must_use]
pub fn counted<N: Display + Copy + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let s = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A number of bytes in the unit that fits: `14 bytes`, `1.4 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    match count {
        0..1024 => counted(count, "byte"),
        #[allow(clippy::cast_precision_loss)] // three digits are shown
        _ => scaled(count as f64),
    }
}

/// The same of a number that need not be whole, such as that of bytes in a second.
#[must_use]
pub fn scaled(mut value: f64) -> String {
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    // One digit behind the point as long as it says something.
    let digits = usize::from(value < 99.95 && unit != "B");
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            [0_usize, 1, 2].map(|count| counted(count, "session")),
            ["0 sessions", "1 session", "2 sessions"]
        );
        assert_eq!([bytes(1), bytes(1023)], ["1 byte", "1023 bytes"]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(
            escaped("a\x1b[2Jb\u{9b}c\u{202e}d\r\né"),
            "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\r\\né"
        );
    }
}
