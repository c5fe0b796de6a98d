//! Two hundred clients that do all sorts of things for a while, over a network that cuts, resets and stalls what goes over it,
//! some killed and some giving up what they began. What was acknowledged is there and whole, and in the end the server holds
//! what it held.
//!
//! `SOAK_SECONDS` says for how long, `SOAK_SEED` what happens. Of the clients a fifth are processes of the real one.
#![cfg(target_os = "linux")]

mod content;
mod process;
mod session;
mod slot;
#[path = "../support/mod.rs"]
mod support;

use slot::Slot;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use support::{
    Dice, Fault, Proxy, Server, Weather, Which, names_in, partials_in, pss_kib, raise_file_limit,
    wait_until,
};

const CLIENTS: u64 = 200;

#[test]
fn a_short_while() {
    soak(10);
}

#[test]
#[ignore = "takes five minutes"]
fn five_minutes() {
    soak(300);
}

/// What all clients share, and what they have seen.
pub(crate) struct Soak {
    pub(crate) seed: u64,
    pub(crate) proxy: Proxy,
    pub(crate) server: Server,
    pub(crate) failed: AtomicBool,
    pub(crate) acts: AtomicU64,
    bytes: AtomicU64,
    /// Sessions that broke.
    pub(crate) broken: AtomicU64,
    pub(crate) kills: AtomicU64,
    pub(crate) aborts: AtomicU64,
    pub(crate) resumed: AtomicU64,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let server = Server::with(&[
            "--tls=off",
            "--anonymous=full",
            "--max-clients-per-address=1000",
            "--data-timeout=3",
            "--idle-timeout=10",
            "--keep-partials=10",
            "-q",
        ]);
        server.make_folder("shared");
        let dice = Mutex::new(Dice(seed));
        let proxy = Proxy::for_many(server.address, move |which| {
            weather(
                &mut dice.lock().unwrap_or_else(PoisonError::into_inner),
                which,
            )
        });
        Self {
            seed,
            proxy,
            server,
            failed: AtomicBool::new(false),
            acts: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
        }
    }

    pub(crate) fn moves(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

/// Every second control connection and every fourth data connection has something to suffer.
fn weather(dice: &mut Dice, which: Which) -> Weather {
    let (often, most) = match which {
        Which::Control(_) => (2, 4000),
        Which::Data(_) => (4, 100_000),
    };
    if dice.below(often) > 0 {
        return Weather::default();
    }
    let point = dice.below(most);
    let fault = match dice.below(8) {
        0 | 1 => Fault::Cut(point),
        2..=4 => Fault::Reset(point),
        5 => Fault::Stall(point),
        6 => Fault::Delay(Duration::from_millis(dice.below(50))),
        _ => Fault::Drip(point, 50, Duration::from_millis(10)),
    };
    let mut weather = Weather::default();
    match dice.below(2) {
        0 => weather.up = fault,
        _ => weather.down = fault,
    }
    weather
}

fn soak(seconds: u64) {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    let time = Duration::from_secs(number("SOAK_SECONDS").unwrap_or(seconds));
    raise_file_limit();
    let soak = Soak::new(number("SOAK_SEED").unwrap_or(1));
    let before = soak.server.at_rest();
    let mut slots: Vec<Slot<'_>> = (0..CLIENTS)
        .map(|number| Slot::new(&soak, number))
        .collect();
    // What the first crowd takes of memory does not all come back: see tests/floods.rs.
    work(&mut slots, Duration::from_secs(4));
    soak.server.wait_for_footprint(&before);
    let memory = pss_kib(soak.server.pid());
    work(&mut slots, time);
    soak.server.wait_for_footprint(&before);
    assert_eq!(soak.server.at_rest(), before);
    for slot in &slots {
        slot.compare_all();
    }
    for name in names_in(&soak.server.path("shared")) {
        if !name.starts_with('.') {
            let bytes = soak.server.read(&format!("shared/{name}"));
            content::marks(&bytes).unwrap_or_else(|why| panic!("shared/{name} is {why}"));
        }
    }
    wait_until("the sweep to remove the partials", || {
        let mut folders = names_in(&soak.server.root).into_iter();
        folders.all(|folder| partials_in(&soak.server.path(&folder)).is_empty())
    });
    let after = pss_kib(soak.server.pid());
    let count = |of: &AtomicU64| of.load(Relaxed);
    println!(
        "seed {}: {} acts of {CLIENTS} clients in {} s, {} MB; {} connections had a fault, {} sessions broke, {} clients were \
         killed, {} transfers given up, {} uploads gone on with; {before:?}, and so again; {memory} KiB before, {after} KiB after",
        soak.seed,
        count(&soak.acts),
        time.as_secs(),
        count(&soak.bytes) / 1_000_000,
        soak.proxy.faults(),
        count(&soak.broken),
        count(&soak.kills),
        count(&soak.aborts),
        count(&soak.resumed),
    );
    assert!(
        soak.proxy.faults() > 0 && count(&soak.broken) > 0,
        "nothing broke"
    );
    assert!(count(&soak.kills) > 0 && count(&soak.aborts) > 0 && count(&soak.resumed) > 0);
    let most = memory + memory / 10 + 512;
    assert!(after <= most, "{after} KiB after, not {most} at most");
    soak.server.assert_never_panicked();
}

/// Has all of them work for a while.
fn work(slots: &mut [Slot<'_>], time: Duration) {
    let until = Instant::now() + time;
    thread::scope(|scope| {
        for slot in slots {
            scope.spawn(move || {
                let told = Told(&slot.soak.failed, slot.soak.seed);
                slot.work(until);
                drop(told);
            });
        }
    });
}

/// Tells the others of a failure, and its seed.
struct Told<'a>(&'a AtomicBool, u64);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.0.swap(true, Relaxed) {
            eprintln!("SOAK_SEED={} begins in the same way", self.1);
        }
    }
}
