//! A client that was given several servers over one folder: where one cannot be had, or dies in the midst of a transfer, the
//! next one goes on.

mod support;

use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Output;
use support::{Active, Client, Pattern, Server, temporaries, wait_for, wait_for_part, wait_until};

/// More than sockets hold.
const SIZE: u64 = 30_000_000;
/// So that there is a midst.
const SLOW: [&str; 7] = [
    "--json",
    "--limit-rate",
    "1M",
    "--retry-wait",
    "1",
    "--jobs",
    "1",
];

/// A port where nobody listens, which stays taken as long as the first of these lives.
fn nobody() -> (Active, SocketAddr) {
    let deaf = Active::deaf(Ipv4Addr::LOCALHOST);
    let address = (Ipv4Addr::LOCALHOST, deaf.port()).into();
    (deaf, address)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The events of this kind that the client told of.
#[track_caller]
fn events(output: &Output, kind: &str) -> Vec<Value> {
    let all = errors(output);
    let all = all.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    });
    all.filter(|event: &Value| event["event"] == kind).collect()
}

fn is_of(event: &Value, server: SocketAddr) -> bool {
    event["host"] == server.ip().to_string() && event["port"] == server.port()
}

#[test]
fn the_next_is_taken_where_the_first_refuses() {
    let (_deaf, first) = nobody();
    let server = Server::start();
    server.write("f", "hello");
    let client = Client::of(&[first, server.address]);
    let output = client.run("get f\nstatus\n");
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(fs::read(client.download("f")).expect("the file"), b"hello");
    for told in [
        format!("127.0.0.1 port {} failed: cannot connect", first.port()),
        format!("using 127.0.0.1 port {}", server.address.port()),
    ] {
        assert!(said.contains(&told), "nothing about {told:?} in:\n{said}");
    }
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = format!("connected to 127.0.0.1 port {}", server.address.port());
    assert!(shown.contains(&told), "{shown}");
}

#[test]
fn the_next_is_taken_where_the_first_is_full() {
    let first = Server::with(&["--max-clients", "1"]);
    let second = first.beside(&[]);
    let _only = first.login();
    let client = Client::of(&[first.address, second.address]).with(&["--json"]);
    let output = client.run("ls\n");
    assert!(output.status.success(), "{}", errors(&output));
    let failed = events(&output, "host_failed");
    assert!(
        failed.len() == 1 && is_of(&failed[0], first.address) && failed[0]["exit_code"] == 3,
        "{failed:?}"
    );
    let using = events(&output, "using");
    assert!(
        using.len() == 1 && is_of(&using[0], second.address),
        "{using:?}"
    );
    let connected = events(&output, "connected");
    assert!(is_of(&connected[0], second.address), "{connected:?}");
}

#[test]
fn all_are_named_where_none_can_be_had() {
    let nobodies = [nobody(), nobody(), nobody()];
    let servers = nobodies.each_ref().map(|(_, address)| *address);
    let output = Client::of(&servers).run("ls\n");
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.contains("none of the servers can be reached"),
        "{said}"
    );
    for server in servers {
        let name = format!("127.0.0.1 port {}", server.port());
        assert!(last.contains(&name), "nothing about {name} in:\n{last}");
    }
}

#[test]
fn a_login_that_is_refused_is_not_tried_elsewhere() {
    let first = Server::with(&["--anonymous", "off"]);
    let second = first.beside(&[]);
    let output = Client::of(&[first.address, second.address]).run("ls\n");
    assert_eq!(output.status.code(), Some(4), "{}", errors(&output));
}

#[test]
fn an_upload_goes_on_at_the_next_when_its_server_dies() {
    let mut first = Server::start();
    let second = first.beside(&[]);
    let client = Client::of(&[first.address, second.address]).with(&SLOW);
    let file = Pattern::bytes(1, SIZE);
    client.write("f", &file);
    let running = client.spawn("put f\n");
    wait_for_part(&first, SIZE / 10);
    first.signal(rustix::process::Signal::KILL);
    first.ended();
    let output = running.output();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(second.read("f") == file, "another file");
    went_on(&output, "sent", &first, &second, "STOR /f");
}

