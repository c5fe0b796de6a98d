//! The bounds of an account: its folder, its sessions, the size of its files, its rate.

use crate::support::{Pattern, names_in};
use crate::{UsersFile, account, log_in};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;

#[test]
fn an_account_has_its_folder_and_nothing_else() {
    let users = UsersFile::new(
        &[
            account("anna", "permissions = 'full'\nroot = 'teams/anna'"),
            account("bert", "permissions = 'full'\nroot = '/teams/bert/'"),
            account("boss", "permissions = 'full'"),
        ]
        .concat(),
    );
    let server = users.server(&[]);
    server.make_folder("teams/anna");
    server.write("secret", "secret");
    symlink("../../secret", server.path("teams/anna/out")).expect("a link");
    symlink("in", server.path("teams/anna/link")).expect("a link");
    let mut anna = log_in(&server, "anna");
    anna.store("in", b"anna's");
    assert_eq!(server.read("teams/anna/in"), b"anna's");
    assert_eq!(anna.fetch("link"), b"anna's");
    for path in [
        "../secret",
        "../../secret",
        "/secret",
        "out",
        "/teams/anna/in",
    ] {
        anna.begin_refused(&format!("RETR {path}"), &[550]);
    }
    assert_eq!(anna.run("PWD", 257).quoted(), "/");
    anna.run("CWD ..", 250);
    let mut names = anna.rows("NLST");
    names.sort();
    assert_eq!(names, ["in", "link"]);
    // The folder of the other is made when it is missing.
    let mut bert = log_in(&server, "bert");
    assert!(bert.rows("NLST").is_empty());
    assert!(server.path("teams/bert").is_dir());
    let mut boss = log_in(&server, "boss");
    assert_eq!(boss.fetch("teams/anna/in"), b"anna's");
    // The next to log in has what is its own.
    anna.run("USER boss", 331);
    anna.run("PASS boss!", 230);
    assert_eq!(anna.fetch("secret"), b"secret");
}

#[test]
fn a_folder_that_leads_out_of_the_served_one_lets_nobody_in() {
    let users = UsersFile::new(&account("anna", "permissions = 'full'\nroot = 'out'"));
    let server = users.server(&[]);
    symlink(server.outside(), server.path("out")).expect("a link");
    let mut raw = server.connect();
    raw.run("USER anna", 331);
    let reply = raw.run("PASS anna!", 530);
    assert!(reply.text.contains("folder"), "{reply}");
    raw.run("PWD", 530);
    server.wait_for_log(&["ERROR", "cannot open the folder of anna", "\"out\""]);
}

#[test]
fn an_account_has_so_many_sessions_and_no_more() {
    let users = UsersFile::new(
        &[
            account("anna", "permissions = 'read'\nmax-sessions = 2"),
            account("bert", "permissions = 'read'"),
        ]
        .concat(),
    );
    let server = users.server(&[]);
    let (one, mut two) = (log_in(&server, "anna"), log_in(&server, "anna"));
    let mut third = server.connect();
    third.run("USER anna", 331);
    third.run("PASS anna!", 421);
    third.expect_closed();
    log_in(&server, "bert");
    // A place is free again when its session logs in as somebody else, or ends.
    two.run("USER bert", 331);
    let _two = log_in(&server, "anna");
    drop(one);
    server.wait_for_log(&["disconnected"]);
    crate::support::wait_until("the place to be free", || {
        let mut raw = server.connect();
        raw.run("USER anna", 331);
        raw.send("PASS anna!");
        raw.expect_one_of(&[230, 421]).code == 230
    });
}

#[test]
fn a_file_has_its_largest_size() {
    let users = UsersFile::new(&account(
        "anna",
        "permissions = 'full'\nmax-file-size = 100_000",
    ));
    let server = users.server(&[]);
    server.write("old", "old");
    let mut raw = log_in(&server, "anna");
    raw.store("most", &Pattern::bytes(1, 100_000));
    for (rest, command) in [
        (None, "STOR new"),
        (None, "STOR old"),
        (None, "APPE most"),
        (None, "APPE new"),
        (Some(3), "STOR old"),
        (None, "STOU"),
    ] {
        if let Some(rest) = rest {
            raw.run(&format!("REST {rest}"), 350);
        }
        let mut data = raw.begin(command);
        // The server may have closed before all is written.
        let _ = data.write_all(&Pattern::bytes(2, 100_001));
        drop(data);
        let reply = raw.expect(552);
        assert!(reply.text.contains("over the limit"), "{reply}");
    }
    assert_eq!(names_in(&server.root), ["most", "old"]);
    assert_eq!(server.read("old"), b"old");
    assert_eq!(server.read("most"), Pattern::bytes(1, 100_000));
}

#[test]
fn a_rate_holds_transfers_both_ways_and_they_can_be_stopped() {
    let users = UsersFile::new(&account("anna", "permissions = 'full'\nrate = 20_000"));
    let server = users.server(&[]);
    server.write_sparse("big", 100_000_000);
    let mut raw = log_in(&server, "anna");
    // All that is small goes as before.
    raw.store("small", b"small");
    assert_eq!(raw.fetch("small"), b"small");

    let mut data = raw.begin("RETR big");
    data.read_exact(&mut [0; 1000]).expect("the beginning");
    // Whatever time it takes to come here, it is not the hour that the file takes.
    assert!(moved(&mut raw) < 50_000_000);
    raw.send("ABOR");
    raw.expect_all(&[426, 226]);
    drop(data);

    let mut data = raw.begin("STOR up");
    let mut more = data.try_clone().expect("the same connection");
    let sender = std::thread::spawn(move || while more.write_all(&[0; 65_536]).is_ok() {});
    assert!(moved(&mut raw) < 50_000_000);
    raw.send("ABOR");
    raw.expect_all(&[426, 226]);
    let _ = data.read(&mut [0]);
    sender.join().expect("the sender ends");

    let mut data = raw.begin("LIST");
    let mut rows = String::new();
    data.read_to_string(&mut rows).expect("a listing");
    raw.expect(226);
    assert_eq!(rows.lines().count(), 2);
}

/// How many bytes a transfer has moved so far.
#[track_caller]
fn moved(raw: &mut crate::support::Raw) -> u64 {
    let reply = raw.run("STAT", 211);
    let words: Vec<&str> = reply.text.split(' ').collect();
    let at = words.iter().position(|word| *word == "bytes");
    at.and_then(|at| words[at - 1].parse().ok())
        .unwrap_or_else(|| panic!("expected a number of bytes, got {reply}"))
}
