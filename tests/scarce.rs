//! What runs out: the disk, the right to write, descriptors, threads, ports. It is the trouble of those who ask for more, who
//! are told so; all others go on, and when there is more again, so do they. And what is not to be had everywhere, and can be done
//! without.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use programs::Test;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};
use support::{
    BINDFS, Client, MOUNTS, OTHER_USER, OWN_MOUNTS, Pattern, Raw, Server, descriptors, free_range,
    has, names_in, other_user, partials_in, reset, temporaries, wait_until,
};
use tempfile::TempDir;

/// How many threads that user may have.
const THREADS: usize = 6;

/// The size of the small disk.
const DISK: u64 = 4 << 20;

const TESTS: &[Test] = &[
    ("a full disk", Some(MOUNTS), full_disk),
    ("a folder that is read-only", Some(MOUNTS), read_only),
    (
        "a folder that may not be listed",
        Some(OTHER_USER),
        drop_box,
    ),
    (
        "a folder that may be listed and not entered",
        Some(OTHER_USER),
        not_entered,
    ),
    (
        "a folder for downloads that may not be listed",
        Some(OTHER_USER),
        hidden_downloads,
    ),
    (
        "a file system that takes both times of a file or none",
        Some(BINDFS),
        both_times,
    ),
    ("no threads", Some(OTHER_USER), no_threads),
    ("no descriptors", None, no_descriptors),
    ("fifty clients over one data port", None, one_port),
];

fn main() -> ExitCode {
    programs::try_all(TESTS, has)
}

/// A server that has something else in the place of its root, as no other process sees it: what `mount` is told of it.
#[track_caller]
fn with_mount(script: &str) -> Server {
    // Of the server's words the sixth is its root.
    let script = format!("{script} && exec \"$0\" \"$@\"");
    let script = script.replace("ROOT", "\"$6\"");
    Server::spawn(
        Server::by(&["unshare", "--mount", "sh", "-c", &script]),
        &["--anonymous", "full"],
    )
}

/// The root as the server sees it.
fn inside(server: &Server) -> PathBuf {
    let root = server.root.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", server.pid())).join(root)
}

/// Sends more than there is room for.
#[track_caller]
fn overflow(raw: &mut Raw, command: &str) {
    let mut data = raw.begin(command);
    // The server may have closed before all is written.
    let _ = data.write_all(&Pattern::bytes(9, 2 * DISK));
    drop(data);
    raw.expect(452);
}

fn full_disk() {
    let server = with_mount(&format!("mount -t tmpfs -o size={DISK} tmpfs ROOT"));
    let root = inside(&server);
    let old = Pattern::bytes(1, 100_000);
    let mut raw = server.login();
    raw.store("old", &old);
    // Somebody else's upload, which is slow.
    let mut other = server.login();
    let mut slow = other.begin("STOR slow");
    slow.write_all(b"one half, ").expect("a part is sent");
    wait_until("it to arrive", || !temporaries(&root).is_empty());
    for command in ["STOR old", "STOR new", "APPE old", "APPE new", "STOU"] {
        overflow(&mut raw, command);
        // What a full disk has cut is not worth its space.
        assert_eq!(partials_in(&root), [""; 0], "after {command}");
        assert_eq!(temporaries(&root).len(), 1, "after {command}");
        assert_eq!(raw.fetch("old"), old, "after {command}");
    }
    // A cut upload that goes on and then has no room.
    let mut data = raw.begin("STOR cut");
    data.write_all(&[b'x'; 1000]).expect("a part is sent");
    wait_until("it to arrive", || {
        let full = |name: &String| fs::metadata(root.join(name)).is_ok_and(|f| f.len() == 1000);
        temporaries(&root).iter().any(full)
    });
    reset(data);
    raw.expect_one_of(&[426, 451]);
    assert_eq!(partials_in(&root).len(), 1);
    raw.run("REST 1000", 350);
    overflow(&mut raw, "STOR cut");
    raw.run("SIZE cut", 550);
    slow.write_all(b"the other").expect("a part is sent");
    drop(slow);
    other.expect(226);
    assert_eq!(raw.fetch("slow"), b"one half, the other");
    let client = Client::new(server.address).with(&["--retries", "0"]);
    client.write("big", Pattern::bytes(2, 2 * DISK));
    let output = client.run("put big\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("no space"),
        "{errors}"
    );
    client.succeed("get old\n");
    assert_eq!(names_in(&root), ["old", "slow"]);
    // With room it goes on.
    client.write("small", &old);
    client.succeed("rm slow\nput small\n");
    assert_eq!(names_in(&root), ["old", "small"]);
}

