//! Commands on files and folders that need no data connection.

use super::failure;
use super::root::VirtualPath;
use super::session::{Session, ok, reply};
use super::transfer::cut_reply;
use super::users::Permissions;
use super::watch::{Cut, Watch};
use crate::copy::{Checksum, copy};
use crate::protocol::command::{Arg, TransferType};
use crate::protocol::entry::{Entry, Kind, Perm};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Reply, ReplyCode};
use crate::protocol::time;
use cap_std::fs::File;
use jiff::Timestamp;
use std::io::{self, Write};

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

pub(super) fn rmd(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    change(
        session,
        name,
        |session, path| session.root().remove_folder(path),
        "removed",
    )
}

pub(super) fn dele(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    change(
        session,
        name,
        |session, path| session.root().remove_file(path),
        "deleted",
    )
}

pub(super) fn rnfr(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    match entry(session, name.as_str()) {
        Ok((path, _)) => {
            session.rename_from = Some(path);
            reply(ReplyCode::NEED_MORE, "Send RNTO with the new name.")
        }
        Err(refusal) => Ok(refusal),
    }
}

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

/// draft-bryan-ftpext-hash §3.2.
pub(super) fn hash(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let algorithm = session.hash;
    match checksum(session, name.as_str(), algorithm)? {
        Ok((path, size, digest)) => reply(
            ReplyCode::FILE_STATUS,
            format!("{algorithm} 0-{size} {digest} {path}"),
        ),
        Err(refusal) => Ok(refusal),
    }
}

/// `XSHA256` and the like. Some clients put the name in quotes.
pub(super) fn xhash(
    session: &mut Session<'_>,
    algorithm: HashAlgorithm,
    name: &Arg,
) -> io::Result<Reply> {
    let name = name.as_str();
    let name = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .unwrap_or(name);
    match checksum(session, name, algorithm)? {
        Ok((_, _, digest)) => reply(ReplyCode::FILE_ACTION_DONE, digest.to_uppercase()),
        Err(refusal) => Ok(refusal),
    }
}

/// RFC 959 §4.1.3 and appendix II: a quote in the path is doubled.
fn quoted(path: &VirtualPath) -> String {
    format!("\"{}\"", path.as_str().replace('"', "\"\""))
}

/// Carries out a change of one path.
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
fn partial(session: &Session<'_>, path: &VirtualPath) -> io::Result<(File, u64)> {
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

/// A checksum of a whole file, or of what this account can go on from, with its size in bytes. A large file takes long, and
/// is stopped by what stops a transfer.
fn checksum(
    session: &mut Session<'_>,
    name: &str,
    algorithm: HashAlgorithm,
) -> io::Result<Result<(VirtualPath, u64, String), Reply>> {
    let path = match session.path(name) {
        Ok(path) => path,
        Err(error) => return Ok(Err(failure::bad_path(error, false))),
    };
    let whole = if session.permissions().allow(Permissions::DOWNLOAD) {
        session.root().read(&path)
    } else {
        Err(io::ErrorKind::NotFound.into())
    };
    let found = whole.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => partial(session, &path).map_err(|_| error),
        _ => Err(error),
    });
    let mut file = match found {
        Ok((file, _)) => file,
        Err(error) => return Ok(Err(failure::file(&error, &path))),
    };
    let activity = format!("{algorithm} of {path}");
    let mut watched = Watched {
        checksum: Checksum::new(algorithm),
        watch: Watch::new(&mut session.control, &session.shared.phase, &activity),
        cut: None,
    };
    match (copy(&mut file, &mut watched, |_| {}), watched.cut) {
        (Ok(size), _) => Ok(Ok((path, size, watched.checksum.finish()))),
        (Err(_), Some(cut)) => cut_reply(cut, ReplyCode::TRANSFER_ABORTED).map(Err),
        (Err(error), None) => Ok(Err(failure::file(&error.into(), &path))),
    }
}

/// A checksum during which the control connection is watched.
struct Watched<'s> {
    checksum: Checksum,
    watch: Watch<'s>,
    /// Why it refuses to go on, if it does.
    cut: Option<Cut>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.glance().map_err(|cut| {
            self.cut = Some(cut);
            io::Error::from(io::ErrorKind::ConnectionAborted)
        })?;
        self.watch.moved += bytes.len() as u64;
        self.checksum.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
