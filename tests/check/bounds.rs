//! What the system lets the server have, and who can reach it.

use crate::place::Place;
use crate::support::{Namespace, Server, other_user};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

pub(crate) fn passive_ports() {
    let place = Place::new();
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = range.expect("the system's range");
    let (low, high) = range
        .trim()
        .split_once(char::is_whitespace)
        .expect("two numbers");
    let ports = format!("{low}-{low}");
    let system = format!("{low}-{}", high.trim());
    let parts = [
        ports.as_str(),
        &system,
        "--passive-ports",
        "net.ipv4.ip_local_reserved_ports",
    ];
    let flags = ["--passive-ports", &ports];
    place.check(&flags).says("warning", "passive ports", &parts);
    let server = Server::with(&flags);
    server.wait_for_log(&[&["WARN", "passive ports"], &parts[..]].concat());
}

pub(crate) fn descriptors() {
    let place = Place::new();
    let few = || Server::by(&["sh", "-c", "ulimit -n 100 && exec \"$0\" \"$@\""]);
    let parts = [
        "100 are enough for 22 clients",
        "LimitNOFILE=332",
        "--max-clients 22",
    ];
    let check = |clients| place.check_by(few(), &["--max-clients", clients]);
    check("100").says("warning", "descriptors", &parts);
    check("22").says("ok", "descriptors", &["100"]);
    let server = Server::spawn(few(), &["--max-clients", "100"]);
    server.wait_for_log(&[&["WARN", "descriptors"], &parts[..]].concat());
    // A limit that the server raises by itself is none.
    let server = Server::with_few_files(100, &["--max-clients", "100"]);
    server.login().run("QUIT", 221);
    assert!(!server.log().contains("descriptors:"), "{}", server.log());
}

pub(crate) fn threads() {
    let place = Place::new();
    let root = place.root();
    for (folder, mode) in [(place.0.path(), 0o755), (Path::new(&root), 0o777)] {
        fs::set_permissions(folder, Permissions::from_mode(mode)).expect("the mode is set");
    }
    let few = || Server::by(&other_user(20).each_ref().map(String::as_str));
    let parts = [
        "20 are enough for 12 clients",
        "LimitNPROC=108",
        "--max-clients 12",
    ];
    let flags = ["--tls", "off", "--max-clients"];
    let check = |clients| place.check_by(few(), &[&flags[..], &[clients]].concat());
    check("100").says("warning", "threads", &parts);
    check("12").says("ok", "threads", &["20"]);
    let mut command = few();
    command.args(["--host", "127.0.0.1", "--port", "0", "--root", &root]);
    command.args(flags).arg("100");
    let server = Server::from_command(command, place.0);
    server.wait_for_log(&[&["WARN", "threads"], &parts[..]].concat());
}

pub(crate) fn exposed_by_flags() {
    let place = Place::new();
    let at = |address| ["--public-address", address];
    let parts = ["198.51.100.7", "--anonymous read"];
    place
        .check(&at("198.51.100.7"))
        .says("warning", "anonymous", &parts);
    place
        .check(&at("10.1.2.3"))
        .says("ok", "anonymous", &["no public address"]);
    for access in ["read", "off"] {
        let flags = [&at("198.51.100.7")[..], &["--anonymous", access]].concat();
        let checked = place.check(&flags);
        assert!(
            checked.text.contains("ok       anonymous: "),
            "{}",
            checked.text
        );
    }
    let server = Server::with(&at("198.51.100.7"));
    server.wait_for_log(&["WARN", "anonymous", "198.51.100.7", "--anonymous read"]);
}

pub(crate) fn exposed_by_interface() {
    let ip = |arguments: &str| {
        let output = Command::new("ip").args(arguments.split(' ')).output();
        let output = output.expect("ip runs");
        assert!(output.status.success(), "ip {arguments}: {output:?}");
    };
    for (address, is_public) in [("198.51.100.7", true), ("10.1.2.3", false)] {
        let space = Namespace::new().expect("a namespace");
        space.inside(|| {
            ip("link add outside type veth peer name other");
            ip(&format!("address add {address}/24 dev outside"));
            ip("link set outside up");
            ip("route add default dev outside");
            let place = Place::new();
            let verdict = if is_public { "warning" } else { "ok" };
            let found = if is_public { address } else { "no public" };
            for host in ["0.0.0.0", "::", address] {
                let checked = place.check(&["--host", host]);
                checked.says(verdict, "anonymous", &[found]);
            }
            place.check(&[]).says("ok", "anonymous", &["no public"]);
        });
    }
}
