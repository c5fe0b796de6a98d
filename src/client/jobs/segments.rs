//! One large file over several connections, each of which fetches a range of it.

use crate::client::connection::Connection;
use crate::client::download::{check, facts, get, target};
use crate::client::error::{Trouble, download_failed, is_interrupted};
use crate::client::interrupt;
use crate::client::login::Login;
use crate::client::part::Part;
use crate::client::progress::Meter;
use crate::client::transfer::Moved;
use crate::copy::{CopyError, copy};
use crate::protocol::command::{Arg, Command};
use anyhow::Result;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// The fewest bytes that are worth a connection.
const LEAST: u64 = 1024 * 1024;

/// What has to be known of a file that is fetched this way.
pub(super) struct Wanted<'a> {
    pub(super) remote: &'a Arg,
    pub(super) folder: &'a Path,
    pub(super) name: &'a str,
    /// How many connections there may be.
    pub(super) segments: usize,
}

/// Fetches a file as [`get`] does, over as many connections as were asked for and the server lets in. A file that is small,
/// or of which only one end can be had, comes over one.
///
/// # Errors
/// See [`get`]. What has come from the beginning on without a gap is kept for the next attempt.
pub(super) fn fetch(
    connection: &mut Connection,
    login: &Login,
    wanted: &Wanted<'_>,
    meter: &Meter<'_>,
) -> Result<Moved> {
    let Wanted {
        remote,
        folder,
        name,
        segments,
    } = *wanted;
    let verify = login.options.verify;
    let said = facts(connection, remote)?;
    let segments = match said.size {
        Some(size) if connection.abilities.rest => {
            segments.min(usize::try_from(size / LEAST).unwrap_or(usize::MAX))
        }
        _ => 1,
    };
    if segments < 2 {
        return get(connection, remote, (folder, name), None, verify, meter);
    }
    let size = said.size.unwrap_or_default();
    let mut part = Part::open(&target(folder, name)?, &said)?;
    let start = part.length();
    meter.is_of(size);
    meter.begins_at(start);
    let began = Instant::now();
    let file = part.scatter()?;
    let ranges = Ranges::cut(start..size, segments);
    let outcome = thread::scope(|scope| {
        for _ in 1..segments {
            let help = || ranges.help(login, remote, &file, meter);
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, help) {
                log::debug!("one connection less: {error}");
            }
        }
        ranges.fetch(connection, remote, &file, meter)
    });
    // The others may have given something back when this one was done already.
    let outcome = outcome.and_then(|()| ranges.fetch(connection, remote, &file, meter));
    drop(file);
    part.gather(ranges.first_gap(size), &said)?;
    outcome?;
    if verify {
        check(connection, remote, &mut part)?;
    } else if facts(connection, remote)? != said {
        part.start_over()?;
        let text = "the file was changed while it was fetched; try again";
        return Err(Trouble::Mismatch(text.to_owned()).into());
    }
    part.commit(said.modified.map(Into::into))?;
    Ok(Moved {
        bytes: size - start,
        resumed_at: start,
        took: began.elapsed(),
    })
}

/// The ranges that nobody has fetched yet.
struct Ranges(Mutex<VecDeque<Range<u64>>>);

impl Ranges {
    fn cut(whole: Range<u64>, count: usize) -> Self {
        let count = count.max(1) as u64;
        let each = (whole.end - whole.start).div_ceil(count).max(1);
        let begin = |index: u64| (whole.start + index * each).min(whole.end);
        let ranges = (0..count).map(|index| begin(index)..begin(index + 1));
        Self(Mutex::new(
            ranges.filter(|range| !range.is_empty()).collect(),
        ))
    }

    fn left(&self) -> MutexGuard<'_, VecDeque<Range<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the first byte is that has not come.
    fn first_gap(&self, size: u64) -> u64 {
        let left = self.left();
        left.iter().map(|range| range.start).min().unwrap_or(size)
    }

    /// Fetches what it can over a connection of its own. What it has left is fetched by the others.
    fn help(&self, login: &Login, remote: &Arg, file: &File, meter: &Meter<'_>) {
        let dialled = login.dial_beside();
        let moved = dialled.and_then(|mut other| {
            other.use_image_type()?;
            let moved = self.fetch(&mut other, remote, file, meter);
            other.quit();
            moved
        });
        if let Err(error) = moved {
            log::debug!("one connection less: {error:#}");
        }
    }

    /// Fetches one range after the other, as long as there are any. What is missing of one that failed is given back.
    fn fetch(
        &self,
        connection: &mut Connection,
        remote: &Arg,
        file: &File,
        meter: &Meter<'_>,
    ) -> Result<()> {
        loop {
            let Some(range) = self.left().pop_front() else {
                return Ok(());
            };
            let mut to = At {
                file,
                at: range.start,
            };
            let outcome = one(connection, remote, range.end, &mut to, meter);
            if to.at < range.end {
                self.left().push_front(to.at..range.end);
            }
            outcome?;
        }
    }
}

/// Fetches what is between where `to` stands and `end`.
fn one(
    connection: &mut Connection,
    remote: &Arg,
    end: u64,
    to: &mut At<'_>,
    meter: &Meter<'_>,
) -> Result<()> {
    let begin = to.at;
    let command = Command::Retr(remote.clone());
    let outcome = connection.transfer_at(begin, &command, |data, start| {
        if start != begin {
            let text = "the server does not send a file from its middle; get it without --segments";
            return Err(Trouble::Failed(text.to_owned()).into());
        }
        let copied = copy(&mut data.take(end - begin), to, |count| {
            meter.moved(count);
        });
        match copied {
            Ok(_) => Ok(()),
            Err(CopyError::Write(error)) => Err(Trouble::Local(error.to_string()).into()),
            Err(CopyError::Read(error)) => Err(download_failed(&error, to.at - begin).into()),
        }
    });
    match outcome {
        Err(error) if is_interrupted(&error) || interrupt::is_raised() => Err(error),
        // The server was not let finish, and may well complain of that.
        _ if to.at == end => Ok(()),
        Ok(()) => {
            Err(Trouble::Short("less of the file came than the server had said".to_owned()).into())
        }
        Err(error) => Err(error),
    }
}

/// Writes into the file from this place on.
struct At<'f> {
    file: &'f File,
    at: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_whole() {
        for (whole, count) in [(0..10, 3), (7..10, 4), (5..5, 2), (0..1_000_001, 8)] {
            let ranges = Ranges::cut(whole.clone(), count);
            let left = ranges.left();
            let mut at = whole.start;
            for range in left.iter() {
                assert_eq!(range.start, at);
                at = range.end;
            }
            assert_eq!(at, whole.end);
            assert!(left.len() <= count);
        }
        assert_eq!(Ranges::cut(3..9, 2).first_gap(9), 3);
        assert_eq!(Ranges::cut(9..9, 2).first_gap(9), 9);
    }
}
