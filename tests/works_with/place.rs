//! Where a test takes place: a server over a folder, and a folder for the client.

use crate::servers::{Daemon, Foreign};
use crate::support::{Server, wait_until};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) use crate::programs::PASSWORD;

/// A server over `root`, and a current folder `local` for the client.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// What the server serves.
    pub(crate) root: PathBuf,
    /// Where the client is.
    pub(crate) local: PathBuf,
    /// Who logs in.
    pub(crate) user: &'static str,
    /// Where `root` is, as the server has it.
    pub(crate) folder: &'static str,
    server: Running,
    _folder: TempDir,
}

enum Running {
    Ours(Server),
    Theirs { _daemon: Daemon },
}

impl Place {
    /// Our server, on which anybody may do anything, and which logs each command.
    pub(crate) fn with_our_server() -> Self {
        let server = Server::with(&["--anonymous", "full", "-v", "--implicit-tls-port", "0"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            address: server.address,
            root: server.root.clone(),
            local: folder.path().to_owned(),
            user: "anonymous",
            folder: "",
            server: Running::Ours(server),
            _folder: folder,
        }
    }

    /// A foreign server, over the folder `root` in `folder`.
    pub(crate) fn with_theirs(daemon: Daemon, server: &Foreign, at: TempDir) -> Self {
        let local = at.path().join("local");
        fs::create_dir(&local).expect("a folder for the client");
        Self {
            address: daemon.address,
            root: at.path().join("root"),
            local,
            user: server.user,
            folder: server.folder,
            server: Running::Theirs { _daemon: daemon },
            _folder: at,
        }
    }

    pub(crate) fn host(&self) -> String {
        self.address.ip().to_string()
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Where our server takes connections that begin with TLS.
    pub(crate) fn tls_port(&self) -> String {
        let Running::Ours(server) = &self.server else {
            panic!("only our server has such a port");
        };
        server.tls_address().port().to_string()
    }

    /// `ftp://host:port/path`
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ftp://{}/{path}", self.address)
    }

    /// Waits until our server has logged one of these commands.
    #[track_caller]
    pub(crate) fn assert_got(&self, any: &[&str]) {
        wait_until(&format!("one of {any:?} in the log"), || {
            any.iter().any(|command| self.got(command))
        });
    }

    /// Whether our server got such a command, by what it has logged so far.
    pub(crate) fn got(&self, command: &str) -> bool {
        let Running::Ours(server) = &self.server else {
            panic!("only our server tells what it got");
        };
        server.log().lines().any(|line| {
            // [2020-01-02T03:04:05.678Z DEBUG] 127.0.0.1:50000 TYPE A
            let got = line.splitn(4, ' ').nth(3).unwrap_or_default();
            got == command || got.starts_with(&format!("{command} "))
        })
    }

    /// Puts a file on the server.
    #[track_caller]
    pub(crate) fn serve(&self, name: &str, bytes: impl AsRef<[u8]>) {
        write(&self.root, name, bytes.as_ref());
        if let Running::Theirs { .. } = self.server {
            crate::servers::open_to_all(&self.root);
        }
    }

    /// Puts a file into the client's folder.
    #[track_caller]
    pub(crate) fn keep(&self, name: &str, bytes: impl AsRef<[u8]>) {
        write(&self.local, name, bytes.as_ref());
    }

    #[track_caller]
    pub(crate) fn assert_served(&self, name: &str, bytes: impl AsRef<[u8]>) {
        assert_holds(&self.root.join(name), bytes.as_ref());
    }

    #[track_caller]
    pub(crate) fn assert_kept(&self, name: &str, bytes: impl AsRef<[u8]>) {
        assert_holds(&self.local.join(name), bytes.as_ref());
    }
}

#[track_caller]
fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    let parent = path.parent().expect("a folder");
    fs::create_dir_all(parent).expect("the folders of the file");
    fs::write(&path, bytes).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
}

#[track_caller]
fn assert_holds(path: &Path, expected: &[u8]) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let got = fs::read(path).unwrap_or_else(|error| {
        let there = path.parent().map(crate::support::names_in);
        panic!("cannot read {name}: {error}; there is {there:?}")
    });
    let differs = got.iter().zip(expected).position(|(a, b)| a != b);
    assert!(
        got == expected,
        "{name} has {} bytes instead of {}, and differs from byte {differs:?} on",
        got.len(),
        expected.len()
    );
}
