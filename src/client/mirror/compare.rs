//! Whether a file is on both sides the same, as far as its size and its time tell.

use crate::client::connection::Connection;
use crate::client::transfer;
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::Class;
use crate::protocol::time;
use anyhow::Result;
use jiff::Timestamp;
use std::fs::Metadata;

const A_MINUTE: i64 = 60;
const A_DAY: i64 = 24 * 3600;

/// A file on this side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared {
    /// In bytes.
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
}

impl From<&Metadata> for Compared {
    fn from(data: &Metadata) -> Self {
        let modified = data.modified().ok();
        Self {
            size: data.len(),
            modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
        }
    }
}

/// Which side has the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    Here,
    There {
        /// Nothing may be changed, not even to see whether it could be.
        dry_run: bool,
    },
}

/// Whether the file at `path` on the server, of which an entry tells with times that may be `rough`, is the one here. The
/// server is asked for the time where the listing's leaves it open, and for both of a link, of which a listing tells only
/// of itself.
///
/// A copy on the server may be younger where the server takes no times.
///
/// # Errors
/// The connection broke.
pub(super) fn is_same(
    connection: &mut Connection,
    copied: Copied,
    path: &str,
    (entry, rough): (&Entry, bool),
    here: Compared,
) -> Result<bool> {
    let path: Arg = path.parse()?;
    let is_file = entry.kind == Kind::File;
    let size = match entry.size.filter(|_| is_file) {
        Some(size) => Some(size),
        None => {
            connection.use_image_type()?;
            transfer::size(connection, &path)?
        }
    };
    if size != Some(here.size) {
        return Ok(false);
    }
    let Some(modified) = here.modified.map(Timestamp::as_second) else {
        return Ok(false);
    };
    let may_be_younger = copied != Copied::Here && !connection.abilities.mfmt;
    let told = entry.modified.filter(|_| is_file).map(Timestamp::as_second);
    if let Some(from) = told {
        let until = from + precision(from, rough);
        // A time of another zone is no more than a day off.
        let leeway = if rough { A_DAY } else { 0 };
        if (from..until).contains(&modified) && !(rough && may_be_younger)
            || may_be_younger && from - leeway >= modified
        {
            return Ok(true);
        }
    }
    let exactly = exactly(connection, &path)?.or(told.filter(|_| !rough));
    match (exactly, told) {
        (Some(there), _) if there <= modified || may_be_younger => Ok(there >= modified),
        (Some(there), _) => match copied {
            Copied::There { dry_run: false } => takes_no_time(connection, path, there),
            _ => Ok(false),
        },
        (None, Some(from)) => Ok(may_be_younger && from + precision(from, rough) > modified),
        // The server tells no times at all, so nothing but the size is left to go by.
        (None, None) => Ok(true),
    }
}

/// Whether the server refuses to set the time of a file, which most do for a file of another owner: it is asked to set the
/// one that the file has.
fn takes_no_time(connection: &mut Connection, path: Arg, there: i64) -> Result<bool> {
    let Ok(there) = Timestamp::from_second(there) else {
        return Ok(false);
    };
    let reply = connection.send(&Command::Mfmt(there, path))?;
    Ok(reply.class() == Class::PermanentNegative)
}

/// How long the time lasts that is told, in seconds. Rows tell the time of day, or of what is old only the day.
const fn precision(time: i64, rough: bool) -> i64 {
    match (rough, time % A_DAY) {
        (false, _) => 1,
        (true, 0) => A_DAY,
        (true, _) => A_MINUTE,
    }
}

/// When the server says that the file was changed (RFC 3659 §3), in seconds since 1970; `None` if it does not say.
fn exactly(connection: &mut Connection, path: &Arg) -> Result<Option<i64>> {
    if !connection.abilities.mdtm {
        return Ok(None);
    }
    let reply = connection.send(&Command::Mdtm(path.clone()))?;
    let told = (reply.class() == Class::Completion)
        .then(|| time::parse_time(reply.text().trim()))
        .flatten();
    Ok(told.map(Timestamp::as_second))
}
