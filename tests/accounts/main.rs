//! Accounts: who may log in, what each may do and how much, and the file that they stand in.

mod bounds;
mod crowd;
mod edit;
mod file;
mod login;
mod permissions;
mod quota;

// One crate for all of them: each takes the linker as long as all of them together.
#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use support::{Raw, Server, UsersFile, account, temporaries, wait_until};

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
