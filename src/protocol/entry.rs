//! Entries of listings: MLSx facts (RFC 3659 §7) and the rows of `LIST`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use std::io::{self, Write};

/// One file or folder, as a listing tells of it. What a listing does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; for `cdir` and `pdir` of MLSx and for `MLST`, a path.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// In bytes.
    pub size: Option<u64>,
    /// When its content last changed, in UTC.
    pub modified: Option<Timestamp>,
    /// The letters of the MLSx fact `perm` (RFC 3659 §7.5.5).
    pub perm: Option<String>,
    /// The MLSx fact `unique`: two entries with the same one are the same file.
    pub unique: Option<String>,
    /// Unix permission bits, `0o7777` at the most.
    pub mode: Option<u32>,
}

/// What an entry is (RFC 3659 §7.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// The folder that is being listed, itself.
    Current,
    /// The folder above it.
    Parent,
    /// A symbolic link, of which a `LIST` does not tell where it leads.
    Link,
    /// Anything else: a device, a socket.
    Other,
}

impl Entry {
    /// An entry of which no more is known.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            size: None,
            modified: None,
            perm: None,
            unique: None,
            mode: None,
        }
    }

    /// Writes `facts; name` (RFC 3659 §7.2) with no line end.
    ///
    /// # Errors
    /// Whatever `output` says.
    pub fn write_facts(&self, output: &mut impl Write) -> io::Result<()> {
        write!(output, "type={};", self.kind.fact())?;
        if let Some(size) = self.size {
            write!(output, "size={size};")?;
        }
        if let Some(modified) = self.modified {
            write!(output, "modify={};", format_time(modified))?;
        }
        if let Some(perm) = &self.perm {
            write!(output, "perm={perm};")?;
        }
        if let Some(unique) = &self.unique {
            write!(output, "unique={unique};")?;
        }
        if let Some(mode) = self.mode {
            write!(output, "UNIX.mode={mode:04o};")?;
        }
        write!(output, " {}", self.name)
    }

    /// Reads `facts; name`. Facts that are unknown or malformed are passed over; `None` if there is no name or no
    /// usable `type`.
    #[must_use]
    pub fn parse_facts(line: &str) -> Option<Self> {
        let (facts, name) = line.split_once(' ')?;
        if name.is_empty() {
            return None;
        }
        let mut entry = Self::new(name, Kind::Other);
        let mut kind = None;
        for fact in facts.split(';').filter(|fact| !fact.is_empty()) {
            let (key, value) = fact.split_once('=')?;
            match key.to_ascii_lowercase().as_str() {
                "type" => kind = Some(Kind::from_fact(value)),
                "size" | "sizd" => entry.size = value.parse().ok(),
                "modify" => entry.modified = parse_time(value),
                "perm" => entry.perm = Some(value.to_owned()),
                "unique" => entry.unique = Some(value.to_owned()),
                "unix.mode" => {
                    entry.mode = u32::from_str_radix(value, 8)
                        .ok()
                        .filter(|&mode| mode <= 0o7777);
                }
                _ => {}
            }
        }
        entry.kind = kind?;
        Some(entry)
    }

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
        output.write_all(&flags)?;
        let modified = self.modified.unwrap_or(now);
        let when = utc(modified);
        let month = MONTHS[usize::from(when.month().unsigned_abs()) - 1];
        write!(
            output,
            " 1 ftp ftp {:>12} {month} {:>2} ",
            self.size.unwrap_or(0),
            when.day()
        )?;
        let age = now.as_second() - modified.as_second();
        if (0..HALF_A_YEAR).contains(&age) {
            write!(output, "{:02}:{:02}", when.hour(), when.minute())?;
        } else {
            write!(output, "{:>5}", when.year())?;
        }
        write!(output, " {}", self.name)
    }

    /// Reads a `LIST` row, of a Unix server or of a Windows one. `None` for a row that is no entry, such as
    /// `total 12`. A time with no year is the last such time before `now`.
    #[must_use]
    pub fn parse_row(row: &str, now: Timestamp) -> Option<Self> {
        parse_unix_row(row, now).or_else(|| parse_windows_row(row))
    }
}

