//! Quotas: what passes one ends in 552, and what was there is as it was.

use crate::support::{Pattern, Raw, Server, names_in, whole_names_in};
use crate::{UsersFile, account, begin_part, log_in};
use std::io::Write;
use std::os::unix::fs::symlink;

const QUOTA: u64 = 1_000_000;

/// A server with an account that may have so much, and a session of it.
fn start() -> (UsersFile, Server, Raw) {
    let users = UsersFile::new(&account(
        "anna",
        &format!("permissions = 'full'\nroot = 'anna'\nquota = {QUOTA}"),
    ));
    let server = users.server(&[]);
    server.make_folder("anna");
    let raw = log_in(&server, "anna");
    (users, server, raw)
}

/// Sends what is to be too much.
#[track_caller]
fn overflow(raw: &mut Raw, command: &str, len: u64) {
    let mut data = raw.begin(command);
    // The server may have closed before all is written.
    let _ = data.write_all(&Pattern::bytes(9, len));
    drop(data);
    raw.expect(552);
}

#[test]
fn all_files_together_stay_within_it() {
    let (_users, server, mut raw) = start();
    // What is there before counts, in whatever folder; what is elsewhere does not.
    server.make_folder("anna/d/e");
    server.write("anna/d/e/old", Pattern::bytes(1, 400_000));
    server.write("elsewhere", Pattern::bytes(1, 2_000_000));
    raw.store("a", &Pattern::bytes(2, 500_000));
    overflow(&mut raw, "STOR b", 100_001);
    overflow(&mut raw, "APPE a", 100_001);
    overflow(&mut raw, "STOU", 100_001);
    assert_eq!(names_in(&server.path("anna")), ["a", "d"]);
    assert_eq!(server.read("anna/a"), Pattern::bytes(2, 500_000));
    // Up to the last byte.
    raw.store("b", &Pattern::bytes(3, 100_000));
    overflow(&mut raw, "STOR c", 1);
    assert_eq!(names_in(&server.path("anna")), ["a", "b", "d"]);
}

#[test]
fn what_replaces_a_file_counts_in_its_place() {
    let (_users, server, mut raw) = start();
    raw.store("a", &Pattern::bytes(1, 900_000));
    raw.store("a", &Pattern::bytes(2, 1_000_000));
    overflow(&mut raw, "STOR a", 1_000_001);
    assert_eq!(server.read("anna/a"), Pattern::bytes(2, 1_000_000));
    raw.store("a", &Pattern::bytes(3, 600_000));
    // To go on from a file takes a copy of it meanwhile.
    let mut data = raw.begin("APPE a");
    data.write_all(&Pattern::bytes(4, 400_000)).expect("more");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("anna/a").len() as u64, QUOTA);
}

#[test]
fn what_is_removed_makes_room() {
    let (_users, server, mut raw) = start();
    raw.store("a", &Pattern::bytes(1, 600_000));
    raw.store("b", &Pattern::bytes(1, 400_000));
    overflow(&mut raw, "STOR c", 1);
    raw.run("DELE b", 250);
    raw.store("c", &Pattern::bytes(2, 400_000));
    overflow(&mut raw, "STOR d", 1);
    // A file that another takes the name of is gone as well.
    raw.run("RNFR a", 350);
    raw.run("RNTO c", 250);
    // And one that takes its own name is not, by whatever path.
    symlink(".", server.path("anna/again")).expect("a link");
    for to in ["c", "again/c"] {
        raw.run("RNFR c", 350);
        raw.run(&format!("RNTO {to}"), 250);
    }
    raw.store("d", &Pattern::bytes(3, 400_000));
    overflow(&mut raw, "STOR e", 1);
    assert_eq!(names_in(&server.path("anna")), ["again", "c", "d"]);
}

#[test]
fn uploads_at_the_same_time_count_together() {
    let (_users, server, mut one) = start();
    let mut two = log_in(&server, "anna");
    let first = begin_part(
        &server.path("anna"),
        &mut one,
        "STOR a",
        &Pattern::bytes(1, 700_000),
    );
    overflow(&mut two, "STOR b", 300_001);
    two.store("b", &Pattern::bytes(2, 300_000));
    drop(first);
    one.expect(226);
    overflow(&mut two, "STOR c", 1);
    assert_eq!(whole_names_in(&server.path("anna")), ["a", "b"]);
}

#[test]
fn an_upload_that_was_cut_counts_until_it_is_gone_on_with() {
    let (_users, server, mut raw) = start();
    let data = begin_part(
        &server.path("anna"),
        &mut raw,
        "STOR a",
        &Pattern::bytes(1, 600_000),
    );
    crate::support::reset(data);
    raw.expect(426);
    overflow(&mut raw, "STOR b", 400_001);
    // From the middle of it: what is behind is given back.
    raw.run("REST 500000", 350);
    let mut data = raw.begin("STOR a");
    data.write_all(&Pattern::bytes(2, 500_000))
        .expect("the rest");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("anna/a").len() as u64, QUOTA);
    overflow(&mut raw, "STOR b", 1);
    assert_eq!(names_in(&server.path("anna")), ["a"]);
}
