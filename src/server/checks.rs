//! Whether all is well: what keeps a server from starting, and what would let it down later. Each finding is one line, with
//! the cure. Nothing is changed by looking.

mod capacity;
mod network;

use super::users::{self, Access};
use super::{Config, TlsMode, tls};
use crate::shown::counted;
use jiff::Timestamp;
use rustix::fs::Access as Right;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What one look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is good.
    pub verdict: Verdict,
    /// What was looked at.
    pub about: &'static str,
    /// What there is, and the cure if that is not good. One line.
    pub text: String,
}

/// How good what was found is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Fine,
    /// The server starts, and somebody will be sorry.
    Warning,
    /// The server does not start.
    Error,
}

/// How long before its end a certificate is worth a warning, in seconds.
const SOON: i64 = 14 * 24 * 3600;

/// Looks at everything that a server with this configuration needs.
#[must_use]
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![folder(config), accounts(config), certificate(config)];
    findings.extend(network::listeners(config));
    findings.extend([
        network::passive_ports(config.passive_ports),
        capacity::descriptors(config.limits.clients),
        capacity::threads(config.limits.clients),
        network::exposure(config),
    ]);
    findings
}

/// What is worth a warning to a server that starts. What keeps it from starting it says itself, and so it does of a certificate
/// that it cannot keep.
#[must_use]
pub fn warnings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        folder(config),
        network::passive_ports(config.passive_ports),
        capacity::descriptors(config.limits.clients),
        capacity::threads(config.limits.clients),
        network::exposure(config),
    ];
    if config.tls.certificate.is_some() {
        findings.push(certificate(config));
    }
    findings.retain(|finding| finding.verdict == Verdict::Warning);
    findings
}

impl Finding {
    /// What is as it is to be.
    #[must_use]
    pub fn fine(about: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Fine, about, text)
    }

    /// What will be a nuisance.
    #[must_use]
    pub fn warning(about: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, about, text)
    }

    /// What has to be mended first.
    #[must_use]
    pub fn error(about: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Error, about, text)
    }

    fn new(verdict: Verdict, about: &'static str, text: impl Into<String>) -> Self {
        // The texts of errors come from elsewhere.
        let text = text.into().replace('\n', ", ");
        Self {
            verdict,
            about,
            text,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.text)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The served folder: whether it is there, and whether it can be written where somebody may.
fn folder(config: &Config) -> Finding {
    const ABOUT: &str = "folder";
    let root = config.root.as_path();
    let shown = root.display();
    let user = rustix::process::geteuid();
    let folder = match fs::metadata(root) {
        Ok(found) if found.is_dir() => root,
        Ok(_) => {
            return Finding::error(
                ABOUT,
                format!("{shown} is no folder; --root names another place"),
            );
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let above = existing(root);
            return match rustix::fs::access(above, Right::WRITE_OK | Right::EXEC_OK) {
                Ok(()) => Finding::fine(ABOUT, format!("{shown} is missing, the server makes it")),
                Err(error) => Finding::error(
                    ABOUT,
                    format!(
                        "{shown} is missing, and user {user} cannot make it in {} ({error}); make it, and give it to \
                         that user",
                        above.display()
                    ),
                ),
            };
        }
        Err(error) => {
            return Finding::error(
                ABOUT,
                format!("cannot look at {shown}: {error}; let user {user} enter the folders above"),
            );
        }
    };
    if let Err(error) = rustix::fs::access(folder, Right::READ_OK | Right::EXEC_OK) {
        return Finding::error(
            ABOUT,
            format!("{shown} cannot be read by user {user} ({error}); chown or chmod it"),
        );
    }
    match rustix::fs::access(folder, Right::WRITE_OK) {
        Err(error) if somebody_writes(config) => Finding::warning(
            ABOUT,
            format!(
                "{shown} cannot be written by user {user} ({error}), and clients may upload; chown, chmod or remount \
                 it, or let clients only read"
            ),
        ),
        Err(_) => Finding::fine(ABOUT, format!("{shown} is there, to be read")),
        Ok(()) => Finding::fine(ABOUT, format!("{shown} is there, and can be written")),
    }
}

/// The nearest folder above a missing one that there is.
fn existing(path: &Path) -> &Path {
    let above = path.ancestors().skip(1);
    let mut above = above.map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    above
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("."))
}

