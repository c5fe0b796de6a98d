//! `ftp-server status` and `ftp-server kick`: a running server, asked and shown.

use super::{Row, ask};
use crate::json::Object;
use crate::places;
use crate::shown::{bytes, escaped, scaled};
use anyhow::{Context, Result};
use clap::Subcommand;
use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(1);
/// Moves the cursor to the upper left corner of a terminal, and clears what is behind it.
const CLEAR: &str = "\x1b[H\x1b[J";

// What these do. As a doc comment this would take the place of the one that --help shows.
#[allow(missing_docs)]
#[derive(Debug, Subcommand)]
pub enum StatusCommand {
    /// Show the sessions of a running server: who, from where, doing what, how fast
    Status {
        #[command(flatten)]
        server: Running,
        /// Look again each second
        #[arg(short, long)]
        watch: bool,
        /// An object for each session, on a line of its own
        #[arg(long)]
        json: bool,
    },
    /// End a session of a running server, and its transfer
    Kick {
        #[command(flatten)]
        server: Running,
        /// Its number, as `ftp-server status` shows it
        id: u64,
    },
}

// Which server is meant. No doc comment, as above.
#[allow(missing_docs)]
#[derive(Debug, clap::Args)]
pub struct Running {
    /// The state folder of the server [default: multi-client-ftp in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, env = "FTP_SERVER_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl StatusCommand {
    /// Carries it out.
    ///
    /// # Errors
    /// No server runs with the state folder, or it has no such session; the text says which.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Status {
                server,
                watch,
                json,
            } => status(&server, watch, json),
            Self::Kick { server, id } => ask(&server.state()?, &format!("kick {id}")).map(drop),
        }
    }
}

impl Running {
    fn state(&self) -> Result<PathBuf> {
        let state = self.state_dir.clone().or_else(places::state);
        state.context("which server is meant? --state-dir names its state folder")
    }
}

fn status(server: &Running, watch: bool, json: bool) -> Result<()> {
    let (state, mut before) = (server.state()?, HashMap::new());
    loop {
        let answer = ask(&state, "status")?;
        let rows: Option<Vec<Row>> = answer.lines().map(Row::from_line).collect();
        let rows =
            rows.context("the server is of another version, and its answer makes no sense")?;
        let speeds: Vec<f64> = rows
            .iter()
            .map(|row| speed(row, before.get(&row.session)))
            .collect();
        let mut text = if json {
            objects(&rows, &speeds)
        } else {
            table(&rows, &speeds)
        };
        if watch && !json {
            text = match io::stdout().is_terminal() {
                true => format!("{CLEAR}{text}"),
                false => text + "\n",
            };
        }
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever has read enough has gone.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("cannot write to standard output")?,
        }
        if !watch {
            return Ok(());
        }
        before = rows.into_iter().map(|row| (row.session, row)).collect();
        thread::sleep(EVERY);
    }
}

/// How fast a session is, in bytes per second: since it was looked at before, or else since its transfer began.
fn speed(row: &Row, before: Option<&Row>) -> f64 {
    let same = before.filter(|before| {
        (&before.verb, &before.path) == (&row.verb, &row.path) && before.seconds < row.seconds
    });
    let (bytes, seconds) = same.map_or((0, 0.0), |before| (before.bytes, before.seconds));
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let moved = row.bytes.saturating_sub(bytes) as f64;
    moved / (row.seconds - seconds).max(1e-6)
}

fn objects(rows: &[Row], speeds: &[f64]) -> String {
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let mut text = String::new();
    for (row, speed) in rows.iter().zip(speeds) {
        let works = !row.verb.is_empty();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole bytes
        let speed = *speed as u64;
        let object = Object::default()
            .with("session", row.session)
            .with("peer", row.peer.as_str())
            .with("user", known(&row.user))
            .with("connected_seconds", Duration::from_secs_f64(row.connected))
            .with("verb", known(&row.verb))
            .with("path", known(&row.path))
            .with("bytes", works.then_some(row.bytes))
            .with(
                "seconds",
                works.then(|| Duration::from_secs_f64(row.seconds)),
            )
            .with("bytes_per_second", works.then_some(speed));
        text += &format!("{object}\n");
    }
    text
}

/// The table, with a line that counts beneath it. What may be long is in the last column.
fn table(rows: &[Row], speeds: &[f64]) -> String {
    let head = ["ID", "USER", "FROM", "SINCE", "BYTES", "SPEED", "DOING"].map(str::to_owned);
    let mut lines = vec![head];
    for (row, speed) in rows.iter().zip(speeds) {
        let (moved, speed, doing) = match row.verb.is_empty() {
            true => (String::new(), String::new(), "-".to_owned()),
            false => (
                bytes(row.bytes),
                format!("{}/s", scaled(*speed)),
                format!("{} {}", row.verb, escaped(&row.path)),
            ),
        };
        let user = match &*row.user {
            "" => "-".to_owned(),
            user => escaped(user).into_owned(),
        };
        let (number, since) = (row.session.to_string(), time(row.connected));
        let peer = escaped(&row.peer).into_owned();
        lines.push([number, user, peer, since, moved, speed, doing]);
    }
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    let busy = rows.iter().filter(|row| !row.verb.is_empty()).count();
    text + &format!("sessions: {}, transfers: {busy}\n", rows.len())
}

/// A time as `12 s`, `3 min` or `5 h`.
fn time(seconds: f64) -> String {
    match seconds {
        0.0..60.0 => format!("{seconds:.0} s"),
        60.0..7200.0 => format!("{:.0} min", (seconds / 60.0).floor()),
        _ => format!("{:.0} h", (seconds / 3600.0).floor()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str, bytes: u64, seconds: f64) -> Row {
        Row {
            session: 1,
            peer: "192.0.2.7:40312".to_owned(),
            user: "anna".to_owned(),
            connected: 90.0,
            verb: "RETR".to_owned(),
            path: path.to_owned(),
            bytes,
            seconds,
        }
    }

    #[test]
    fn the_table_has_its_columns_below_each_other_and_obeys_nobody() {
        let rows = [row("/a\x1b[2J", 4096, 2.0), Row::default()];
        assert_eq!(
            table(&rows, &[2048.0, 0.0]),
            "ID  USER  FROM             SINCE  BYTES    SPEED      DOING\n\
             1   anna  192.0.2.7:40312  1 min  4.0 KiB  2.0 KiB/s  RETR /a\\u{1b}[2J\n\
             0   -                      0 s                        -\n\
             sessions: 2, transfers: 1\n"
        );
    }

    #[test]
    fn the_speed_is_that_since_the_last_look() {
        let now = row("/a", 3000, 3.0);
        assert_eq!(speed(&now, None), 1000.0);
        assert_eq!(speed(&now, Some(&row("/a", 1000, 2.0))), 2000.0);
        assert_eq!(speed(&now, Some(&row("/b", 1000, 2.0))), 1000.0);
        assert_eq!(speed(&Row::default(), None), 0.0);
    }
}
