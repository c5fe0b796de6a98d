//! The results as a table: works by servers, and whether what is aimed at is reached.

use crate::Results;
use crate::chart;
use crate::peers::{FLOOR, OURS, RELAXED};
use crate::support::readme::{self, row};
use crate::tasks::Sample;
use crate::works::{Target, Work};
use std::fmt::Write as _;

/// Shows the table and what is reached, and writes them where that is wanted. `Err` says why not.
/// What was on a disk has a table of its own, and what is aimed at is not meant for it.
pub(crate) fn report(results: &Results, on_disk: bool) -> Result<(), String> {
    let table = table(results);
    if on_disk {
        println!("\n{table}");
        return readme::write_table("benches/README.md", "disk", &table);
    }
    let text = format!("{table}\n{}", verdicts(results));
    println!("\n{text}");
    readme::write_table("benches/README.md", "servers", &text)?;
    readme::write("benches/servers.svg", &chart::draw(results))
        .map_err(|error| format!("cannot write the chart into benches/servers.svg: {error}"))
}

/// A line for each thing that is aimed at.
fn verdicts(results: &Results) -> String {
    let mut text = String::new();
    for (at, work) in results.works.iter().enumerate() {
        for target in work.targets {
            let _ = writeln!(
                text,
                "- {}: {}",
                work.name,
                verdict(results, at, work, target)
            );
        }
    }
    text
}

/// In each cell the median, and behind it what the server takes of the processor.
fn table(results: &Results) -> String {
    let mut head = vec!["work"];
    head.extend(results.peers.iter().map(|peer| peer.name));
    head.extend(["of the floor", "of the best other"]);
    let mut text = row(&head);
    text += &row(&[&["---"], &vec!["--:"; head.len() - 1][..]].concat());
    for (at, work) in results.works.iter().enumerate() {
        let mut cells = vec![format!("{}, {}", work.name, work.unit)];
        for who in 0..results.peers.len() {
            cells.push(
                results
                    .median(at, who)
                    .map_or(String::new(), |sample| cell(work, sample)),
            );
        }
        let ours = results.named(at, OURS);
        for other in [results.named(at, FLOOR), results.best(at, work)] {
            let ratio = ours
                .zip(other)
                .map(|(ours, other)| ours.value / other.value);
            cells.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
        }
        text += &row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

fn cell(work: &Work, sample: Sample) -> String {
    let value = shown(sample.value);
    match sample.cpu {
        Some(cpu) if work.per == "GiB" => format!("{value} ({cpu:.2} s)"),
        Some(cpu) if cpu > 0.1 => format!("{value} ({:.0} ms)", cpu * 1e3),
        Some(cpu) => format!("{value} ({:.0} µs)", cpu * 1e6),
        None => value,
    }
}

/// Three digits at least.
pub(crate) fn shown(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn verdict(results: &Results, at: usize, work: &Work, target: &Target) -> String {
    let ours = results.named(at, OURS);
    let floor = results.named(at, FLOOR);
    let best = results.best(at, work);
    let value = |other: Option<Sample>| Some(ours?.value / other?.value);
    let cpu = |other: Option<Sample>| Some(ours?.cpu? / other?.cpu?);
    match target {
        Target::Floor(aim) => judge("of the floor", value(floor), *aim, work.is_cost),
        Target::FloorCpu(aim) => judge("of the floor's processor time", cpu(floor), *aim, true),
        Target::Best(aim) => judge("of the best other", value(best), *aim, work.is_cost),
        Target::BestCpu(aim) => judge("of the best other's processor time", cpu(best), *aim, true),
        Target::Each(names, aim) => {
            let each = names.iter().map(|name| {
                let other = results.named(at, name);
                judge(&format!("of {name}"), value(other), *aim, work.is_cost)
            });
            each.collect::<Vec<_>>().join("; ")
        }
    }
}

fn judge(what: &str, ratio: Option<f64>, aim: f64, at_most: bool) -> String {
    let Some(ratio) = ratio else {
        return format!("{what}: not measured");
    };
    let is_met = if at_most { ratio <= aim } else { ratio >= aim };
    let (bound, met) = (
        if at_most { "at most" } else { "at least" },
        if is_met { "met" } else { "NOT met" },
    );
    format!("{ratio:.2} {what}, {bound} {aim:.2}: {met}")
}

impl Results {
    fn named(&self, at: usize, name: &str) -> Option<Sample> {
        let who = self.peers.iter().position(|peer| peer.name == name)?;
        self.median(at, who)
    }

    /// The best of those that are neither ours nor the floor.
    fn best(&self, at: usize, work: &Work) -> Option<Sample> {
        let others = (0..self.peers.len())
            .filter(|&who| ![OURS, RELAXED, FLOOR].contains(&self.peers[who].name));
        let sign = if work.is_cost { -1.0 } else { 1.0 };
        let samples = others.filter_map(|who| self.median(at, who));
        samples.max_by(|one, other| (sign * one.value).total_cmp(&(sign * other.value)))
    }
}
