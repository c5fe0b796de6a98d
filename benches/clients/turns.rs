//! Clients that take turns at the same tasks.

use super::peers::Peer;
use super::place::{Load, Place, Took};
use crate::flags::Flags;
use crate::programs;
use signal_hook::consts::SIGINT;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Who takes longer than this does the task once.
const LONG: Duration = Duration::from_secs(10);

/// What every client does, in the order of a [`Peer`]'s tasks.
pub(crate) const TASKS: [Task; 4] = [
    Task {
        name: "many",
        up: false,
    },
    Task {
        name: "many",
        up: true,
    },
    Task {
        name: "large",
        up: false,
    },
    Task {
        name: "large",
        up: true,
    },
];

#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) up: bool,
}

impl Task {
    pub(crate) const fn direction(self) -> &'static str {
        if self.up { "up" } else { "down" }
    }
}

/// For each task, for each client, what its rounds took. None: it is missing, has no such task, or it failed.
pub(crate) type Times = Vec<Vec<Vec<Took>>>;

/// What the benches of clients can be told.
pub(crate) const FLAGS: [&str; 2] = ["--rounds", "--part"];

pub(crate) fn rounds(flags: &Flags) -> usize {
    flags.number("--rounds", 5)
}

/// How many times as much there would be to move without the flag.
pub(crate) fn part(flags: &Flags) -> u64 {
    flags.number("--part", 1).max(1)
}

/// What the bench ends with: a failure where a client has failed, or a table could not be written.
pub(crate) fn end(went_well: bool, written: &Result<(), String>) -> ExitCode {
    if let Err(why) = written {
        eprintln!("{why}");
    }
    if went_well && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What Ctrl-C sets: what has been made, gigabytes of memory among it, goes with its owners.
pub(crate) fn stop() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop)).expect("Ctrl-C can be waited for");
    stop
}

/// Says which of the clients' programs are missing.
pub(crate) fn name_missing(peers: &[Peer]) {
    for peer in peers {
        for need in peer.needs.iter().filter(|need| !programs::has(need)) {
            println!("skipped: no {need}, so no {}", peer.name);
        }
    }
}

/// The times of all who are there, and whether nobody has failed.
pub(crate) fn measure(place: &Place, load: &Load, peers: &[Peer], rounds: usize) -> (Times, bool) {
    let mut times: Times = vec![vec![Vec::new(); peers.len()]; TASKS.len()];
    let mut failed = vec![vec![false; peers.len()]; TASKS.len()];
    for round in 1..=rounds {
        for (which, task) in TASKS.iter().enumerate() {
            for (who, peer) in peers.iter().enumerate() {
                let before = &mut times[which][who];
                let long = before.iter().any(|took| took.wall > LONG);
                if long || failed[which][who] || !has(peer) || place.is_stopped() {
                    continue;
                }
                let command = (peer.tasks[which])(place, load);
                let what = format!(
                    "round {round}: {} {}, {}",
                    task.name,
                    task.direction(),
                    peer.name
                );
                match place.time(command, task.name, task.up) {
                    Ok(took) => {
                        println!("{what}: {}", took.text());
                        before.push(took);
                    }
                    Err(why) => {
                        println!("{what}: {why}");
                        failed[which][who] = true;
                    }
                }
            }
        }
    }
    let went_well = !failed.iter().flatten().any(|failed| *failed);
    (times, went_well)
}

fn has(peer: &Peer) -> bool {
    peer.needs.iter().all(|need| programs::has(need))
}

/// The medians, each by itself.
pub(crate) fn median(times: &[Took]) -> Option<Took> {
    let middle = |part: fn(&Took) -> Duration| {
        let mut sorted: Vec<Duration> = times.iter().map(part).collect();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied()
    };
    Some(Took {
        wall: middle(|took| took.wall)?,
        cpu: middle(|took| took.cpu)?,
    })
}

pub(crate) fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
