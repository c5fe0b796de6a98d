//! The server's certificate: read from files and read again when they change, or made once and kept.

use super::validity;
use crate::places::{self, SERVER_CERTIFICATE};
use crate::stream::fingerprint;
use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a certificate and its key are, as PEM. Both may be in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's certificate, and behind it those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The protocol's name in a handshake (IANA's ALPN registry). A browser that was lured here offers only others, and its
/// handshake fails.
const ALPN: &[u8] = b"ftp";

/// The certificate in force.
#[derive(Debug)]
pub(super) struct Certificates {
    files: Option<CertificateFiles>,
    reread: AtomicBool,
    current: Mutex<(Option<Stamp>, Current)>,
}

/// A certificate that is ready for handshakes.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) config: Arc<ServerConfig>,
    /// Of the certificate, in the form `SHA256:AB:CD:…` that other programs show too.
    pub(super) fingerprint: String,
    /// When it is good no longer, if it says so.
    pub(super) end: Option<Timestamp>,
}

impl Certificates {
    /// Reads these files, or else those in the `state` folder, which are made if there are none.
    ///
    /// # Errors
    /// The files that were named cannot be used. Where nothing was named, the worst is a certificate for this run only.
    pub(super) fn open(files: Option<CertificateFiles>, state: Option<&Path>) -> Result<Self> {
        let (stamp, current) = match &files {
            Some(files) => (Stamp::of(files), read(files)?),
            None => (None, own(state)?),
        };
        Ok(Self {
            files,
            reread: AtomicBool::default(),
            current: Mutex::new((stamp, current)),
        })
    }

    /// The next handshake reads the files again.
    pub(super) fn reread(&self) {
        self.reread.store(true, Ordering::SeqCst);
    }

    /// The certificate for a handshake: that of the files as they are now, or the one before if they are no good.
    pub(super) fn current(&self) -> Current {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.reread.swap(false, Ordering::SeqCst);
        if let Some(files) = &self.files {
            // Taken before they are read: what changes meanwhile is seen the next time.
            let stamp = Stamp::of(files);
            if asked || stamp != current.0 {
                current.0 = stamp;
                match read(files) {
                    Ok(new) => {
                        log::info!("TLS certificate read again, {}", new.fingerprint);
                        current.1 = new;
                    }
                    Err(error) => log::error!("{error:#}; the certificate before stays in force"),
                }
            }
        }
        current.1.clone()
    }
}

/// What shows that a file is not what it was.
#[derive(Debug, PartialEq, Eq)]
struct Stamp([(u64, u64, i64, i64); 2]);

impl Stamp {
    fn of(files: &CertificateFiles) -> Option<Self> {
        let of = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
        };
        Some(Self([of(&files.certificate)?, of(&files.key)?]))
    }
}

fn read(files: &CertificateFiles) -> Result<Current> {
    let CertificateFiles { certificate, key } = files;
    let chain = fs::read(certificate)
        .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
    let secret = fs::read(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    prepare(&chain, &secret).with_context(|| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("cannot use the certificate {certificate} with the key {key}")
    })
}

/// What is needed of PEM.
fn prepare(chain: &[u8], key: &[u8]) -> Result<Current> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("the certificate is no PEM: {error}"))?;
    let own = chain.first().context("there is no certificate in it")?;
    let (fingerprint, end) = (fingerprint(own), validity::end(own));
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| anyhow!("the key: {error}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Current {
        config: Arc::new(config),
        fingerprint,
        end,
    })
}

/// The certificate of these files, or else that in the `state` folder; `None` if there is none, and the server is to make it.
///
/// # Errors
/// It cannot be used; the text says why.
pub(super) fn survey(
    files: Option<&CertificateFiles>,
    state: Option<&Path>,
) -> Result<Option<Current>> {
    let own = match (files, state) {
        (Some(files), _) => return read(files).map(Some),
        (None, Some(state)) => state.join(SERVER_CERTIFICATE),
        (None, None) => return Ok(None),
    };
    match fs::read(&own) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => {
            let pem = found.with_context(|| format!("cannot read {}", own.display()))?;
            prepare(&pem, &pem).map(Some)
        }
    }
}

/// The certificate that the server made itself, now or an earlier time.
fn own(state: Option<&Path>) -> Result<Current> {
    let Some(state) = state else {
        log::warn!(
            "no folder for the TLS certificate, made one for this run only; --state-dir names one"
        );
        return anew();
    };
    let path = state.join(SERVER_CERTIFICATE);
    let kept = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => keep(&path),
        read => read.map_err(Into::into),
    };
    let usable = kept.and_then(|pem| prepare(&pem, &pem));
    usable.or_else(|error| {
        log::warn!(
            "no TLS certificate in {}, made one for this run only: {error:#}",
            path.display()
        );
        anew()
    })
}

fn anew() -> Result<Current> {
    let pem = make()?;
    prepare(&pem, &pem)
}

/// Makes a certificate and puts it there, whole or not at all. If another server was faster, its is taken.
fn keep(path: &Path) -> Result<Vec<u8>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    places::make_private(folder)?;
    let temporary = folder.join(format!(".{SERVER_CERTIFICATE}.{:016x}", getrandom::u64()?));
    let written = write_private(&temporary, &make()?);
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    // It has done its work, or never came to be.
    let _ = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(fs::read(path)?),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A new key and a certificate that it signed itself, as PEM.
fn make() -> Result<Vec<u8>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["localhost".to_owned()])?;
    params
        .distinguished_name
        .push(DnType::CommonName, "multi-client-ftp");
    let certificate = params.self_signed(&key)?;
    Ok((key.serialize_pem() + &certificate.pem()).into_bytes())
}
