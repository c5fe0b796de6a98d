//! The lines that the user types: reading them and cutting them into words.

use super::error::Trouble;
use std::io::{self, BufRead, Read};

/// The longest line that is taken, in bytes: twice the longest path.
const MAX_TYPED: u64 = 8192;

/// Reads one line of commands, without its line end; `None` at the end of the input.
///
/// # Errors
/// The input fails, or the line is too long or not UTF-8. The rest of such a line is passed over.
pub fn read_line(input: &mut impl BufRead) -> Result<Option<String>, Trouble> {
    let mut line = Vec::new();
    let local = |error: io::Error| Trouble::Local(format!("cannot read commands: {error}"));
    input
        .by_ref()
        .take(MAX_TYPED + 1)
        .read_until(b'\n', &mut line)
        .map_err(local)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 > MAX_TYPED && !line.ends_with(b"\n") {
        input.skip_until(b'\n').map_err(local)?;
        return Err(Trouble::Usage(format!(
            "the line is longer than {MAX_TYPED} bytes"
        )));
    }
    match String::from_utf8(line) {
        Ok(line) => Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned())),
        Err(_) => Err(Trouble::Usage("the line is not UTF-8 text".to_owned())),
    }
}

/// Cuts a line into words. Quotes, single or double, hold blanks together; there is no other escape, so that
/// a backslash is just a character.
///
/// # Errors
/// A quote is not closed.
pub fn words(line: &str) -> Result<Vec<String>, Trouble> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        let other = if open == '"' { '\'' } else { '"' };
        return Err(Trouble::Usage(format!(
            "a quote {open} is not closed (a name that holds one goes between {other} and {other})"
        )));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_blanks_together() {
        for (line, expected) in [
            ("", vec![]),
            ("  ls \t", vec!["ls"]),
            ("get \"a b\" 'c \"d'", vec!["get", "a b", "c \"d"]),
            ("put a\\b ''", vec!["put", "a\\b", ""]),
            ("get a\" \"b", vec!["get", "a b"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert!(
            words("get \"a")
                .unwrap_err()
                .to_string()
                .contains("not closed")
        );
        assert!(words("get it's").is_err());
    }

    #[test]
    fn a_bad_line_does_not_spoil_the_next() {
        let mut typed = vec![b'x'; 70_000];
        typed.extend_from_slice(b"\nls\r\n\xff\npwd");
        let mut input = &typed[..];
        assert!(read_line(&mut input).is_err());
        assert_eq!(read_line(&mut input).unwrap().as_deref(), Some("ls"));
        assert!(read_line(&mut input).is_err());
        assert_eq!(read_line(&mut input).unwrap().as_deref(), Some("pwd"));
        assert_eq!(read_line(&mut input).unwrap(), None);
    }
}
