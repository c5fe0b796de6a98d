//! Accounts, and what each may do.

use clap::ValueEnum;
use std::fmt;
use std::str::FromStr;

/// What an account may do. Each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Access {
    /// List and download.
    Read,
    /// Upload and make folders as well.
    Write,
    /// Delete, rename and change modes as well.
    Full,
}

/// A set of things that an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing but to be logged in.
    pub(in crate::server) const NONE: Self = Self(0);
    /// See what is in folders.
    pub(in crate::server) const LIST: Self = Self(1);
    /// Read files.
    pub(in crate::server) const DOWNLOAD: Self = Self(1 << 1);
    /// Write files, those that are there too, and set their times.
    pub(in crate::server) const UPLOAD: Self = Self(1 << 2);
    /// Make folders.
    pub(in crate::server) const MKDIR: Self = Self(1 << 3);
    /// Delete files and folders.
    pub(in crate::server) const DELETE: Self = Self(1 << 4);
    /// Rename files and folders; what has the new name is replaced.
    pub(in crate::server) const RENAME: Self = Self(1 << 5);
    /// Change the permission bits of files and folders.
    pub(in crate::server) const CHMOD: Self = Self(1 << 6);

    /// Any of those that change what is on the disk.
    pub(in crate::server) const CHANGE: Self = Self::UPLOAD
        .and(Self::MKDIR)
        .and(Self::DELETE)
        .and(Self::RENAME)
        .and(Self::CHMOD);
    /// Either of those that tell what files there are.
    pub(in crate::server) const SEE: Self = Self::LIST.and(Self::DOWNLOAD);

    /// What each is called in a users file.
    const NAMES: [(&'static str, Self); 7] = [
        ("list", Self::LIST),
        ("download", Self::DOWNLOAD),
        ("upload", Self::UPLOAD),
        ("mkdir", Self::MKDIR),
        ("delete", Self::DELETE),
        ("rename", Self::RENAME),
        ("chmod", Self::CHMOD),
    ];

    /// These and those.
    #[must_use]
    pub(in crate::server) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether any of `wanted` is among them, or nothing is wanted.
    #[must_use]
    pub(in crate::server) const fn allow(self, wanted: Self) -> bool {
        wanted.0 == 0 || self.0 & wanted.0 != 0
    }
}

impl From<Access> for Permissions {
    fn from(access: Access) -> Self {
        let read = Self::LIST.and(Self::DOWNLOAD);
        let write = read.and(Self::UPLOAD).and(Self::MKDIR);
        match access {
            Access::Read => read,
            Access::Write => write,
            Access::Full => write.and(Self::DELETE).and(Self::RENAME).and(Self::CHMOD),
        }
    }
}

/// One word, or several with commas between them.
impl FromStr for Permissions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').try_fold(Self::NONE, |all, word| {
            let word = word.trim();
            let level = Access::from_str(word, false).map(Self::from).ok();
            let one = Self::NAMES.iter().find(|(name, _)| *name == word);
            match level.or(one.map(|&(_, one)| one)) {
                Some(more) => Ok(all.and(more)),
                None => Err(format!(
                    "{word:?} is no permission; there is read, write, full, {}",
                    Self::NAMES.map(|(name, _)| name).join(", ")
                )),
            }
        })
    }
}

/// As [`FromStr`] reads it.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, level) in [
            ("read", Access::Read),
            ("write", Access::Write),
            ("full", Access::Full),
        ] {
            if *self == level.into() {
                return f.write_str(name);
            }
        }
        let names: Vec<&str> = Self::NAMES
            .iter()
            .filter(|&&(_, one)| self.allow(one))
            .map(|&(name, _)| name)
            .collect();
        f.write_str(&names.join(","))
    }
}

/// Someone who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Account {
    /// As it stands in the log.
    pub(in crate::server) name: String,
    /// What it may do.
    pub(in crate::server) permissions: Permissions,
    /// Its folder below the served one; empty for all of that.
    pub(in crate::server) root: String,
    /// How many sessions it may have at a time.
    pub(in crate::server) max_sessions: Option<usize>,
    /// How large a file may be that it writes, in bytes.
    pub(in crate::server) max_file_size: Option<u64>,
    /// How much there may be below its folder, in bytes.
    pub(in crate::server) quota: Option<u64>,
    /// How fast its transfers may go taken together, in bytes per second.
    pub(in crate::server) rate: Option<u64>,
}

impl Account {
    /// An account with no bounds.
    pub(in crate::server) fn new(name: &str, permissions: Permissions) -> Self {
        Self {
            name: name.to_owned(),
            permissions,
            root: String::new(),
            max_sessions: None,
            max_file_size: None,
            quota: None,
            rate: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_as_they_are_written() {
        for text in [
            "read",
            "write",
            "full",
            "upload",
            "list,upload",
            "download,rename,chmod",
        ] {
            assert_eq!(text.parse::<Permissions>().unwrap().to_string(), text);
        }
        let mixed: Permissions = "read, upload ,mkdir".parse().unwrap();
        assert_eq!(mixed, Access::Write.into());
        assert!("".parse::<Permissions>().is_err() && "List".parse::<Permissions>().is_err());
    }
}
