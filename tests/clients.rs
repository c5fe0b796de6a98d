//! Many clients at once, each putting and getting a file of its own and one that all share.

mod support;

use std::thread;
use support::{Client, Pattern, Server, assert_same, names_in, read_all};

const CLIENTS: u8 = 32;
/// How many of them are the real client; the others are raw.
const REAL: u8 = 8;
const ROUNDS: u8 = 3;
const SHARED: &str = "shared file";

/// A version of the shared file: each byte says whose it is. All are of one length, since the real client asks for the
/// size before it fetches, and between the two another client may have put its version there.
fn version(of: u8) -> Vec<u8> {
    vec![of; 100_000]
}

#[track_caller]
fn assert_whole(shared: &[u8]) {
    let of = *shared.first().expect("the shared file is never empty");
    assert!(shared == version(of), "half of client {of}'s version");
}

/// The size of a client's own file in a round: from nothing to a little over 3 MB.
fn own_size(client: u8, round: u8) -> u64 {
    u64::from(client) * 99_991 * u64::from(round)
}

fn raw_client(server: &Server, number: u8) {
    let mut raw = server.login();
    let name = format!("own {number}");
    for round in 0..ROUNDS {
        let own = Pattern::new(number.into(), own_size(number, round));
        raw.store_from(&name, &mut own.clone());
        raw.store(SHARED, &version(number));
        let data = raw.begin(&format!("RETR {name}"));
        assert_same(&name, data, own);
        raw.expect(226);
        assert_whole(&raw.fetch(SHARED));
        let rows = raw.rows("NLST");
        assert!(rows.contains(&name), "no {name} in {rows:?}");
    }
    raw.run("QUIT", 221);
    raw.expect_closed();
}

fn real_client(server: &Server, number: u8) {
    let name = format!("own {number}");
    let client = Client::new(server.address);
    for round in 0..ROUNDS {
        let own = Pattern::new(number.into(), own_size(number, round));
        client.write(&name, read_all(own.clone()));
        client.write(SHARED, version(number));
        client.succeed(&format!(
            "put \"{name}\"\nput \"{SHARED}\"\nget \"{name}\"\nget \"{SHARED}\"\nls\nexit\n"
        ));
        let got = std::fs::File::open(client.download(&name)).expect("the download");
        assert_same(&name, got, own);
        let shared = std::fs::read(client.download(SHARED)).expect("the shared download");
        assert_whole(&shared);
        std::fs::remove_dir_all(client.download("")).expect("the downloads go");
    }
}

#[test]
fn thirty_two_clients_at_once() {
    let server = Server::start();
    server.write(SHARED, version(0));
    let before = server.at_rest();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let client = if number < REAL {
                real_client
            } else {
                raw_client
            };
            let server = &server;
            scope.spawn(move || client(server, number));
        }
    });
    assert_whole(&server.read(SHARED));
    for number in 0..CLIENTS {
        let name = format!("own {number}");
        let own = Pattern::new(number.into(), own_size(number, ROUNDS - 1));
        assert_same(&name, &server.read(&name)[..], own);
    }
    assert_eq!(names_in(&server.root).len(), usize::from(CLIENTS) + 1);
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}
