//! How long do the clients take that people know, and how long does ours, over a link with a round trip of 20 ms and on
//! one machine?
//!
//! `cargo bench --bench distance [-- --rounds N]`, as root and with the programs that `.ci/install-programs` gets. All speak
//! with our server, but for sftp, which speaks with sshd. They take turns, and what counts is the median. It asserts
//! nothing; with `FTP_WRITE_TABLES=1` the table goes into the README.

mod peers;
mod place;

// Both have more than is needed here.
#[allow(dead_code)]
#[path = "../../tests/works_with/programs.rs"]
mod programs;
#[path = "../../tests/support/mod.rs"]
mod support;

use peers::{PEERS, Peer};
use place::{Load, Place};
use signal_hook::consts::SIGINT;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::Link;
use support::readme::{self, row};

const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Who takes longer than this does the task once.
const LONG: Duration = Duration::from_secs(10);

/// What every client does, in the order of a [`Peer`]'s tasks.
const TASKS: [Task; 4] = [
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
struct Task {
    name: &'static str,
    up: bool,
}

impl Task {
    const fn direction(self) -> &'static str {
        if self.up { "up" } else { "down" }
    }
}

/// For each task, for each client, the times of its rounds. None: it is missing, or it failed.
type Times = Vec<Vec<Vec<Duration>>>;

fn main() {
    let rounds = rounds();
    // What has been made, gigabytes of memory among it, goes with its owners.
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&stop)).expect("Ctrl-C can be waited for");
    for peer in PEERS {
        for need in peer.needs.iter().filter(|need| !programs::has(need)) {
            println!("skipped: no {need}, so no {}", peer.name);
        }
    }
    let mut tables = String::new();
    match Link::with_round_trip(ROUND_TRIP) {
        Ok(link) => {
            let load = Load {
                folders: vec!["many".to_owned()],
                files: 200,
                large: 64 << 20,
            };
            let times = measure(&Place::new(Some(link), &load, &stop), &load, rounds);
            let names = ["200 files of 4 KiB", "one file of 64 MiB"];
            tables += &table("round trip of 20 ms", names, &times);
            report_goals(&times);
        }
        Err(why) => println!("skipped: no link with a round trip here: {why}"),
    }
    if stop.load(Ordering::Relaxed) {
        return;
    }
    let load = Load {
        folders: (0..20).map(|number| format!("many/{number:02}")).collect(),
        files: 100,
        large: 1 << 30,
    };
    let times = measure(&Place::new(None, &load, &stop), &load, rounds);
    let names = ["2,000 files of 4 KiB", "one file of 1 GiB"];
    tables += "\n";
    tables += &table("one machine", names, &times);
    if stop.load(Ordering::Relaxed) {
        return;
    }
    println!("\n{tables}");
    if std::env::var_os("FTP_WRITE_TABLES").is_some() {
        write(&tables);
    }
}

/// `--rounds N`; cargo itself adds `--bench`.
fn rounds() -> usize {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--rounds");
    at.and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(5)
}

fn measure(place: &Place, load: &Load, rounds: usize) -> Times {
    let mut times: Times = vec![vec![Vec::new(); PEERS.len()]; TASKS.len()];
    let mut failed = vec![vec![false; PEERS.len()]; TASKS.len()];
    for round in 1..=rounds {
        for (which, task) in TASKS.iter().enumerate() {
            for (who, peer) in PEERS.iter().enumerate() {
                let before = &mut times[which][who];
                let long = before.iter().any(|time| *time > LONG);
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
                    Ok(time) => {
                        println!("{what}: {}", seconds(time));
                        before.push(time);
                    }
                    Err(why) => {
                        println!("{what}: {why}");
                        failed[which][who] = true;
                    }
                }
            }
        }
    }
    times
}

fn has(peer: &Peer) -> bool {
    peer.needs.iter().all(|need| programs::has(need))
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Tasks by clients, with how many times as long as ours each other takes.
fn table(title: &str, names: [&str; 2], times: &Times) -> String {
    let mut clients = vec![title];
    clients.extend(PEERS.iter().map(|peer| peer.name));
    let mut text = row(&clients);
    text += &row(&[&["---"], &vec!["--:"; PEERS.len()][..]].concat());
    for (which, task) in TASKS.iter().enumerate() {
        let mut cells = vec![format!("{} {}", names[which / 2], task.direction())];
        let ours = median(&times[which][0]);
        for (who, times) in times[which].iter().enumerate() {
            cells.push(match (median(times), ours) {
                (None, _) => String::new(),
                (Some(time), Some(ours)) if who > 0 => {
                    let ratio = time.as_secs_f64() / ours.as_secs_f64();
                    format!("{} ({ratio:.1}×)", seconds(time))
                }
                (Some(time), _) => seconds(time),
            });
        }
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        text += &row(&cells);
    }
    text
}

/// Whether what was aimed at is reached.
fn report_goals(times: &Times) {
    let median_of = |which: usize, name: &str| {
        let who = PEERS.iter().position(|peer| peer.name == name)?;
        median(&times[which][who])
    };
    let curl = |which| median_of(which, "curl");
    let goals = [
        ("200 files down", 0, Some(Duration::from_millis(700))),
        ("200 files up", 1, Some(Duration::from_millis(1200))),
        ("64 MiB down, as quickly as curl", 2, curl(2)),
        ("64 MiB up, as quickly as curl", 3, curl(3)),
    ];
    for (what, which, goal) in goals {
        let (Some(time), Some(goal)) = (median(&times[which][0]), goal) else {
            println!("goal: {what}: not measured");
            continue;
        };
        let met = if time <= goal { "met" } else { "NOT met" };
        println!(
            "goal: {what}, at most {}: {}, {met}",
            seconds(goal),
            seconds(time)
        );
    }
}

fn write(tables: &str) {
    let path = readme::path();
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let written = readme::with_table(&before, "peers", tables)
        .and_then(|text| std::fs::write(&path, text).map_err(|error| error.to_string()));
    if let Err(why) = written {
        println!("cannot write the table: {why}");
    }
}
