//! Users files.

use super::Server;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// A users file in a folder of its own.
pub(crate) struct UsersFile(TempDir);

impl UsersFile {
    #[track_caller]
    pub(crate) fn new(text: &str) -> Self {
        let file = Self(TempDir::with_prefix("ftp-test-").expect("a temporary folder"));
        file.put(text);
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("users.toml")
    }

    /// Puts a text in its place in one step, as editors do.
    #[track_caller]
    pub(crate) fn put(&self, text: &str) {
        let fresh = self.0.path().join("fresh");
        std::fs::write(&fresh, text).expect("a users file");
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600)).expect("its mode");
        std::fs::rename(&fresh, self.path()).expect("a users file in its place");
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.path()).expect("the users file")
    }

    /// A server with these accounts and these flags.
    #[track_caller]
    pub(crate) fn server(&self, flags: &[&str]) -> Server {
        let path = self.path();
        let path = path.to_str().expect("UTF-8");
        let flags = [&["--users", path], flags].concat();
        Server::with(&flags)
    }
}

/// The TOML of an account with the password `name` + `!`, whose hash costs as little as one may.
pub(crate) fn account(name: &str, rest: &str) -> String {
    with_hash(
        Params::new(7168, 5, 1, None).expect("parameters"),
        name,
        rest,
    )
}

/// The same with a hash that costs what `ftp-server user add` makes it cost.
pub(crate) fn costly_account(name: &str, rest: &str) -> String {
    with_hash(Params::default(), name, rest)
}

fn with_hash(params: Params, name: &str, rest: &str) -> String {
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(format!("{name}!").as_bytes())
        .expect("a hash");
    format!("[{name}]\npassword = \"{hash}\"\n{rest}\n")
}
