//! Lines cut into words, with the memory of what stood in quotes.

use super::error::Trouble;

/// The characters that make a word a glob where they stand outside of quotes.
const GLOB: [char; 3] = ['*', '?', '['];
/// What else means something to the glob matcher, and nothing at the prompt.
const PLAIN: [char; 5] = ['\\', ']', '{', '}', '!'];

/// One word of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// The word without its quotes.
    pub text: String,
    /// The word as a glob, its quoted characters escaped; `None` if it has no `*`, `?` or `[` outside of quotes.
    pub glob: Option<String>,
    /// Whether its first character stands outside of quotes, so that `~` and `-` have their meaning.
    pub bare: bool,
}

impl Word {
    /// A word that is just its text: no glob, no `~`, no `-`.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A word that stands outside of quotes and holds nothing of a glob: an option, or `-`.
    #[must_use]
    pub fn bare(text: impl Into<String>) -> Self {
        Self {
            bare: true,
            ..Self::literal(text)
        }
    }

    /// A word that is a glob where characters of one are not `quoted`, and no more than its text besides.
    pub(super) fn pattern(chars: impl IntoIterator<Item = (char, bool)>) -> Self {
        let mut builder = Builder::default();
        for (c, quoted) in chars {
            match quoted {
                true => builder.push_quoted(c),
                false => builder.push_bare(c),
            }
        }
        builder.finish()
    }

    /// Whether the word stands for standard input or output.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.bare && self.text == "-"
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// A line that is being typed, up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// The words before the last.
    pub words: Vec<Word>,
    /// The last word, which has no end yet; empty after a blank.
    pub last: Word,
    /// Where the last word begins, in bytes.
    pub start: usize,
    /// The quote that is open.
    pub quote: Option<char>,
}

/// Cuts a line into words. Quotes, single or double, hold blanks together; there is no other escape, so that
/// a backslash is just a character.
///
/// # Errors
/// A quote is not closed.
pub fn words(line: &str) -> Result<Vec<Word>, Trouble> {
    let mut typed = typed(line);
    if let Some(open) = typed.quote {
        let other = if open == '"' { '\'' } else { '"' };
        return Err(Trouble::Usage(format!(
            "a quote {open} is not closed (a name that holds one goes between {other} and {other})"
        )));
    }
    if typed.start < line.len() {
        typed.words.push(typed.last);
    }
    Ok(typed.words)
}

/// Cuts a line that may be unfinished.
#[must_use]
pub fn typed(line: &str) -> Typed {
    let mut words = Vec::new();
    let mut word: Option<(usize, Builder)> = None;
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => begun(&mut word, at, false).push_quoted(c),
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                begun(&mut word, at, false);
            }
            None if c.is_whitespace() => words.extend(word.take().map(|(_, word)| word.finish())),
            None => begun(&mut word, at, true).push_bare(c),
        }
    }
    let (start, last) = word.map_or((line.len(), Word::default()), |(start, word)| {
        (start, word.finish())
    });
    Typed {
        words,
        last,
        start,
        quote,
    }
}

fn begun(word: &mut Option<(usize, Builder)>, at: usize, bare: bool) -> &mut Builder {
    let begin = || {
        let mut builder = Builder::default();
        builder.word.bare = bare;
        (at, builder)
    };
    &mut word.get_or_insert_with(begin).1
}

/// A word that grows, as text and as a glob.
#[derive(Default)]
struct Builder {
    word: Word,
    glob: String,
    is_glob: bool,
}

impl Builder {
    fn push_bare(&mut self, c: char) {
        self.is_glob |= GLOB.contains(&c);
        self.word.text.push(c);
        // A `]`, and the `!` of `[!a-z]`, belong to a `[` that may stand before; the matcher takes them as they are.
        if PLAIN.contains(&c) && !matches!(c, ']' | '!') {
            self.glob.push('\\');
        }
        self.glob.push(c);
    }

