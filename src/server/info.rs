//! Commands about the server and the session itself: `FEAT`, `OPTS`, `HELP`, `STAT`, `HOST`.

use super::ports;
use super::protection;
use super::session::{Session, ok, reply};
use crate::protocol::entry::FactSet;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;

/// RFC 2389 §3.
#[inline(never)]
pub(super) fn feat(session: &mut Session<'_>) -> io::Result<Reply> {
    let hashes = HashAlgorithm::ALL.map(|algorithm| {
        let chosen = if algorithm == session.hash { "*" } else { "" };
        format!("{algorithm}{chosen}")
    });
    let features = [
        "CLNT".to_owned(),
        "EPRT".to_owned(),
        "EPSV".to_owned(),
        format!("EPSV-AHEAD {}", ports::MOST_AHEAD),
        format!("HASH {}", hashes.join(";")),
        "HOST".to_owned(),
        "MDTM".to_owned(),
        "MFMT".to_owned(),
        format!("MLST {}", session.facts.feature()),
        "PASV".to_owned(),
        "REST STREAM".to_owned(),
        "SITE CHMOD;HELP;UTIME".to_owned(),
        "SIZE".to_owned(),
        // A file that is being uploaded is not there under its name before it is whole.
        "STOR ATOMIC".to_owned(),
        "TVFS".to_owned(),
        "UTF8".to_owned(),
        "XCRC".to_owned(),
        "XMD5".to_owned(),
        "XSHA1".to_owned(),
        "XSHA256".to_owned(),
    ];
    // See `ports::epsv`.
    let features = features
        .into_iter()
        .filter(|feature| !session.proxied || !feature.starts_with("EPSV"));
    let protection = protection::features(session).iter().copied();
    Ok(Reply::multi(
        ReplyCode::SYSTEM_STATUS,
        "Extensions supported:",
        protection.map(str::to_owned).chain(features),
        "End",
    ))
}

/// RFC 2389 §4. Windows' clients say `utf8 on`, others `UTF-8`.
#[inline(never)]
pub(super) fn opts(session: &mut Session<'_>, option: &str) -> io::Result<Reply> {
    let (name, value) = option
        .split_once(' ')
        .map_or((option, ""), |(name, value)| (name, value.trim()));
    match (
        name.to_ascii_uppercase().as_str(),
        value.to_ascii_uppercase().as_str(),
    ) {
        ("UTF8" | "UTF-8", "" | "ON") => ok("Names are UTF-8, always."),
        ("UTF8" | "UTF-8", "OFF") => {
            reply(ReplyCode::NOT_FOR_PARAMETER, "Names are UTF-8, always.")
        }
        // RFC 3659 §7.9: the reply repeats the facts that are on.
        ("MLST", _) => {
            session.facts = FactSet::choose(value);
            ok(format!("MLST OPTS {}", session.facts).trim_end().to_owned())
        }
        ("HASH", "") => ok(session.hash.to_string()),
        ("HASH", _) => match value.parse() {
            Ok(algorithm) => {
                session.hash = algorithm;
                ok(algorithm.to_string())
            }
            Err(()) => reply(ReplyCode::BAD_ARGUMENT, "Unknown algorithm, see FEAT."),
        },
        ("EPSV-AHEAD", value) => ports::opts_ahead(session, value),
        _ => reply(ReplyCode::BAD_ARGUMENT, "No such option."),
    }
}

#[inline(never)]
pub(super) fn help() -> io::Result<Reply> {
    let verbs = "ABOR ALLO APPE AUTH CCC  CDUP CLNT CWD  DELE EPRT EPSV FEAT HASH HELP HOST LIST\n\
                 MDTM MFMT MKD  MLSD MLST MODE NLST NOOP OPTS PASS PASV PBSZ PORT PROT PWD  QUIT\n\
                 REST RETR RMD  RNFR RNTO SITE SIZE STAT STOR STOU STRU SYST TYPE USER XCRC XMD5\n\
                 XSHA1 XSHA256";
    let lines = verbs.lines().map(str::to_owned);
    Ok(Reply::multi(
        ReplyCode::HELP,
        "These commands are understood:",
        lines,
        "End",
    ))
}

pub(super) fn site_help() -> io::Result<Reply> {
    let lines = ["CHMOD MODE PATH", "UTIME YYYYMMDDhhmm[ss] PATH", "HELP"].map(str::to_owned);
    Ok(Reply::multi(
        ReplyCode::HELP,
        "These SITE commands are understood:",
        lines,
        "End",
    ))
}

/// `STAT` with no path, while nothing is being transferred. During a transfer [`super::data`] answers.
#[inline(never)]
pub(super) fn stat(session: &mut Session<'_>) -> io::Result<Reply> {
    let lines = [
        format!("Connected from {}", session.peer.ip()),
        format!("Logged in as {}", session.login.name()),
        format!("Type {}, structure F, mode S", session.transfer_type),
        format!("Folder {}", session.cwd),
    ];
    Ok(Reply::multi(
        ReplyCode::SYSTEM_STATUS,
        "Status of multi-client-ftp:",
        lines,
        "End",
    ))
}
