//! Commands on files and folders that need no data connection.

use super::failure;
use super::root::VirtualPath;
use super::session::{Session, ok, reply};
use super::users::Permissions;
use crate::protocol::command::{Arg, TransferType};
use crate::protocol::entry::{Entry, Kind, Perm};
use crate::protocol::reply::{Reply, ReplyCode};
use crate::protocol::time;
use cap_std::fs::File;
use jiff::Timestamp;
use std::io;

#[inline(never)]
pub(super) fn pwd(session: &mut Session<'_>) -> io::Result<Reply> {
    reply(
        ReplyCode::PATH,
        format!("{} is the current folder.", quoted(&session.cwd)),
    )
}

pub(super) fn cwd(session: &mut Session<'_>, name: &str) -> io::Result<Reply> {
    let (path, entry) = match entry(session, name) {
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    if entry.kind != Kind::Folder {
        return Ok(failure::file(&io::ErrorKind::NotADirectory.into(), &path));
    }
    let text = format!("{path} is the current folder.");
    session.cwd = path;
    reply(ReplyCode::FILE_ACTION_DONE, text)
}

#[inline(never)]
pub(super) fn mkd(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, true)),
    };
    match session.root().create_folder(&path) {
        Ok(()) => reply(ReplyCode::PATH, format!("{} created.", quoted(&path))),
        Err(error) => Ok(failure::file(&error, &path)),
    }
}

#[inline(never)]
pub(super) fn rmd(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    change(
        session,
        name,
        |session, path| session.root().remove_folder(path),
        "removed",
    )
}

#[inline(never)]
pub(super) fn dele(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    change(
        session,
        name,
        |session, path| session.root().remove_file(path),
        "deleted",
    )
}

#[inline(never)]
pub(super) fn rnfr(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    match entry(session, name.as_str()) {
        Ok((path, _)) => {
            session.rename_from = Some(path);
            reply(ReplyCode::NEED_MORE, "Send RNTO with the new name.")
        }
        Err(refusal) => Ok(refusal),
    }
}

#[inline(never)]
pub(super) fn rnto(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let Some(from) = session.rename_from.take() else {
        return reply(ReplyCode::BAD_SEQUENCE, "Send RNFR first.");
    };
    let to = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, true)),
    };
    match session.root().rename(&from, &to) {
        Ok(()) => reply(ReplyCode::FILE_ACTION_DONE, format!("{from} is now {to}.")),
        Err(error) => Ok(failure::file(&error, &to)),
    }
}

/// RFC 3659 §4. Of a cut upload it tells its owner how much is there to go on from.
#[inline(never)]
pub(super) fn size(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    if session.transfer_type == TransferType::Ascii {
        // The number of bytes with converted line ends is known only after reading the whole file.
        return reply(
            ReplyCode::UNAVAILABLE,
            "SIZE is not available in ASCII type, send TYPE I first.",
        );
    }
    match entry_or_partial(session, name.as_str()) {
        Ok((
            _,
            Entry {
                size: Some(size), ..
            },
        )) => reply(ReplyCode::FILE_STATUS, size.to_string()),
        Ok((path, entry)) => Ok(not_a_file(&path, &entry)),
        Err(refusal) => Ok(refusal),
    }
}

/// RFC 3659 §3. Older clients set the time by it: `MDTM YYYYMMDDhhmmss path`.
#[inline(never)]
pub(super) fn mdtm(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let found = seen(session, name.as_str());
    if found.is_err()
        && let Some((stamp, path)) = name.as_str().split_once(' ')
        && let (Some(time), Ok(path)) = (time::parse_time(stamp), path.parse())
    {
        return mfmt(session, time, &path);
    }
    match found {
        Ok((
            _,
            Entry {
                kind: Kind::File,
                modified: Some(modified),
                ..
            },
        )) => reply(ReplyCode::FILE_STATUS, time::format_time(modified)),
        Ok((path, entry)) => Ok(not_a_file(&path, &entry)),
        Err(refusal) => Ok(refusal),
    }
}

/// draft-somers-ftp-mfxx §3.1.
pub(super) fn mfmt(session: &mut Session<'_>, time: Timestamp, name: &Arg) -> io::Result<Reply> {
    match set_modified(session, time, name) {
        Ok(path) => reply(
            ReplyCode::FILE_STATUS,
            format!("Modify={}; {path}", time::format_time(time)),
        ),
        Err(refusal) => Ok(refusal),
    }
}