fn read_only() {
    let script = "echo abc > ROOT/old && mount --bind ROOT ROOT && mount -o remount,bind,ro ROOT";
    let server = with_mount(script);
    let mut raw = server.login();
    let there = inside(&server);
    raw.begin_refused("STOR old", &[550]);
    raw.begin_refused("STOR new", &[550]);
    raw.begin_refused("APPE old", &[550]);
    for command in ["DELE old", "MKD d", "MFMT 20200101000000 old"] {
        raw.refused(command);
    }
    raw.run("RNFR old", 350);
    raw.refused("RNTO new");
    assert_eq!(raw.fetch("old"), b"abc\n");
    assert_eq!(names_in(&there), ["old"]);
}

/// A server that runs as another user, with so many threads, over a root that anybody may write to.
#[track_caller]
fn by_another(threads: usize, flags: &[&str]) -> Server {
    let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = outside.path().join("root");
    fs::create_dir(&root).expect("the root folder");
    for (folder, mode) in [(outside.path(), 0o755), (&root, 0o777)] {
        fs::set_permissions(folder, Permissions::from_mode(mode)).expect("the mode is set");
    }
    let mut command = Server::by(&other_user(threads).each_ref().map(String::as_str));
    command.args(["--host", "127.0.0.1", "--port", "0", "--tls", "off"]);
    command.args(flags).arg("--root").arg(&root);
    Server::from_command(command, outside)
}

// What is put into it is there for good all the same, and who cannot see what is there can replace it.
fn drop_box() {
    let server = by_another(5000, &["--anonymous", "full"]);
    server.make_folder("in");
    let closed = Permissions::from_mode(0o333);
    fs::set_permissions(server.path("in"), closed).expect("the mode is set");
    let mut raw = server.login();
    raw.begin_refused("LIST in", &[550]);
    for content in ["one", "another"] {
        raw.store("in/a", content.as_bytes());
        assert_eq!(server.read("in/a"), content.as_bytes());
    }
    let large = Pattern::bytes(3, 1 << 20);
    raw.store("in/b", &large);
    assert_eq!(raw.fetch("in/b"), large);
    assert_eq!(names_in(&server.path("in")), ["a", "b"]);
}

// What is there must not look as if it were not: a mirror would remove it on the other side.
fn not_entered() {
    let server = by_another(5000, &[]);
    server.make_folder("d/inner");
    server.write("d/file", "new");
    std::os::unix::fs::symlink("file", server.path("d/link")).expect("a link");
    let listed = Permissions::from_mode(0o744);
    fs::set_permissions(server.path("d"), listed).expect("the mode is set");
    let mut raw = server.login();
    let mut names = raw.rows("NLST d");
    names.sort_unstable();
    assert_eq!(names, ["file", "inner", "link"]);
    assert_eq!(raw.rows("LIST d").len(), 3);
    let rows = raw.rows("MLSD d");
    for row in ["type=file; file", "type=dir; inner"] {
        assert!(rows.iter().any(|told| told == row), "no {row} in {rows:?}");
    }
    raw.begin_refused("RETR d/file", &[550]);

    let client = Client::new(server.address).with(&["--retries", "0"]);
    let old = ["file", "link", "inner/file"].map(|name| client.download("d").join(name));
    fs::create_dir_all(client.download("d/inner")).expect("a folder");
    for path in &old {
        fs::write(path, "old").expect("a file");
    }
    let output = client.run("mirror --delete d\n");
    assert!(!output.status.success(), "it tells of no failure");
    for path in &old {
        assert!(path.exists(), "{} is gone", path.display());
    }
}

fn hidden_downloads() {
    let server = Server::start();
    let large = Pattern::bytes(4, 1 << 20);
    server.write("a", &large);
    let client = Client::new(server.address).by(&other_user(5000));
    for (path, mode) in [
        (client.folder().into(), 0o777),
        (client.download(""), 0o333),
    ] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode is set");
    }
    client.succeed("get a\nget a b\nget a\n");
    for name in ["a", "b"] {
        assert!(fs::read(client.download(name)).expect("it came") == large);
    }
    assert_eq!(names_in(&client.download("")), ["a", "b"]);
}

