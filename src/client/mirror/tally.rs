//! What a mirror has come to, or would.

use super::Rules;
use crate::client::error::Trouble;
use crate::client::events::{self, Event, Mirrored};
use crate::client::text;
use crate::json::Object;
use std::cmp::Ordering;
use std::time::Duration;

/// What a mirror has come to, besides what was moved.
#[derive(Debug, Default)]
pub(in crate::client) struct Tally {
    /// Files that were as they should be.
    pub(super) same: u64,
    /// Files and whole trees.
    pub(in crate::client) removed: u64,
    /// What would be done.
    pub(super) would: Vec<Deed>,
}

/// Something that would be done.
#[derive(Debug)]
pub(super) struct Deed {
    /// Where in the tree, as a path on the server.
    pub(super) at: String,
    pub(super) act: Act,
    pub(super) shown: String,
}

/// In the order in which it is done to one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Remove,
    Make,
    Get,
    Put,
}

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Make => "mkdir",
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

impl Tally {
    pub(in crate::client) fn add(&mut self, mut other: Self) {
        self.same += other.same;
        self.removed += other.removed;
        self.would.append(&mut other.would);
    }

    /// Tells what was done in all: so many files were moved of so many, which were so many bytes, in which time. Or shows what
    /// would be done, in the order of the tree.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(in crate::client) fn tell(
        mut self,
        rules: Rules,
        name: &str,
        (files, of): (u64, u64),
        (bytes, took): (u64, Duration),
    ) -> Result<(), Trouble> {
        let same = self.same;
        if !rules.dry_run {
            Event::Mirrored(Mirrored {
                remote: name.to_owned(),
                files,
                of,
                same,
                removed: self.removed,
                bytes,
                took,
            })
            .tell();
            return Ok(());
        }
        self.would.sort_by(Deed::cmp);
        if events::is_json() {
            text::rows(self.would.iter().map(Deed::row))?;
        } else {
            text::show(self.would.iter().map(Deed::line))?;
        }
        let count = |acts: &[Act]| {
            let would = self.would.iter();
            would.filter(|deed| acts.contains(&deed.act)).count()
        };
        let (copied, removed) = (count(&[Act::Get, Act::Put]), count(&[Act::Remove]));
        text::say(&format!(
            "{name}: nothing done; {copied} would be copied, {same} are as they should be, {removed} would be removed"
        ));
        Ok(())
    }
}

impl Deed {
    fn line(&self) -> String {
        format!("{} {}", self.act.word(), self.shown)
    }

    fn row(&self) -> Object {
        Object::default()
            .with("act", self.act.word())
            .with("path", self.shown.as_str())
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let path = self.at.split('/').cmp(other.at.split('/'));
        path.then(self.act.cmp(&other.act))
    }
}
