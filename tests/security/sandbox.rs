//! The sandbox: what the process can still touch once it serves.

use crate::support::{Server, names_in};
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
};
use multi_client_ftp::server::{self, Config, TlsMode, TlsOptions};
use rustix::process::Signal;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use tempfile::TempDir;

/// Whether the kernel has what the server's sandbox is made of. The tests say of either kind of kernel what has to be.
fn has_landlock() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V3))
        .is_ok()
}

/// How many sandboxes may stand one in the other: no kernel takes another one.
const MOST_LAYERS: usize = 16;

/// Runs `work` in a thread whose children can make no sandbox any more, as under a kernel without any. None of the layers
/// forbids a thing that a test does.
fn where_there_is_no_sandbox<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            for _ in 0..MOST_LAYERS {
                Ruleset::default()
                    .handle_access(AccessFs::MakeBlock)
                    .and_then(Ruleset::create)
                    .and_then(RulesetCreated::restrict_self)
                    .expect("a layer");
            }
            work()
        });
        thread.join().expect("the thread")
    })
}

#[test]
fn a_required_sandbox_is_there_or_the_server_does_not_start() {
    let started = || {
        if has_landlock() {
            let server = Server::with(&["--sandbox", "require"]);
            server.wait_for_log(&["sandboxed by Landlock"]);
            assert_eq!(server.status("NoNewPrivs"), "1");
        }
    };
    started();
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = folder.path().join("root");
    let root = root.to_str().expect("UTF-8");
    let output = where_there_is_no_sandbox(|| {
        Server::run(&[
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--root",
            root,
            "--sandbox",
            "require",
        ])
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it started without a sandbox");
    assert!(output.stdout.is_empty(), "it said that it listens");
    assert!(
        errors.contains("--sandbox require") && errors.contains("Linux 6.2"),
        "{errors}"
    );
}

#[test]
fn without_one_the_log_says_so_and_clients_are_served() {
    let server = where_there_is_no_sandbox(|| Server::with(&["--sandbox", "auto"]));
    server.wait_for_log(&["WARN", "serving without a sandbox: "]);
    server.login().store("a", b"a");
    let server = Server::with(&["--sandbox", "off"]);
    server.login().store("a", b"a");
    assert!(!server.log().contains("sandbox"), "{}", server.log());
}

/// The users file is what the server opens by its path while it runs: whoever can put a link there could have the server
/// read any file.
#[test]
fn no_file_outside_its_folders_can_be_read_by_the_process() {
    for (mode, reads) in [("auto", !has_landlock()), ("off", true)] {
        let place = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
        let (config, elsewhere) = (place.path().join("config"), place.path().join("elsewhere"));
        fs::create_dir(&config).expect("a folder");
        fs::create_dir(&elsewhere).expect("a folder");
        let users = config.join("users.toml");
        fs::write(&users, "").expect("a users file");
        fs::write(elsewhere.join("users.toml"), "").expect("another one");
        let server = Server::with(&["--sandbox", mode, "--users", users.to_str().expect("UTF-8")]);
        // In its own folder the file may be another one.
        fs::write(config.join("new"), "").expect("a file");
        fs::rename(config.join("new"), &users).expect("a rename");
        server.signal(Signal::HUP);
        server.wait_for_log(&["users.toml read again"]);
        fs::remove_file(&users).expect("the file goes");
        symlink("../elsewhere/users.toml", &users).expect("a link");
        let before = server.log().len();
        server.signal(Signal::HUP);
        let line = if reads {
            "read again"
        } else {
            "Permission denied"
        };
        crate::support::wait_until(line, || server.log()[before..].contains(line));
    }
}

/// What was made anew in the place of the served folder is none that the sandbox was made with.
#[test]
fn a_root_made_anew_is_out_of_reach_and_the_log_says_what_to_do() {
    for (mode, opens) in [("auto", !has_landlock()), ("off", true)] {
        let server = Server::with(&["--sandbox", mode]);
        fs::remove_dir(&server.root).expect("it is removed");
        fs::create_dir(&server.root).expect("it is made anew");
        let mut raw = server.login();
        let told = if opens {
            ["INFO", "another folder is at ", ""]
        } else {
            ["WARN", "another folder is at ", "restart the server"]
        };
        server.wait_for_log(&told);
        if opens {
            raw.store("a", b"abc");
        } else {
            raw.begin_refused("STOR a", &[550]);
        }
        assert_eq!(names_in(&server.root).len(), usize::from(opens));
    }
}

/// The sandbox of files once more, of what the library leaves to the thread that binds.
#[test]
fn only_the_served_folder_can_be_touched() {
    let place = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = place.path().join("root");
    fs::create_dir(&root).expect("the root folder");
    fs::write(root.join("inside"), "inside").expect("a file");
    fs::write(place.path().join("outside"), "outside").expect("a file");
    let outside = |name: &str| place.path().join(name);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _server = server::Server::bind(config(&root)).expect("a server");
            if !has_landlock() {
                return;
            }
            assert_eq!(
                fs::read(root.join("inside")).expect("to be read"),
                b"inside"
            );
            fs::create_dir(root.join("d")).expect("a folder is made");
            fs::rename(root.join("inside"), root.join("d/moved")).expect("a file is moved");
            assert!(fs::read(outside("outside")).is_err(), "read outside");
            assert!(File::open("/etc/passwd").is_err(), "read /etc/passwd");
            assert!(fs::read_dir("/").is_err(), "listed /");
            assert!(
                fs::write(outside("made"), "").is_err(),
                "made a file outside"
            );
            assert!(fs::write(outside("outside"), "").is_err(), "wrote outside");
            assert!(fs::remove_file(outside("outside")).is_err(), "removed");
            assert!(
                fs::rename(root.join("d"), outside("d")).is_err(),
                "moved out"
            );
            assert!(
                fs::hard_link(outside("outside"), root.join("in")).is_err(),
                "linked in"
            );
            let run = std::process::Command::new("/bin/true").status();
            assert!(run.is_err(), "a program was run");
        });
        thread.join().expect("the thread");
    });
    assert_eq!(names_in(place.path()), ["outside", "root"]);
}

fn config(root: &Path) -> Config {
    Config {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        root: root.to_owned(),
        tls: TlsOptions {
            mode: TlsMode::Off,
            ..TlsOptions::default()
        },
        ..Config::default()
    }
}

#[test]
fn no_core_is_dumped_and_nobody_looks_into_the_process() {
    for (mode, owner) in [("auto", Some(0)), ("off", None)] {
        let server = Server::with(&["--sandbox", mode]);
        let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid()));
        let limits = limits.expect("the limits of the process");
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{core:?}");
        // What is not to be looked into belongs to root, whoever runs it.
        if let Some(owner) = owner {
            use std::os::unix::fs::MetadataExt;
            let memory = fs::metadata(format!("/proc/{}/mem", server.pid()));
            assert_eq!(memory.expect("its memory").uid(), owner);
        }
    }
}

#[test]
fn the_server_runs_no_programs() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = ["server", "bin/ftp-server", "copy", "stream"];
    let mut folders = folders.map(|folder| src.join(folder)).to_vec();
    let mut files = vec![src.join("copy.rs"), src.join("stream.rs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        for way in [
            "process::Command",
            "CommandExt",
            "posix_spawn",
            "execve",
            "fork(",
        ] {
            assert!(!text.contains(way), "{} has {way}", file.display());
        }
    }
}