// Those over FUSE's older library: to set the time of the last change alone is in vain, and no error is told.
fn both_times() {
    let place = || TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    // What starts a command that finds a folder by another path, too.
    let bound = |folder: &TempDir, path: &str| {
        let folder = folder.path().display();
        let script = format!("bindfs {folder} {path} && exec \"$0\" \"$@\"");
        let words = OWN_MOUNTS.into_iter().chain(["sh", "-c", &script]);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let changed = |folder: &TempDir| {
        let file = fs::metadata(folder.path().join("a")).expect("the file is there");
        file.modified().expect("its time")
    };
    let then = UNIX_EPOCH + Duration::from_secs(1_278_244_800);

    let served = place();
    // Of the server's words the sixth is its root.
    let starter = bound(&served, "\"$6\"");
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let server = Server::spawn(Server::by(&starter), &["--anonymous", "full"]);
    let mut raw = server.login();
    raw.store("a", b"abc");
    raw.run("MFMT 20100704120000 a", 213);
    assert_eq!(changed(&served), then);

    let came = place();
    let client = Client::new(server.address);
    let downloads = client.download("").display().to_string();
    client.by(&bound(&came, &downloads)).succeed("get a\n");
    assert_eq!(changed(&came), then);
}

fn no_threads() {
    let server = by_another(THREADS, &[]);
    server.write("a", "abc");
    let mut first = server.login();
    let mut others: Vec<Raw> = Vec::new();
    loop {
        let mut raw = Raw::dial(server.address);
        match raw.expect_one_of(&[220, 421]).code {
            220 => others.push(raw),
            _ => break raw.expect_closed(),
        }
        assert!(others.len() < THREADS, "more threads than there may be");
    }
    for _ in 0..3 {
        let mut none = Raw::dial(server.address);
        none.expect(421);
        none.expect_closed();
    }
    assert_eq!(first.fetch("a"), b"abc");
    drop(others);
    // Their threads end behind their connections.
    wait_until("there to be room for another", || {
        Raw::dial(server.address)
            .try_reply()
            .is_ok_and(|reply| reply.code == 220)
    });
    assert_eq!(first.fetch("a"), b"abc");
    server.wait_for_log(&["cannot start a thread"]);
    server.assert_never_panicked();
}

/// Lets the server have so many descriptors from here on.
fn limit_descriptors(server: &Server, most: usize) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).expect("a number"));
    let most = Some(most as u64);
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    prlimit(pid, Resource::Nofile, limit).expect("the limit is set");
}

fn no_descriptors() {
    let server = Server::start();
    server.write("a", "abc");
    let mut first = server.login();
    let rest = server.at_rest();
    limit_descriptors(&server, descriptors(server.pid()) + 6);
    let more: Vec<Raw> = (0..12).map(|_| Raw::dial(server.address)).collect();
    server.wait_for_log(&["cannot accept a connection"]);
    wait_until("all descriptors to be taken", || {
        first.send("EPSV");
        first.expect_one_of(&[229, 425]).code == 425
    });
    first.run("PWD", 257);
    drop(more);
    wait_until("there to be room for another", || {
        Raw::dial(server.address)
            .try_reply()
            .is_ok_and(|reply| reply.code == 220)
    });
    server.wait_for_footprint(&rest);
    assert_eq!(first.fetch("a"), b"abc");
    first.store("b", b"def");
    assert_eq!(server.login().fetch("b"), b"def");
    server.assert_never_panicked();
}

fn one_port() {
    let (low, high) = free_range(1);
    let ports = format!("{low}-{high}");
    let server = Server::with(&["--passive-ports", &ports]);
    let clients: Vec<Client> = (0..50)
        .map(|number| {
            let client = Client::new(server.address).with(&["--retries", "0"]);
            fs::create_dir(client.folder().join("d")).expect("a folder");
            for file in 0..4 {
                let content = Pattern::bytes(number, 1000 * file);
                client.write(&format!("d/{number}-{file}"), content);
            }
            client
        })
        .collect();
    let running: Vec<_> = clients
        .iter()
        .map(|client| client.spawn("put -r d\nls d\n"))
        .collect();
    for running in running {
        let output = running.output();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", output.status);
    }
    for number in 0..50 {
        for file in 0..4 {
            let there = server.read(&format!("d/{number}-{file}"));
            assert!(there == Pattern::bytes(number, 1000 * file), "another file");
        }
    }
    clients[0].succeed("get -r d\n");
    assert_eq!(names_in(&clients[0].download("d")).len(), 200);
}
