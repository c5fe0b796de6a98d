//! One file from the server.

use super::connection::Connection;
use super::error::{Trouble, accepted};
use super::part::Part;
use super::progress::Meter;
use super::text;
use super::transfer::{Moved, same, size_said};
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::Class;
use crate::protocol::time;
use anyhow::Result;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Fetches `remote` into `folder` under the name `local`. The file appears there when it is whole, durable and of the
/// size that the server had said; until then it is called `local.part`. What an earlier attempt has left of it is gone on
/// from, if size and time on the server are what they were. A server that tells no times but in listings has `told` one
/// there.
///
/// # Errors
/// The server refused, a connection broke, the size or the checksum was another, or a local file could not be written. A
/// file of that name that was there before stays as it was.
pub(super) fn get(
    connection: &mut Connection,
    remote: &Arg,
    (folder, local): (&Path, &str),
    told: Option<Timestamp>,
    verify: bool,
    meter: &Meter<'_>,
) -> Result<Moved> {
    let target = target(folder, local)?;
    let mut said = facts(connection, remote)?;
    let mut part = Part::open(&target, &said)?;
    let moved = match fetch(connection, remote, &said, &mut part, meter) {
        Err(error) if connection.abilities.mdtm && is_mismatch(&error) => {
            let now = facts(connection, remote)?;
            if now == said {
                return Err(error);
            }
            // Somebody has put another file there meanwhile, and that one is what is wanted.
            drop(part);
            part = Part::open(&target, &now)?;
            said = now;
            fetch(connection, remote, &said, &mut part, meter)?
        }
        outcome => outcome?,
    };
    if verify {
        check(connection, remote, &mut part)?;
    }
    part.commit(said.modified.or(told).map(Into::into))?;
    Ok(moved)
}

/// Where a download of this name lands.
///
/// # Errors
/// See [`text::single_name`].
pub(super) fn target(folder: &Path, local: &str) -> Result<PathBuf, Trouble> {
    Ok(folder.join(text::single_name(local)?))
}

/// What the server says of a file, as far as it says anything. From then on bytes go over the wire as they are.
///
/// # Errors
/// The server refused `TYPE I`, or the connection broke.
pub(super) fn facts(connection: &mut Connection, remote: &Arg) -> Result<Entry> {
    let mut entry = Entry::new(remote.as_str(), Kind::File);
    let able = &connection.abilities;
    let mut commands: Vec<Command> = connection.image_type().into_iter().collect();
    commands.extend(able.size.then(|| Command::Size(remote.clone())));
    commands.extend(able.mdtm.then(|| Command::Mdtm(remote.clone())));
    let replies = connection.batch(&commands)?;
    for (command, reply) in commands.iter().zip(replies) {
        match command {
            Command::Size(_) => entry.size = size_said(connection, reply)?,
            Command::Mdtm(_) if reply.class() == Class::Completion => {
                entry.modified = time::parse_time(reply.text().trim());
            }
            Command::Type(_) => drop(accepted(reply)?),
            _ => {}
        }
    }
    Ok(entry)
}

/// Compares what has come with the server's checksum.
///
/// # Errors
/// [`Trouble::Mismatch`], and then nothing of it is kept; or the connection broke.
pub(super) fn check(connection: &mut Connection, remote: &Arg, part: &mut Part) -> Result<()> {
    if same(connection, remote, part.file(), part.length())? == Some(true) {
        return Ok(());
    }
    part.start_over()?;
    let text = "the server's checksum is not that of what came, or it has none to tell";
    Err(Trouble::Mismatch(text.to_owned()).into())
}

/// Downloads what is missing of a part, and all of it if what was there turns out to be of another file.
fn fetch(
    connection: &mut Connection,
    remote: &Arg,
    said: &Entry,
    part: &mut Part,
    meter: &Meter<'_>,
) -> Result<Moved> {
    let moved = fetch_rest(connection, remote, said, part, meter)?;
    if moved.resumed_at > 0 && same(connection, remote, part.file(), part.length())? == Some(false)
    {
        part.start_over()?;
        return fetch_rest(connection, remote, said, part, meter);
    }
    Ok(moved)
}

fn fetch_rest(
    connection: &mut Connection,
    remote: &Arg,
    said: &Entry,
    part: &mut Part,
    meter: &Meter<'_>,
) -> Result<Moved> {
    if let Some(size) = said.size {
        meter.is_of(size);
        if part.length() == size && size > 0 {
            // All has come, and only the server's last word was missing.
            meter.begins_at(size);
            return Ok(Moved {
                bytes: 0,
                resumed_at: size,
                took: Duration::ZERO,
            });
        }
    }
    let began = Instant::now();
    let start = connection.transfer_at(
        part.length(),
        &Command::Retr(remote.clone()),
        |data, start| {
            if start < part.length() {
                part.start_over()?;
            }
            part.fill(data, said.size, meter).map(|()| start)
        },
    )?;
    let took = began.elapsed();
    part.is_whole(said.size)?;
    Ok(Moved {
        bytes: part.length() - start,
        resumed_at: start,
        took,
    })
}

fn is_mismatch(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Trouble::Mismatch(_) | Trouble::Short(_))
    )
}
