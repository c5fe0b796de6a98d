//! How fast is the server, beside the least that such a server can do, and beside those that people know?
//!
//! `cargo bench --bench servers [-- --rounds N --seconds N --idle N --mib N --patience N --only WORK,… --servers NAME,…
//! --folder DISK]`, best as root and with the programs that `benches/install-peers` gets. Each server in turn does each work, in a
//! network of its own and over the same folder, in memory or below DISK; what counts is the median of the rounds, and only what is
//! in one run may be compared.
//! It asserts nothing of what is measured, and fails where ours or the floor does, or another at all that it was asked. With
//! `FTP_WRITE_TABLES=1` the table goes into `benches/README.md` and the chart of what was in memory into `benches/servers.svg`.

mod chart;
mod cost;
#[path = "../flags/mod.rs"]
mod flags;
mod floor;
mod load;
mod peers;
mod site;
mod table;
mod tasks;
mod window;
mod works;

// These have more than is needed here.
#[allow(dead_code)]
#[path = "../../tests/works_with/servers/daemons.rs"]
mod daemons;
#[allow(dead_code)]
#[path = "../../tests/works_with/programs.rs"]
mod programs;
#[path = "../../tests/support/mod.rs"]
mod support;

use flags::Flags;
use peers::{FLOOR, OURS, PEERS, Peer, RELAXED};
use site::{Site, Stage};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tasks::{Effort, Sample};
use works::{WORKS, Work};

const FLAGS: [&str; 8] = [
    "--rounds",
    "--seconds",
    "--idle",
    "--mib",
    "--patience",
    "--only",
    "--servers",
    "--folder",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, root, port] = &arguments[..]
        && flag == "--floor"
    {
        let port = port.parse().expect("a port");
        floor::serve(Path::new(root), port).expect("the floor serves");
        return ExitCode::SUCCESS;
    }
    let flags = Flags::given(&FLAGS);
    let rounds = flags.number("--rounds", 3);
    let effort = Effort {
        time: Duration::from_secs_f64(flags.number("--seconds", 2.0)),
        idle: flags.number("--idle", 10_000),
        large: flags.number("--mib", 1024) << 20,
    };
    let chosen = |flag, name: &str| {
        let list = flags.text(flag);
        list.is_none_or(|list| list.split(',').any(|one| one == name))
    };
    let works: Vec<&Work> = WORKS
        .iter()
        .filter(|work| chosen("--only", work.key))
        .collect();
    let peers: Vec<&Peer> = PEERS
        .iter()
        .filter(|peer| chosen("--servers", peer.name))
        .filter(|peer| peer.name != RELAXED || flags.text("--servers").is_some())
        .collect();
    for peer in peers.iter().filter(|peer| !peer.is_here()) {
        println!(
            "skipped: {}, which takes {}",
            peer.name,
            peer.needs.join(", ")
        );
    }
    let peers: Vec<&Peer> = peers.into_iter().filter(|peer| peer.is_here()).collect();
    support::raise_file_limit();
    if let Err(why) = support::Namespace::new() {
        println!("no network of its own for each server, so a wait before each: {why}");
    }
    let patience = Duration::from_secs(flags.number("--patience", 30));
    let folder = flags.text("--folder");
    let stage = Stage::new(folder.map(Path::new), effort.large, patience);
    let mut results = Results::new(&works, &peers);
    for round in 0..rounds {
        for (row, work) in works.iter().enumerate() {
            for turn in 0..peers.len() {
                // Another begins each time.
                let who = (turn + round) % peers.len();
                results.run(&stage, row, who, work, &effort);
            }
        }
    }
    if let Err(why) = table::report(&results, folder.is_some()) {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    let failures = results.failures();
    if failures.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {}", failures.join(", "));
    ExitCode::FAILURE
}

/// What all runs have shown.
pub(crate) struct Results {
    works: Vec<&'static Work>,
    peers: Vec<&'static Peer>,
    /// By work, and then by server.
    samples: Vec<Vec<Vec<Sample>>>,
    /// Who has failed at what is not asked again.
    failed: Vec<Vec<bool>>,
}

impl Results {
    fn new(works: &[&'static Work], peers: &[&'static Peer]) -> Self {
        Self {
            works: works.to_vec(),
            peers: peers.to_vec(),
            samples: vec![vec![Vec::new(); peers.len()]; works.len()],
            failed: vec![vec![false; peers.len()]; works.len()],
        }
    }

    fn run(&mut self, stage: &Stage, row: usize, who: usize, work: &Work, effort: &Effort) {
        let peer = self.peers[who];
        if !work.kind.suits(peer) || self.failed[row][who] {
            return;
        }
        let once = || {
            let run = |site: &Site| tasks::run(work.kind, site, effort);
            stage.with(peer, work.kind.is_private(), run)
        };
        // Some leave a transfer unanswered now and then, which is theirs to mend and not what this measures.
        match once().or_else(|why| {
            println!("{:10} {:10} again: {why}", work.key, peer.name);
            once()
        }) {
            Ok(sample) => {
                let cpu = sample
                    .cpu
                    .map(|cpu| format!(", {:.1} µs/{}", cpu * 1e6, work.per));
                println!(
                    "{:10} {:10} {:.2} {}{}",
                    work.key,
                    peer.name,
                    sample.value,
                    work.unit,
                    cpu.unwrap_or_default()
                );
                self.samples[row][who].push(sample);
            }
            Err(why) => {
                println!("{:10} {:10} failed: {why}", work.key, peer.name);
                self.failed[row][who] = true;
            }
        }
    }

    /// Who has failed and should not: ours and the floor at anything, another at all that it was asked.
    fn failures(&self) -> Vec<&str> {
        let who_failed = |(who, peer): (usize, &&'static Peer)| {
            let asked = self.works.iter().zip(&self.failed);
            let mut asked = asked.filter(|(work, _)| work.kind.suits(peer)).peekable();
            let any_will_do = asked.peek().is_some() && ![OURS, FLOOR].contains(&peer.name);
            let failed = if any_will_do {
                asked.all(|(_, failed)| failed[who])
            } else {
                asked.any(|(_, failed)| failed[who])
            };
            failed.then_some(peer.name)
        };
        self.peers
            .iter()
            .enumerate()
            .filter_map(who_failed)
            .collect()
    }

    /// The medians of one server at one work.
    fn median(&self, row: usize, who: usize) -> Option<Sample> {
        let samples = &self.samples[row][who];
        let middle = |values: Vec<f64>| {
            let mut values = values;
            values.sort_by(f64::total_cmp);
            let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
            Some(f64::midpoint(*values.get(low)?, *values.get(high)?))
        };
        Some(Sample {
            value: middle(samples.iter().map(|sample| sample.value).collect())?,
            cpu: middle(samples.iter().filter_map(|sample| sample.cpu).collect()),
        })
    }
}
