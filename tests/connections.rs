//! How many connections the client uses: one large file over several, and fewer where the server has no room.

mod support;

use rustix::process::Signal;
use std::fs;
use support::{Client, Pattern, Server, wait_for, wait_until};

const MIB: u64 = 1024 * 1024;

/// How many sessions have begun that transfer, as the server's log has it.
fn transfers(server: &Server, verb: &str) -> usize {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains(verb));
    let peers: std::collections::HashSet<&str> = lines
        .filter_map(|line| {
            line.split_once("INFO ")?
                .1
                .trim_start_matches(['[', ']', ' '])
                .split(' ')
                .next()
        })
        .collect();
    peers.len()
}

#[test]
fn a_large_file_comes_over_several_connections() {
    let server = Server::start();
    let content = Pattern::bytes(1, 9 * MIB + 12_345);
    server.write("f", &content);
    server.write("small", "small");
    // Slowly, so that the first connection has not fetched it all before the others are there.
    let client = Client::new(server.address).with(&["--limit-rate", "8M"]);
    client.succeed("get --segments 4 f\nget --segments=4 small\nget --segments=1 f g\n");
    assert!(fs::read(client.download("f")).expect("f") == content);
    assert!(fs::read(client.download("g")).expect("g") == content);
    assert_eq!(fs::read(client.download("small")).expect("small"), b"small");
    assert_eq!(transfers(&server, "RETR /f"), 4);
    assert_eq!(transfers(&server, "RETR /small"), 1);
    assert_eq!(support::names_in(&client.download("")), ["f", "g", "small"]);
}

#[test]
fn segments_where_the_server_lets_only_two_in() {
    let server = Server::with(&["--max-clients", "2"]);
    let content = Pattern::bytes(2, 8 * MIB);
    server.write("f", &content);
    let client = Client::new(server.address);
    client.succeed("get --segments 4 f\n");
    assert!(fs::read(client.download("f")).expect("f") == content);
}

/// Stopped, it goes on from where there is no gap; killed, nobody knows where the gaps are, and it starts over.
#[test]
fn segments_that_were_cut() {
    let server = Server::start();
    let content = Pattern::bytes(3, 12 * MIB);
    server.write("f", &content);
    for signal in [Signal::INT, Signal::KILL] {
        let slow = Client::new(server.address).with(&["--limit-rate", "8M"]);
        let running = slow.spawn("get --segments 3 f\n");
        let part = slow.download("f.part");
        wait_for("all of the segments", || {
            let length = fs::metadata(&part).ok()?.len();
            (length > 9 * MIB).then_some(())
        });
        running.signal(signal);
        running.output();
        let kept = fs::metadata(slow.download("f.part.facts")).is_ok();
        assert_eq!(kept, signal == Signal::INT);
        let output = slow.with(&[]).run("get f\n");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert_eq!(errors.contains("going on after"), kept, "{errors}");
    }
}

#[test]
fn connections_grow_back_when_there_is_room_again() {
    let server = Server::with(&["--max-clients", "3"]);
    server.make_folder("many");
    for number in 0..400 {
        server.write(&format!("many/{number}"), vec![7; 32 * 1024]);
    }
    let others = [server.login(), server.login()];
    let client = Client::new(server.address).with(&["--jobs", "3", "--limit-rate", "1M"]);
    let running = client.spawn("get -r many\n");
    server.wait_for_log(&["RETR /many/"]);
    wait_until("a refusal", || {
        server.log().contains("no room") || server.log().contains("refused")
    });
    assert_eq!(transfers(&server, "RETR /many"), 1);
    drop(others);
    wait_until("another connection", || {
        transfers(&server, "RETR /many") > 1
    });
    running.signal(Signal::INT);
    running.output();
}
