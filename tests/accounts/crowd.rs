//! Listings that many ask for at once: each is told what its account may know, and nothing older than the question.

use crate::support::{Raw, Server};
use crate::{UsersFile, account, log_in};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// How many clients ask beside the one that is looked at, and how often that one asks.
const CROWD: usize = 6;
const ASKED: usize = 40;
/// How many files there are: enough that a listing takes a while.
const FILES: usize = 300;

/// A server with files, a folder that is one account's, and an account that may do less than others.
fn server() -> (UsersFile, Server) {
    let users = UsersFile::new(
        &[
            account("reader", "permissions = 'read'"),
            account("tenant", "permissions = 'write'\nroot = 'inner'"),
        ]
        .concat(),
    );
    let server = users.server(&["--anonymous", "write"]);
    server.make_folder("inner");
    for n in 0..FILES {
        server.write(&format!("file {n}"), "");
        server.write(&format!("inner/inner {n}"), "");
    }
    (users, server)
}

/// Has a crowd ask for `command` until `work` is done.
fn beside_a_crowd(server: &Server, command: &str, work: impl FnOnce()) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                let mut raw = server.login();
                while !is_done.load(Ordering::Relaxed) {
                    raw.rows(command);
                }
            });
        }
        // The crowd goes home though it panics.
        let outcome = catch_unwind(AssertUnwindSafe(work));
        is_done.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// The row of a file, if it is listed.
fn row(raw: &mut Raw, command: &str, name: &str) -> Option<String> {
    raw.rows(command)
        .into_iter()
        .find(|row| row.ends_with(name))
}

#[test]
fn nobody_is_told_what_is_older_than_the_question() {
    let (_users, server) = server();
    for (command, size) in [("LIST", " 4321 "), ("NLST", ""), ("MLSD", "size=4321;")] {
        beside_a_crowd(&server, command, || {
            let mut raw = server.login();
            for n in 0..ASKED {
                let name = format!("late {n}.txt");
                server.write(&name, "1");
                let told = row(&mut raw, command, &name);
                assert!(told.is_some(), "{command} without {name}");
                server.write(&name, [b'x'; 4321]);
                let told = row(&mut raw, command, &name);
                let is_new = told.as_ref().is_some_and(|row| row.contains(size));
                assert!(is_new, "{command} with the size of before: {told:?}");
                std::fs::remove_file(server.path(&name)).expect("the file to go");
                let told = row(&mut raw, command, &name);
                assert_eq!(told, None, "{command} of a file that is gone");
            }
        });
    }
    server.assert_never_panicked();
}

// Each differs from the crowd in one thing.
#[test]
fn each_is_told_its_own_rights_facts_and_folder() {
    let (_users, server) = server();
    beside_a_crowd(&server, "MLSD", || {
        let mut others = [
            ("reader", log_in(&server, "reader"), "perm=r;", " file "),
            ("tenant", log_in(&server, "tenant"), "perm=arw;", " inner "),
            ("chooser", server.login(), "type=file;size=0; ", " file "),
        ];
        others[2].1.run("OPTS MLST type;size;", 200);
        for _ in 0..ASKED {
            for (who, raw, facts, name) in &mut others {
                let told = raw.rows("MLSD");
                let is_own = |row: &&String| row.contains(*facts) && row.contains(*name);
                let own = told.iter().filter(is_own).count();
                assert_eq!(own, FILES, "{who}: {:?}", told.first());
            }
        }
    });
    server.assert_never_panicked();
}
