//! The rows of `LIST`, which no RFC describes: those of Unix' `ls -l` and those of Windows' `dir`.

use super::entry::{Entry, Kind};
use super::time::{from_civil, to_civil as utc, two_digits};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use std::io::{self, Write};

impl Entry {
    /// Writes a `LIST` row with no line end: `perms links owner group size MMM d HH:mm|yyyy name`.
    ///
    /// The year stands instead of the time of day when the entry is more than half a year from `now`. Months are
    /// English and times UTC, since that is what programs that read the rows take them for.
    ///
    /// # Errors
    /// Whatever `output` says.
    pub fn write_row(&self, now: Timestamp, output: &mut impl Write) -> io::Result<()> {
        let mut flags = *b"----------";
        let (letter, usual) = match self.kind {
            Kind::Folder | Kind::Current | Kind::Parent => (b'd', 0o755),
            Kind::Link => (b'l', 0o777),
            Kind::File | Kind::Other => (b'-', 0o644),
        };
        flags[0] = letter;
        let mode = self.mode.unwrap_or(usual);
        for (bit, flag) in flags[1..].iter_mut().rev().enumerate() {
            if mode >> bit & 1 == 1 {
                *flag = *b"xwr".get(bit % 3).unwrap_or(&b'-');
            }
        }
        let modified = self.modified.unwrap_or(now);
        let when = utc(modified);
        let month = MONTHS[usize::from(when.month().unsigned_abs()) - 1];
        // By hand, as in `write_facts`.
        let mut number = itoa::Buffer::new();
        let size = number.format(self.size.unwrap_or(0)).as_bytes();
        let day = when.day().unsigned_abs();
        output.write_all(&flags)?;
        output.write_all(b" 1 ftp ftp ")?;
        output.write_all(&BLANKS[size.len().min(SIZE_WIDTH)..])?;
        output.write_all(size)?;
        output.write_all(b" ")?;
        output.write_all(month.as_bytes())?;
        output.write_all(if day < 10 { b"  " } else { b" " })?;
        output.write_all(itoa::Buffer::new().format(day).as_bytes())?;
        let age = now.as_second() - modified.as_second();
        if (0..HALF_A_YEAR).contains(&age) {
            output.write_all(b" ")?;
            output.write_all(&two_digits(when.hour().unsigned_abs().into()))?;
            output.write_all(b":")?;
            output.write_all(&two_digits(when.minute().unsigned_abs().into()))?;
        } else {
            write!(output, " {:>5}", when.year())?;
        }
        output.write_all(b" ")?;
        output.write_all(self.name.as_bytes())
    }

    /// Reads a `LIST` row, of a Unix server or of a Windows one. `None` for a row that is no entry, such as
    /// `total 12`. A time with no year is the last such time before `now`.
    #[must_use]
    pub fn parse_row(row: &str, now: Timestamp) -> Option<Self> {
        parse_unix_row(row, now).or_else(|| parse_windows_row(row))
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// How wide the column of the sizes is at the least.
const SIZE_WIDTH: usize = 12;
const BLANKS: [u8; SIZE_WIDTH] = [b' '; SIZE_WIDTH];
/// In seconds: where `ls` puts the year instead of the time of day.
const HALF_A_YEAR: i64 = 365 * 24 * 3600 / 2;
const A_DAY: i64 = 24 * 3600;

/// Takes the first word off a row; what follows keeps its leading blanks.
fn word<'r>(row: &mut &'r str) -> Option<&'r str> {
    let trimmed = row.trim_start_matches(' ');
    let end = trimmed.find(' ').unwrap_or(trimmed.len());
    let (word, rest) = trimmed.split_at(end);
    *row = rest;
    (!word.is_empty()).then_some(word)
}

