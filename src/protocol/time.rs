//! Times as FTP writes them: `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

/// A time as `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3).
#[must_use]
pub fn format_time(time: Timestamp) -> String {
    time_digits(time).map(char::from).iter().collect()
}

/// The same as bytes, for what writes many of them.
pub(super) fn time_digits(time: Timestamp) -> [u8; 14] {
    let when = to_civil(time);
    let year = when.year().unsigned_abs();
    let mut digits = [0; 14];
    let parts = [
        year / 100,
        year % 100,
        when.month().unsigned_abs().into(),
        when.day().unsigned_abs().into(),
        when.hour().unsigned_abs().into(),
        when.minute().unsigned_abs().into(),
        when.second().unsigned_abs().into(),
    ];
    for (two, part) in digits.chunks_exact_mut(2).zip(parts) {
        two.copy_from_slice(&two_digits(part));
    }
    digits
}

/// A number below 100.
pub(super) fn two_digits(number: u16) -> [u8; 2] {
    #[allow(clippy::cast_possible_truncation)] // below 10
    [number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

/// Reads `YYYYMMDDHHMMSS`, with or without a fraction, which is dropped. `None` if there is no such time.
#[must_use]
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits.len() != 14 || !all_digits(digits) || !all_digits(fraction) {
        return None;
    }
    let two = |at: usize| digits[at..at + 2].parse::<i8>().ok();
    // A leap second is the last second of its minute.
    let time = Time::new(two(8)?, two(10)?, two(12)?.min(59), 0).ok()?;
    let date = Date::new(digits[..4].parse().ok()?, two(4)?, two(6)?).ok()?;
    from_civil(DateTime::from_parts(date, time))
}

/// The date and time of day in UTC.
pub(super) fn to_civil(time: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(time)
}

/// The other way round; `None` out of the range of [`Timestamp`].
pub(super) fn from_civil(when: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(when).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn there_is_no_such_time() {
        for text in [
            "",
            "20261322000000",
            "20260230000000",
            "2026112213240",
            "20261122132400.",
            "+0261122132400",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_round_trip(second in 0_i64..253_000_000_000) {
            let time = Timestamp::from_second(second).unwrap();
            prop_assert_eq!(parse_time(&format_time(time)), Some(time));
        }
    }
}
