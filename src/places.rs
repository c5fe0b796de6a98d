//! Where the client and the server keep their own files, and what `~` means.

use std::path::{Path, PathBuf};

/// The file in the state folder that holds the key and the certificate that the server made itself, as PEM.
pub const SERVER_CERTIFICATE: &str = "server.pem";

/// The folder of these files, below those that the XDG base directory specification names.
const NAME: &str = "multi-client-ftp";

/// The user's home folder, if the environment names one.
#[must_use]
pub fn home() -> Option<PathBuf> {
    absolute("HOME")
}

/// The folder for what can be lost: the client's history, the server's own certificate.
#[must_use]
pub fn state() -> Option<PathBuf> {
    below("XDG_STATE_HOME", ".local/state")
}

/// The folder for what the user has set: the bookmarks.
#[must_use]
pub fn config() -> Option<PathBuf> {
    below("XDG_CONFIG_HOME", ".config")
}

/// A local path as it was typed, with `~` at its beginning replaced by the home folder.
#[must_use]
pub fn expand(typed: &str) -> PathBuf {
    let rest = match typed.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => return PathBuf::from(typed),
    };
    home().map_or_else(|| PathBuf::from(typed), |home| home.join(rest))
}

fn below(variable: &str, otherwise: &str) -> Option<PathBuf> {
    let base = absolute(variable).or_else(|| Some(home()?.join(otherwise)))?;
    Some(base.join(NAME))
}

/// The specification has relative paths in these variables ignored.
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Makes a folder that only its owner can enter, if it is missing.
///
/// # Errors
/// The operating system refuses.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}
