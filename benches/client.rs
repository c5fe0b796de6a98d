//! What do clients take of the time and of the processor, from and to the same server?
//!
//! `cargo bench --bench client [-- --rounds N]`, with the programs that `.ci/install-programs` gets. A file of 1 GiB and a
//! tree of 10,000 files of 4 KiB, both ways, in memory; all speak with our server, take turns, and use eight connections
//! where they can, ours also with the four that it has by itself. What counts is the median. It asserts nothing; with
//! `FTP_WRITE_TABLES=1` the table goes into `benches/README.md`.

mod clients;

// Both have more than is needed here.
#[allow(dead_code)]
#[path = "../tests/works_with/programs.rs"]
mod programs;
#[path = "../tests/support/mod.rs"]
mod support;

use clients::peers::{BY_ITSELF, PEERS, Peer};
use clients::place::{Load, Place};
use clients::turns::{self, TASKS, Times, median, ratio, seconds};
use std::fs;
use std::sync::atomic::Ordering;
use support::readme::{row, with_table};

/// Those beside ours.
const OTHERS: [&str; 3] = ["curl", "lftp", "rclone"];
const NAMES: [&str; 2] = ["10,000 files of 4 KiB", "one file of 1 GiB"];

fn main() {
    let rounds = turns::rounds();
    let stop = turns::stop();
    let mut peers = vec![BY_ITSELF, PEERS[0]];
    peers.extend(PEERS.iter().filter(|peer| OTHERS.contains(&peer.name)));
    turns::name_missing(&peers);
    let load = Load {
        folders: (0..100).map(|number| format!("many/{number:02}")).collect(),
        files: 100,
        large: 1 << 30,
    };
    let place = Place::new(None, &load, &stop);
    let times = turns::measure(&place, &load, &peers, rounds);
    if stop.load(Ordering::Relaxed) {
        return;
    }
    let table = table(&peers, &times);
    println!("\n{table}");
    report_goals(&peers, &times);
    if std::env::var_os("FTP_WRITE_TABLES").is_some() {
        write(&table);
    }
}

/// Tasks by clients: the time, the processor's time, and how many times as much as ours with as many connections that is.
fn table(peers: &[Peer], times: &Times) -> String {
    let mut head = vec![""];
    head.extend(peers.iter().map(|peer| peer.name));
    let mut text = row(&head);
    text += &row(&[&["---"], &vec!["--:"; peers.len()][..]].concat());
    for (which, task) in TASKS.iter().enumerate() {
        let mut cells = vec![format!("{} {}", NAMES[which / 2], task.direction())];
        let ours = median(&times[which][1]);
        for (who, times) in times[which].iter().enumerate() {
            cells.push(match (median(times), ours) {
                (Some(took), Some(ours)) if who > 1 => format!(
                    "{} ({:.1}×), {} ({:.1}×)",
                    seconds(took.wall),
                    ratio(took.wall, ours.wall),
                    seconds(took.cpu),
                    ratio(took.cpu, ours.cpu)
                ),
                (Some(took), _) => format!("{}, {}", seconds(took.wall), seconds(took.cpu)),
                (None, _) => String::new(),
            });
        }
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        text += &row(&cells);
    }
    text
}

/// Whether what is aimed at is reached: a tree in half of the others' time, and a large file in no more time and processor
/// than they.
fn report_goals(peers: &[Peer], times: &Times) {
    for (which, task) in TASKS.iter().enumerate() {
        for (mine, me) in peers[..2].iter().enumerate() {
            for (who, other) in peers.iter().enumerate().skip(2) {
                let medians = median(&times[which][mine]).zip(median(&times[which][who]));
                let Some((ours, theirs)) = medians else {
                    continue;
                };
                let (wall, cpu) = (ratio(ours.wall, theirs.wall), ratio(ours.cpu, theirs.cpu));
                let met = match task.name {
                    "many" => wall <= 0.5,
                    _ => wall <= 1.0 && cpu <= 1.0,
                };
                println!(
                    "{} {}, {}: {wall:.2} of the time and {cpu:.2} of the processor of {}, {}",
                    task.name,
                    task.direction(),
                    me.name,
                    other.name,
                    if met { "met" } else { "NOT met" }
                );
            }
        }
    }
}

fn write(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/README.md");
    let written = fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|before| with_table(&before, "client", table))
        .and_then(|text| fs::write(path, text).map_err(|error| error.to_string()));
    if let Err(why) = written {
        println!("cannot write the table: {why}");
    }
}
