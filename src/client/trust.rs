//! Which certificates are trusted: those that the system's authorities vouch for, that of the user's own server, and those
//! that were seen before.

use super::error::Trouble;
use super::{places, text};
use crate::stream::fingerprint;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file in the client's state folder that remembers servers: a line `HOST:PORT FINGERPRINT` for each.
const FILE: &str = "known_hosts";

/// What is trusted.
#[derive(Debug)]
pub struct Trust {
    file: PathBuf,
    /// What the user's own server on this host goes by, if there is one.
    own: PathBuf,
    accept_new: bool,
    pinned: Option<String>,
    /// What was accepted in this run, should the file not take it.
    accepted: Mutex<HashMap<String, String>>,
}

impl Trust {
    /// Trust that is remembered in the folder `state`.
    ///
    /// With `accept_new` nobody is asked about a server that was never seen. With `pinned` only a certificate of that
    /// fingerprint is trusted, whatever else speaks for another.
    #[must_use]
    pub fn new(state: &Path, accept_new: bool, pinned: Option<String>) -> Self {
        Self {
            file: state.join(FILE),
            own: state.join(places::SERVER_CERTIFICATE),
            accept_new,
            pinned,
            accepted: Mutex::default(),
        }
    }

    /// Whether one certificate was named that there has to be.
    pub(super) const fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// Whether the server was seen under TLS before, with a certificate that was trusted at first use.
    ///
    /// # Errors
    /// [`Trouble::Local`]: the file cannot be read.
    pub(super) fn knows(&self, host: &str, port: u16) -> Result<bool, Trouble> {
        Ok(self.known(&place(host, port))?.is_some())
    }

    /// Decides on a server's certificate; `vouched` says that the system's authorities know it and its name.
    ///
    /// # Errors
    /// [`Trouble::Tls`]: it is not trusted. [`Trouble::Local`]: the file cannot be read.
    pub(super) fn decide(
        &self,
        host: &str,
        port: u16,
        certificate: &[u8],
        vouched: bool,
    ) -> Result<(), Trouble> {
        let shown = fingerprint(certificate);
        if let Some(pinned) = &self.pinned {
            return if *pinned == shown {
                Ok(())
            } else {
                Err(Trouble::Tls(format!(
                    "the server's certificate is {shown}, and --fingerprint asks for {pinned}"
                )))
            };
        }
        if vouched || self.is_own(certificate) {
            return Ok(());
        }
        let place = place(host, port);
        match self.known(&place)? {
            Some(known) if known == shown => Ok(()),
            Some(known) => Err(Trouble::Tls(format!(
                "THE CERTIFICATE OF {place} HAS CHANGED. Somebody may be between you and the server, or it has a new one. \
                 It was {known} and is now {shown}. Ask whoever runs the server; if the new one is right, remove the line \
                 of {place} from {}",
                self.file.display()
            ))),
            None => self.meet(&place, &shown),
        }
    }

    /// Whether it is that of the user's own server, whose key lies in the same folder and is nobody else's.
    fn is_own(&self, certificate: &[u8]) -> bool {
        CertificateDer::from_pem_file(&self.own).is_ok_and(|own| *own == *certificate)
    }

    /// A certificate that was never seen, and that nobody vouches for.
    fn meet(&self, place: &str, shown: &str) -> Result<(), Trouble> {
        if !self.accept_new {
            if !io::stdin().is_terminal() {
                return Err(Trouble::Tls(format!(
                    "the certificate of {place} is not known: {shown}. If the server shows the same, give the client \
                     --fingerprint {shown}, or --accept-new to trust it from now on"
                )));
            }
            ask(place, shown)?;
        }
        self.accepted().insert(place.to_owned(), shown.to_owned());
        match self.remember(place, shown) {
            Ok(()) => text::say(&format!("{place} is known from now on by {shown}")),
            Err(error) => text::say(&format!(
                "the certificate is trusted this time only: cannot write {}: {error}",
                self.file.display()
            )),
        }
        Ok(())
    }

    fn known(&self, place: &str) -> Result<Option<String>, Trouble> {
        if let Some(accepted) = self.accepted().get(place) {
            return Ok(Some(accepted.clone()));
        }
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Trusting whatever comes because the file could not be read would be no trust at all.
            read => read.map_err(|error| {
                Trouble::Local(format!("cannot read {}: {error}", self.file.display()))
            })?,
        };
        let known = text.lines().find_map(|line| {
            let (known, fingerprint) = line.trim().split_once(' ')?;
            (known == place).then(|| fingerprint.trim().to_owned())
        });
        Ok(known)
    }

    fn remember(&self, place: &str, shown: &str) -> io::Result<()> {
        places::make_private(self.file.parent().unwrap_or(Path::new(".")))?;
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.file)?;
        // One write, so that the lines of two clients do not mingle.
        file.write_all(format!("{place} {shown}\n").as_bytes())
    }

    fn accepted(&self) -> MutexGuard<'_, HashMap<String, String>> {
        // It is whole after every statement that touches it.
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fingerprint as `--fingerprint` takes it: `SHA256:` and the digits, with colons or without, in either case.
///
/// # Errors
/// It is none.
pub fn parse_fingerprint(typed: &str) -> Result<String, String> {
    let digits = match typed.split_at_checked(7) {
        Some((kind, digits)) if kind.eq_ignore_ascii_case("SHA256:") => digits,
        _ => typed,
    };
    let digits: Vec<char> = digits.chars().filter(|&c| c != ':').collect();
    if digits.len() != 64 || !digits.iter().all(char::is_ascii_hexdigit) {
        return Err("a fingerprint is SHA256: and 64 hexadecimal digits".to_owned());
    }
    let pairs: Vec<String> = digits
        .chunks(2)
        .map(|pair| pair.iter().collect::<String>().to_ascii_uppercase())
        .collect();
    Ok(format!("SHA256:{}", pairs.join(":")))
}

/// How a server stands in the file.
fn place(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn ask(place: &str, shown: &str) -> Result<(), Trouble> {
    text::say(&format!("The certificate of {place} is not known."));
    text::say(&format!("Its fingerprint is {shown}."));
    let answer = text::ask("Trust it from now on (yes/no)? ")
        .map_err(|error| Trouble::Local(format!("cannot ask on the terminal: {error}")))?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(Trouble::Tls(format!(
            "the certificate of {place} was not trusted"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_other_programs_show_them() {
        let shown = fingerprint(b"abc");
        let digits = shown.trim_start_matches("SHA256:").replace(':', "");
        for typed in [
            shown.clone(),
            digits.clone(),
            digits.to_lowercase(),
            format!("sha256:{digits}"),
        ] {
            assert_eq!(parse_fingerprint(&typed).as_ref(), Ok(&shown), "{typed}");
        }
        for typed in ["", "SHA256:", "SHA1:AB", &digits[1..], "ü"] {
            assert!(parse_fingerprint(typed).is_err(), "{typed}");
        }
    }
}
