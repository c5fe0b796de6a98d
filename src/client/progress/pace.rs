//! The numbers of a transfer at one time: how much is there, how fast it comes, and how long it will take.

use super::Amount;
use crate::client::text;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// The rate, as it was of late: what an hour ago was fast says little about the time that is left.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) began: Instant,
    last: Instant,
    moved: u64,
    rate: Option<f64>,
}

impl Pace {
    /// Of what began at this time.
    pub(super) const fn since(began: Instant) -> Self {
        Self {
            began,
            last: began,
            moved: 0,
            rate: None,
        }
    }

    #[allow(clippy::cast_precision_loss)] // three digits are shown
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // of a positive number
    pub(super) fn look(&mut self, amount: &Amount) -> State {
        let (now, moved) = (Instant::now(), amount.moved.load(Relaxed));
        let took = (now - self.last).as_secs_f64().max(1e-3);
        let latest = (moved - self.moved) as f64 / took;
        // A look that covers two seconds counts as much as all before it.
        let weight = took / (took + 2.0);
        let rate = self
            .rate
            .map_or(latest, |rate| rate + (latest - rate) * weight);
        (self.last, self.moved, self.rate) = (now, moved, Some(rate));
        State {
            position: amount.position.load(Relaxed),
            total: amount.total.load(Relaxed),
            rate: rate as u64,
        }
    }
}

/// An amount at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) position: u64,
    /// 0 if nobody knows.
    pub(super) total: u64,
    /// Bytes a second.
    pub(super) rate: u64,
}

impl State {
    /// Seconds that are left, if the rate stays.
    pub(super) fn left(&self) -> Option<u64> {
        let missing = self.total.saturating_sub(self.position);
        missing.checked_div(self.rate).filter(|_| self.total > 0)
    }

    /// How much of a hundred is there.
    pub(super) fn percent(&self) -> Option<u64> {
        let there = u128::from(self.position.min(self.total)) * 100;
        let percent = there.checked_div(u128::from(self.total))?;
        u64::try_from(percent).ok()
    }

    /// All that is known, for a line of its own.
    pub(super) fn sentence(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.percent().map(|percent| format!("{percent}%")));
        words.push(text::bytes(self.position));
        if self.total > 0 {
            words.push(format!("of {}", text::bytes(self.total)));
        }
        words.push(self.speed());
        words.extend(self.left().and_then(clock));
        words.join(" ")
    }

    /// As many of the numbers as a line of so many columns has room for beside a name, each as wide as it ever gets. Where
    /// not all fit, the percentage says more of a file, and the bytes say more of a `sum`.
    pub(super) fn cells(&self, columns: usize, sum: bool) -> Vec<String> {
        let bytes = |count| format!("{:>8}", text::short_bytes(count).trim_end());
        let there = bytes(self.position);
        let (percent, of) = match self.percent() {
            Some(percent) => (
                format!("{percent:>3}%"),
                format!(" of {}", bytes(self.total)),
            ),
            None => (String::new(), String::new()),
        };
        let first = match sum || percent.is_empty() {
            true => there.clone(),
            false => percent.clone(),
        };
        let rate = format!("{:>10}", self.speed());
        let left = format!("{:>7}", self.left().and_then(clock).unwrap_or_default());
        let mut cells = match columns {
            super::bars::ROOMY.. => vec![percent, there + &of, rate, left],
            56.. => vec![percent, there, rate, left],
            36.. => vec![first, rate, left],
            20.. => vec![first, left],
            _ => vec![first],
        };
        cells.retain(|cell| !cell.is_empty());
        cells
    }

    fn speed(&self) -> String {
        format!("{}/s", text::short_bytes(self.rate).trim_end())
    }
}

/// Seconds as a clock has them; `None` for more than anybody waits.
fn clock(seconds: u64) -> Option<String> {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => Some(format!("{minutes}:{seconds:02}")),
        1..100 => Some(format!("{hours}:{minutes:02}:{seconds:02}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: State = State {
        position: 3 << 20,
        total: 12 << 20,
        rate: 1 << 20,
    };

    #[test]
    fn the_numbers_make_room() {
        for (columns, sum, expected) in [
            (80, false, " 25%| 3.0 MiB of 12.0 MiB| 1.0 MiB/s|   0:09"),
            (60, true, " 25%| 3.0 MiB| 1.0 MiB/s|   0:09"),
            (40, false, " 25%| 1.0 MiB/s|   0:09"),
            (40, true, " 3.0 MiB| 1.0 MiB/s|   0:09"),
            (20, false, " 25%|   0:09"),
            (7, false, " 25%"),
        ] {
            assert_eq!(STATE.cells(columns, sum).join("|"), expected);
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let state = State {
            position: 10,
            total: 0,
            rate: 0,
        };
        assert_eq!(state.sentence(), "10 bytes 0 B/s");
        assert_eq!(
            state.cells(80, false).join("|"),
            "    10 B|     0 B/s|       "
        );
    }

    #[test]
    fn a_sentence_has_it_all() {
        let expected = "25% 3.0 MiB of 12.0 MiB 1.0 MiB/s 0:09";
        assert_eq!(STATE.sentence(), expected);
    }

    #[test]
    fn the_clock() {
        assert_eq!(clock(0).unwrap(), "0:00");
        assert_eq!(clock(3599).unwrap(), "59:59");
        assert_eq!(clock(359_999).unwrap(), "99:59:59");
        assert_eq!(clock(360_000), None);
    }
}
