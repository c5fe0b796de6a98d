//! Accounts: who may log in, what each may do and how much, and the file that they stand in.

mod bounds;
mod edit;
mod file;
mod login;
mod permissions;
mod quota;

// One crate for all of them: each takes the linker as long as all of them together.
#[path = "../support/mod.rs"]
mod support;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use std::fs::Permissions;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::{Raw, Server, temporaries, wait_until};
use tempfile::TempDir;

/// A users file in a folder of its own.
struct UsersFile(TempDir);

impl UsersFile {
    #[track_caller]
    fn new(text: &str) -> Self {
        let file = Self(TempDir::with_prefix("ftp-test-").expect("a temporary folder"));
        file.put(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("users.toml")
    }

    /// Puts a text in its place in one step, as editors do.
    #[track_caller]
    fn put(&self, text: &str) {
        let fresh = self.0.path().join("fresh");
        std::fs::write(&fresh, text).expect("a users file");
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600)).expect("its mode");
        std::fs::rename(&fresh, self.path()).expect("a users file in its place");
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).expect("the users file")
    }

    /// A server with these accounts and these flags.
    #[track_caller]
    fn server(&self, flags: &[&str]) -> Server {
        let path = self.path();
        let path = path.to_str().expect("UTF-8");
        let flags = [&["--users", path], flags].concat();
        Server::with(&flags)
    }
}

/// The TOML of an account with the password `name` + `!`, whose hash costs as little as one may.
fn account(name: &str, rest: &str) -> String {
    let params = Params::new(7168, 5, 1, None).expect("parameters");
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(format!("{name}!").as_bytes())
        .expect("a hash");
    format!("[{name}]\npassword = \"{hash}\"\n{rest}\n")
}

/// A session of an account that `account` made.
#[track_caller]
fn log_in(server: &Server, name: &str) -> Raw {
    let mut raw = server.connect();
    raw.run(&format!("USER {name}"), 331);
    raw.run(&format!("PASS {name}!"), 230);
    raw.run("TYPE I", 200);
    raw
}

/// Begins an upload, and waits until the server has written all of these bytes to `folder`.
#[track_caller]
fn begin_part(folder: &Path, raw: &mut Raw, command: &str, bytes: &[u8]) -> TcpStream {
    let mut data = raw.begin(command);
    data.write_all(bytes).expect("a part of the file");
    let is_there = |name: &String| {
        std::fs::metadata(folder.join(name)).is_ok_and(|file| file.len() == bytes.len() as u64)
    };
    wait_until("the server to have the part", || {
        temporaries(folder).iter().any(is_there)
    });
    data
}

/// Tries a login that must fail.
#[track_caller]
fn fail(raw: &mut Raw, name: &str, password: &str) -> support::Reply {
    raw.run(&format!("USER {name}"), 331);
    raw.run(&format!("PASS {password}"), 530)
}
