//! Commands that say where the data connection is to be: `EPSV`, `PASV`, `EPRT`, `PORT`; and `ABOR`, after which it is nowhere.

use super::data::{DataListener, DataSource};
use super::session::{Session, ok, reply};
use super::watch::Watch;
use crate::protocol::address::{ExtendedPassiveText, HostPort, Network, PassiveText};
use crate::protocol::command::Epsv;
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::time::Instant;

/// Below are the ports of the system's own services, which nobody is to reach through this server (RFC 2577 §3).
const FIRST_CLIENT_PORT: u16 = 1024;
/// The most data connections that a session may have prepared at a time.
pub(super) const MOST_AHEAD: usize = 8;

/// RFC 2428 §3.
pub(super) fn epsv(session: &mut Session<'_>, on: Epsv) -> io::Result<Reply> {
    if session.proxied {
        // The client would take the port for one of the balancer's. After this it asks for PASV, which has an address.
        let text = "Data goes past the balancer, use PASV.";
        return reply(ReplyCode::NOT_IMPLEMENTED, text);
    }
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
#[inline(never)]
pub(super) fn pasv(session: &mut Session<'_>) -> io::Result<Reply> {
    if session.epsv_all {
        return only_epsv();
    }
    let public = session
        .shared
        .public
        .told(&session.config, session.peer.ip(), session.proxied);
    let address = match (public, session.local) {
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

/// `EPRT` (RFC 2428 §2) and `PORT` (RFC 959 §4.1.2).
pub(super) fn port(session: &mut Session<'_>, target: SocketAddr) -> io::Result<Reply> {
    if let Err(refusal) = make_room(session) {
        return Ok(refusal);
    }
    if session.epsv_all {
        return only_epsv();
    }
    // Anywhere else the server would attack others in a client's name: the bounce attack.
    if target.ip().to_canonical() != session.peer.ip() || target.port() < FIRST_CLIENT_PORT {
        let text = format!(
            "Only ports from {FIRST_CLIENT_PORT} of your own address, {}.",
            session.peer.ip()
        );
        return reply(ReplyCode::NOT_FOR_PARAMETER, text);
    }
    let target = SocketAddr::new(session.peer.ip(), target.port());
    session
        .prepared
        .push_back(DataSource::Active(session.local, target));
    ok("The next transfer connects there.")
}

/// `ABOR` where no transfer is under way; [`Watch`] sees to one that comes in the midst of one.
#[inline(never)]
pub(super) fn abor(session: &mut Session<'_>) -> io::Result<Reply> {
    session.prepared.clear();
    reply(ReplyCode::TRANSFER_DONE, "No transfer is under way.")
}

fn only_epsv() -> io::Result<Reply> {
    reply(
        ReplyCode::BAD_ARGUMENT,
        "After EPSV ALL only EPSV is allowed.",
    )
}

/// `OPTS EPSV-AHEAD n`, an extension: so many data connections may be prepared at a time, and each transfer takes the one
/// that was prepared first. A client that fetches many small files has the next connections made while a file flows, and
/// none of them costs it a round trip.
pub(super) fn opts_ahead(session: &mut Session<'_>, value: &str) -> io::Result<Reply> {
    match value.parse() {
        Ok(most) if (1..=MOST_AHEAD).contains(&most) => {
            session.most_prepared = most;
            ok(format!("Data connections prepared at a time: {most}."))
        }
        _ => reply(
            ReplyCode::BAD_ARGUMENT,
            format!("Expected a number from 1 to {MOST_AHEAD}."),
        ),
    }
}

/// Prepares a fresh listener. Returns its port.
#[inline(never)]
fn listen(session: &mut Session<'_>) -> Result<u16, Reply> {
    make_room(session)?;
    let ports = session.config.passive_ports;
    let listened = match try_listen(session) {
        // The one that it waits for might be the very one that it has.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && !has_port(session) => {
            wait_for_port(session)
        }
        listened => listened,
    };
    match listened {
        Ok(listener) => {
            let port = listener.port();
            session.prepared.push_back(DataSource::Passive(listener));
            Ok(port)
        }
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

/// Takes a port, if there is a free one that nobody has waited for.
fn try_listen(session: &Session<'_>) -> io::Result<DataListener> {
    let shared = session.shared;
    if !shared.port_queue.is_empty() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let ports = session.config.passive_ports;
    ports.listen(session.local, &shared.port_queue)
}

fn has_port(session: &Session<'_>) -> bool {
    let mut prepared = session.prepared.iter();
    prepared.any(|source| matches!(source, DataSource::Passive(_)))
}

/// Stands in line for a port, since others will give theirs back soon, as long as a data connection may take to come.
fn wait_for_port(session: &mut Session<'_>) -> io::Result<DataListener> {
    let shared = session.shared;
    let deadline = Instant::now() + session.config.limits.data;
    let ports = session.config.passive_ports;
    let place = shared.port_queue.join();
    let activity = "Waiting for a data port";
    let mut watch = Watch::new(&mut session.control, &shared.phase, session.live, &activity);
    loop {
        if place.is_first() {
            match ports.listen(session.local, &shared.port_queue) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                listened => return listened,
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // What has cut the wait short is for the command loop to see.
        if left.is_zero() || shared.phase.is_draining() || watch.glance().is_err() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        place.rest(left);
    }
}

/// Makes sure that one more data connection may be prepared. Where there may be only one, it takes the place of what was
/// there.
fn make_room(session: &mut Session<'_>) -> Result<(), Reply> {
    if session.most_prepared == 1 {
        session.prepared.clear();
    }
    if session.prepared.len() < session.most_prepared {
        return Ok(());
    }
    let text = "As many data connections are prepared as OPTS EPSV-AHEAD allows.";
    Err(Reply::new(ReplyCode::CANNOT_OPEN_DATA, text))
}
