//! Globs, matched on this side: no two servers agree on what a `*` in `LIST` means.

use super::error::Trouble;
use super::words::Word;
use anyhow::Result;
use globset::{GlobBuilder, GlobMatcher};

/// The most names that one glob may stand for, so that `*/*/*` on a large server ends.
const MOST: usize = 1_000_000;

/// A name of a folder, as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name itself, no path.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
}

/// Which kind of names a glob is to stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// What is no folder.
    Files,
    /// Folders.
    Folders,
    /// Both.
    All,
}

/// The names that `word` stands for: itself, or what matches it, in the order of the names. `list` lists a folder,
/// given as a path with a `/` at its end, or as nothing for the current folder.
///
/// # Errors
/// Nothing matches, the glob is malformed, or what `list` says.
pub fn expand(
    word: &Word,
    want: Want,
    mut list: impl FnMut(&str) -> Result<Vec<Name>>,
) -> Result<Vec<String>> {
    let Some(glob) = &word.glob else {
        return Ok(vec![word.text.clone()]);
    };
    let root = if glob.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty()).collect();
    let mut paths = vec![root.to_owned()];
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let end = if last { "" } else { "/" };
        let Some(matcher) = matcher(part, &word.text)? else {
            let plain = unescaped(part);
            paths
                .iter_mut()
                .for_each(|path| *path += &(plain.clone() + end));
            continue;
        };
        let want = if last { want } else { Want::Folders };
        let mut found = Vec::new();
        for folder in &paths {
            let mut names = list(folder)?;
            names.retain(|name| fits(name, want, part, &matcher));
            names.sort_by(|a, b| a.name.cmp(&b.name));
            found.extend(
                names
                    .iter()
                    .map(|name| format!("{folder}{}{end}", name.name)),
            );
        }
        if found.len() > MOST {
            let error = format!("{} stands for more than {MOST} names", word.text);
            return Err(Trouble::Failed(error).into());
        }
        paths = found;
    }
    if !paths.is_empty() {
        return Ok(paths);
    }
    // `photo[1].jpg` is a name too.
    let (folder, name) = split(&word.text);
    let literal = list(folder).is_ok_and(|names| names.iter().any(|other| other.name == name));
    if literal {
        return Ok(vec![word.text.clone()]);
    }
    let what = match want {
        Want::Files => "no file",
        Want::Folders => "no folder",
        Want::All => "nothing",
    };
    Err(Trouble::Failed(format!("{what} matches {}", word.text)).into())
}

/// A path cut behind its last `/`.
#[must_use]
pub fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |at| at + 1))
}

fn fits(name: &Name, want: Want, part: &str, matcher: &GlobMatcher) -> bool {
    // As in every shell, a hidden file has to be asked for by its dot.
    (!name.name.starts_with('.') || part.starts_with('.'))
        && (want == Want::All || (want == Want::Folders) == name.folder)
        && matcher.is_match(&name.name)
}

/// A matcher of one part of a path, `None` if the part has nothing to match.
fn matcher(part: &str, whole: &str) -> Result<Option<GlobMatcher>, Trouble> {
    let mut escaped = false;
    let is_glob = part.chars().any(|c| {
        let special = !escaped && matches!(c, '*' | '?' | '[');
        escaped = !escaped && c == '\\';
        special
    });
    if !is_glob {
        return Ok(None);
    }
    GlobBuilder::new(part)
        .backslash_escape(true)
        .build()
        .map(|glob| Some(glob.compile_matcher()))
        .map_err(|error| {
            Trouble::Usage(format!(
                "{whole} cannot be matched: {}; quotes make it a plain name",
                error.kind()
            ))
        })
}

fn unescaped(part: &str) -> String {
    let mut plain = String::new();
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::words::words;

    fn expanded(typed: &str, want: Want) -> Result<Vec<String>> {
        let folder = |name: &str| Name {
            name: name.to_owned(),
            folder: true,
        };
        let file = |name: &str| Name {
            folder: false,
            ..folder(name)
        };
        expand(&words(typed).unwrap()[0], want, |path| {
            Ok(match path {
                "" => vec![
                    file("b.log"),
                    file("a.log"),
                    file(".c.log"),
                    folder("d"),
                    file("p[1].x"),
                ],
                "d/" => vec![file("x*y"), file("xzy"), folder("sub")],
                "/" => vec![folder("e")],
                "/e/" => vec![file("f")],
                other => panic!("{other}"),
            })
        })
    }

    #[test]
    fn what_globs_stand_for() {
        for (typed, want, expected) in [
            ("plain", Want::Files, vec!["plain"]),
            ("*.log", Want::Files, vec!["a.log", "b.log"]),
            (".*", Want::Files, vec![".c.log"]),
            ("*", Want::Folders, vec!["d"]),
            ("d/*", Want::All, vec!["d/sub", "d/x*y", "d/xzy"]),
            ("d/x'*'?", Want::Files, vec!["d/x*y"]),
            ("*/x*", Want::Files, vec!["d/x*y", "d/xzy"]),
            ("/*/*", Want::Files, vec!["/e/f"]),
            ("[ab].log", Want::Files, vec!["a.log", "b.log"]),
            ("[!a].log", Want::Files, vec!["b.log"]),
            ("p[1].x", Want::Files, vec!["p[1].x"]),
        ] {
            assert_eq!(expanded(typed, want).unwrap(), expected, "{typed}");
        }
        assert!(expanded("*.txt", Want::Files).is_err());
        assert!(expanded("[a", Want::Files).is_err());
    }
}
