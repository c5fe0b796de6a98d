//! A client that is killed, anywhere in a transfer and as often as you like: the next one goes on, in the end the file is
//! whole, and nobody ever sees anything else under its name. Likewise a server.
//!
//! Each seed is one file. `KILLS_SEED=17 cargo test --test kills` plays one again.

mod relay;
mod server;
#[path = "../support/mod.rs"]
mod support;

use relay::{Passed, Play, Point, Relay, Way};
use rustix::process::Signal;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use support::{
    Client, Dice, PARTIAL, Pattern, Server, names_in, partials_in, temporaries, wait_until,
};

/// How many files go each way, each of which is killed once or more.
const FILES: u64 = 500;

/// No retries: what goes on has to be another client.
const ALONE: [&str; 4] = ["--jobs", "1", "--retries", "0"];

#[test]
fn downloads_of_killed_clients_go_on() {
    all_seeds(Way::Down);
}

#[test]
fn uploads_of_killed_clients_go_on() {
    all_seeds(Way::Up);
}

/// What all files of one way have seen.
#[derive(Default)]
struct Sums {
    kills: AtomicU64,
    /// Files of which the last client moved only what was missing.
    resumed: AtomicU64,
}

fn all_seeds(way: Way) {
    let server = Server::start();
    let sums = Sums::default();
    let whole = Case::new(&server, way, u64::MAX).whole_session();
    if let Some(seed) = std::env::var("KILLS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        return Case::new(&server, way, seed).play(whole, &sums);
    }
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let workers = 2 * thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let told = Told(&failed);
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= FILES || failed.load(Relaxed) {
                        break;
                    }
                    Case::new(&server, way, seed).play(whole, &sums);
                }
                drop(told);
            });
        }
    });
    let (kills, resumed) = (sums.kills.load(Relaxed), sums.resumed.load(Relaxed));
    eprintln!("{way:?}: {kills} kills, {resumed} of {FILES} files went on behind a part");
    assert!(kills >= FILES, "{kills} kills of {FILES} files");
    assert!(
        resumed >= FILES / 4,
        "{resumed} of {FILES} files went on behind a part"
    );
    server.assert_never_panicked();
}

/// Tells the other workers of a failure.
struct Told<'a>(&'a AtomicBool);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(thread::panicking(), Relaxed);
    }
}

/// How a client ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Killed, and the network with it, when all that was passed on has arrived.
    Settled,
    /// Killed. What it had sent still arrives.
    Killed,
    /// Ctrl-C.
    Interrupted,
}

/// One file, on its way.
struct Case<'a> {
    seed: u64,
    dice: Dice,
    way: Way,
    server: &'a Server,
    relay: Relay,
    client: Client,
    /// What the file holds at its source.
    new: Vec<u8>,
    /// What it held before.
    before: Vec<Vec<u8>>,
    /// What is there under its name at its target.
    old: Option<Vec<u8>>,
}

impl<'a> Case<'a> {
    fn new(server: &'a Server, way: Way, seed: u64) -> Self {
        let relay = Relay::new(server.address, way);
        let client = Client::new(relay.address()).with(&ALONE);
        let mut dice = Dice(seed.wrapping_mul(2) + u64::from(way == Way::Up));
        let length = match dice.below(4) {
            0 => 1 + dice.below(1000),
            1 => 1 << (10 + dice.below(9)),
            _ => 1 + dice.below(300_000),
        };
        server.make_folder(&format!("s{seed}"));
        let mut case = Self {
            seed,
            dice,
            way,
            server,
            relay,
            client,
            new: Vec::new(),
            before: Vec::new(),
            old: None,
        };
        case.change(length);
        if case.dice.below(4) == 0 {
            let old = Pattern::bytes(!seed, case.dice.below(100_000));
            fs::write(case.target(), &old).expect("the old file");
            case.old = Some(old);
        }
        case
    }

    /// A session that nobody disturbs.
    fn whole_session(self) -> Passed {
        let running = self.client.spawn(&self.command());
        let passed = self.relay.play(None).end();
        assert!(running.output().status.success());
        assert_eq!(passed.data, self.new.len() as u64);
        passed
    }

    fn play(mut self, whole: Passed, sums: &Sums) {
        let _seed = Shown(self.seed);
        let mut kept = Some(0);
        for _ in 0..=self.dice.below(3) {
            let point = self.point(whole, kept.unwrap_or(0));
            let end =
                [End::Settled, End::Settled, End::Killed, End::Interrupted][self.dice.index(4)];
            if !self.is_stopped(point, end, kept) {
                // What was there is the file now, and is fetched anew.
                kept = (self.way == Way::Down).then_some(0);
                break;
            }
            sums.kills.fetch_add(1, Relaxed);
            kept = self.kept();
            if self.dice.below(8) == 0 {
                let length = self.new.len() as u64 + 1 + self.dice.below(1000);
                self.change(length);
                kept = Some(0);
            }
        }
        let running = self.client.spawn(&self.command());
        let passed = self.relay.play(None).end();
        let output = running.output();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the last one: {errors}");
        self.assert_moved(passed, kept);
        let went_on = passed.data < self.new.len() as u64;
        sums.resumed.fetch_add(u64::from(went_on), Relaxed);
        let there = fs::read(self.target()).expect("the file");
        assert!(there == self.new, "another file is there");
        wait_until("nothing but the file to be there", || {
            names_in(&self.folder()) == ["f"]
        });
    }

