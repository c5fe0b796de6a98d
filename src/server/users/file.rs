//! The users file: TOML, with a table for each account.
//!
//! ```toml
//! [anna]
//! password = "$argon2id$v=19$m=19456,t=2,p=1$…$…"
//! permissions = "write"               # or "read" or "full", or a list of "list", "download", "upload", "mkdir", "delete",
//!                                     # "rename" and "chmod"
//! root = "teams/anna"                 # below the served folder; without it, all of that
//! max-sessions = 4
//! max-file-size = 1_000_000_000       # bytes
//! quota = 20_000_000_000              # bytes below the root
//! allow-from = ["192.0.2.0/24", "2001:db8::/32"]
//! rate = 2_000_000                    # bytes per second
//! ```

use super::account::{Account, Permissions};
use super::is_public;
use super::password::Hash;
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use toml_edit::{Document, Item, Key, TableLike};

/// The longest name of an account, in bytes.
pub(super) const MAX_NAME: usize = 128;

/// All accounts of a users file, by name.
#[derive(Debug, Default)]
pub(super) struct Accounts(Vec<Entry>);

/// An account, and what is asked of who wants to log in as it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) account: Arc<Account>,
    pub(super) hash: Hash,
    /// From where; empty for from everywhere.
    allow_from: Vec<IpNet>,
}

/// Why a file in TOML cannot be used: one with accounts, or one with settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Broken {
    line: usize,
    column: usize,
    what: String,
}

impl Accounts {
    /// Reads the text of a users file.
    ///
    /// # Errors
    /// Where it is not TOML, and where it is not what an account takes.
    pub(super) fn parse(text: &str) -> Result<Self, Broken> {
        let document = Document::parse(text).map_err(|error| Broken::toml(text, &error))?;
        let mut entries = Vec::new();
        for (name, item) in document.iter() {
            let span = document.as_table().key(name).and_then(Key::span);
            let broken = |what: String| Broken::at(text, span.clone(), what);
            check_name(name).map_err(&broken)?;
            let table = item.as_table_like().ok_or_else(|| {
                broken(format!(
                    "{name:?} is no account: write [{name}] above its keys"
                ))
            })?;
            let entry = Fields { table }.entry(name).map_err(|(at, what)| {
                Broken::at(text, at.or_else(|| span.clone()), format!("{name}: {what}"))
            })?;
            entries.push(entry);
        }
        entries.sort_unstable_by(|a, b| a.account.name.cmp(&b.account.name));
        Ok(Self(entries))
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// The account of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        let at = self
            .0
            .binary_search_by(|entry| entry.account.name.as_str().cmp(name));
        Some(&self.0[at.ok()?])
    }

    /// An account to check a password against when there is none of the name, chosen by a hash of that: each name then has
    /// one, which costs as much as if it were its own.
    pub(super) fn stand_in(&self, name_hash: u64) -> Option<&Entry> {
        let count = u64::try_from(self.0.len()).ok()?;
        let at = name_hash.checked_rem(count)?;
        self.0.get(usize::try_from(at).ok()?)
    }
}

impl Entry {
    /// Whether the account may be used from this address.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow_from.is_empty() || self.allow_from.iter().any(|net| net.contains(&address))
    }
}

impl Broken {
    /// In which line, the first being 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// At which character of it, the first being 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// Why a text is no TOML.
    #[must_use]
    pub fn toml(text: &str, error: &toml_edit::TomlError) -> Self {
        Self::at(text, error.span(), error.message().replace('\n', ", "))
    }

    /// What is wrong in a text, at these of its bytes.
    #[must_use]
    pub fn at(text: &str, span: Option<Range<usize>>, what: String) -> Self {
        let before = text
            .get(..span.map_or(0, |span| span.start))
            .unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what,
        }
    }
}

/// Whether an account may have this name.
///
/// # Errors
/// Why not.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if is_public(name) {
        Err(format!(
            "{name} is the login without a password, which --anonymous is for"
        ))
    } else if name.is_empty() || name.len() > MAX_NAME {
        Err(format!("a name has 1 to {MAX_NAME} bytes"))
    } else if name.contains(char::is_control) || name.trim() != name {
        Err("a name has no control characters, and no space at its ends".to_owned())
    } else {
        Ok(())
    }
}

/// Whether an account may have this folder below the served one.
///
/// # Errors
/// Why not.
pub(super) fn check_root(root: &str) -> Result<(), String> {
    if root.contains(char::is_control) || root.split('/').any(|part| part == "..") {
        Err(
            "root is a folder below the served one, with no .. and no control characters"
                .to_owned(),
        )
    } else {
        Ok(())
    }
}

/// What is wrong, and where if that is known.
type Wrong = (Option<Range<usize>>, String);

/// The keys of one account.
struct Fields<'d> {
    table: &'d dyn TableLike,
}