    fn push_quoted(&mut self, c: char) {
        self.word.text.push(c);
        if GLOB.contains(&c) || PLAIN.contains(&c) {
            self.glob.push('\\');
        }
        self.glob.push(c);
    }

    fn finish(mut self) -> Word {
        self.word.glob = self.is_glob.then_some(self.glob);
        self.word
    }
}

/// Cuts `cd in; get "a;b"` at each `;` that stands outside of quotes.
#[must_use]
pub fn commands(line: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == ';' => {
                commands.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    commands.push(&line[start..]);
    commands
}

/// Whether a name can be typed as it is.
#[must_use]
pub fn needs_quotes(name: &str) -> bool {
    name.is_empty()
        || name.starts_with(['~', '-', '#', '!'])
        || name.contains(|c: char| c.is_whitespace() || GLOB.contains(&c) || "\"';".contains(c))
}

/// A name as it has to be typed when it needs quotes. `prefer` is used as long as the name does not hold it.
#[must_use]
pub fn quote(name: &str, prefer: char) -> String {
    let other = if prefer == '"' { '\'' } else { '"' };
    let mut typed = String::new();
    let mut open = prefer;
    typed.push(open);
    for c in name.chars() {
        // Quotes may follow each other without a blank, and are still one word.
        if c == open {
            typed.push(open);
            open = if c == prefer { other } else { prefer };
            typed.push(open);
        }
        typed.push(c);
    }
    typed.push(open);
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        words(line)
            .unwrap()
            .into_iter()
            .map(|word| word.text)
            .collect()
    }

    #[test]
    fn quotes_hold_blanks_together() {
        for (line, expected) in [
            ("", vec![]),
            ("  ls \t", vec!["ls"]),
            ("get \"a b\" 'c \"d'", vec!["get", "a b", "c \"d"]),
            ("put a\\b ''", vec!["put", "a\\b", ""]),
            ("get a\" \"b", vec!["get", "a b"]),
        ] {
            assert_eq!(texts(line), expected, "{line}");
        }
        let unclosed = words("get \"a").unwrap_err().to_string();
        assert!(unclosed.contains("not closed"));
        assert!(words("get it's").is_err());
    }

    #[test]
    fn quotes_switch_globs_off() {
        for (line, glob) in [
            ("a", None),
            ("*.log", Some("*.log")),
            ("'*.log'", None),
            ("'*'*", Some("\\**")),
            ("a\\b{1}?", Some("a\\\\b\\{1\\}?")),
            ("[!a]", Some("[!a]")),
            ("\"[a]\"*", Some("\\[a\\]*")),
        ] {
            assert_eq!(words(line).unwrap()[0].glob.as_deref(), glob, "{line}");
        }
        let bare = |line| words(line).unwrap()[0].bare;
        assert!(bare("~/'a b'") && !bare("'~/a'"));
        assert!(words("-").unwrap()[0].is_stream() && !words("'-'").unwrap()[0].is_stream());
    }

    #[test]
    fn an_unfinished_line() {
        let line = "get a 'b c/d";
        let typed = typed(line);
        assert_eq!(
            (typed.last.text.as_str(), typed.quote),
            ("b c/d", Some('\''))
        );
        assert_eq!(&line[typed.start..], "'b c/d");
        assert_eq!(typed.words.len(), 2);
        assert_eq!(super::typed("get ").start, 4);
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for name in ["a b", "it's", "say \"hi\"", "a\"b'c", "*", "~", "-", ""] {
            assert!(needs_quotes(name), "{name}");
            for prefer in ['"', '\''] {
                let read = words(&quote(name, prefer)).unwrap();
                assert_eq!(read.len(), 1, "{name}");
                assert_eq!((&*read[0].text, &read[0].glob), (name, &None));
            }
        }
    }

    #[test]
    fn semicolons_part_commands_outside_of_quotes() {
        assert_eq!(commands("cd in; get 'a;b';"), ["cd in", " get 'a;b'", ""]);
    }
}
