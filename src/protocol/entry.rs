//! Entries of listings, and their MLSx facts (RFC 3659 §7). Their `LIST` rows are in [`super::row`].

use super::time::{parse_time, time_digits};
use jiff::Timestamp;
use std::fmt;
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
    /// The MLSx fact `perm`.
    pub perm: Option<Perm>,
    /// The MLSx fact `unique`.
    pub unique: Option<Unique>,
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

    /// Writes `facts; name` (RFC 3659 §7.2) with no line end, of the facts only those that are `wanted`.
    ///
    /// # Errors
    /// Whatever `output` says.
    pub fn write_facts(&self, wanted: FactSet, output: &mut impl Write) -> io::Result<()> {
        // By hand: there may be a hundred thousand rows, and the machinery of `write!` would take most of their time.
        let mut fact = |name: &[u8], values: &[&[u8]]| {
            output.write_all(name)?;
            values
                .iter()
                .try_for_each(|value| output.write_all(value))?;
            output.write_all(b";")
        };
        let (mut number, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        if wanted.has(Fact::Type) {
            fact(b"type=", &[self.kind.fact().as_bytes()])?;
        }
        if let Some(size) = self.size.filter(|_| wanted.has(Fact::Size)) {
            fact(b"size=", &[number.format(size).as_bytes()])?;
        }
        if let Some(modified) = self.modified.filter(|_| wanted.has(Fact::Modify)) {
            fact(b"modify=", &[&time_digits(modified)])?;
        }
        if let Some(perm) = self.perm.filter(|_| wanted.has(Fact::Perm)) {
            let mut letters = [0; Perm::LETTERS];
            fact(b"perm=", &[perm.write(&mut letters)])?;
        }
        if let Some(unique) = self.unique.as_ref().filter(|_| wanted.has(Fact::Unique)) {
            match unique {
                Unique::File { device, inode } => {
                    let (device, inode) = (number.format(*device), other.format(*inode));
                    fact(b"unique=", &[device.as_bytes(), b"g", inode.as_bytes()])?;
                }
                Unique::Told(text) => fact(b"unique=", &[text.as_bytes()])?,
            }
        }
        if let Some(mode) = self.mode.filter(|_| wanted.has(Fact::UnixMode)) {
            fact(b"UNIX.mode=", &[&octal(mode)])?;
        }
        output.write_all(b" ")?;
        output.write_all(self.name.as_bytes())
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
            match Fact::named(key) {
                Some(Fact::Type) => kind = Some(Kind::from_fact(value)),
                Some(Fact::Size) => entry.size = value.parse().ok(),
                Some(Fact::Modify) => entry.modified = parse_time(value),
                Some(Fact::Perm) => entry.perm = Some(Perm::of(value)),
                Some(Fact::Unique) => entry.unique = Some(Unique::Told(value.to_owned())),
                Some(Fact::UnixMode) => {
                    entry.mode = u32::from_str_radix(value, 8)
                        .ok()
                        .filter(|&mode| mode <= 0o7777);
                }
                // Some servers' word for the size of a folder.
                None if key.eq_ignore_ascii_case("sizd") => entry.size = value.parse().ok(),
                None => {}
            }
        }
        entry.kind = kind?;
        Some(entry)
    }
}

/// What may be done with an entry: letters from `a` to `z`, in any order and either case (RFC 3659 §7.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perm(u32);

impl Perm {
    /// How many there may be.
    const LETTERS: usize = 26;

    /// The letters of a text; what is none is passed over.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let letters = text.bytes().filter(u8::is_ascii_alphabetic);
        Self(letters.fold(0, |set, letter| {
            set | 1 << (letter.to_ascii_lowercase() - b'a')
        }))
    }

    /// The letters of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn write(self, letters: &mut [u8; Self::LETTERS]) -> &[u8] {
        let mut count = 0;
        for letter in (b'a'..=b'z').filter(|letter| self.0 >> (letter - b'a') & 1 == 1) {
            letters[count] = letter;
            count += 1;
        }
        &letters[..count]
    }
}

