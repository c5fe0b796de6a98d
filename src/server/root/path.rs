//! Paths below the served folder, as clients say them.

use super::HIDDEN_PREFIX;
use std::fmt;

/// The longest path that a client can reach, in bytes: what one control line holds.
const MAX_PATH: usize = crate::protocol::MAX_LINE;

/// An absolute path below a [`super::Root`], as clients see it: normalised, with no `.`, `..` or control character in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::server) struct VirtualPath(String);

/// Why a name cannot be a path here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::server) enum PathError {
    /// It holds a control character, which would garble logs and terminals.
    #[error("the name holds a control character")]
    ControlCharacter,
    /// It is longer than any path that a client could say.
    #[error("the name is too long")]
    TooLong,
    /// It is a name that unfinished uploads go by.
    #[error("names that begin with {HIDDEN_PREFIX} are reserved")]
    Reserved,
}

impl VirtualPath {
    /// The root itself: where every session begins.
    #[must_use]
    pub(in crate::server) fn root() -> Self {
        Self("/".to_owned())
    }

    /// The path as clients see it.
    #[must_use]
    pub(in crate::server) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path that `name` means to a client whose folder this is. `..` at the root is the root.
    pub(super) fn join(&self, name: &str) -> Result<Self, PathError> {
        if name.contains(char::is_control) {
            return Err(PathError::ControlCharacter);
        }
        let mut path = if name.starts_with('/') {
            String::new()
        } else {
            self.0.trim_end_matches('/').to_owned()
        };
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." => path.truncate(path.rfind('/').unwrap_or(0)),
                _ if part.starts_with(HIDDEN_PREFIX) => return Err(PathError::Reserved),
                _ => {
                    path.push('/');
                    path.push_str(part);
                }
            }
        }
        match path.len() {
            0 => Ok(Self::root()),
            1..=MAX_PATH => Ok(Self(path)),
            _ => Err(PathError::TooLong),
        }
    }

    /// The path from the root's handle.
    pub(super) fn relative(&self) -> &str {
        match &self.0[1..] {
            "" => ".",
            path => path,
        }
    }

    /// The path of a name in this folder.
    pub(super) fn child(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0.trim_end_matches('/')))
    }

    /// The folder and the name in it; `None` for the root.
    pub(super) fn split(&self) -> Option<(Self, &str)> {
        let (parent, name) = self
            .0
            .rsplit_once('/')
            .filter(|(_, name)| !name.is_empty())?;
        let parent = if parent.is_empty() { "/" } else { parent };
        Some((Self(parent.to_owned()), name))
    }
}

impl fmt::Display for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_stay_below_the_root() {
        let at = |text: &str| VirtualPath(text.to_owned());
        for (from, name, path) in [
            ("/", "a", "/a"),
            ("/a", "b", "/a/b"),
            ("/a/b", "..", "/a"),
            ("/a/b", "../../../..", "/"),
            ("/a", "/c//d/./e/", "/c/d/e"),
            ("/", "..", "/"),
            ("/", "../../etc/passwd", "/etc/passwd"),
            ("/", " a b ", "/ a b "),
            ("/", "a\\..\\b", "/a\\..\\b"),
        ] {
            assert_eq!(at(from).join(name), Ok(at(path)), "{from} {name}");
        }
        assert_eq!(at("/").join("a\u{1b}[2J"), Err(PathError::ControlCharacter));
        assert_eq!(at("/").join("x/.ftp-upload.1"), Err(PathError::Reserved));
        assert_eq!(
            at("/").join(&"a/".repeat(MAX_PATH)),
            Err(PathError::TooLong)
        );
    }
}
