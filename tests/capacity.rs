//! How many idle sessions a server holds, and what each costs.
#![cfg(target_os = "linux")]

mod support;

use std::sync::{Mutex, PoisonError};
use support::{Raw, Server, raise_file_limit};

/// Each of these tests holds thousands of connections, and together they would pass the limit of one process.
static ALONE: Mutex<()> = Mutex::new(());

/// What one idle session may cost, in KiB of the server's share of memory.
const KIB_PER_SESSION: u64 = 20;

#[track_caller]
fn log_in(server: &Server, count: usize) -> Vec<Raw> {
    // As many at a time as stay well below the server's backlog.
    let mut sessions = Vec::with_capacity(count);
    while sessions.len() < count {
        let mut some: Vec<Raw> = (0..100.min(count - sessions.len()))
            .map(|_| Raw::dial(server.address))
            .collect();
        for raw in &mut some {
            raw.expect(220);
            raw.login();
        }
        sessions.append(&mut some);
    }
    sessions
}

#[test]
fn a_thousand_idle_sessions_cost_little_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    raise_file_limit();
    let sessions = 1000;
    let server = Server::with(&["--max-clients-per-address", "2000"]);
    // What only the first session needs is no session's cost.
    let rest = server.at_rest();
    drop(server.login());
    server.wait_for_footprint(&rest);
    let before = support::pss_kib(server.pid());
    let held = log_in(&server, sessions);
    let after = support::pss_kib(server.pid());
    let each = (after - before) / held.len() as u64;
    println!("{before} KiB with no session, {after} KiB with {sessions}: {each} KiB each");
    assert!(
        each <= KIB_PER_SESSION,
        "{each} KiB for each of {sessions} sessions ({before} KiB before, {after} KiB with them)"
    );
}

#[test]
fn ten_thousand_sessions_are_held() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sessions = 10_000;
    let limit = raise_file_limit();
    assert!(
        limit > 10_100,
        "this machine lets a process open only {limit} files (its hard RLIMIT_NOFILE), and this test needs 10,100"
    );
    // A shell's usual soft limit: the server has to raise its own.
    let server = Server::with_few_files(
        256,
        &[
            "--max-clients",
            "10010",
            "--max-clients-per-address",
            "10010",
        ],
    );
    server.write("a", "abc");
    let before = server.at_rest();
    let mut held = log_in(&server, sessions);
    let with_all = support::descriptors(server.pid());
    assert_eq!(
        with_all - before.descriptors,
        sessions,
        "descriptors of {sessions} idle sessions"
    );
    for raw in held.iter_mut().step_by(1000) {
        assert_eq!(raw.fetch("a"), b"abc");
    }
    held.push(server.login());
    for raw in held.iter_mut().rev().take(100) {
        raw.run("NOOP", 200);
    }
    drop(held);
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}
