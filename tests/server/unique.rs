//! STOU (RFC 959 §4.1.3, RFC 1123 §4.1.2.9): cameras and scanners that leave it to the server to find a name.

use crate::support::{Raw, Server, names_in};
use std::collections::HashSet;
use std::io::Write;
use std::thread;

/// Stores under a name of the server's choice, and says which.
#[track_caller]
fn store(raw: &mut Raw, command: &str, bytes: &[u8]) -> String {
    let address = raw.epsv();
    let mut data = crate::support::data_connection(address);
    let reply = raw.run(command, 150);
    let name = reply
        .text
        .split_once("FILE: ")
        .map(|(_, name)| name.to_owned());
    let name = name.unwrap_or_else(|| panic!("RFC 1123 has `150 FILE: name`, got {reply}"));
    data.write_all(bytes).expect("a few bytes");
    drop(data);
    raw.expect(226);
    name
}

#[test]
fn the_server_tells_the_name_and_it_is_one_that_works() {
    let server = Server::start();
    server.make_folder("d");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    for command in ["STOU", "stou", "STOU scan", "STOU sub name.jpg"] {
        let name = store(&mut raw, command, command.as_bytes());
        assert_eq!(raw.fetch(&name), command.as_bytes(), "{name}");
        raw.run("TYPE I", 200);
        raw.run(&format!("SIZE {name}"), 213);
    }
    assert_eq!(names_in(&server.path("d")).len(), 4);
    assert_eq!(names_in(&server.root), ["d"]);
}

#[test]
fn no_two_have_the_same_name() {
    let server = Server::start();
    server.write("x", "old");
    let names: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut raw = server.login();
                    let mut names = Vec::new();
                    for turn in 0..10 {
                        let command = if turn % 2 == 0 { "STOU" } else { "STOU x" };
                        names.push(store(&mut raw, command, b"new"));
                    }
                    names
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker"))
            .collect()
    });
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), 80);
    assert_eq!(names_in(&server.root).len(), 81);
    assert_eq!(server.read("x"), b"old");
}

#[test]
fn what_it_cannot_store_it_refuses() {
    let server = Server::with(&["--anonymous", "read"]);
    server.login().begin_refused("STOU", &[550, 553]);
    let server = Server::start();
    let mut raw = server.login();
    raw.run("STOU", 425);
    raw.begin_refused("STOU missing/x", &[550, 553]);
    raw.begin_refused("STOU .ftp-upload.x", &[550, 553]);
    raw.begin_refused(&format!("STOU {}", "n".repeat(300)), &[550, 553]);
    assert_eq!(names_in(&server.root), [""; 0]);
}
