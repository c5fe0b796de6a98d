//! The logins that failed, by address and by account.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the reply to a first failure waits; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest that one waits. Its session holds its place meanwhile, so that leaving early gains nobody a faster guess.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How long after the last failure all of them are forgotten.
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// How many addresses, and how many accounts, are kept in mind: a few MiB of them.
const MOST: usize = 16 * 1024;

/// Who tries to log in, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The address, or of IPv6 the network: whoever has one address has the 2^64 beside it too.
    pub(super) from: IpAddr,
    /// The account's name as a hash alone, since it may be long and there need be no such account.
    pub(super) account: u64,
}

/// Counts the logins that failed, and says how long each waits.
#[derive(Debug, Default)]
pub(super) struct Failures {
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: Table<IpAddr>,
    accounts: Table<u64>,
}

impl Failures {
    /// An attempt to log in from an address.
    pub(super) fn attempt(&self, address: IpAddr, name: &str) -> Attempt {
        let from = match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            v4 @ IpAddr::V4(_) => v4,
        };
        Attempt {
            from,
            account: self.hasher.hash_one(name),
        }
    }

    /// How many there were, of the address and of the account.
    pub(super) fn before(&self, attempt: Attempt) -> (u32, u32) {
        let (counts, now) = (self.counts(), Instant::now());
        (
            counts.addresses.count(&attempt.from, now),
            counts.accounts.count(&attempt.account, now),
        )
    }

    /// Counts one more, and says how long its reply is to wait.
    pub(super) fn count(&self, attempt: Attempt) -> Duration {
        let (mut counts, now) = (self.counts(), Instant::now());
        let of_address = counts.addresses.add(attempt.from, now);
        let of_account = counts.accounts.add(attempt.account, now);
        wait(of_address.max(of_account))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Half a count more or less does no harm.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(count: u32) -> Duration {
    2_u32
        .checked_pow(count.saturating_sub(1))
        .and_then(|times| FIRST_WAIT.checked_mul(times))
        .map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

/// Counts of bounded number. When it is full, the least of them makes room: a flood of new ones pushes out none that grew.
#[derive(Debug)]
struct Table<K>(HashMap<K, (u32, Instant)>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Copy> Table<K> {
    fn count(&self, key: &K, now: Instant) -> u32 {
        match self.0.get(key) {
            Some(&(count, last)) if now.duration_since(last) < MEMORY => count,
            _ => 0,
        }
    }

    fn add(&mut self, key: K, now: Instant) -> u32 {
        let count = self.count(&key, now).saturating_add(1);
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0
                .retain(|_, (_, last)| now.duration_since(*last) < MEMORY);
            if self.0.len() >= MOST
                && let Some(least) = self.0.iter().min_by_key(|(_, count)| **count)
            {
                let least = *least.0;
                self.0.remove(&least);
            }
        }
        self.0.insert(key, (count, now));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_waits_longer_up_to_a_bound() {
        let waits: Vec<Duration> = (1..=40).map(wait).collect();
        assert_eq!(waits[..3], [250, 500, 1000].map(Duration::from_millis));
        assert!(waits.is_sorted());
        assert_eq!(waits[39], LONGEST_WAIT);
    }

    #[test]
    fn they_are_counted_by_address_and_by_account() {
        let failures = Failures::default();
        let attempt = |from: &str, name| failures.attempt(from.parse().unwrap(), name);
        for (from, name) in [
            ("192.0.2.1", "anna"),
            ("192.0.2.1", "bert"),
            ("192.0.2.2", "bert"),
            ("192.0.2.3", "bert"),
            ("2001:db8:1:2::3", "dora"),
        ] {
            failures.count(attempt(from, name));
        }
        for (from, name, before) in [
            ("192.0.2.1", "carl", (2, 0)),
            ("::ffff:192.0.2.1", "carl", (2, 0)),
            ("192.0.2.9", "bert", (0, 3)),
            ("192.0.2.9", "anna", (0, 1)),
            ("192.0.2.9", "carl", (0, 0)),
            ("2001:db8:1:2:f::", "eva", (1, 0)),
            ("2001:db8:1:3::3", "eva", (0, 0)),
        ] {
            assert_eq!(
                failures.before(attempt(from, name)),
                before,
                "{from} {name}"
            );
        }
    }

    #[test]
    fn a_flood_of_names_neither_grows_the_table_nor_hides_who_is_guessed_at() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.add(u64::MAX, now);
        table.add(u64::MAX, now);
        for name in 0..MOST as u64 + 100 {
            table.add(name, now);
        }
        assert_eq!(table.0.len(), MOST);
        assert_eq!(table.count(&u64::MAX, now), 2);
        assert_eq!(table.count(&u64::MAX, now + MEMORY), 0);
    }
}
