//! A server whose clock jumps, by decades, while it works: what is under way goes on, and whoever is logged in stays.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use support::{Client, Pattern, Raw, Server, names_in, temporaries, wait_until};
use tempfile::TempDir;

/// Lends a program another clock.
const PROGRAM: &str = "faketime";
/// Half a century, and a day.
const JUMPS: [&str; 4] = ["+50y", "-50y", "+1d", "+0"];

fn main() -> ExitCode {
    programs::try_all(&[("a clock that jumps", Some(PROGRAM), jumps)], |_| {
        library().is_some()
    })
}

/// What the program would preload: it is not run itself, since the server has to be the child.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.is_file())
}

fn jumps() {
    let clock = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let clock = clock.path().join("clock");
    fs::write(&clock, "+0").expect("the clock");
    let mut command = Server::command();
    command
        .env("LD_PRELOAD", library().expect("it was there a moment ago"))
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        // A jump is one of the time of day: what waits goes by the clock that never jumps.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    // The sandbox would keep it from reading the clock.
    let server = Server::spawn(command, &["--anonymous=full", "--sandbox=off", "-v"]);
    server.write("other", "abc");
    let mut idle = server.login();
    for (number, jump) in (1..).zip(JUMPS) {
        let file = Pattern::bytes(number, 300_000);
        let mut raw: Raw = server.login();
        let mut data = raw.begin("STOR f");
        data.write_all(&file[..100_000])
            .expect("a part of the file");
        wait_until("it to arrive", || !temporaries(&server.root).is_empty());
        fs::write(&clock, jump).expect("the clock jumps");
        data.write_all(&file[100_000..]).expect("the rest");
        drop(data);
        raw.expect(226);
        assert!(server.read("f") == file, "another file, {jump}");
        assert_eq!(raw.fetch("f"), file);
        // Who has done nothing meanwhile is not late.
        idle.run("NOOP", 200);
        assert_eq!(idle.rows("NLST").len(), 2);
        let client = Client::new(server.address);
        client.succeed("get f\nput downloads/f g\nrm g\n");
        assert_eq!(fs::read(client.download("f")).expect("the download"), file);
        assert_eq!(names_in(&server.root), ["f", "other"]);
    }
    // The jump was one: the log has the years.
    let log = server.log();
    let this = jiff::Timestamp::now().to_string()[..4]
        .parse::<i32>()
        .expect("a year");
    for year in [this + 49, this - 51] {
        let near = (year..=year + 2).any(|year| log.contains(&format!("[{year}-")));
        assert!(near, "no year near {year}:\n{log}");
    }
    server.assert_never_panicked();
}
