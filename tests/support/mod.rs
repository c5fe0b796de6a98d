//! What the tests share: the two binaries as processes, a raw FTP client, and data to compare.
//!
//! Everything here has a deadline, so that a fault is a failure with a text and never a hang.

// Each test file is a crate of its own, and uses only a part of this.
#![allow(dead_code, unused_imports)]

mod client;
mod data;
mod dice;
mod link;
mod namespace;
mod privileges;
mod process;
mod proxy;
mod raw;
pub(crate) mod readme;
mod relay;
mod reply;
mod server;
mod sockets;
mod tls;
mod trees;
mod users;

pub(crate) use client::Client;
pub(crate) use data::{Pattern, assert_same, read_all};
pub(crate) use dice::Dice;
pub(crate) use link::Link;
pub(crate) use namespace::Namespace;
pub(crate) use privileges::{BINDFS, MOUNTS, OTHER_USER, OWN_MOUNTS, has, other_user};
pub(crate) use process::{
    Footprint, anonymous_kib, connections, descriptors, finish, looks_into_others, peak_kib,
    pss_kib, raise_file_limit, signal, threads, unpacked_programs,
};
pub(crate) use proxy::{Fault, Proxy, Weather, Which, prepared, prepared_port};
pub(crate) use raw::Raw;
pub(crate) use relay::Loss;
pub(crate) use reply::Reply;
pub(crate) use server::{Server, Text};
pub(crate) use sockets::{
    Active, connect_from, data_bytes, data_connection, free_range, reset, try_connect,
    try_connect_from,
};
pub(crate) use tls::{TlsClient, Wire};
pub(crate) use trees::{Tree, grow, odd_names, tree};
pub(crate) use users::{UsersFile, account, costly_account};

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the test fails. Far more than it should take on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How the name of a cut upload begins that is kept for its client to go on from.
pub(crate) const PARTIAL: &str = ".ftp-upload.partial.";

/// How a temporary file of an upload begins.
pub(crate) const TEMPORARY: &str = ".ftp-upload.";

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Asks again and again until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    wait_for(what, || so().then_some(()));
}

/// The names in a folder, sorted.
#[track_caller]
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// The names in a folder that are no cut uploads, sorted.
#[track_caller]
pub(crate) fn whole_names_in(folder: &Path) -> Vec<String> {
    let mut names = names_in(folder);
    names.retain(|name| !name.starts_with(PARTIAL));
    names
}

/// The names in a folder that are cut uploads.
#[track_caller]
pub(crate) fn partials_in(folder: &Path) -> Vec<String> {
    let mut names = names_in(folder);
    names.retain(|name| name.starts_with(PARTIAL) && !is_locked(&folder.join(name)));
    names
}

/// Whether somebody has the lock of a file, as an upload has that goes on. To try it would be in the way of whoever wants it.
fn is_locked(path: &Path) -> bool {
    let inode = std::fs::metadata(path).map(|file| file.ino().to_string());
    let locks = std::fs::read_to_string("/proc/locks").expect("the locks of this machine");
    // `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`
    inode.is_ok_and(|inode| {
        locks.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let place = words
                .clone()
                .nth(4)
                .and_then(|place| place.rsplit(':').next());
            words.next() == Some("FLOCK") && place == Some(inode.as_str())
        })
    })
}

/// Waits until some upload has more than so many bytes there.
#[track_caller]
pub(crate) fn wait_for_part(server: &Server, least: u64) {
    wait_until("a part of an upload to arrive", || {
        let names = names_in(&server.root).into_iter();
        let hidden = names.filter(|name| name.starts_with(TEMPORARY));
        let mut files = hidden.map(|name| std::fs::metadata(server.path(&name)));
        files.any(|file| file.is_ok_and(|file| file.len() > least))
    });
}

/// The temporary files of uploads in a folder and below it.
pub(crate) fn temporaries(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    // A file may be renamed away while this walks.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PARTIAL) && !is_locked(&entry.path()) {
            // Kept on purpose.
        } else if name.starts_with(TEMPORARY) {
            found.push(name);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(temporaries(&entry.path()));
        }
    }
    found
}
