//! Does the rate stay what it was? 16 clients fetch a 4 KiB file in a loop for a minute.
//!
//! `cargo bench --bench steady [-- --seconds N]`. It prints a rate for each five seconds and asserts nothing: what
//! counts is that the last windows are as good as the first. A server that binds its data ports in a way that makes
//! the kernel search through ports in TIME_WAIT begins well and ends at a tenth of that.

mod flags;

#[path = "../tests/support/mod.rs"]
mod support;

use flags::Flags;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::Server;

const CLIENTS: usize = 16;
const FILE: usize = 4096;
/// How long each rate is taken, if there is time.
const WINDOW: f64 = 5.0;

fn main() {
    let seconds = Flags::given(&["--seconds"]).number("--seconds", 60.0);
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        // The rate of the disk is not what this is about.
        println!("the served folder is in {}", memory.display());
    }
    let folder = if memory.is_dir() {
        tempfile::TempDir::with_prefix_in("ftp-bench-", memory)
    } else {
        tempfile::TempDir::with_prefix("ftp-bench-")
    }
    .expect("a temporary folder");
    let mut command = Server::command();
    command.args(["--host", "127.0.0.1", "--port", "0", "-q", "--root"]);
    command.arg(folder.path().join("root"));
    let server = Server::from_command(command, folder);
    server.write("file", [7; FILE]);

    let before = server.at_rest();
    let (done, fetched) = (AtomicBool::new(false), AtomicU64::new(0));
    let rates = thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| client(&server, &done, &fetched));
        }
        let rates = measure(seconds, &fetched);
        let during = server.footprint();
        println!(
            "at the end: {} threads, {} descriptors",
            during.threads, during.descriptors
        );
        done.store(true, Ordering::Relaxed);
        rates
    });
    report(&rates);
    server.wait_for_footprint(&before);
    println!("with no clients: as before the first, {before:?}");
}

fn client(server: &Server, done: &AtomicBool, fetched: &AtomicU64) {
    let mut raw = server.login();
    raw.run("TYPE I", 200);
    while !done.load(Ordering::Relaxed) {
        assert_eq!(raw.fetch("file").len(), FILE);
        fetched.fetch_add(1, Ordering::Relaxed);
    }
}

/// Files per second, one number for each window.
fn measure(seconds: f64, fetched: &AtomicU64) -> Vec<f64> {
    let (began, time) = (Instant::now(), WINDOW.min(seconds));
    let mut last = fetched.load(Ordering::Relaxed);
    let mut rates = Vec::new();
    // The last may end a little late.
    while rates.is_empty() || began.elapsed().as_secs_f64() + time / 2.0 < seconds {
        let start = Instant::now();
        thread::sleep(Duration::from_secs_f64(time));
        let now = fetched.load(Ordering::Relaxed);
        let count = u32::try_from(now - last).expect("fewer files than that in a window");
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        println!(
            "{:>4.0} s  {rate:>8.0} files/s",
            began.elapsed().as_secs_f64()
        );
        rates.push(rate);
        last = now;
    }
    rates
}

/// The median of the last windows beside that of the first.
fn report(rates: &[f64]) {
    let part = (rates.len() / 3).max(1);
    let median = |rates: &[f64]| {
        let mut sorted = rates.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let first = median(&rates[..part]);
    let last = median(&rates[rates.len() - part..]);
    println!(
        "median of the first {part} windows {first:.0} files/s, of the last {last:.0}: ratio {:.2}",
        last / first
    );
}