fn parse_unix_row(row: &str, now: Timestamp) -> Option<Entry> {
    let mut rest = row;
    let flags = word(&mut rest)?;
    let kind = match flags.as_bytes().first()? {
        b'-' => Kind::File,
        b'd' => Kind::Folder,
        b'l' => Kind::Link,
        b'b' | b'c' | b'p' | b's' => Kind::Other,
        _ => return None,
    };
    if flags.len() < 10 || !flags.is_ascii() {
        return None;
    }
    // Between the flags and the date stand links, owner, group and size, and some servers leave some out: the date
    // is what is looked for, and the word before it is the size.
    let mut size = None;
    for _ in 0..8 {
        let mut after_word = rest;
        let month = word(&mut after_word)?;
        let date = month_number(month).and_then(|month| unix_date(month, &mut after_word, now));
        if let Some(modified) = date {
            let name = after_word.strip_prefix(' ')?;
            let name = match kind {
                Kind::Link => name.split_once(" -> ").map_or(name, |(name, _)| name),
                _ => name,
            };
            if name.is_empty() {
                return None;
            }
            let mut entry = Entry::new(name, kind);
            entry.size = size;
            entry.modified = Some(modified);
            entry.mode = unix_mode(&flags.as_bytes()[1..10]);
            return Some(entry);
        }
        size = month.parse().ok();
        rest = after_word;
    }
    None
}

fn month_number(text: &str) -> Option<i8> {
    let index = MONTHS
        .iter()
        .position(|month| month.eq_ignore_ascii_case(text))?;
    i8::try_from(index + 1).ok()
}

fn unix_date(month: i8, rest: &mut &str, now: Timestamp) -> Option<Timestamp> {
    let day: i8 = word(rest)?.parse().ok()?;
    let clock = word(rest)?;
    let Some((hour, minute)) = clock.split_once(':') else {
        return from_civil(
            Date::new(clock.parse().ok()?, month, day)
                .ok()?
                .at(0, 0, 0, 0),
        );
    };
    let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
    // Some servers write local time: a day of leeway before it is last year's.
    let year = utc(now).year();
    [year, year - 1]
        .into_iter()
        .filter_map(|year| {
            from_civil(DateTime::from_parts(
                Date::new(year, month, day).ok()?,
                time,
            ))
        })
        .find(|time| time.as_second() <= now.as_second() + A_DAY)
}

fn unix_mode(flags: &[u8]) -> Option<u32> {
    flags.iter().enumerate().try_fold(0, |mode, (at, flag)| {
        let bit = 1 << (8 - at);
        let special = 1 << (11 - at / 3);
        Some(match flag {
            b'-' => mode,
            b'r' | b'w' | b'x' => mode | bit,
            b's' | b't' => mode | bit | special,
            b'S' | b'T' => mode | special,
            _ => return None,
        })
    })
}

/// `11-22-26  01:24PM       <DIR>          name`, or `2026-11-22 13:24 512 name`.
fn parse_windows_row(row: &str) -> Option<Entry> {
    let mut rest = row;
    let date = word(&mut rest)?;
    let clock = word(&mut rest)?;
    let size = word(&mut rest)?;
    let name = rest.trim_start_matches(' ');
    let modified = from_civil(DateTime::from_parts(
        windows_date(date)?,
        windows_time(clock)?,
    ))?;
    if name.is_empty() {
        return None;
    }
    let mut entry = match size {
        "<DIR>" => Entry::new(name, Kind::Folder),
        "<SYMLINK>" | "<SYMLINKD>" | "<JUNCTION>" => Entry::new(name, Kind::Link),
        _ => Entry {
            size: Some(size.replace(',', "").parse().ok()?),
            ..Entry::new(name, Kind::File)
        },
    };
    entry.modified = Some(modified);
    Some(entry)
}

