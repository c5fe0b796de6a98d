//! Mirrors: a folder of one side made a copy of the other side's, with as little as possible moved for it.
//!
//! Whoever opens a folder looks at both sides of it, and yields jobs for what differs. What is too much on the target side
//! goes only when the listing of the source side is whole beyond doubt.

mod compare;
mod down;
mod here;
mod tally;
mod up;

use super::connection::Connection;
use super::error::Trouble;
use super::jobs::{Job, Way, What};
use super::tree::{self, Found};
use anyhow::Result;
use std::collections::HashSet;
use std::fmt::Display;
use std::path::PathBuf;
pub(super) use tally::Tally;
use tally::{Act, Deed};
pub(super) use up::remove;

/// How a mirror is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// What the source does not have is removed.
    pub(super) delete: bool,
    /// Nothing is changed, on neither side: what would be done is told instead.
    pub(super) dry_run: bool,
}

/// A folder on the way through a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) rules: Rules,
    /// In so many other folders of the tree.
    pub(super) depth: u32,
    /// The target side has no such folder yet, or would have none by now.
    pub(super) new: bool,
}

/// Looks at both sides of a folder, makes the target's if it is missing, and says what is to be done in it.
///
/// # Errors
/// The source's folder could not be listed, or the target's not be made or listed; or a connection broke. Nothing is
/// removed then.
pub(super) fn open(way: Way, connection: &mut Connection, job: &Job, step: Step) -> Result<Found> {
    tree::check_depth(step.depth)?;
    let mut folder = Folder {
        job,
        step,
        found: Found::default(),
    };
    match way {
        Way::Down => folder.down(connection)?,
        Way::Up => folder.up(connection)?,
    }
    Ok(folder.found)
}

/// A folder that is being looked at.
struct Folder<'j> {
    job: &'j Job,
    step: Step,
    found: Found,
}

impl Folder<'_> {
    /// The folder on this side. The top of the tree has its path as it was typed.
    fn place(&self) -> PathBuf {
        match self.job.name.is_empty() {
            true => self.job.folder.clone(),
            false => self.job.local(),
        }
    }

    /// The path on the server of a name in this folder.
    fn remote(&self, name: &str) -> String {
        format!("{}/{name}", self.job.remote.trim_end_matches('/'))
    }

    const fn inner(&self, new: bool) -> What {
        let Step { rules, depth, .. } = self.step;
        What::Mirror(Step {
            rules,
            depth: depth + 1,
            new,
        })
    }

    /// Whether something is only to be told, to a name in this folder or to the folder itself; then that is noted.
    fn would(&mut self, act: Act, name: &str, shown: &dyn Display) -> bool {
        let at = match name {
            "" => self.job.remote.clone(),
            name => self.remote(name),
        };
        self.would_at(act, at, shown)
    }

    fn would_at(&mut self, act: Act, at: String, shown: &dyn Display) -> bool {
        if self.step.rules.dry_run {
            let shown = shown.to_string();
            self.found.tally.would.push(Deed { at, act, shown });
        }
        self.step.rules.dry_run
    }

    fn keeps(&mut self, place: &dyn Display, doubt: &str) {
        self.fault(Trouble::Failed(format!(
            "nothing was removed from {place}: {doubt}"
        )));
    }

    fn fault(&mut self, error: impl Into<anyhow::Error>) {
        self.found.faults.push(error.into());
    }
}

/// Whether it is what came of one of the names in an earlier attempt, for the next one to go on from.
fn is_part_of_one(name: &str, names: &HashSet<&str>) -> bool {
    let whole = name.strip_suffix(".facts").unwrap_or(name);
    whole
        .strip_suffix(".part")
        .is_some_and(|whole| names.contains(whole))
}
