//! A server that is killed, anywhere in what clients do and as often as you like: what it has acknowledged is there, all else
//! is as it was or as it was to be, and what was cut goes on at the next server.
//!
//! `KILLS_SEED=17 cargo test --test kills servers` plays a seed again.

use super::relay::{Play, Point, Relay, Way};
use super::{ALONE, Shown};
use crate::support::{
    Client, Dice, Pattern, Server, names_in, partials_in, temporaries, wait_until,
};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// How many servers are killed, each once or more, and how many where there is time.
const SEEDS: u64 = 50;
const MANY_SEEDS: u64 = 500;

/// What makes a server quick to start.
const FLAGS: [&str; 4] = ["--tls", "off", "--anonymous", "full"];

/// The visible files of a folder.
type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn what_killed_servers_did_is_done_or_not() {
    seeds(SEEDS);
}

#[test]
#[ignore = "takes half a minute"]
fn what_many_killed_servers_did_is_done_or_not() {
    seeds(MANY_SEEDS);
}

/// What all seeds have seen.
#[derive(Default)]
struct Sums {
    kills: AtomicU64,
    /// Uploads of which the next client moved only what was missing.
    resumed: AtomicU64,
}

fn seeds(count: u64) {
    let sums = Sums::default();
    let chosen = std::env::var("KILLS_SEED").ok();
    if let Some(seed) = chosen.and_then(|seed| seed.parse().ok()) {
        return Case::new(seed).play(&sums);
    }
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 * thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|&seed| seed < count)
                {
                    Case::new(seed).play(&sums);
                }
            });
        }
    });
    let (kills, resumed) = (sums.kills.load(Relaxed), sums.resumed.load(Relaxed));
    eprintln!("{kills} servers killed in {count} seeds, {resumed} uploads went on");
    assert!(kills >= count, "{kills} kills in {count} seeds");
    assert!(resumed >= count / 10, "{resumed} uploads went on");
}

/// What a client does.
#[derive(Debug)]
enum Deed {
    /// Under a new name, or in the place of a file.
    Put(String),
    Append(String),
    Rename(String, String),
}

struct Case {
    seed: u64,
    dice: Dice,
    server: Server,
    relay: Relay,
    client: Client,
    files: Files,
}

impl Case {
    fn new(seed: u64) -> Self {
        let server = Server::with(&FLAGS);
        let relay = Relay::new(server.address, Way::Up);
        let client = Client::new(relay.address()).with(&ALONE);
        let mut dice = Dice(seed);
        let mut files = Files::new();
        for name in ["a", "b"] {
            let length = dice.below(50_000);
            let content = Pattern::bytes(dice.next(), length);
            server.write(name, &content);
            files.insert(name.to_owned(), content);
        }
        Self {
            seed,
            dice,
            server,
            relay,
            client,
            files,
        }
    }

    fn play(mut self, sums: &Sums) {
        let _seed = Shown(self.seed);
        for number in 0..=self.dice.below(3) {
            let deed = self.deed(number);
            let content = self.content();
            self.client.write("f", &content);
            let after = deed.done(&self.files, &content);
            let mut kept = 0;
            for _ in 0..=self.dice.below(3) {
                kept = self.kill_in(&deed, &content, &after, kept, sums);
                if self.there() == after {
                    break;
                }
            }
            if self.there() != after {
                let running = self.client.spawn(&deed.command());
                let passed = self.relay.play(None).end();
                let output = running.output();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{deed:?}: {errors}");
                self.assert_moved(&deed, &content, passed.data, kept, sums);
            }
            assert!(self.there() == after, "{deed:?} is not done");
            self.files = after;
        }
        self.server.assert_never_panicked();
    }

    fn deed(&mut self, number: u64) -> Deed {
        let old = ["a", "b"][self.dice.index(2)].to_owned();
        let new = format!("new{number}");
        match self.dice.below(6) {
            0 => Deed::Put(old),
            // Where there is no file, APPE goes on with one that was cut: that is how lftp resumes.
            1 if self.files.contains_key(&old) => Deed::Append(old),
            2 if self.files.contains_key(&old) => Deed::Rename(old, new),
            _ => Deed::Put(new),
        }
    }

    fn content(&mut self) -> Vec<u8> {
        let length = match self.dice.below(4) {
            0 => 1 + self.dice.below(1000),
            _ => 1 + self.dice.below(300_000),
        };
        Pattern::bytes(self.dice.next(), length)
    }

