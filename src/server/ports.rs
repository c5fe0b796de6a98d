//! Commands that say where the data connection is to be: `EPSV`, `PASV`, `EPRT`, `PORT`.

use super::data::DataSource;
use super::session::{Session, ok, reply};
use crate::protocol::address::{ExtendedPassiveText, HostPort, Network, PassiveText};
use crate::protocol::command::Epsv;
use crate::protocol::reply::{Reply, ReplyCode};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// Below are the ports of the system's own services, which nobody is to reach through this server (RFC 2577 §3).
const FIRST_CLIENT_PORT: u16 = 1024;

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
        return only_epsv();
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

/// `EPRT` (RFC 2428 §2) and `PORT` (RFC 959 §4.1.2).
pub(super) fn port(session: &mut Session<'_>, target: SocketAddr) -> io::Result<Reply> {
    session.data = None;
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
    session.data = Some(DataSource::Active(session.local, target));
    ok("The next transfer connects there.")
}

fn only_epsv() -> io::Result<Reply> {
    reply(
        ReplyCode::BAD_ARGUMENT,
        "After EPSV ALL only EPSV is allowed.",
    )
}

/// Replaces what was there by a fresh listener. Returns its port.
fn listen(session: &mut Session<'_>) -> Result<u16, Reply> {
    session.data = None;
    let ports = session.shared.config.passive_ports;
    match ports.listen(session.local) {
        Ok(listener) => {
            let port = listener.port();
            session.data = Some(DataSource::Passive(listener));
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
