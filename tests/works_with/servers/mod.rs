//! The foreign servers, each over a folder of its own, and how our client does the operations on them.

mod client;
mod daemons;

use crate::place::Place;
use crate::programs::{Running, logged};
use crate::support::{PATIENCE, try_connect, wait_for};
use crate::{Case, Side};
pub(crate) use daemons::Foreign;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// How often another port is tried, when somebody else took the one that was free.
const TRIES: usize = 20;

pub(crate) fn cases() -> Vec<Case> {
    let cases = |server: &Foreign| {
        let case = |&(operation, act): &(&'static _, _)| Case {
            side: Side::Servers,
            program: server.name,
            operation,
            needs: server.needs,
            test: |case| case.operation.run(&start(case.program), case.act),
            act,
        };
        client::ACTS.iter().map(case).collect::<Vec<_>>()
    };
    daemons::ALL.iter().flat_map(cases).collect()
}

/// A foreign server that runs.
pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    _running: Running,
}

#[track_caller]
fn start(name: &str) -> Place {
    let server = daemons::ALL.iter().find(|server| server.name == name);
    let server = server.expect("a server of the list");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("the root folder");
    // The servers' own users have to get there, and ProFTPD and vsftpd want nobody to write beside it.
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("the folder is opened");
    open_to_all(&root);
    for _ in 0..TRIES {
        // With nothing that the one before has left.
        for left in ["pid", "scoreboard"] {
            let _ = fs::remove_file(folder.path().join(left));
        }
        daemons::certify(folder.path());
        if let Some(daemon) = try_start(server, &folder) {
            return Place::with_theirs(daemon, server, folder);
        }
    }
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    panic!(
        "{name} does not start:\n{}{}",
        read("log"),
        read("system-log")
    );
}

/// Starts it on a port that was free a moment ago.
fn try_start(server: &Foreign, folder: &TempDir) -> Option<Daemon> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let log = folder.path().join("log");
    let command = logged((server.command)(folder.path(), address.port()), &log);
    let mut running = Running::start(command);
    let up = wait_for(&format!("{} to greet or to end", server.name), || {
        let ended = running.child.try_wait().expect("the child's state");
        ended
            .map(|_| false)
            .or_else(|| greets(address).then_some(true))
    });
    up.then_some(Daemon {
        address,
        _running: running,
    })
}

fn greets(address: SocketAddr) -> bool {
    let mut code = [0; 3];
    try_connect(address).is_ok_and(|mut socket| {
        let deadline = socket.set_read_timeout(Some(PATIENCE));
        deadline.and_then(|()| socket.read_exact(&mut code)).is_ok() && code == *b"220"
    })
}

/// Lets everybody change what is in a folder, since each server has a user of its own for those who have none.
pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("the permissions are set");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        open_to_all(&entry.path());
    }
}
