//! Times as FTP writes them: `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

/// A time as `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3).
#[must_use]
pub fn format_time(time: Timestamp) -> String {
    let when = to_civil(time);
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        when.year(),
        when.month(),
        when.day(),
        when.hour(),
        when.minute(),
        when.second()
    )
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
