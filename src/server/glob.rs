//! Globs, as the last part of a listing's path may be one: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and `\` before a letter that
//! stands for itself.
//!
//! Whoever may list can send any glob, to a folder whose names somebody like that has made. A matcher that builds a table
//! of states for it, as those of regular expressions do, can be made to fill megabytes. This one goes along the name, and back
//! no further than to the last star: the time of a match is bounded by the product of the two lengths, and it takes no memory.

use std::iter::Peekable;
use std::str::Chars;

/// The longest glob, in bytes: twice the longest name.
const MAX_LENGTH: usize = 512;
/// How many plain globs one with braces may stand for.
const MAX_ALTERNATIVES: usize = 64;
/// How many tokens they may have together, each range of a class being one.
const MAX_TOKENS: usize = 1024;
/// How many braces may stand within others.
const MAX_DEPTH: usize = 8;

/// What names are matched with.
#[derive(Debug)]
pub(super) struct Glob {
    /// Any of which has to fit.
    alternatives: Vec<Tokens>,
}

type Tokens = Vec<Token>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`
    Many,
    /// `?`
    Any,
    One(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Reads a glob. `None` if it is malformed, or asks for too much.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let mut parser = Parser {
            chars: text.chars().peekable(),
        };
        let alternatives = parser.sequence(0)?;
        let weight: usize = alternatives.iter().flatten().map(Token::weight).sum();
        (weight <= MAX_TOKENS).then_some(Self { alternatives })
    }

    /// Whether all of a name fits.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.alternatives.iter().any(|tokens| fits(tokens, name))
    }
}

impl Token {
    fn weight(&self) -> usize {
        match self {
            Self::Class { ranges, .. } => ranges.len(),
            _ => 1,
        }
    }

    /// Whether it stands for this letter, where it stands for one.
    fn is(&self, c: char) -> bool {
        match self {
            Self::Many => false,
            Self::Any => true,
            Self::One(one) => *one == c,
            Self::Class { negated, ranges } => {
                ranges
                    .iter()
                    .any(|&(first, last)| (first..=last).contains(&c))
                    != *negated
            }
        }
    }
}

fn fits(tokens: &[Token], name: &str) -> bool {
    let (mut tokens, mut rest) = (tokens, name);
    // What stands behind the last star, and from where on in the name that was tried.
    let mut star: Option<(&[Token], &str)> = None;
    loop {
        match (tokens.split_first(), rest.chars().next()) {
            (None, None) => return true,
            (Some((Token::Many, behind)), _) => {
                star = Some((behind, rest));
                tokens = behind;
            }
            (Some((token, behind)), Some(c)) if token.is(c) => {
                tokens = behind;
                rest = &rest[c.len_utf8()..];
            }
            _ => {
                // The last star takes one letter more. Those before it have no need to: it could take as much as they.
                let Some((behind, tried)) = star else {
                    return false;
                };
                let mut letters = tried.chars();
                if letters.next().is_none() {
                    return false;
                }
                (tokens, rest) = (behind, letters.as_str());
                star = Some((behind, rest));
            }
        }
    }
}

struct Parser<'t> {
    chars: Peekable<Chars<'t>>,
}

impl Parser<'_> {
    /// Reads to the end, or within braces to a comma or to their end, which stays.
    fn sequence(&mut self, depth: usize) -> Option<Vec<Tokens>> {
        let mut all = vec![Tokens::new()];
        loop {
            match self.chars.peek() {
                None => return (depth == 0).then_some(all),
                Some(',' | '}') if depth > 0 => return Some(all),
                Some(_) => {}
            }
            if self.chars.next_if_eq(&'{').is_some() {
                let each = self.braces(depth + 1)?;
                if all.len() * each.len() > MAX_ALTERNATIVES {
                    return None;
                }
                let joined = |before: &Tokens| {
                    let before = before.clone();
                    each.iter()
                        .map(move |behind| [&before[..], &behind[..]].concat())
                        .collect::<Vec<_>>()
                };
                all = all.iter().flat_map(joined).collect();
            } else {
                let token = self.token()?;
                for tokens in &mut all {
                    tokens.push(token.clone());
                }
            }
        }
    }

    /// What stands between braces, behind the first of which this begins.
    fn braces(&mut self, depth: usize) -> Option<Vec<Tokens>> {
        let mut all = Vec::new();
        while depth <= MAX_DEPTH && all.len() <= MAX_ALTERNATIVES {
            all.extend(self.sequence(depth)?);
            if self.chars.next()? == '}' {
                return Some(all);
            }
        }
        None
    }

    fn token(&mut self) -> Option<Token> {
        Some(match self.chars.next()? {
            '*' => Token::Many,
            '?' => Token::Any,
            '[' => self.class()?,
            '\\' => Token::One(self.chars.next()?),
            c => Token::One(c),
        })
    }

    /// POSIX 2.13.1: a `]` that comes first is a letter, and so is a `-` at either end.
    fn class(&mut self) -> Option<Token> {
        let negated = self.chars.next_if(|c| matches!(c, '!' | '^')).is_some();
        let mut ranges = Vec::new();
        loop {
            let first = self.chars.next()?;
            if first == ']' && !ranges.is_empty() {
                return Some(Token::Class { negated, ranges });
            }
            let mut ahead = self.chars.clone();
            let last = match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) if last != ']' => {
                    self.chars = ahead;
                    last
                }
                _ => first,
            };
            if first > last {
                return None;
            }
            ranges.push((first, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits() {
        for (glob, fitting, others) in [
            ("*", &["", "a", "a b"][..], &[][..]),
            ("?", &["a", "ü", "日"], &["", "ab"]),
            ("*.txt", &["a.txt", ".txt", ".txt.txt"], &["a.txt.", "txt"]),
            ("a*b*c", &["abc", "aXbXbXc"], &["ab", "acb", "abcd"]),
            ("**a**", &["a", "xax"], &["", "x"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "-x", "x"]),
            ("[!a-c]", &["d", "-"], &["a", ""]),
            ("[^a]", &["b", "^"], &["a"]),
            ("[]-]", &["]", "-"], &["a"]),
            ("[!]]", &["a"], &["]"]),
            ("[*?{]", &["*", "?", "{"], &["a"]),
            (r"\*\\\[", &[r"*\["], &["a"]),
            ("*.{jpg,png}", &["a.jpg", "a.png"], &["a.gif", "a."]),
            ("a{,b,{c,d}e}", &["a", "ab", "ace", "ade"], &["ac", "abe"]),
            ("{a*,*b}{1,2}", &["a1", "ax2", "b2"], &["b", "a"]),
            ("a,b}", &["a,b}"], &["a"]),
        ] {
            let parsed = Glob::parse(glob).expect(glob);
            for name in fitting {
                assert!(parsed.matches(name), "{glob} and {name:?}");
            }
            for name in others {
                assert!(!parsed.matches(name), "{glob} and {name:?}");
            }
        }
    }

    #[test]
    fn what_is_malformed_or_asks_for_too_much_is_none() {
        for glob in [
            "[".to_owned(),
            "[]".to_owned(),
            "[a".to_owned(),
            "[z-a]".to_owned(),
            "a\\".to_owned(),
            "{a".to_owned(),
            "{a,".to_owned(),
            "a".repeat(513),
            "{a,b}".repeat(7),
            "{".repeat(9) + &"}".repeat(9),
            format!("{{{}}}", ",".repeat(64)),
            format!("{{{}}}{}", ",".repeat(63), "a".repeat(40)),
            format!("{}[{}]", "{a,b}".repeat(3), "a".repeat(400)),
        ] {
            assert!(Glob::parse(&glob).is_none(), "{glob}");
        }
        assert!(Glob::parse(&"{a,b}".repeat(6)).is_some());
    }
}
