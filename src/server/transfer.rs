//! Commands that move data: `EPSV`, `PASV`, and the transfers themselves.

use super::data::{Cut, DataChannel, DataListener};
use super::failure;
use super::root::VirtualPath;
use super::session::{Session, ok, reply};
use crate::copy::{CHUNK, CopyError, copy};
use crate::protocol::address::{ExtendedPassiveText, HostPort, Network, PassiveText};
use crate::protocol::command::{Arg, Epsv};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Reply, ReplyCode};
use jiff::Timestamp;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddrV4};
use std::time::Instant;

/// How many bytes of a listing go into one write.
const LISTING_BUFFER: usize = 32 * 1024;

/// RFC 2428 §3.
pub(super) fn epsv(session: &mut Session<'_>, on: Epsv) -> io::Result<Reply> {
    match on {
        Epsv::All => {
            session.epsv_all = true;
            return ok("From now on only EPSV.");
        }
        Epsv::On(network) if network != Network::of(session.local) => {
            let text = format!(
                "Network protocol not supported, use ({}).",
                Network::of(session.local)
            );
            return reply(ReplyCode::UNSUPPORTED_NETWORK, text);
        }
        Epsv::On(_) | Epsv::Same => {}
    }
    match listen(session) {
        Ok(port) => reply(
            ReplyCode::EXTENDED_PASSIVE,
            ExtendedPassiveText(port).to_string(),
        ),
        Err(refusal) => Ok(refusal),
    }
}

/// RFC 959 §4.1.2.
pub(super) fn pasv(session: &mut Session<'_>) -> io::Result<Reply> {
    if session.epsv_all {
        return reply(
            ReplyCode::BAD_ARGUMENT,
            "After EPSV ALL only EPSV is allowed.",
        );
    }
    let address = match (session.shared.config.public_address, session.local) {
        (Some(address), _) | (None, IpAddr::V4(address)) => address,
        (None, IpAddr::V6(_)) => {
            return reply(ReplyCode::CANNOT_OPEN_DATA, "PASV is for IPv4, use EPSV.");
        }
    };
    match listen(session) {
        Ok(port) => {
            let text = PassiveText(HostPort(SocketAddrV4::new(address, port)));
            reply(ReplyCode::PASSIVE, text.to_string())
        }
        Err(refusal) => Ok(refusal),
    }
}

/// Replaces the session's listener by a fresh one. Returns its port.
fn listen(session: &mut Session<'_>) -> Result<u16, Reply> {
    session.listener = None;
    let ports = session.shared.config.passive_ports;
    match ports.listen(session.local) {
        Ok(listener) => Ok(session.listener.insert(listener).port()),
        Err(error) => {
            log::error!(
                "cannot listen for data on {} ports {ports}: {error}",
                session.local
            );
            let text = "No port is free for a data connection, try again later.";
            Err(Reply::new(ReplyCode::CANNOT_OPEN_DATA, text))
        }
    }
}

pub(super) fn retr(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let listener = session.listener.take();
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, false)),
    };
    let (file, size) = match session.shared.root.read(&path) {
        Ok(found) => found,
        Err(error) => return Ok(failure::file(&error, &path)),
    };
    let opening = format!("Sending {path} ({size} bytes).");
    Transfer {
        verb: "RETR",
        path,
        opening,
        listener,
    }
    .run(session, |channel| {
        channel.send_file(&file, size).map_err(Failure::Data)
    })
}

pub(super) fn stor(session: &mut Session<'_>, name: &Arg) -> io::Result<Reply> {
    let listener = session.listener.take();
    let path = match session.path(name.as_str()) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, true)),
    };
    if listener.is_none() {
        return Ok(no_data_connection());
    }
    let mut upload = match session.shared.root.upload(&path) {
        Ok(upload) => upload,
        Err(error) => return Ok(failure::file(&error, &path)),
    };
    let opening = format!("Receiving {path}.");
    Transfer {
        verb: "STOR",
        path,
        opening,
        listener,
    }
    .run(session, |channel| {
        copy(channel, &mut upload, &mut vec![0; CHUNK], |_| {})?;
        channel.look().map_err(Failure::Data)?;
        upload.sync().map_err(Failure::File)?;
        channel.look().map_err(Failure::Data)?;
        upload.commit().map_err(Failure::File)
    })
}

pub(super) fn list(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    let now = Timestamp::now();
    listing(session, "LIST", without_options(path), |entry, out| {
        entry.write_row(now, out)
    })
}

pub(super) fn nlst(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    listing(session, "NLST", without_options(path), |entry, out| {
        out.write_all(entry.name.as_bytes())
    })
}

/// RFC 3659 §7.
pub(super) fn mlsd(session: &mut Session<'_>, path: Option<&Arg>) -> io::Result<Reply> {
    listing(
        session,
        "MLSD",
        path.map_or("", Arg::as_str),
        |entry, out| entry.write_facts(out),
    )
}

/// `LIST -la folder` is what many clients send, as if it were `ls`: the options are passed over.
fn without_options(path: Option<&Arg>) -> &str {
    let mut path = path.map_or("", Arg::as_str);
    while path.starts_with('-') {
        path = path
            .split_once(' ')
            .map_or("", |(_, rest)| rest.trim_start());
    }
    path
}

