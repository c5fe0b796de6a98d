//! How fast bytes may move.

use super::CHUNK;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many bytes need not be moved in less than one go, as long as a twentieth of a second moves that many.
const SLICE: u64 = 4096;

/// Holds bytes to a rate, those of all threads that share it together.
///
/// Who shares it has its turn after all others have had theirs, and where all move slices of the same size, the rate is
/// shared out evenly. Who does not use its turn has none, and the others go faster.
#[derive(Debug)]
pub struct Pace {
    /// In bytes per second; 0 is no limit.
    rate: AtomicU64,
    /// When all that was booked so far may have been moved.
    due: Mutex<Instant>,
}

/// With no limit, until one is set.
impl Default for Pace {
    fn default() -> Self {
        Self {
            rate: AtomicU64::new(0),
            due: Mutex::new(Instant::now()),
        }
    }
}

impl Pace {
    /// Time that nobody used is made up for later up to this: a thread that comes a little late does not lower the rate.
    const SLACK: Duration = Duration::from_millis(100);

    /// A rate in bytes per second, at least one.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        let pace = Self::default();
        pace.set(Some(bytes_per_second.max(1)));
        pace
    }

    /// Changes the rate for all who share it, or takes the limit off.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        self.rate
            .store(bytes_per_second.unwrap_or(0), Ordering::Relaxed);
    }

    /// Whether there is a limit now.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.rate() > 0
    }

    /// Books `count` bytes that were moved, and says how long to wait before any more are.
    #[must_use]
    pub fn pace(&self, count: u64) -> Duration {
        let rate = match self.rate() {
            0 => return Duration::ZERO,
            rate => rate,
        };
        let nanos = u128::from(count) * 1_000_000_000 / u128::from(rate);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(Self::SLACK).unwrap_or(now);
        *due = (*due).max(earliest) + cost;
        due.saturating_duration_since(now)
    }

    /// How many bytes to move at a time, so that they flow evenly and turns come soon: those of a hundredth of a second, or
    /// a few more where that is very little.
    #[must_use]
    pub fn chunk(&self) -> usize {
        let rate = self.rate();
        Self::size((rate / 100).max(SLICE.min(rate / 20)))
    }

    /// How many bytes may be moved at a time at the most, where something else says how many: those of a quarter of a second.
    #[must_use]
    pub fn most(&self) -> usize {
        Self::size(self.rate() / 4)
    }

    fn size(bytes: u64) -> usize {
        usize::try_from(bytes).map_or(CHUNK, |bytes| bytes.clamp(1, CHUNK))
    }

    fn rate(&self) -> u64 {
        self.rate.load(Ordering::Relaxed)
    }
}

/// A number of bytes per second as people write it: `500K`, `2M`, in the units that `ls` and the bar have too.
///
/// # Errors
/// It is none; the text says what one looks like.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &*text[digits.len()..].to_ascii_uppercase() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err("a rate is a number of bytes a second, with K, M or G behind it".into()),
    };
    let rate = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    rate.filter(|&rate| rate > 0)
        .ok_or_else(|| "a rate is a number from 1, such as 500K or 2M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_held_to_their_rate() {
        let pace = Pace::new(1000);
        let waits: Vec<Duration> = (0..10).map(|_| pace.pace(500)).collect();
        // Half a second each, of which the slack and the time of the loop itself are taken off.
        let last = waits[9].as_secs_f64();
        assert!((4.0..=5.0).contains(&last), "{waits:?}");
        assert_eq!((pace.chunk(), pace.most()), (50, 250));
        assert_eq!(Pace::new(0).chunk(), 1);
        assert_eq!(Pace::new(u64::MAX).chunk(), CHUNK);
        assert_eq!(Pace::new(100_000).chunk(), 4096);
        assert_eq!(Pace::new(1_000_000).chunk(), 10_000);
    }

    #[test]
    fn a_limit_comes_and_goes() {
        let pace = Pace::default();
        assert!(!pace.is_limited() && pace.pace(u64::MAX).is_zero());
        pace.set(Some(1));
        assert!(pace.is_limited() && pace.pace(10) > Duration::from_secs(9));
        pace.set(None);
        assert!(pace.pace(10).is_zero());
    }

    #[test]
    fn rates_as_people_write_them() {
        for (text, rate) in [
            ("1", 1),
            ("500K", 500 << 10),
            ("2m", 2 << 20),
            ("3G", 3 << 30),
        ] {
            assert_eq!(parse_rate(text), Ok(rate));
        }
        for text in ["", "0", "K", "-1", "1.5M", "2T", "99999999999G"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
