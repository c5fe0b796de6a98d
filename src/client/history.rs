//! The lines that were typed, kept for the next time, but never one with a password.

use super::commands::Verb;
use super::places;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// How many lines are remembered.
pub const LINES: usize = 1000;
/// What stands before a password on the wire, and so in a line that somebody types by habit.
const SECRET_VERBS: [&str; 4] = ["pass", "password", "passwd", "acct"];

/// The history file. It is a convenience: what cannot be read or written is passed over, with a word in the log.
#[derive(Debug)]
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// The file in its place, and the lines in it, the oldest first.
    #[must_use]
    pub fn open() -> (Self, Vec<String>) {
        let path = places::state().map(|folder| folder.join("history"));
        let text = path.as_ref().map(fs::read).and_then(Result::ok);
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let kept = &lines[lines.len().saturating_sub(LINES)..];
        let history = Self { path };
        if lines.len() > 2 * LINES {
            history.tell(history.shorten(kept));
        }
        (history, kept.iter().map(|&line| line.to_owned()).collect())
    }

    /// Adds a line to the file at once, so that neither a second client nor a crash loses it.
    pub fn add(&self, line: &str) {
        self.tell(self.append(line));
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        if let Some(folder) = path.parent() {
            places::make_private(folder)?;
        }
        let mut file = private().append(true).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        // One write, so that the lines of two clients do not mix.
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn shorten(&self, lines: &[&str]) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let fresh = path.with_extension("new");
        let mut file: File = private().write(true).truncate(true).open(&fresh)?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        fs::rename(&fresh, path)
    }

    fn tell(&self, outcome: io::Result<()>) {
        if let (Err(error), Some(path)) = (outcome, &self.path) {
            log::debug!("the history in {}: {error}", path.display());
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// Whether a line may hold a password, so that it must not be kept or shown again. In doubt it may.
#[must_use]
pub fn is_secret(line: &str) -> bool {
    let mut words = line
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']));
    let verb = words.next().unwrap_or_default().trim_start_matches('-');
    let is_user = match Verb::find(verb) {
        Ok(verb) => verb.name == "user",
        // `usr me s3cret`
        Err(error) => verb.eq_ignore_ascii_case("us") || error.to_string().contains("mean user"),
    };
    let secret_word = |word: &str| {
        SECRET_VERBS
            .iter()
            .any(|verb| word.eq_ignore_ascii_case(verb))
    };
    // `user me` has no password, `user me s3cret` has.
    (is_user && words.clone().count() > 1)
        || secret_word(verb)
        || words.clone().any(secret_word)
        || line.split_whitespace().any(has_password)
}

/// Whether a word is like `ftp://me:s3cret@host`.
fn has_password(word: &str) -> bool {
    let rest = word.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    // A password may hold a slash where somebody forgot to write it as %2F.
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') && (authority.contains(':') || authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_passwords_are_known() {
        for line in [
            "user me s3cret",
            " USER me 's3 cret'",
            "usr me s3cret",
            "use me s3cret",
            "quote PASS s3cret",
            "quote \"pass s3cret\"",
            "PASS s3cret",
            "-quote acct x",
            "open ftp://me:s3cret@host/x",
            "open 'ftp://me:s3/cret@host'",
        ] {
            assert!(is_secret(line), "{line}");
        }
        for line in [
            "",
            "ls",
            "user me",
            "get passage.txt",
            "open ftp://me@host:21/x",
            "put a@b:c",
            "help user",
        ] {
            assert!(!is_secret(line), "{line}");
        }
    }
}