impl Kind {
    const fn fact(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "dir",
            Self::Current => "cdir",
            Self::Parent => "pdir",
            Self::Link => "OS.unix=symlink",
            Self::Other => "OS.unix=other",
        }
    }

    fn from_fact(value: &str) -> Self {
        let value = value.to_ascii_lowercase();
        match value.as_str() {
            "file" => Self::File,
            "dir" => Self::Folder,
            "cdir" => Self::Current,
            "pdir" => Self::Parent,
            _ if value.starts_with("os.unix=slink") || value.starts_with("os.unix=symlink") => {
                Self::Link
            }
            _ => Self::Other,
        }
    }
}

/// A time as `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3).
#[must_use]
pub fn format_time(time: Timestamp) -> String {
    let when = utc(time);
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
    timestamp(DateTime::from_parts(date, time))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// In seconds: where `ls` puts the year instead of the time of day.
const HALF_A_YEAR: i64 = 365 * 24 * 3600 / 2;
const A_DAY: i64 = 24 * 3600;

fn utc(time: Timestamp) -> DateTime {
    jiff::tz::Offset::UTC.to_datetime(time)
}

fn timestamp(when: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(when).ok()
}

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
            let name = after_word
                .strip_prefix(' ')
                .filter(|name| !name.is_empty())?;
            let name = match kind {
                Kind::Link => name.split_once(" -> ").map_or(name, |(name, _)| name),
                _ => name,
            };
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
        return timestamp(
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
            timestamp(DateTime::from_parts(
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
    let modified = timestamp(DateTime::from_parts(
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

    #[test]
    fn reads_the_rows_of_other_servers() {
        let now = at("20261122132400");
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
            let entry = Entry::parse_row(row, now).unwrap_or_else(|| panic!("{row}"));
            assert_eq!(
                (entry.name.as_str(), entry.kind, entry.size),
                (name, kind, size),
                "{row}"
            );
            assert_eq!(entry.modified, Some(at(modified)), "{row}");
        }
        for row in [
            "",
            "total 12",
            "-rw-r--r--",
            "drwxr-xr-x 1 a b 1 Nov 22 13:24",
            "99-99-99 01:00PM 1 x",
        ] {
            assert_eq!(Entry::parse_row(row, now), None, "{row}");
        }
    }

    #[test]
    fn reads_the_facts_of_other_servers() {
        let entry =
            Entry::parse_facts("Type=file;Size=5;Modify=20260101000000.123;x.y=z; a;b =c").unwrap();
        assert_eq!((entry.name.as_str(), entry.size), ("a;b =c", Some(5)));
        assert_eq!(entry.modified, Some(at("20260101000000")));
        assert_eq!(
            Entry::parse_facts("type=OS.unix=slink:/x;size=1; l")
                .unwrap()
                .kind,
            Kind::Link
        );
        for line in [
            "",
            "type=file;",
            "type=file; ",
            "size=1; no-type",
            "nonsense x",
        ] {
            assert_eq!(Entry::parse_facts(line), None, "{line}");
        }
    }

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

    fn entry() -> impl Strategy<Value = Entry> {
        let kind = proptest::sample::select(vec![Kind::File, Kind::Folder, Kind::Link]);
        let time = (0_i64..4_000_000_000).prop_map(|s| Timestamp::from_second(s).unwrap());
        let word = || proptest::option::of("[a-z0-9]{1,8}");
        (
            "[^\\p{Cc}]{1,30}",
            kind,
            any::<Option<u64>>(),
            proptest::option::of(time),
            word(),
            word(),
            proptest::option::of(0_u32..0o10000),
        )
            .prop_map(|(name, kind, size, modified, perm, unique, mode)| Entry {
                name,
                kind,
                size,
                modified,
                perm,
                unique,
                mode,
            })
    }

    proptest! {
        #[test]
        fn facts_round_trip(entry in entry()) {
            let mut out = Vec::new();
            entry.write_facts(&mut out).unwrap();
            prop_assert_eq!(Entry::parse_facts(&String::from_utf8(out).unwrap()), Some(entry));
        }

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
        fn times_round_trip(second in 0_i64..253_000_000_000) {
            let time = Timestamp::from_second(second).unwrap();
            prop_assert_eq!(parse_time(&format_time(time)), Some(time));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = Entry::parse_facts(&text);
            let _ = Entry::parse_row(&text, Timestamp::UNIX_EPOCH);
        }
    }

    fn parsed_mode(entry: &Entry) -> Option<u32> {
        entry.mode.map(|mode| mode & 0o777)
    }
}
