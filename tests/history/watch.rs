//! Clients that put and get the same few files for a while, and what each of them saw.

use crate::register::{Act, Kind, check};
use crate::support::{Dice, Pattern, Raw, Server, reset, temporaries, wait_until};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 16;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// The longest content, in bytes: more than goes over a connection at once.
const LONGEST: u64 = 300_000;
/// What stands before a content: its number and its hash.
const HEAD: usize = 8 + 32;

/// Lets the clients work for a while at these servers over one folder, and checks what they saw, which must be no less than
/// so many acts.
#[track_caller]
pub(crate) fn watch(servers: &[&Server], time: Duration, least: usize) {
    for name in NAMES {
        servers[0].write(name, content(0, 1000));
    }
    let (start, last) = (Instant::now(), AtomicU64::new(0));
    let histories = thread::scope(|scope| {
        let clients = (0..CLIENTS)
            .zip(servers.iter().cycle())
            .map(|(seed, server)| {
                let last = &last;
                scope.spawn(move || client(server, seed, (start, time), last))
            });
        let clients: Vec<_> = clients.collect();
        let ends = clients.into_iter().map(thread::ScopedJoinHandle::join);
        ends.map(|end| end.expect("a client failed"))
            .collect::<Vec<_>>()
    });
    let mut all = 0;
    for (at, name) in NAMES.iter().enumerate() {
        let mut history: Vec<Act> = histories.iter().flat_map(|of| of[at].clone()).collect();
        let began = start.elapsed();
        let content = number(&servers[0].read(name));
        history.push(Act {
            kind: Kind::Get,
            content,
            began,
            ended: Some(start.elapsed()),
        });
        all += history.len();
        check(&history).unwrap_or_else(|why| panic!("{name} was not atomic: {why}"));
    }
    eprintln!(
        "{all} acts of {CLIENTS} clients at {} servers",
        servers.len()
    );
    assert!(all > least, "only {all} acts");
    wait_until("nothing to be left of uploads", || {
        temporaries(&servers[0].root).is_empty()
    });
    for server in servers {
        server.assert_never_panicked();
    }
}

/// Puts and gets for a while. What it saw of each name.
fn client(
    server: &Server,
    seed: u64,
    (start, time): (Instant, Duration),
    last: &AtomicU64,
) -> [Vec<Act>; 3] {
    let mut dice = Dice(seed);
    let mut seen = <[Vec<Act>; 3]>::default();
    let mut raw = server.login();
    while start.elapsed() < time {
        let at = dice.index(NAMES.len());
        let name = NAMES[at];
        let began = start.elapsed();
        if dice.below(2) == 0 {
            let content = number(&raw.fetch(name));
            let ended = Some(start.elapsed());
            let kind = Kind::Get;
            seen[at].push(Act {
                kind,
                content,
                began,
                ended,
            });
            continue;
        }
        let number = 1 + last.fetch_add(1, Relaxed);
        let bytes = content(number, dice.below(LONGEST));
        let is_done = match dice.below(8) {
            0 => {
                cut(&mut raw, name, &bytes[..dice.index(bytes.len())]);
                raw = server.login();
                false
            }
            1 => {
                // Whole before it has its name.
                raw.store(&format!("{name}{number}"), &bytes);
                raw.run(&format!("RNFR {name}{number}"), 350);
                raw.run(&format!("RNTO {name}"), 250);
                true
            }
            _ => {
                raw.store(name, &bytes);
                true
            }
        };
        let ended = is_done.then(|| start.elapsed());
        seen[at].push(Act {
            kind: Kind::Put,
            content: number,
            began,
            ended,
        });
    }
    raw.run("QUIT", 221);
    seen
}

/// An upload of which only this much comes.
fn cut(raw: &mut Raw, name: &str, part: &[u8]) {
    let mut data = raw.begin(&format!("STOR {name}"));
    data.write_all(part).expect("a part is sent");
    reset(data);
    raw.expect_one_of(&[426, 451]);
}

/// Bytes that tell their number, and that they are whole and nobody else's.
fn content(number: u64, length: u64) -> Vec<u8> {
    let body = Pattern::bytes(number, length);
    let hash = Sha256::new()
        .chain_update(number.to_be_bytes())
        .chain_update(&body)
        .finalize();
    [&number.to_be_bytes()[..], &hash[..], &body].concat()
}

/// The number of a content, which must be whole.
#[track_caller]
fn number(bytes: &[u8]) -> u64 {
    let (head, body) = bytes.split_at_checked(HEAD).expect("a torn file");
    let hash = Sha256::new()
        .chain_update(&head[..8])
        .chain_update(body)
        .finalize();
    assert!(head[8..] == hash[..], "a torn or mixed file");
    u64::from_be_bytes(head[..8].try_into().expect("eight bytes"))
}