fn windows_date(text: &str) -> Option<Date> {
    let numbers: Option<Vec<i16>> = text
        .split(['-', '/'])
        .map(|part| part.parse().ok())
        .collect();
    let &[first, second, third] = numbers?.as_slice() else {
        return None;
    };
    let (year, month, day) = match (first, third) {
        (1000.., _) => (first, second, third),
        (_, 0..=69) => (2000 + third, first, second),
        (_, 70..=99) => (1900 + third, first, second),
        _ => (third, first, second),
    };
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn windows_time(text: &str) -> Option<Time> {
    let (clock, half) = text.split_at_checked(5)?;
    let (hour, minute) = clock.split_once(':')?;
    let hour: i8 = hour.parse().ok()?;
    let hour = match half.to_ascii_uppercase().as_str() {
        "" => hour,
        "AM" => hour % 12,
        "PM" => hour % 12 + 12,
        _ => return None,
    };
    Time::new(hour, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::entry::tests::entry;
    use crate::protocol::time::parse_time;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        parse_time(text).unwrap()
    }

    fn row(entry: &Entry, now: Timestamp) -> String {
        let mut out = Vec::new();
        entry.write_row(now, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn list_rows_look_as_every_client_expects() {
        let now = at("20261122132400");
        let mut entry = Entry::new("a file.txt", Kind::File);
        entry.size = Some(12);
        entry.modified = Some(at("20261122091500"));
        entry.mode = Some(0o640);
        assert_eq!(
            row(&entry, now),
            "-rw-r----- 1 ftp ftp           12 Nov 22 09:15 a file.txt"
        );
        entry.modified = Some(at("20200105000000"));
        assert_eq!(
            row(&entry, now),
            "-rw-r----- 1 ftp ftp           12 Jan  5  2020 a file.txt"
        );
        entry.modified = Some(at("20270105000000"));
        assert!(row(&entry, now).contains("Jan  5  2027"));
    }

    /// Checks what a row says at 13:24 on 22 November 2026.
    #[track_caller]
    fn reads(row: &str, name: &str, kind: Kind, size: Option<u64>, modified: &str) {
        let entry = Entry::parse_row(row, at("20261122132400"));
        let entry = entry.unwrap_or_else(|| panic!("{row}"));
        assert_eq!(
            (entry.name.as_str(), entry.kind, entry.size),
            (name, kind, size),
            "{row}"
        );
        assert_eq!(entry.modified, Some(at(modified)), "{row}");
    }

    #[test]
    fn reads_the_rows_of_other_servers() {
        for (row, name, kind, size, modified) in [
            (
                "drwxr-xr-x    2 1000     1000         4096 Nov 21 10:00 in dir",
                "in dir",
                Kind::Folder,
                Some(4096),
                "20261121100000",
            ),
            (
                "-rw-r--r--   1 user group        7 Dec 31 23:59  lead",
                " lead",
                Kind::File,
                Some(7),
                "20251231235900",
            ),
            (
                "lrwxrwxrwx 1 0 0 4 Jan  1  2001 link -> target",
                "link",
                Kind::Link,
                Some(4),
                "20010101000000",
            ),
            (
                "-rwsr-xr-t 1 owner 99 Feb 29  2024 no group",
                "no group",
                Kind::File,
                Some(99),
                "20240229000000",
            ),
        ] {
            reads(row, name, kind, size, modified);
        }
    }

    #[test]
    fn reads_the_rows_of_windows() {
        for (row, name, kind, size, modified) in [
            (
                "11-22-26  01:24PM       <DIR>          Program Files",
                "Program Files",
                Kind::Folder,
                None,
                "20261122132400",
            ),
            (
                "11-22-2026  12:01AM            1,024 x.txt",
                "x.txt",
                Kind::File,
                Some(1024),
                "20261122000100",
            ),
            (
                "2026-11-22  13:24              5 iso.txt",
                "iso.txt",
                Kind::File,
                Some(5),
                "20261122132400",
            ),
        ] {
            reads(row, name, kind, size, modified);
        }
    }

    #[test]
    fn what_is_no_row_is_passed_over() {
        for row in [
            "",
            "total 12",
            "lrwxrwxrwx 1 a b 1 Jan  1 2020  -> ",
            "-rw-r--r--",
            "drwxr-xr-x 1 a b 1 Nov 22 13:24",
            "99-99-99 01:00PM 1 x",
        ] {
            assert_eq!(Entry::parse_row(row, at("20261122132400")), None, "{row}");
        }
    }

    proptest! {
        #[test]
        fn rows_round_trip(entry in entry(), now in 1_000_000_000_i64..4_000_000_000) {
            let now = Timestamp::from_second(now).unwrap();
            let parsed = Entry::parse_row(&row(&entry, now), now).unwrap();
            // What a row can say: a link's name ends at the arrow, and times are of minutes or of days.
            if entry.kind != Kind::Link {
                prop_assert_eq!(&parsed.name, &entry.name);
            }
            prop_assert_eq!((parsed.kind, parsed.size), (entry.kind, Some(entry.size.unwrap_or(0))));
            prop_assert_eq!(row(&Entry { name: entry.name.clone(), ..parsed }, now), row(&Entry { mode: parsed_mode(&entry), ..entry }, now));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = Entry::parse_row(&text, Timestamp::UNIX_EPOCH);
        }
    }

    fn parsed_mode(entry: &Entry) -> Option<u32> {
        entry.mode.map(|mode| mode & 0o777)
    }
}
