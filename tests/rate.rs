//! `--rate` and `--rate-per-client`: how fast transfers may go, and that clients get equal parts of it.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use support::{Raw, Server, UsersFile, account, data_bytes, wait_for};

const BIG: u64 = 1 << 40;

/// A transfer that goes on until it is dropped, as fast as the server lets it.
struct Endless {
    /// Its end would be that of the transfer.
    _raw: Raw,
    data: TcpStream,
}

impl Endless {
    #[track_caller]
    fn begin(mut raw: Raw, command: &str) -> Self {
        raw.run("TYPE I", 200);
        let data = raw.begin(command);
        let mut ours = data.try_clone().expect("a descriptor");
        let uploads = command.starts_with("STOR");
        // It ends when the connection does.
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while match uploads {
                true => ours.write(&buffer),
                false => ours.read(&mut buffer),
            }
            .is_ok_and(|count| count > 0)
            {}
        });
        Self { _raw: raw, data }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.data.shutdown(std::net::Shutdown::Both);
    }
}

/// How many bytes the server has moved for each session, in the order in which they came.
#[track_caller]
fn moved(server: &Server) -> Vec<u64> {
    let output = Server::command()
        .args(["status", "--json"])
        .env("XDG_STATE_HOME", server.state())
        .output()
        .expect("the server's binary runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).expect("an object");
        row["bytes"].as_u64().unwrap_or(0)
    });
    rows.collect()
}

/// How many bytes the server moves for each session while it moves so many in all. What goes into the buffers of
/// connections that have just been made is before that.
#[track_caller]
fn moved_in_a_window(server: &Server, least: u64) -> Vec<u64> {
    let begin = wait_for("all to have begun", || {
        let begin = moved(server);
        begin.iter().all(|&bytes| bytes > 50_000).then_some(begin)
    });
    wait_for("the end of the window", || {
        let end = moved(server);
        let window: Vec<u64> = end
            .iter()
            .zip(&begin)
            .map(|(end, begin)| end - begin)
            .collect();
        (window.iter().sum::<u64>() >= least).then_some(window)
    })
}

/// Each part may be this much more or less than what it should be of them all.
const TOLERANCE: f64 = 0.15;
/// A machine that is busy with other things may be unfair for a while. A server that is has no window that is right.
const WINDOWS: usize = 5;

/// Looks whether sessions share as they should what the server moves while it moves so many bytes.
#[track_caller]
fn assert_shared(server: &Server, least: u64, shares: &[f64]) {
    let mut windows: Vec<Vec<u64>> = Vec::new();
    while windows.last().is_none_or(|last| !is_shared(last, shares)) {
        assert!(
            windows.len() < WINDOWS,
            "{windows:?} are not shared as {shares:?}"
        );
        windows.push(moved_in_a_window(server, least));
    }
}

#[allow(clippy::cast_precision_loss)] // of some megabytes
fn is_shared(window: &[u64], shares: &[f64]) -> bool {
    let (all, whole) = (
        window.iter().sum::<u64>() as f64,
        shares.iter().sum::<f64>(),
    );
    assert_eq!(window.len(), shares.len());
    window.iter().zip(shares).all(|(&bytes, share)| {
        let part = bytes as f64 / all / (share / whole);
        (1.0 - TOLERANCE..1.0 + TOLERANCE).contains(&part)
    })
}

#[test]
fn the_total_is_shared_evenly_by_downloads_and_uploads() {
    let server = Server::with(&["--rate", "2M"]);
    server.write_sparse("big", BIG);
    let _transfers = ["RETR big", "STOR one", "RETR big", "STOR two"]
        .map(|command| Endless::begin(server.login(), command));
    assert_shared(&server, 6_000_000, &[1.0; 4]);
}

#[test]
fn who_is_held_lower_leaves_the_rest_to_the_others() {
    let users = UsersFile::new(&account("slow", "permissions = 'full'\nrate = 300_000"));
    let server = users.server(&["--rate", "1500000", "--anonymous", "write"]);
    server.write_sparse("big", BIG);
    let mut slow = server.connect();
    slow.run("USER slow", 331);
    slow.run("PASS slow!", 230);
    let _slow = Endless::begin(slow, "RETR big");
    let _others = [(); 2].map(|()| Endless::begin(server.login(), "RETR big"));
    assert_shared(&server, 4_500_000, &[1.0, 2.0, 2.0]);
}

#[test]
fn each_client_has_its_own_rate_whatever_the_others_do() {
    let users = UsersFile::new(&account("slow", "permissions = 'full'\nrate = 250_000"));
    let server = users.server(&["--rate-per-client", "500000", "--anonymous", "write"]);
    server.write_sparse("big", BIG);
    let mut slow = server.connect();
    slow.run("USER slow", 331);
    slow.run("PASS slow!", 230);
    let _slow = Endless::begin(slow, "RETR big");
    let _others = ["RETR big", "STOR up"].map(|command| Endless::begin(server.login(), command));
    assert_shared(&server, 3_000_000, &[1.0, 2.0, 2.0]);
}

#[test]
fn a_limit_is_one_for_every_way_to_move_bytes() {
    // No byte of these could come within the patience of a test if it were not for the first slices.
    let server = Server::with(&["--rate", "1K"]);
    server.write_sparse("big", BIG);
    for (kind, command) in [
        ("TYPE I", "RETR big"),
        ("TYPE A", "RETR big"),
        ("TYPE I", "STOR up"),
        ("TYPE A", "STOR up"),
        ("TYPE I", "APPE up"),
    ] {
        let mut raw = server.login();
        raw.run(kind, 200);
        let mut data = raw.begin(command);
        if command.starts_with("RETR") {
            data.read_exact(&mut [0; 1]).expect("a byte");
        } else {
            data.write_all(&[b'x'; 100_000]).expect("bytes are sent");
        }
        raw.send("STAT");
        let status = raw.expect(211).to_string();
        let so_far = status
            .split(", ")
            .last()
            .and_then(|rest| rest.split(' ').next());
        let so_far: u64 = so_far
            .and_then(|n| n.parse().ok())
            .expect("a number of bytes");
        assert!(so_far < 50_000, "{kind}, {command}: {status}");
        // It is noticed in the pause between two slices.
        raw.send("ABOR");
        raw.expect(426);
        raw.expect(226);
        drop(data_bytes(data));
    }
}

#[test]
fn pauses_end_with_the_session_and_with_the_server() {
    // One byte a second for all of them: each waits for as long as there are others.
    let mut server = Server::with(&["--rate", "1", "--drain", "1"]);
    server.write_sparse("big", BIG);
    let mut all: Vec<_> = (0..60)
        .map(|_| {
            let mut raw = server.login();
            raw.run("TYPE I", 200);
            let data = raw.begin("RETR big");
            (raw, data)
        })
        .collect();
    let output = Server::command()
        .args(["kick", "60"])
        .env("XDG_STATE_HOME", server.state())
        .output()
        .expect("the server's binary runs");
    assert!(output.status.success(), "{output:?}");
    let (mut kicked, _data) = all.pop().expect("the last one");
    kicked.expect(426);
    kicked.expect(421);
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn rates_that_make_no_sense_are_refused() {
    for flags in [
        ["--rate", "0"],
        ["--rate", "fast"],
        ["--rate-per-client", "1T"],
    ] {
        let output = Server::run(&flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{flags:?} was taken");
        assert!(
            errors.contains(flags[0]) && errors.contains("a rate is a number"),
            "{errors}"
        );
    }
}
