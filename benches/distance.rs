//! How long do the clients take that people know, and how long does ours, over a link with a round trip of 20 ms and on
//! one machine?
//!
//! `cargo bench --bench distance [-- --rounds N --part N]`, as root and with the programs that `.ci/install-programs` gets. All
//! speak with our server, but for sftp, which speaks with sshd. They take turns, and what counts is the median; `--part 16`
//! moves a sixteenth of the files and bytes. It asserts nothing of times, and fails where a client does; with
//! `FTP_WRITE_TABLES=1` the table goes into the README.

mod clients;
mod flags;

// It has more than is needed here.
#[allow(dead_code)]
#[path = "../tests/works_with/programs.rs"]
mod programs;
#[path = "../tests/support/mod.rs"]
mod support;

use clients::peers::PEERS;
use clients::place::{Load, Place};
use clients::turns::{self, TASKS, Times, median, ratio, seconds};
use flags::Flags;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::Link;
use support::readme::{row, write_table};

const ROUND_TRIP: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let flags = Flags::given(&turns::FLAGS);
    let (rounds, part) = (turns::rounds(&flags), turns::part(&flags));
    let mut went_well = true;
    let stop = turns::stop();
    turns::name_missing(PEERS);
    let mut tables = String::new();
    let link = Link::with_round_trip(ROUND_TRIP).and_then(|link| link.use_cubic().map(|()| link));
    match link {
        Ok(link) => {
            let load = Load::of(part, vec!["many".to_owned()], 200, 64);
            let place = Place::new(Some(link), &load, &stop);
            let (times, all) = turns::measure(&place, &load, PEERS, rounds);
            went_well &= all;
            tables += &table("round trip of 20 ms", &load.names(), &times);
            report_goals(&times);
        }
        Err(why) => println!("skipped: no link with a round trip here: {why}"),
    }
    if stop.load(Ordering::Relaxed) {
        return ExitCode::FAILURE;
    }
    let folders = (0..20).map(|number| format!("many/{number:02}")).collect();
    let load = Load::of(part, folders, 100, 1024);
    let (times, all) = clients::by_itself(|| {
        let place = Place::new(None, &load, &stop);
        turns::measure(&place, &load, PEERS, rounds)
    });
    went_well &= all;
    tables += "\n";
    tables += &table("one machine", &load.names(), &times);
    if stop.load(Ordering::Relaxed) {
        return ExitCode::FAILURE;
    }
    println!("\n{tables}");
    turns::end(went_well, &write_table("README.md", "peers", &tables))
}

/// Tasks by clients, with how many times as long as ours each other takes.
fn table(title: &str, names: &[String; 2], times: &Times) -> String {
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
                (Some(took), Some(ours)) if who > 0 => {
                    let ratio = ratio(took.wall, ours.wall);
                    format!("{} ({ratio:.1}×)", seconds(took.wall))
                }
                (Some(took), _) => seconds(took.wall),
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
        median(&times[which][who]).map(|took| took.wall)
    };
    let curl = |which| median_of(which, "curl");
    let goals = [
        ("200 files down", 0, Some(Duration::from_millis(700))),
        ("200 files up", 1, Some(Duration::from_millis(1200))),
        ("64 MiB down, as quickly as curl", 2, curl(2)),
        ("64 MiB up, as quickly as curl", 3, curl(3)),
    ];
    for (what, which, goal) in goals {
        let (Some(took), Some(goal)) = (median(&times[which][0]), goal) else {
            println!("goal: {what}: not measured");
            continue;
        };
        let time = took.wall;
        let met = if time <= goal { "met" } else { "NOT met" };
        println!(
            "goal: {what}, at most {}: {}, {met}",
            seconds(goal),
            seconds(time)
        );
    }
}