#[test]
fn a_download_goes_on_at_the_next_when_its_server_dies() {
    let mut first = Server::start();
    let second = first.beside(&[]);
    let file = Pattern::bytes(1, SIZE);
    first.write("f", &file);
    let client = Client::of(&[first.address, second.address]).with(&SLOW);
    let running = client.spawn("get f\n");
    let part = client.download("f.part");
    wait_until("a part of it to come", || {
        fs::metadata(&part).is_ok_and(|file| file.len() > SIZE / 10)
    });
    first.signal(rustix::process::Signal::KILL);
    first.ended();
    let output = running.output();
    assert!(output.status.success(), "{}", errors(&output));
    let came = fs::read(client.download("f")).expect("the file");
    assert!(came == file, "another file");
    went_on(&output, "got", &first, &second, "RETR /f");
}

/// Checks that the file came over the wire but once, the rest of it at the second server.
#[track_caller]
fn went_on(output: &Output, event: &str, first: &Server, second: &Server, command: &str) {
    let failed = events(output, "host_failed");
    assert!(is_of(&failed[0], first.address), "{failed:?}");
    let using = events(output, "using");
    assert!(
        using.len() == 1 && is_of(&using[0], second.address),
        "{using:?}"
    );
    let moved = events(output, event);
    let number = |key: &str| moved[0][key].as_u64().unwrap_or_default();
    let (bytes, resumed_at) = (number("bytes"), number("resumed_at"));
    assert!(resumed_at > SIZE / 10, "{moved:?}");
    assert_eq!(bytes + resumed_at, SIZE);
    // As the server counted them.
    second.wait_for_log(&[&format!("{command} {bytes} bytes"), "226"]);
}

#[test]
fn workers_go_to_the_next_too() {
    let mut first = Server::start();
    let second = first.beside(&[]);
    let client = Client::of(&[first.address, second.address]).with(&[
        "--limit-rate",
        "2M",
        "--retry-wait",
        "1",
        "--jobs",
        "4",
    ]);
    fs::create_dir(client.folder().join("d")).expect("a folder");
    let files: Vec<_> = (0..8).map(|seed| Pattern::bytes(seed, 500_000)).collect();
    for (number, file) in files.iter().enumerate() {
        client.write(&format!("d/{number}"), file);
    }
    let running = client.spawn("put -r d\n");
    wait_for("several files to be under way", || {
        (temporaries(&first.root).len() > 1).then_some(())
    });
    first.signal(rustix::process::Signal::KILL);
    first.ended();
    let output = running.output();
    assert!(output.status.success(), "{}", errors(&output));
    for (number, file) in files.iter().enumerate() {
        assert!(
            second.read(&format!("d/{number}")) == *file,
            "another {number}"
        );
    }
}

#[test]
fn a_part_is_known_again_in_whatever_order_the_servers_are_named() {
    let mut first = Server::start();
    let second = first.beside(&[]);
    let client = Client::of(&[first.address, second.address]);
    let client = client.with(&[&SLOW[..], &["--retries", "0"]].concat());
    let file = Pattern::bytes(1, SIZE);
    client.write("f", &file);
    let running = client.spawn("put f\n");
    wait_for_part(&first, SIZE / 10);
    first.signal(rustix::process::Signal::KILL);
    first.ended();
    let output = running.output();
    assert!(!output.status.success(), "{}", errors(&output));
    let client = client.at(&[second.address, first.address]);
    let output = client.run("put f\n");
    assert!(output.status.success(), "{}", errors(&output));
    assert!(second.read("f") == file, "another file");
    let sent = events(&output, "sent");
    assert!(sent[0]["resumed_at"].as_u64() > Some(SIZE / 10), "{sent:?}");
}
