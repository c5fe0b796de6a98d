//! What a mirror has come to, or would.

use super::Rules;
use crate::client::error::Trouble;
use crate::client::text;
use std::cmp::Ordering;

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

    /// Shows what would be done, in the order of the tree, and tells what there was to be done in all: so many files are
    /// moved of so many, and how many bytes in which time.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(in crate::client) fn tell(
        mut self,
        rules: Rules,
        name: &str,
        (done, found): (u64, u64),
        moved: &str,
    ) -> Result<(), Trouble> {
        let same = self.same;
        if !rules.dry_run {
            let copied = match done == found {
                true => format!("{done} copied"),
                false => format!("{done} of {found} copied"),
            };
            let removed = self.removed;
            text::say(&format!(
                "{name}: {copied}, {same} as they should be, {removed} removed; {moved}"
            ));
            return Ok(());
        }
        self.would.sort_by(Deed::cmp);
        text::show(
            self.would
                .iter()
                .map(|deed| format!("{} {}", deed.act.word(), deed.shown)),
        )?;
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
    fn cmp(&self, other: &Self) -> Ordering {
        let path = self.at.split('/').cmp(other.at.split('/'));
        path.then(self.act.cmp(&other.act))
    }
}
