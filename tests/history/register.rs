//! Whether what was seen of a file, by those who put and got it, is what an atomic file allows: whether there is an order of
//! all of it in which each get has what was put last, and in which nothing comes before what was over when it began
//! (linearizability).
//!
//! Each content is put but once, so that a get tells whose put it saw. Then this is quick to find out (Gibbons and Korach,
//! "Testing Shared Memories", 1997, §4.2): a put and all gets of it, taken together, have a time in which the file must have
//! held that content; or, if all of them overlap, a time within which it must have done so at some point.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// Something that was done to a file. Times are those of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) kind: Kind,
    /// The content that was put or got; 0 is what was there at first.
    pub(crate) content: u64,
    pub(crate) began: Duration,
    /// When the answer came. `None` for a put of which none did: it may have been done, then or later, or not.
    pub(crate) ended: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Get,
}

/// The times of a content: that of its put, when the first act with it was over, and when the last of them began.
#[derive(Clone, Copy)]
struct Zone {
    content: u64,
    put: Duration,
    first_end: Duration,
    last_begin: Duration,
    is_seen: bool,
    is_done: bool,
}

/// Checks a history of one file.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(history: &[Act]) -> Result<(), String> {
    let zones = zones(history)?;
    // While such a time lasts the file holds that content and no other.
    let mut held: Vec<Zone> = zones
        .iter()
        .copied()
        .filter(|zone| zone.first_end < zone.last_begin)
        .collect();
    held.sort_by_key(|zone| zone.first_end);
    for pair in held.windows(2) {
        if pair[1].first_end < pair[0].last_begin {
            return Err(format!("{} and {} at one time", pair[0], pair[1]));
        }
    }
    for zone in zones
        .iter()
        .filter(|zone| zone.first_end >= zone.last_begin)
    {
        let next = held.partition_point(|other| other.last_begin <= zone.first_end);
        if let Some(other) = held.get(next)
            && other.first_end < zone.last_begin
        {
            return Err(format!("{zone} in the midst of {other}"));
        }
    }
    Ok(())
}

