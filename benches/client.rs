//! What do clients take of the time and of the processor, from and to the same server?
//!
//! `cargo bench --bench client [-- --rounds N --part N]`, with the programs that `.ci/install-programs` gets. A file of 1 GiB
//! and a tree of 10,000 files of 4 KiB, both ways, in memory, or a part of that (`--part 16`: a sixteenth); all speak with our
//! server, take turns, and use eight connections where they can, ours also with the four that it has by itself. What counts is
//! the median. It asserts nothing of times, and fails where a client does; with `FTP_WRITE_TABLES=1` the table goes into
//! `benches/README.md`.

mod clients;
mod flags;

// It has more than is needed here.
#[allow(dead_code)]
#[path = "../tests/works_with/programs.rs"]
mod programs;
#[path = "../tests/support/mod.rs"]
mod support;

use clients::peers::{BY_ITSELF, PEERS, Peer};
use clients::place::{Load, Place};
use clients::turns::{self, TASKS, Times, median, ratio, seconds};
use flags::Flags;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use support::readme::{row, write_table};

/// Those beside ours.
const OTHERS: [&str; 3] = ["curl", "lftp", "rclone"];

fn main() -> ExitCode {
    clients::by_itself(compare)
}

fn compare() -> ExitCode {
    let flags = Flags::given(&turns::FLAGS);
    let stop = turns::stop();
    let mut peers = vec![BY_ITSELF, PEERS[0]];
    peers.extend(PEERS.iter().filter(|peer| OTHERS.contains(&peer.name)));
    turns::name_missing(&peers);
    let folders = (0..100).map(|number| format!("many/{number:02}")).collect();
    let load = Load::of(turns::part(&flags), folders, 100, 1024);
    let place = Place::new(None, &load, &stop);
    let (times, went_well) = turns::measure(&place, &load, &peers, turns::rounds(&flags));
    if stop.load(Ordering::Relaxed) {
        return ExitCode::FAILURE;
    }
    let table = table(&peers, &load.names(), &times);
    println!("\n{table}");
    report_goals(&peers, &times);
    turns::end(
        went_well,
        &write_table("benches/README.md", "client", &table),
    )
}

/// Tasks by clients: the time, the processor's time, and how many times as much as ours with as many connections that is.
fn table(peers: &[Peer], names: &[String; 2], times: &Times) -> String {
    let mut head = vec![""];
    head.extend(peers.iter().map(|peer| peer.name));
    let mut text = row(&head);
    text += &row(&[&["---"], &vec!["--:"; peers.len()][..]].concat());
    for (which, task) in TASKS.iter().enumerate() {
        let mut cells = vec![format!("{} {}", names[which / 2], task.direction())];
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
