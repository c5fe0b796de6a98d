//! What is counted for those who watch the server, and the page of it in Prometheus's text format.

mod http;

pub(super) use http::Exporter;

use super::Shared;
use super::tls::Direction;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The verbs of transfers.
const VERBS: [&str; 7] = ["RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"];

/// Up to which time a transfer belongs to which part of the histogram, in milliseconds.
const BOUNDS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000];

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it is where it belongs.
    Completed,
    /// The client, its end, or the end of the server or session cut it off.
    Aborted,
    /// A file or a connection failed.
    Failed,
    /// It never began.
    Refused,
}

/// What has been counted since the server began. To count is one addition to a number that all threads share.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Connections that found no room.
    pub(super) refused: AtomicU64,
    pub(super) logins: AtomicU64,
    pub(super) failed_logins: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    verbs: [Verb; VERBS.len()],
}

#[derive(Debug, Default)]
struct Verb {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    /// How many took as long as each of the bounds, and in the last place how many took longer.
    times: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Completed, Self::Aborted, Self::Failed, Self::Refused];

    /// Its name in the log and the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl Metrics {
    /// Where the bytes of transfers in this direction are counted while they move.
    pub(super) const fn bytes(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Download => &self.sent,
            Direction::Upload => &self.received,
        }
    }

    /// Counts a transfer that has ended. The times are those of transfers that began.
    pub(super) fn transferred(&self, verb: &str, outcome: Outcome, took: Duration) {
        let at = VERBS.iter().position(|name| *name == verb);
        let Some(of_verb) = at.and_then(|at| self.verbs.get(at)) else {
            return;
        };
        count(&of_verb.outcomes[outcome as usize]);
        if outcome == Outcome::Refused {
            return;
        }
        let part = BOUNDS
            .iter()
            .position(|&bound| took <= Duration::from_millis(bound));
        count(&of_verb.times[part.unwrap_or(BOUNDS.len())]);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        of_verb.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// The page.
fn page(shared: &Shared) -> Result<String, fmt::Error> {
    let (metrics, sessions) = (&shared.metrics, &shared.sessions);
    let mut page = String::with_capacity(8 * 1024);
    let out = &mut page;
    #[allow(clippy::cast_possible_truncation)] // of a count of sessions, on no machine
    let gauges = [
        (
            "ftp_sessions_open",
            "Sessions that are open.",
            sessions.count() as u64,
        ),
        (
            "ftp_transfers_running",
            "Transfers and checksums under way.",
            sessions.transfers() as u64,
        ),
        (
            "ftp_passive_ports_in_use",
            "Ports that wait for a data connection.",
            shared.port_queue.in_use(),
        ),
    ];
    for (name, help, value) in gauges {
        single(out, name, help, "gauge", value)?;
    }
    let counters = [
        ("ftp_sessions_total", "Sessions begun.", sessions.total()),
        (
            "ftp_sessions_refused_total",
            "Connections for which there was no room.",
            value(&metrics.refused),
        ),
        (
            "ftp_logins_total",
            "Logins that passed.",
            value(&metrics.logins),
        ),
        (
            "ftp_login_failures_total",
            "Logins that were refused.",
            value(&metrics.failed_logins),
        ),
    ];
    for (name, help, value) in counters {
        single(out, name, help, "counter", value)?;
    }
    let name = "ftp_transferred_bytes_total";
    head(out, name, "Bytes over data connections.", "counter")?;
    writeln!(out, "{name}{{direction=\"sent\"}} {}", value(&metrics.sent))?;
    writeln!(
        out,
        "{name}{{direction=\"received\"}} {}",
        value(&metrics.received)
    )?;
    transfers(out, metrics)?;
    Ok(page)
}

fn transfers(out: &mut String, metrics: &Metrics) -> fmt::Result {
    let name = "ftp_transfers_total";
    head(out, name, "Transfers by verb and outcome.", "counter")?;
    for (verb, counts) in VERBS.iter().zip(&metrics.verbs) {
        for (outcome, counter) in Outcome::ALL.iter().zip(&counts.outcomes) {
            let (outcome, value) = (outcome.name(), value(counter));
            writeln!(
                out,
                "{name}{{verb=\"{verb}\",outcome=\"{outcome}\"}} {value}"
            )?;
        }
    }
    let name = "ftp_transfer_duration_seconds";
    let help = "How long transfers took that began, whatever became of them.";
    head(out, name, help, "histogram")?;
    for (verb, counts) in VERBS.iter().zip(&metrics.verbs) {
        let mut so_far = 0;
        for (at, counter) in counts.times.iter().enumerate() {
            so_far += value(counter);
            let bound = BOUNDS.get(at).map_or_else(
                || "+Inf".to_owned(),
                |&bound| Duration::from_millis(bound).as_secs_f64().to_string(),
            );
            writeln!(
                out,
                "{name}_bucket{{verb=\"{verb}\",le=\"{bound}\"}} {so_far}"
            )?;
        }
        let sum = Duration::from_micros(value(&counts.micros)).as_secs_f64();
        writeln!(out, "{name}_sum{{verb=\"{verb}\"}} {sum}")?;
        writeln!(out, "{name}_count{{verb=\"{verb}\"}} {so_far}")?;
    }
    Ok(())
}

fn single(out: &mut String, name: &str, help: &str, kind: &str, value: u64) -> fmt::Result {
    head(out, name, help, kind)?;
    writeln!(out, "{name} {value}")
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}")?;
    writeln!(out, "# TYPE {name} {kind}")
}
