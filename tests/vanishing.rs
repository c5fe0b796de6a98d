//! Peers that vanish: killed clients and dead connections, in every state, and what they must not leave behind.

mod support;

use rustix::process::Signal;
use std::io::{Read, Write};
use support::{Client, Pattern, Server, names_in, reset, temporaries, wait_until, whole_names_in};

#[test]
fn a_peer_that_vanishes_in_an_upload_leaves_the_old_file() {
    let server = Server::start();
    server.write("a", "old");
    let before = server.at_rest();
    for _ in 0..5 {
        let mut raw = server.login();
        let mut data = raw.begin("STOR a");
        data.write_all(&[1; 100_000]).expect("a part of it");
        // The kernel closes a killed client's descriptors in their order: the control connection first. Then the
        // end of the data is not the end of the file.
        drop(raw);
        drop(data);
    }
    server.wait_for_footprint(&before);
    assert_eq!(server.read("a"), b"old");
    assert_eq!(names_in(&server.root), ["a"]);
    server.assert_never_panicked();
}

#[test]
fn a_peer_that_is_cut_off_in_an_upload_leaves_the_old_file() {
    let server = Server::start();
    server.write("a", "old");
    let before = server.at_rest();
    for new in ["a", "b"] {
        let mut raw = server.login();
        let mut data = raw.begin(&format!("STOR {new}"));
        data.write_all(&[1; 100_000]).expect("a part of it");
        reset(data);
        drop(raw);
    }
    server.wait_for_footprint(&before);
    assert_eq!(server.read("a"), b"old");
    assert_eq!(whole_names_in(&server.root), ["a"]);
    server.assert_never_panicked();
}

#[test]
fn an_upload_ends_when_only_its_control_connection_does() {
    let server = Server::start();
    let before = server.at_rest();
    let mut raw = server.login();
    let mut data = raw.begin("STOR a");
    data.write_all(&[1; 100_000]).expect("a part of it");
    drop(raw);
    // The data connection stays open: without a look at the control connection this waits for the data limit.
    server.wait_for_footprint(&before);
    assert_eq!(whole_names_in(&server.root), [""; 0]);
    drop(data);
}

#[test]
fn a_peer_that_vanishes_in_a_download_leaves_nothing() {
    let server = Server::start();
    server.write("big", vec![0; 16 * 1024 * 1024]);
    let before = server.at_rest();
    for turn in 0..6 {
        let mut raw = server.login();
        let mut data = raw.begin("RETR big");
        data.read_exact(&mut [0; 1000]).expect("the first bytes");
        match turn % 3 {
            0 => reset(data),
            1 => drop(data),
            _ => {
                drop(raw);
                // Nobody reads on, and the connection stays.
                server.wait_for_footprint(&before);
                drop(data);
            }
        }
    }
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}

#[test]
fn a_peer_that_vanishes_while_its_data_connection_is_awaited_leaves_nothing() {
    let server = Server::start();
    server.write("a", "abc");
    let before = server.at_rest();
    for line in ["RETR a", "STOR b", "MLSD"] {
        let mut raw = server.login();
        raw.epsv();
        raw.send(line);
        drop(raw);
    }
    server.wait_for_footprint(&before);
    assert_eq!(whole_names_in(&server.root), ["a"]);
}

#[test]
fn a_client_killed_in_an_upload_leaves_the_old_file() {
    let server = Server::start();
    server.write("big", "old");
    let before = server.at_rest();
    let client = Client::new(server.address);
    let file = std::fs::File::create(client.folder().join("big")).expect("a file");
    file.set_len(1024 * 1024 * 1024).expect("a file with holes");
    let running = client.spawn("put big\n");
    wait_until("the upload to be under way", || {
        !temporaries(&server.root).is_empty()
    });
    running.signal(Signal::KILL);
    server.wait_for_footprint(&before);
    assert_eq!(server.read("big"), b"old");
    assert_eq!(whole_names_in(&server.root), ["big"]);
    // The server is as well as before.
    let new = Pattern::bytes(1, 100_000);
    client.write("small", &new);
    client.succeed("put small\n");
    assert!(server.read("small") == new, "the next client's upload");
}

#[test]
fn a_client_killed_in_a_download_leaves_nothing() {
    let server = Server::start();
    let file = std::fs::File::create(server.path("big")).expect("a file");
    file.set_len(1024 * 1024 * 1024).expect("a file with holes");
    let before = server.at_rest();
    let client = Client::new(server.address);
    let running = client.spawn("get big\n");
    wait_until("the download to be under way", || {
        client.download("big.part").exists()
    });
    running.signal(Signal::KILL);
    server.wait_for_footprint(&before);
    assert!(
        !client.download("big").exists(),
        "a download that was cut has its final name"
    );
}
