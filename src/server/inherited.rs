//! Listeners that whoever started the server has opened for it: systemd's socket activation, `sd_listen_fds(3)`. They outlive
//! the server, and so nobody is refused while it starts anew.

use super::entrance::{Door, Entrance};
use anyhow::{Context, Result, ensure};
use listenfd::ListenFd;
use rustix::net::sockopt;

/// What a listener is called whose connections begin with TLS (`FileDescriptorName=`). All others begin in clear.
pub(super) const TLS: &str = "ftps";

/// Takes them, in the order in which they were passed on. There are none when the server was started by hand, or was not the
/// one that they were meant for.
///
/// # Errors
/// Something else than a TCP socket that listens was passed on.
pub(super) fn doors() -> Result<Vec<Door>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed_on = ListenFd::from_env();
    let mut doors = Vec::new();
    for index in 0..passed_on.len() {
        let entrance = match names.next() {
            Some(TLS) => Entrance::Tls,
            _ => Entrance::Plain,
        };
        let useless =
            || format!("socket {index} of those that were passed on (LISTEN_FDS) is of no use");
        let taken = passed_on.take_tcp_listener(index).with_context(useless)?;
        let Some(listener) = taken else { continue };
        let listens = sockopt::socket_acceptconn(&listener).with_context(useless)?;
        ensure!(listens, "{}: it does not listen", useless());
        let door = Door::passed_on(entrance, listener).with_context(useless)?;
        let address = door.address().with_context(useless)?;
        log::info!("{address} was listened on before the server started");
        doors.push(door);
    }
    Ok(doors)
}