impl Fields<'_> {
    fn entry(&self, name: &str) -> Result<Entry, Wrong> {
        const KEYS: [&str; 8] = [
            "password",
            "permissions",
            "root",
            "max-sessions",
            "max-file-size",
            "quota",
            "allow-from",
            "rate",
        ];
        for (key, item) in self.table.iter() {
            if !KEYS.contains(&key) {
                let span = self.table.key(key).and_then(Key::span);
                let what = format!("{key:?} is no key of an account: {}", KEYS.join(", "));
                return Err((span.or_else(|| item.span()), what));
            }
        }
        let hash = self.get("password", |item| {
            Hash::parse(item.as_str().unwrap_or_default()).map_err(|what| {
                format!("password {what}; ftp-server user passwd FILE NAME sets it")
            })
        })?;
        let permissions = self.get("permissions", permissions)?;
        let missing = |key: &str| (None, format!("{key} is missing"));
        Ok(Entry {
            hash: hash.ok_or_else(|| missing("password"))?,
            allow_from: self.get("allow-from", networks)?.unwrap_or_default(),
            account: Arc::new(Account {
                root: self.get("root", root)?.unwrap_or_default(),
                max_sessions: self
                    .number("max-sessions")?
                    .map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
                max_file_size: self.number("max-file-size")?,
                quota: self.number("quota")?,
                rate: self.number("rate")?,
                ..Account::new(name, permissions.ok_or_else(|| missing("permissions"))?)
            }),
        })
    }

    fn get<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Item) -> Result<T, String>,
    ) -> Result<Option<T>, Wrong> {
        let Some(item) = self.table.get(key) else {
            return Ok(None);
        };
        read(item).map(Some).map_err(|what| (item.span(), what))
    }

    fn number(&self, key: &str) -> Result<Option<u64>, Wrong> {
        self.get(key, |item| {
            item.as_integer()
                .and_then(|number| u64::try_from(number).ok())
                .filter(|&number| number > 0)
                .ok_or_else(|| format!("{key} is a whole number above 0"))
        })
    }
}

fn permissions(item: &Item) -> Result<Permissions, String> {
    strings(item)
        .ok_or("permissions is a word, or a list of words")?
        .join(",")
        .parse()
}

fn root(item: &Item) -> Result<String, String> {
    let root = item
        .as_str()
        .ok_or("root is a folder below the served one")?;
    check_root(root)?;
    Ok(root.to_owned())
}

fn networks(item: &Item) -> Result<Vec<IpNet>, String> {
    strings(item)
        .filter(|words| !words.is_empty())
        .ok_or("allow-from is a list of networks and addresses")?
        .into_iter()
        .map(|word| {
            let host = word.parse::<IpAddr>().map(IpNet::from).ok();
            let net = host.or_else(|| word.parse().ok());
            net.filter(|net: &IpNet| net.addr() == net.network())
                .ok_or_else(|| format!("{word:?} is no network, such as 192.0.2.0/24"))
        })
        .collect()
}

/// A string, or a list of them.
fn strings(item: &Item) -> Option<Vec<&str>> {
    match (item.as_str(), item.as_array()) {
        (Some(word), _) => Some(vec![word]),
        (None, Some(words)) => words.iter().map(toml_edit::Value::as_str).collect(),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::users::Access;

    const HASH: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    fn parse(rest: &str) -> Result<Accounts, Broken> {
        Accounts::parse(&format!("[anna]\npassword = \"{HASH}\"\n{rest}\n"))
    }

    #[test]
    fn an_account_has_what_the_file_says() {
        let accounts = parse(
            "permissions = ['list', 'upload']\nroot = 'a/b'\nmax-sessions = 2\nmax-file-size = 1_000\n\
             quota = 5000\nallow-from = ['192.0.2.0/24', '2001:db8::1']\nrate = 7\n\n\
             [\"b.c\"]\npermissions = 'full'\npassword = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'",
        )
        .unwrap();
        let anna = accounts.find("anna").unwrap();
        let account = Account {
            root: "a/b".to_owned(),
            max_sessions: Some(2),
            max_file_size: Some(1000),
            quota: Some(5000),
            rate: Some(7),
            ..Account::new("anna", Permissions::LIST.and(Permissions::UPLOAD))
        };
        assert_eq!(*anna.account, account);
        for (address, admitted) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.3.7", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] {
            assert_eq!(anna.admits(address.parse().unwrap()), admitted, "{address}");
        }
        let other = accounts.find("b.c").unwrap();
        assert_eq!(*other.account, Account::new("b.c", Access::Full.into()));
        assert!(other.admits("203.0.113.9".parse().unwrap()));
        assert!(accounts.find("Anna").is_none());
    }

    #[test]
    fn each_unknown_name_has_a_stand_in() {
        let accounts = parse("permissions = 'read'").unwrap();
        for hash in [0, 1, u64::MAX] {
            assert_eq!(accounts.stand_in(hash).unwrap().account.name, "anna");
        }
        assert!(Accounts::default().stand_in(1).is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        for (rest, line, column, part) in [
            ("permissions = 'all'", 3, 15, "\"all\""),
            ("permissions = ['read', 7]", 3, 15, "list of words"),
            ("permissions = []", 3, 15, "\"\""),
            ("permissions = 'read'\nroot = '../x'", 4, 8, "root"),
            ("permissions = 'read'\n  quota = -1", 4, 11, "quota"),
            ("permissions = 'read'\nrate = '1M'", 4, 8, "rate"),
            (
                "permissions = 'read'\nallow-from = ['192.0.2.1/24']",
                4,
                14,
                "192.0.2.1/24",
            ),
            ("permissions = 'read'\nqouta = 1", 4, 1, "qouta"),
            ("permissions = 'read", 3, 20, ""),
            (
                "permissions = 'read'\npermissions = 'read'",
                4,
                1,
                "duplicate",
            ),
            ("", 1, 2, "permissions is missing"),
            ("permissions = 'read'\n[ftp]", 4, 2, "--anonymous"),
            ("permissions = 'read'\n[\"a\\u0007\"]", 4, 2, "control"),
        ] {
            let broken = parse(rest).unwrap_err();
            assert_eq!((broken.line, broken.column), (line, column), "{broken}");
            assert!(broken.what.contains(part), "{broken}");
        }
        for text in ["x = 1", "[a]\npassword = 's3cret'\npermissions = 'read'"] {
            let told = Accounts::parse(text).unwrap_err().to_string();
            assert!(!told.contains("s3cret") && !told.contains('\n'), "{told}");
        }
    }
}