/// Whether anybody may change what is on the disk.
fn somebody_writes(config: &Config) -> bool {
    let anonymous = matches!(config.anonymous, Some(Access::Write | Access::Full));
    let account = config.users.as_deref().map(users::survey);
    anonymous || matches!(account, Some(Ok((_, true))))
}

fn accounts(config: &Config) -> Finding {
    const ABOUT: &str = "users";
    let Some(path) = &config.users else {
        return match config.anonymous {
            Some(_) => Finding::fine(ABOUT, "no accounts, all clients are anonymous"),
            None => Finding::warning(
                ABOUT,
                "nobody can log in; --users names a file with accounts, and --anonymous lets in everybody",
            ),
        };
    };
    let shown = path.display();
    match users::survey(path) {
        Err(error) => Finding::error(ABOUT, format!("{error:#}")),
        Ok((0, _)) if config.anonymous.is_none() => Finding::warning(
            ABOUT,
            format!(
                "{shown} has no accounts, nobody can log in; ftp-server user add {shown} NAME makes one"
            ),
        ),
        Ok(_) if fs::metadata(path).is_ok_and(|file| file.mode() & 0o077 != 0) => Finding::warning(
            ABOUT,
            format!("{shown} can be read by others than its owner: chmod 600 it"),
        ),
        Ok((count, _)) => Finding::fine(ABOUT, format!("{} in {shown}", counted(count, "account"))),
    }
}

fn certificate(config: &Config) -> Finding {
    const ABOUT: &str = "certificate";
    let options = &config.tls;
    if options.mode == TlsMode::Off {
        return Finding::fine(ABOUT, "none, TLS is off");
    }
    let cure = match options.certificate {
        Some(_) => "renew it, the server reads it again by itself",
        None => "delete server.pem in the state folder, and restart",
    };
    let now = Timestamp::now().as_second();
    match tls::survey(options) {
        Ok(None) => own_certificate(options.state.as_deref()),
        Ok(Some((_, Some(end)))) if end.as_second() <= now => Finding::warning(
            ABOUT,
            format!("it expired on {}; {cure}", end.strftime("%F")),
        ),
        Ok(Some((_, Some(end)))) if end.as_second() - now <= SOON => Finding::warning(
            ABOUT,
            format!("it expires on {}; {cure}", end.strftime("%F")),
        ),
        Ok(Some((fingerprint, Some(end)))) => Finding::fine(
            ABOUT,
            format!("{fingerprint}, until {}", end.strftime("%F")),
        ),
        Ok(Some((fingerprint, None))) => Finding::fine(ABOUT, fingerprint),
        // Its own the server can do without.
        Err(error) if options.certificate.is_none() => Finding::warning(
            ABOUT,
            format!(
                "the one of the state folder cannot be used, each start makes another: {error:#}; --state-dir names \
                 another folder"
            ),
        ),
        Err(error) => Finding::error(ABOUT, format!("{error:#}")),
    }
}

/// A certificate that the server has yet to make.
fn own_certificate(state: Option<&Path>) -> Finding {
    const ABOUT: &str = "certificate";
    let each_start = "each start makes another certificate";
    let Some(state) = state else {
        return Finding::warning(
            ABOUT,
            format!("no folder to keep one in, {each_start}; --state-dir names one"),
        );
    };
    let below = state.join("certificate");
    let folder = existing(&below);
    match rustix::fs::access(folder, Right::WRITE_OK | Right::EXEC_OK) {
        Ok(()) => Finding::fine(ABOUT, "none yet, the server makes one and keeps it"),
        Err(error) => Finding::warning(
            ABOUT,
            format!(
                "user {} cannot keep one in {} ({error}), {each_start}; --state-dir names another folder",
                rustix::process::geteuid(),
                state.display()
            ),
        ),
    }
}