    /// Kills the server at a point of the deed, if that comes to it, and starts another one. How much of an upload is kept.
    fn kill_in(
        &mut self,
        deed: &Deed,
        content: &[u8],
        after: &Files,
        kept: u64,
        sums: &Sums,
    ) -> u64 {
        let before = self.there();
        let point = match self.dice.below(4) {
            0 => Point::Command(1 + self.dice.index(14)),
            1 => Point::Reply(1 + self.dice.index(14)),
            _ => Point::Data(self.dice.below(content.len() as u64 + 1)),
        };
        let settles = self.dice.below(2) == 0;
        let running = self.client.spawn(&deed.command());
        let play = self.relay.play(Some(point));
        if !play.reaches_its_point() {
            let passed = play.end();
            let output = running.output();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{deed:?} {point:?}: {errors}");
            self.assert_moved(deed, content, passed.data, kept, sums);
            return 0;
        }
        if settles {
            self.wait_for_what_was_passed_on(&play);
        }
        self.server.signal(Signal::KILL);
        self.server.ended();
        let passed = play.cut();
        let succeeded = running.output().status.success();
        self.server.restart(&FLAGS);
        self.relay.server = self.server.address;
        sums.kills.fetch_add(1, Relaxed);
        let there = self.there();
        let (as_before, as_after) = (there == before, there == *after);
        assert!(as_before || as_after, "{deed:?} {point:?} is half done");
        assert!(as_after || !succeeded, "{deed:?} {point:?} is lost");
        self.wait_for_the_sweep();
        let kept = match deed {
            Deed::Put(name) if !there.contains_key(name) => self.kept(content),
            _ => 0,
        };
        if settles
            && !passed.end
            && passed.data > 0
            && matches!(deed, Deed::Put(name) if name.starts_with("new"))
        {
            assert!(
                kept > 0,
                "{deed:?} {point:?}: nothing is kept of {passed:?}"
            );
        }
        kept
    }

    /// Waits until the server has written what the relay has let through.
    fn wait_for_what_was_passed_on(&self, play: &Play) {
        // Beside it there may be an empty one of a server that was killed before.
        let has = |name: &String, length| {
            fs::metadata(self.server.path(name)).is_ok_and(|file| file.len() >= length)
        };
        wait_until("what was passed on to arrive", || {
            let passed = play.passed();
            let mut held = temporaries(&self.server.root).into_iter();
            let arrived = held.any(|name| has(&name, passed.data));
            passed.data == 0 || passed.end || arrived
        });
    }

    /// Waits until what the dead server left is put away.
    fn wait_for_the_sweep(&self) {
        // The sweep keeps what a dead server was writing. Of an empty file it cannot tell whether somebody has just made it.
        wait_until("what the dead server left to be put away", || {
            let full = |name: &String| {
                fs::metadata(self.server.path(name)).is_ok_and(|file| file.len() > 0)
            };
            !temporaries(&self.server.root).iter().any(full)
        });
    }

    /// How much of an upload a client need not send once more.
    fn kept(&self, content: &[u8]) -> u64 {
        let partials = partials_in(&self.server.root).into_iter();
        let lengths = partials.filter_map(|name| {
            let part = fs::read(self.server.path(&name)).ok()?;
            content.starts_with(&part).then_some(part.len() as u64)
        });
        lengths.max().unwrap_or(0)
    }

    fn assert_moved(&self, deed: &Deed, content: &[u8], moved: u64, kept: u64, sums: &Sums) {
        if let Deed::Put(_) = deed {
            let whole = content.len() as u64;
            assert_eq!(moved, whole - kept, "bytes moved of {whole}, {kept} kept");
            sums.resumed.fetch_add(u64::from(kept > 0), Relaxed);
        }
    }

    fn there(&self) -> Files {
        let names = names_in(&self.server.root).into_iter();
        names
            .filter(|name| !name.starts_with('.'))
            .map(|name| {
                let content = self.server.read(&name);
                (name, content)
            })
            .collect()
    }
}

impl Deed {
    fn command(&self) -> String {
        match self {
            Self::Put(name) => format!("put f {name}\n"),
            Self::Append(name) => format!("append f {name}\n"),
            Self::Rename(from, to) => format!("rename {from} {to}\n"),
        }
    }

    /// What is there when it is done.
    fn done(&self, before: &Files, content: &[u8]) -> Files {
        let mut files = before.clone();
        match self {
            Self::Put(name) => {
                files.insert(name.clone(), content.to_owned());
            }
            Self::Append(name) => {
                let file = files.entry(name.clone()).or_default();
                file.extend_from_slice(content);
            }
            Self::Rename(from, to) => {
                let content = files.remove(from).expect("it is there");
                files.insert(to.clone(), content);
            }
        }
        files
    }
}