pub(super) fn site_utime(
    session: &mut Session<'_>,
    time: Timestamp,
    name: &Arg,
) -> io::Result<Reply> {
    match set_modified(session, time, name) {
        Ok(path) => ok(format!("Time of {path} set.")),
        Err(refusal) => Ok(refusal),
    }
}

pub(super) fn site_chmod(session: &mut Session<'_>, mode: u32, name: &Arg) -> io::Result<Reply> {
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, false)),
    };
    match session.root().set_mode(&path, mode) {
        Ok(()) => ok(format!("Mode of {path} is {mode:03o}.")),
        Err(error) => Ok(failure::file(&error, &path)),
    }
}

/// RFC 3659 §7.
#[inline(never)]
pub(super) fn mlst(session: &mut Session<'_>, name: Option<&Arg>) -> io::Result<Reply> {
    let (path, entry) = match entry_or_partial(session, name.map_or(".", Arg::as_str)) {
        Ok(found) => found,
        Err(refusal) => return Ok(refusal),
    };
    let mut facts = Vec::new();
    entry.write_facts(session.facts, &mut facts)?;
    let facts = String::from_utf8_lossy(&facts).into_owned();
    Ok(Reply::multi(
        ReplyCode::FILE_ACTION_DONE,
        format!("Listing {path}"),
        [facts],
        "End",
    ))
}

/// RFC 959 §4.1.3 and appendix II: a quote in the path is doubled.
fn quoted(path: &VirtualPath) -> String {
    format!("\"{}\"", path.as_str().replace('"', "\"\""))
}

/// Carries out a change of one path.
#[inline(never)]
fn change(
    session: &Session<'_>,
    name: &Arg,
    act: impl Fn(&Session<'_>, &VirtualPath) -> io::Result<()>,
    done: &str,
) -> io::Result<Reply> {
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, false)),
    };
    match act(session, &path) {
        Ok(()) => reply(ReplyCode::FILE_ACTION_DONE, format!("{path} {done}.")),
        Err(error) => Ok(failure::file(&error, &path)),
    }
}

/// What is at the path that a client's word means, or the refusal.
fn entry(session: &Session<'_>, name: &str) -> Result<(VirtualPath, Entry), Reply> {
    let path = session
        .path(name)
        .map_err(|error| failure::bad_path(error, false))?;
    match session.root().entry(&path, session.permissions()) {
        Ok(entry) => Ok((path, entry)),
        Err(error) => Err(failure::file(&error, &path)),
    }
}

/// The same, for those alone who may know what is there.
fn seen(session: &Session<'_>, name: &str) -> Result<(VirtualPath, Entry), Reply> {
    if session.permissions().allow(Permissions::SEE) {
        entry(session, name)
    } else {
        Err(session.denied("see what is there"))
    }
}

/// The same, and where there is nothing, what this account's cut upload has left.
#[inline(never)]
fn entry_or_partial(session: &Session<'_>, name: &str) -> Result<(VirtualPath, Entry), Reply> {
    seen(session, name).or_else(|refusal| {
        let path = session.path(name).map_err(|_| refusal.clone())?;
        let (_, size) = partial(session, &path).map_err(|_| refusal)?;
        let mut entry = Entry::new(path.as_str(), Kind::File);
        entry.size = Some(size);
        // RFC 3659 §7.5.5: it can be appended to and written over, and not read.
        entry.perm = Some(Perm::of("aw"));
        Ok((path, entry))
    })
}

/// What this account's cut upload of a path has left.
pub(super) fn partial(session: &Session<'_>, path: &VirtualPath) -> io::Result<(File, u64)> {
    if !session.permissions().allow(Permissions::UPLOAD) {
        return Err(io::ErrorKind::NotFound.into());
    }
    session.root().partial(path, &session.owner())
}

fn not_a_file(path: &VirtualPath, entry: &Entry) -> Reply {
    let what = if entry.kind == Kind::Folder {
        io::ErrorKind::IsADirectory
    } else {
        io::ErrorKind::Unsupported
    };
    failure::file(&what.into(), path)
}

fn set_modified(session: &Session<'_>, time: Timestamp, name: &Arg) -> Result<VirtualPath, Reply> {
    if !session.permissions().allow(Permissions::UPLOAD) {
        return Err(session.denied("set times"));
    }
    let path = session
        .path(name.as_str())
        .map_err(|error| failure::bad_path(error, false))?;
    match session.root().set_modified(&path, time.into()) {
        Ok(()) => Ok(path),
        Err(error) => Err(failure::file(&error, &path)),
    }
}
