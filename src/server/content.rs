//! The content of files: `REST`, `RETR`, `STOR`, `APPE`, `STOU`.

use super::ascii::{FromWire, ToWire};
use super::data::{DataChannel, FEW};
use super::failure;
use super::root::{Start, VirtualPath};
use super::session::{Session, reply};
use super::transfer::{Failure, Transfer, no_data_connection};
use crate::copy::{CopyError, copy};
use crate::protocol::command::{Arg, TransferType};
use crate::protocol::reply::{Reply, ReplyCode};
use std::io::{self, Read, Seek, SeekFrom};

/// RFC 3659 §5.
#[inline(never)]
pub(super) fn rest(session: &mut Session<'_>, position: u64) -> io::Result<Reply> {
    session.restart_at = position;
    reply(
        ReplyCode::NEED_MORE,
        format!("The next transfer begins at byte {position}."),
    )
}

#[inline(never)]
pub(super) fn retr(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let (data, start) = (session.data.take(), std::mem::take(&mut session.restart_at));
    let ascii = session.transfer_type == TransferType::Ascii;
    if ascii && start > 0 {
        return no_restart_in_ascii();
    }
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, false)),
    };
    let (mut file, size) = match session.root().read(&path) {
        Ok(found) => found,
        Err(error) => return Ok(failure::file(&error, &path)),
    };
    if start > size {
        return Ok(failure::file(&io::ErrorKind::UnexpectedEof.into(), &path));
    }
    let opening = format!("Sending {path} ({} bytes).", size - start);
    Transfer {
        verb: "RETR",
        path,
        opening,
        data,
    }
    .run(session, |channel| {
        if ascii {
            return send(&mut ToWire::new(file), channel);
        }
        match channel.send_file(&file, start, size) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                file.seek(SeekFrom::Start(start)).map_err(Failure::File)?;
                send(&mut file, channel)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Failure::File(error)),
            sent => sent.map_err(Failure::Data),
        }
    })
}

/// Sends what there is to read, by way of a buffer.
fn send(from: &mut impl Read, channel: &mut DataChannel<'_>) -> Result<(), Failure> {
    let sent = copy(from, channel, |_| {});
    sent.map(drop).map_err(|error| match error {
        CopyError::Read(error) => Failure::File(error),
        CopyError::Write(error) => Failure::Data(error),
    })
}

pub(super) fn stor(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let start = match std::mem::take(&mut session.restart_at) {
        0 => Start::Anew,
        position => Start::At(position),
    };
    if session.transfer_type == TransferType::Ascii && start != Start::Anew {
        return no_restart_in_ascii();
    }
    match session.path(name.as_str()) {
        Ok(path) => receive(session, "STOR", path, start),
        Err(error) => Ok(failure::bad_path(error, true)),
    }
}

pub(super) fn appe(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    match session.path(name.as_str()) {
        Ok(path) => receive(session, "APPE", path, Start::End),
        Err(error) => Ok(failure::bad_path(error, true)),
    }
}

/// The 150 tells the name, as RFC 1123 §4.1.2.9 has it. A name that the client gives is the beginning of it.
#[inline(never)]
pub(super) fn stou(session: &mut Session<'_>, name: Option<&Arg>) -> io::Result<Reply> {
    let name = format!(
        "{}.{:016x}",
        name.map_or("upload", Arg::as_str),
        getrandom::u64()?
    );
    match session.path(&name) {
        Ok(path) => receive(session, "STOU", path, Start::Anew),
        Err(error) => Ok(failure::bad_path(error, true)),
    }
}

#[inline(never)]
fn receive(
    session: &mut Session<'_>,
    verb: &'static str,
    path: VirtualPath,
    start: Start,
) -> io::Result<Reply> {
    let Some(data) = session.data.take() else {
        return Ok(no_data_connection());
    };
    let mut upload = match session.root().upload(&path, &session.owner(), start) {
        Ok(upload) => upload,
        Err(error) => return Ok(failure::file(&error, &path)),
    };
    let opening = if verb == "STOU" {
        format!("FILE: {path}")
    } else {
        format!("Receiving {path}.")
    };
    let ascii = session.transfer_type == TransferType::Ascii;
    let lanes = &session.shared.lanes;
    Transfer {
        verb,
        path,
        opening,
        data: Some(data),
    }
    .run(session, |channel| {
        if ascii {
            let mut file = FromWire::new(&mut upload);
            copy(channel, &mut file, |_| {})?;
            file.finish().map_err(Failure::File)?;
        } else {
            channel.receive(&mut upload, lanes)?;
        }
        // A client that dies closes both its connections. Its end is looked for after the time that the disk takes, since the
        // news of the one connection may come later than that of the other, and where that time may be long, before it too.
        let seen = match channel.moved() {
            ..=FEW => channel.release(),
            _ => channel.look(),
        };
        seen.map_err(Failure::Data)?;
        upload.sync().map_err(Failure::File)?;
        channel.look().map_err(Failure::Data)?;
        upload.commit().map_err(Failure::File)
    })
}

fn no_restart_in_ascii() -> io::Result<Reply> {
    reply(
        ReplyCode::NOT_FOR_PARAMETER,
        "REST counts bytes as they are, send TYPE I first.",
    )
}