    /// Runs a client up to a point and ends it there. `false` if it was done before.
    fn is_stopped(&mut self, point: Point, end: End, kept: Option<u64>) -> bool {
        let running = self.client.spawn(&self.command());
        let play = self.relay.play(Some(point));
        if !play.reaches_its_point() {
            let passed = play.end();
            let output = running.output();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{point:?}: {errors}");
            self.assert_moved(passed, kept);
            self.assert_whole_or_old(true);
            return false;
        }
        let at_the_end = play.passed();
        let passed = match end {
            End::Settled => {
                if let Some(kept) = kept {
                    self.wait_until_arrived(&play, kept);
                }
                running.signal(Signal::KILL);
                drop(running);
                play.cut()
            }
            End::Killed => {
                running.signal(Signal::KILL);
                drop(running);
                play.go_on();
                play.end()
            }
            End::Interrupted => {
                running.signal(Signal::INT);
                play.go_on_without_data();
                let status = running.output().status;
                let ended = matches!(status.code(), Some(0 | 130)) || status.signal() == Some(2);
                assert!(
                    ended,
                    "{point:?}: an interrupted client ended with {status}"
                );
                play.cut()
            }
        };
        if self.way == Way::Up {
            wait_until("the server to put the upload away", || {
                temporaries(&self.folder()).is_empty()
            });
        }
        let may_be_done = match (self.way, end) {
            // A part that is whole needs only its name.
            (Way::Down, _) if kept.is_none_or(|kept| kept == self.new.len() as u64) => true,
            // The relay goes on after the client's end.
            (Way::Down, End::Killed) => at_the_end.done,
            (Way::Down, _) => passed.done,
            (Way::Up, _) => passed.end,
        };
        self.assert_whole_or_old(may_be_done);
        true
    }

    /// Waits until what was passed on of the file is written at its target.
    fn wait_until_arrived(&self, play: &Play, kept: u64) {
        let folder = self.folder();
        wait_until("what was passed on to arrive", || {
            // Anew each time: what was being passed on at the point may be so by now.
            let passed = play.passed();
            let part = match self.way {
                Way::Down => Some("f.part".to_owned()),
                Way::Up => temporaries(&folder).pop(),
            };
            let arrived = part.and_then(|part| fs::metadata(folder.join(part)).ok());
            passed.data == 0
                || passed.done
                || passed.end && self.way == Way::Up
                || arrived.is_some_and(|part| part.len() == kept + passed.data)
        });
    }

    /// How much of the file the next client need not move. `None` if that cannot be told by what is there.
    fn kept(&self) -> Option<u64> {
        let part = match self.way {
            Way::Down => Some("f.part".to_owned()),
            // The client may know of its end, or not.
            Way::Up if self.old.as_ref() == Some(&self.new) => return None,
            Way::Up => partials_in(&self.folder()).pop(),
        };
        let part = part.and_then(|part| fs::read(self.folder().join(part)).ok());
        match part.unwrap_or_default() {
            // All files begin with the same few bytes.
            part if part.len() <= 8 && self.before.len() > 1 => None,
            part if self.new.starts_with(&part) => Some(part.len() as u64),
            _ => Some(0),
        }
    }

    /// Checks that a client has moved just what was missing.
    fn assert_moved(&self, passed: Passed, kept: Option<u64>) {
        if let Some(kept) = kept {
            let missing = self.new.len() as u64 - kept;
            assert_eq!(passed.data, missing, "bytes moved, with {kept} there");
        }
    }

    /// Checks what is to be seen of the file.
    fn assert_whole_or_old(&mut self, may_be_done: bool) {
        let there = fs::read(self.target()).ok();
        if there != self.old {
            let whole = there.as_ref() == Some(&self.new);
            let length = there.as_ref().map(Vec::len);
            assert!(
                may_be_done && whole,
                "a file of {length:?} bytes is under its name, which may be done: {may_be_done}"
            );
            self.old = there;
        }
        for name in names_in(&self.folder()) {
            let ours = match self.way {
                Way::Down => matches!(&*name, "f.part" | "f.part.facts"),
                Way::Up => name.starts_with(PARTIAL),
            };
            assert!(ours || name == "f", "{name} is there");
            if ours && !name.ends_with(".facts") {
                let part = fs::read(self.folder().join(&name)).expect("a part");
                let of_it = |file: &Vec<u8>| file.starts_with(&part);
                let known = of_it(&self.new) || self.before.iter().any(of_it);
                assert!(known, "{name} is no part of the file");
            }
        }
    }

    /// Puts another file at the source.
    fn change(&mut self, length: u64) {
        let new = Pattern::bytes(self.dice.next(), length);
        self.before.push(std::mem::replace(&mut self.new, new));
        fs::write(self.source(), &self.new).expect("the file");
    }

    fn command(&self) -> String {
        match self.way {
            Way::Down => format!("get s{}/f\n", self.seed),
            Way::Up => format!("put f s{}/f\n", self.seed),
        }
    }

    fn source(&self) -> PathBuf {
        match self.way {
            Way::Down => self.server.path(&format!("s{}/f", self.seed)),
            Way::Up => self.client.folder().join("f"),
        }
    }

    /// The folder where the file is to be.
    fn folder(&self) -> PathBuf {
        match self.way {
            Way::Down => self.client.download(""),
            Way::Up => self.server.path(&format!("s{}", self.seed)),
        }
    }

    fn target(&self) -> PathBuf {
        self.folder().join("f")
    }

    /// Any point of a session in which so many bytes need not be moved.
    fn point(&mut self, whole: Passed, kept: u64) -> Point {
        let missing = self.new.len() as u64 - kept;
        match self.dice.below(8) {
            0 => Point::Command(1 + self.dice.index(whole.commands)),
            1 => Point::Reply(1 + self.dice.index(whole.replies)),
            2 => Point::Data(missing),
            _ => Point::Data(self.dice.below(missing + 1)),
        }
    }
}

/// Shows the seed when its test fails.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("seed {0}: KILLS_SEED={0} plays it again", self.0);
        }
    }
}
