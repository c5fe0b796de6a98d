//! `ftp-server check`, and the warnings of a server that starts: each thing that may be wrong, told in one line with the cure.

mod bounds;
mod files;
mod place;
// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "../works_with/programs.rs"]
mod programs;
#[path = "../support/mod.rs"]
mod support;

use place::Place;
use programs::Test;
use std::fs;
use std::net::TcpListener;
use std::process::{ExitCode, Stdio};
use support::{MOUNTS, Namespace, OTHER_USER, Server, has, names_in};

/// A network of a test's own.
const NETWORKS: &str = "network namespaces";

const TESTS: &[Test] = &[
    ("all is well and nothing is changed", None, all_is_well),
    ("who has seen enough", None, seen_enough),
    ("settings that are refused", None, settings),
    ("a port that is taken", None, port),
    ("a folder that is none", None, files::no_folder),
    ("a folder that is read-only", Some(MOUNTS), files::read_only),
    (
        "a folder that cannot be made",
        Some(OTHER_USER),
        files::not_to_be_made,
    ),
    (
        "settings that only root can read",
        Some(OTHER_USER),
        files::unreadable,
    ),
    ("users files", None, files::users),
    ("certificates", None, files::certificates),
    (
        "a passive range that is the system's",
        None,
        bounds::passive_ports,
    ),
    ("few descriptors", None, bounds::descriptors),
    ("few threads", Some(OTHER_USER), bounds::threads),
    (
        "public uploads by the flags",
        None,
        bounds::exposed_by_flags,
    ),
    (
        "public uploads by an interface",
        Some(NETWORKS),
        bounds::exposed_by_interface,
    ),
];

fn main() -> ExitCode {
    programs::try_all(TESTS, |need| match need {
        NETWORKS => Namespace::new().is_ok(),
        _ => has(need),
    })
}

fn all_is_well() {
    let place = Place::new();
    fs::remove_dir(place.root()).expect("the root is removed");
    let checked = place.check(&[]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    assert!(checked.text.ends_with("all is well\n"), "{}", checked.text);
    for about in [
        "settings",
        "folder",
        "users",
        "certificate",
        "port",
        "passive ports",
        "descriptors",
        "threads",
        "anonymous",
    ] {
        checked.says("ok", about, &[]);
    }
    assert_eq!(names_in(place.0.path()), [""; 0]);
    fs::create_dir(place.root()).expect("the root folder");
    place.check(&[]).says("ok", "folder", &["can be written"]);
    assert_eq!(names_in(place.0.path()), ["root"]);
}

/// As behind `| head -1`: nothing is said of it, and the outcome counts.
fn seen_enough() {
    let place = Place::new();
    let status = Server::command()
        .args(["check", "--root", &place.root(), "--port", "0"])
        .stdout(closed_pipe())
        .status();
    assert!(status.expect("the server's binary runs").success());
}

fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn settings() {
    let place = Place::new();
    let file = place.path("settings.toml");
    fs::write(&file, "max-clients = 5\n").expect("a settings file");
    let checked = place.check(&["--config", &file]);
    checked.says("ok", "settings", &[&file]);
    checked.says("ok", "descriptors", &["for 5 clients"]);
    // A variable goes before it here too.
    let mut command = Server::command();
    command.env("FTP_SERVER_MAX_CLIENTS", "6");
    place
        .check_by(command, &["--config", &file])
        .says("ok", "descriptors", &["for 6 clients"]);
    fs::write(&file, "max-client = 5\n").expect("a settings file");
    let output = Server::run(&["check", "--config", &file]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("did you mean \"max-clients\""), "{errors}");
}

fn port() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let checked = place.check(&["--port", &port]);
    checked.says("error", "port", &[&port, "--port picks another"]);
    drop(taken);
    let checked = place.check(&["--host", "192.0.2.254"]);
    assert_eq!(checked.code, 1, "{}", checked.text);
    assert!(
        checked.text.contains("--host takes an address"),
        "{}",
        checked.text
    );
}