fn zones(history: &[Act]) -> Result<Vec<Zone>, String> {
    let first = Zone {
        content: 0,
        put: Duration::ZERO,
        first_end: Duration::ZERO,
        last_begin: Duration::ZERO,
        is_seen: true,
        is_done: true,
    };
    let mut zones = HashMap::from([(0, first)]);
    for act in history.iter().filter(|act| act.kind == Kind::Put) {
        let zone = Zone {
            content: act.content,
            put: act.began,
            first_end: act.ended.unwrap_or(Duration::MAX),
            last_begin: act.began,
            is_seen: false,
            is_done: act.ended.is_some(),
        };
        if zones.insert(act.content, zone).is_some() {
            return Err(format!("{act:?}: it was put before"));
        }
    }
    for act in history.iter().filter(|act| act.kind == Kind::Get) {
        let zone = zones.get_mut(&act.content);
        let zone = zone.ok_or_else(|| format!("{act:?}: nobody put that"))?;
        let ended = act.ended.ok_or_else(|| format!("{act:?}: no get"))?;
        if ended < zone.put {
            return Err(format!("{act:?}: it was not put yet"));
        }
        zone.first_end = zone.first_end.min(ended);
        zone.last_begin = zone.last_begin.max(act.began);
        zone.is_seen = true;
    }
    // What had no answer and was never seen need not have been done.
    let zones = zones.into_values();
    Ok(zones.filter(|zone| zone.is_seen || zone.is_done).collect())
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first_end, self.last_begin);
        write!(f, "{} (seen from {first:?} to {last:?})", self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(content: u64, began: u64, ended: u64) -> Act {
        act(Kind::Put, content, began, Some(ended))
    }

    fn get(content: u64, began: u64, ended: u64) -> Act {
        act(Kind::Get, content, began, Some(ended))
    }

    fn act(kind: Kind, content: u64, began: u64, ended: Option<u64>) -> Act {
        Act {
            kind,
            content,
            began: Duration::from_secs(began),
            ended: ended.map(Duration::from_secs),
        }
    }

    #[test]
    fn what_atomic_files_allow_passes() {
        let lost = act(Kind::Put, 9, 1, None);
        for history in [
            vec![],
            vec![get(0, 1, 2), put(1, 3, 4), get(1, 5, 6), get(1, 7, 8)],
            // During a put a get sees the old or the new, and after one that saw the new another sees that.
            vec![put(1, 1, 9), get(0, 2, 3), get(1, 4, 5), get(1, 6, 7)],
            vec![put(1, 1, 9), get(0, 2, 6), get(1, 3, 4)],
            // Two puts at a time, in either order.
            vec![put(1, 1, 9), put(2, 1, 9), get(1, 10, 11), get(1, 12, 13)],
            vec![put(1, 1, 9), put(2, 1, 9), get(2, 2, 3), get(1, 4, 5)],
            // A put that nobody saw.
            vec![put(1, 1, 9), put(2, 3, 4), get(1, 10, 11)],
            // Without an answer: done, late, or never.
            vec![lost, get(9, 2, 3), get(9, 4, 5)],
            vec![lost, get(0, 2, 3), put(1, 4, 5), get(9, 6, 7)],
            vec![lost, get(0, 2, 3)],
        ] {
            assert_eq!(check(&history), Ok(()), "{history:?}");
        }
    }

    #[test]
    fn what_atomic_files_do_not_allow_fails() {
        let lost = act(Kind::Put, 9, 5, None);
        for history in [
            // An acknowledged put that is lost.
            vec![put(1, 1, 2), get(0, 3, 4)],
            vec![put(1, 1, 2), put(2, 3, 4), get(1, 5, 6)],
            // The new, and then the old again.
            vec![put(1, 1, 9), get(1, 2, 3), get(0, 4, 5)],
            vec![
                put(1, 1, 9),
                put(2, 1, 9),
                get(1, 2, 3),
                get(2, 4, 5),
                get(1, 6, 7),
            ],
            vec![put(1, 1, 2), put(2, 1, 2), get(1, 3, 4), get(2, 5, 6)],
            // A put, done within a time in which another content is there all along.
            vec![put(1, 1, 2), put(2, 3, 4), get(1, 2, 3), get(1, 5, 6)],
            // Before it was put; what nobody put; what was put twice.
            vec![get(1, 1, 2), put(1, 3, 4)],
            vec![get(7, 1, 2)],
            vec![put(1, 1, 2), put(1, 3, 4)],
            // It was seen, and so it was done, and stays so.
            vec![lost, get(9, 6, 7), get(0, 8, 9)],
            vec![get(9, 1, 2), lost],
        ] {
            assert!(check(&history).is_err(), "{history:?}");
        }
    }

    /// The rule itself: tries every order.
    fn is_linearizable(history: &[Act]) -> bool {
        fn from(left: &[Act], content: u64) -> bool {
            left.iter().all(|act| act.ended.is_none())
                || left.iter().enumerate().any(|(at, act)| {
                    let end = |other: &Act| other.ended.unwrap_or(Duration::MAX);
                    let may_be_next = left.iter().all(|other| end(other) >= act.began);
                    let fits = act.kind == Kind::Put || act.content == content;
                    let mut rest = left.to_vec();
                    rest.remove(at);
                    may_be_next && fits && from(&rest, act.content)
                })
        }
        from(history, 0)
    }

    #[test]
    fn it_agrees_with_the_rule() {
        let mut dice = crate::support::Dice(1);
        let mut passed = 0;
        for _ in 0..3000 {
            let puts = 1 + dice.below(3);
            let history: Vec<Act> = (0..puts + dice.below(4))
                .map(|number| {
                    let began = 1 + dice.below(12);
                    // No two times are the same: what is at one time is for no rule to tell.
                    let began = began * 100 + number * 2;
                    let ended = began + 1 + dice.below(8) * 100;
                    match number < puts {
                        true if dice.below(4) == 0 => act(Kind::Put, number + 1, began, None),
                        true => put(number + 1, began, ended),
                        false => get(dice.below(puts + 1), began, ended),
                    }
                })
                .collect();
            let allowed = is_linearizable(&history);
            assert_eq!(check(&history).is_ok(), allowed, "{history:?}");
            passed += u32::from(allowed);
        }
        assert!((300..2700).contains(&passed), "{passed} of 3000 pass");
    }
}
