//! How exact `--rate` is, and how fair: clients fetch a file without end, and what each gets in some seconds is compared
//! with what it should get.
//!
//! `cargo bench --bench rate [-- --seconds N]`. It prints a row for each rate and number of clients and asserts nothing.

mod flags;

#[path = "../tests/support/mod.rs"]
mod support;

use flags::Flags;
use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{Raw, Server};

/// Bytes per second, as the flag has it.
const RATES: [(&str, u64); 4] = [
    ("200K", 200 << 10),
    ("2M", 2 << 20),
    ("20M", 20 << 20),
    ("200M", 200 << 20),
];
const CLIENTS: [usize; 3] = [1, 4, 16];
/// What goes into the buffers of new connections is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

fn main() {
    let window = Duration::from_secs_f64(Flags::given(&["--seconds"]).number("--seconds", 5.0));
    println!("rate   clients  measured / allowed  least / most of a client");
    for (flag, rate) in RATES {
        for clients in CLIENTS {
            let (all, fairness) = measure(flag, clients, window);
            println!(
                "{flag:5}  {clients:7}  {:18.3}  {fairness:24.3}",
                all / rate as f64
            );
        }
    }
}

/// How many bytes a second come to all, and the least of a client as a part of the most.
fn measure(flag: &str, clients: usize, window: Duration) -> (f64, f64) {
    let server = Server::with(&["--rate", flag, "-q"]);
    server.write_sparse("big", 1 << 40);
    let counts: Vec<AtomicU64> = (0..clients).map(|_| AtomicU64::new(0)).collect();
    let sessions: Vec<(Raw, TcpStream)> = (0..clients).map(|_| begin(&server)).collect();
    thread::scope(|scope| {
        for ((_, data), count) in sessions.iter().zip(&counts) {
            let mut data = data;
            scope.spawn(move || {
                let mut buffer = vec![0; 256 * 1024];
                while let Ok(read @ 1..) = data.read(&mut buffer) {
                    count.fetch_add(read as u64, Ordering::Relaxed);
                }
            });
        }
        let look = || -> Vec<u64> { counts.iter().map(|n| n.load(Ordering::Relaxed)).collect() };
        thread::sleep(WARM_UP.min(window));
        let (before, began) = (look(), Instant::now());
        thread::sleep(window);
        let (after, took) = (look(), began.elapsed().as_secs_f64());
        for (_, data) in &sessions {
            let _ = data.shutdown(std::net::Shutdown::Both);
        }
        let parts = after
            .iter()
            .zip(&before)
            .map(|(after, before)| after - before);
        let parts: Vec<u64> = parts.collect();
        let (least, most) = (parts.iter().min(), parts.iter().max());
        let fairness = least
            .zip(most)
            .map_or(0.0, |(least, most)| *least as f64 / *most as f64);
        (parts.iter().sum::<u64>() as f64 / took, fairness)
    })
}

fn begin(server: &Server) -> (Raw, TcpStream) {
    let mut raw = server.login();
    raw.run("TYPE I", 200);
    let data = raw.begin("RETR big");
    (raw, data)
}