/// What two entries have in common that are the same file (RFC 3659 §7.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unique {
    /// As the file system has it.
    #[allow(missing_docs)]
    File { device: u64, inode: u64 },
    /// As a server tells it.
    Told(String),
}

/// A fact of MLSx that is known here (RFC 3659 §7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fact {
    Type,
    Size,
    Modify,
    Perm,
    Unique,
    UnixMode,
}

impl Fact {
    const ALL: [(Self, &str); 6] = [
        (Self::Type, "type"),
        (Self::Size, "size"),
        (Self::Modify, "modify"),
        (Self::Perm, "perm"),
        (Self::Unique, "unique"),
        (Self::UnixMode, "UNIX.mode"),
    ];

    /// The fact of this name, in any case.
    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        let found = all.find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|&(fact, _)| fact)
    }
}

/// The facts that a client wants to be told, as `OPTS MLST` chooses them (RFC 3659 §7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FactSet(u8);

impl FactSet {
    /// All facts.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether a fact is in the set.
    #[must_use]
    pub const fn has(self, fact: Fact) -> bool {
        self.0 >> fact as u8 & 1 == 1
    }

    /// The facts that `text`, such as `type;size;`, names. What is not known is passed over, as the RFC has it.
    #[must_use]
    pub fn choose(text: &str) -> Self {
        let named = |name: &str| text.split(';').any(|word| word.eq_ignore_ascii_case(name));
        let chosen = Fact::ALL.iter().filter(|(_, name)| named(name));
        Self(chosen.fold(0, |set, &(fact, _)| set | 1 << fact as u8))
    }

    /// As `FEAT` tells of them: all that are known, with a star on each that is in the set (RFC 3659 §7.8).
    #[must_use]
    pub fn feature(self) -> String {
        let fact = |&(fact, name): &(Fact, &str)| {
            format!("{name}{};", if self.has(fact) { "*" } else { "" })
        };
        Fact::ALL.iter().map(fact).collect()
    }
}

impl fmt::Display for FactSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fact::ALL
            .iter()
            .filter(|(fact, _)| self.has(*fact))
            .try_for_each(|(_, name)| write!(f, "{name};"))
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
        let known = [Self::File, Self::Folder, Self::Current, Self::Parent];
        let named = |kind: &Self| kind.fact().eq_ignore_ascii_case(value);
        let is_link = ["OS.unix=slink", "OS.unix=symlink"].iter().any(|link| {
            let start = value.get(..link.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(link))
        });
        match known.into_iter().find(named) {
            Some(kind) => kind,
            None if is_link => Self::Link,
            None => Self::Other,
        }
    }
}

/// The permission bits as four octal digits.
fn octal(mode: u32) -> [u8; 4] {
    #[allow(clippy::cast_possible_truncation)] // below 8
    [9, 6, 3, 0].map(|shift| b'0' + (mode >> shift & 7) as u8)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        parse_time(text).unwrap()
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

    pub(crate) fn entry() -> impl Strategy<Value = Entry> {
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
                perm: perm.as_deref().map(Perm::of),
                unique: unique.map(Unique::Told),
                mode,
            })
    }

    #[test]
    fn clients_choose_the_facts() {
        let chosen = FactSet::choose("Size;x.unknown;TYPE;");
        assert_eq!(chosen.to_string(), "type;size;");
        assert_eq!(
            chosen.feature(),
            "type*;size*;modify;perm;unique;UNIX.mode;"
        );
        let mut out = Vec::new();
        Entry {
            size: Some(5),
            mode: Some(0o644),
            ..Entry::new("a", Kind::File)
        }
        .write_facts(chosen, &mut out)
        .unwrap();
        assert_eq!(out, b"type=file;size=5; a");
        assert_eq!(FactSet::choose("nothing").to_string(), "");
    }

    proptest! {
        #[test]
        fn facts_round_trip(entry in entry()) {
            let mut out = Vec::new();
            entry.write_facts(FactSet::ALL, &mut out).unwrap();
            prop_assert_eq!(Entry::parse_facts(&String::from_utf8(out).unwrap()), Some(entry));
        }



        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = Entry::parse_facts(&text);
        }
    }
}