/// The three listings: of a folder its entries, of a file itself (but for `MLSD`), a row each by `write`.
fn listing(
    session: &mut Session<'_>,
    verb: &'static str,
    name: &str,
    write: impl Fn(&Entry, &mut BufWriter<&mut DataChannel<'_>>) -> io::Result<()>,
) -> io::Result<Reply> {
    let listener = session.listener.take();
    let path = match session.path(name) {
        Ok(path) => path,
        Err(error) => return Ok(failure::bad_path(error, false)),
    };
    let root = &session.shared.root;
    let entries: Box<dyn Iterator<Item = io::Result<Entry>>> =
        match root.entry(&path, session.access()) {
            Ok(entry) if entry.kind != Kind::Folder => {
                if verb == "MLSD" {
                    return reply(
                        ReplyCode::BAD_ARGUMENT,
                        format!("{path} is not a folder, use MLST."),
                    );
                }
                Box::new(std::iter::once(Ok(Entry {
                    name: name.to_owned(),
                    ..entry
                })))
            }
            Ok(_) => match root.list(&path, session.access()) {
                Ok(listing) => Box::new(listing),
                Err(error) => return Ok(failure::file(&error, &path)),
            },
            Err(error) => return Ok(failure::file(&error, &path)),
        };
    let opening = format!("Listing {path}.");
    Transfer {
        verb,
        path,
        opening,
        listener,
    }
    .run(session, |channel| {
        let mut out = BufWriter::with_capacity(LISTING_BUFFER, channel);
        for entry in entries {
            let entry = entry.map_err(Failure::File)?;
            write(&entry, &mut out)
                .and_then(|()| out.write_all(b"\r\n"))
                .map_err(Failure::Data)?;
        }
        out.flush().map_err(Failure::Data)
    })
}

/// One transfer, from its 150 to its last reply.
struct Transfer {
    verb: &'static str,
    path: VirtualPath,
    opening: String,
    listener: Option<DataListener>,
}

/// Which side of a transfer failed.
enum Failure {
    Data(io::Error),
    File(io::Error),
}

/// As an upload sees it: what is read comes over the data connection, what is written goes to the file.
impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) => Self::Data(error),
            CopyError::Write(error) => Self::File(error),
        }
    }
}

impl Transfer {
    /// Opens the data connection, moves the bytes, closes it, logs, and returns the final reply.
    fn run(
        self,
        session: &mut Session<'_>,
        work: impl FnOnce(&mut DataChannel<'_>) -> Result<(), Failure>,
    ) -> io::Result<Reply> {
        let Self {
            verb,
            path,
            opening,
            listener,
        } = self;
        let Some(listener) = listener else {
            return Ok(no_data_connection());
        };
        let began = Instant::now();
        session
            .control
            .send(&Reply::new(ReplyCode::ABOUT_TO_OPEN, opening))?;
        let limits = session.shared.config.limits;
        let accepted = listener.accept(
            session.peer.ip(),
            &mut session.control,
            &session.shared.phase,
            limits.data,
        );
        let (moved, outcome) = match accepted {
            Ok(mut channel) => {
                let result = work(&mut channel);
                let outcome = match (result, channel.cut()) {
                    (Ok(()), _) => Ok(Reply::new(ReplyCode::TRANSFER_DONE, "Transfer complete.")),
                    (Err(_), Some(cut)) => cut_reply(cut, ReplyCode::TRANSFER_ABORTED),
                    (Err(Failure::File(error)), None) => Ok(failure::file(&error, &path)),
                    (Err(Failure::Data(error)), None) => {
                        let text = format!("The data connection failed: {error}.");
                        Ok(Reply::new(ReplyCode::TRANSFER_ABORTED, text))
                    }
                };
                (channel.moved(), outcome)
            }
            Err(cut) => (0, cut_reply(cut, ReplyCode::CANNOT_OPEN_DATA)),
        };
        let said = outcome.as_ref().map_or_else(ToString::to_string, |reply| {
            format!("{} {}", reply.code(), reply.text())
        });
        log::info!(
            "{} {} {verb} {path} {moved} bytes {:.3} s: {said}",
            session.peer,
            session.login.name(),
            began.elapsed().as_secs_f64(),
        );
        outcome
    }
}

/// The reply to a transfer that was cut, where there is still somebody to reply to.
fn cut_reply(cut: Cut, code: ReplyCode) -> io::Result<Reply> {
    match cut {
        Cut::Aborted => reply(ReplyCode::TRANSFER_ABORTED, "Transfer aborted."),
        Cut::Gone => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the control connection is gone",
        )),
        Cut::Stalled if code == ReplyCode::CANNOT_OPEN_DATA => {
            reply(code, "No data connection came.")
        }
        Cut::Stalled => reply(code, "The data connection stood still for too long."),
        Cut::Shutdown => reply(code, "The server is shutting down."),
    }
}

fn no_data_connection() -> Reply {
    Reply::new(ReplyCode::CANNOT_OPEN_DATA, "Send EPSV or PASV first.")
}
