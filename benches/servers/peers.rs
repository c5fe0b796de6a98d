//! The servers that are measured, each set up to be as fast as it can be and to log each transfer.
//!
//! What the tests of `tests/works_with` have is where it begins. Here each may have as many clients as come, keeps its
//! defaults for what it does with files (`sendfile`, whether an upload is there before it is whole), and looks up no names.

use crate::daemons;
use crate::programs::{self, ROOT, command};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A server, in the order of the table's columns.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The programs that it takes.
    pub(crate) needs: &'static [&'static str],
    pub(crate) user: &'static str,
    /// Where the served folder is below the server's own root, with a slash, or nothing.
    pub(crate) folder: &'static str,
    /// Whether a session is a process or two.
    pub(crate) forks: bool,
    /// How many idle sessions are held at most: processes only take memory, and not each server has files for more.
    pub(crate) most_idle: usize,
    pub(crate) has_mlsd: bool,
    /// The version of TLS that it speaks.
    pub(crate) tls: Option<Tls>,
    /// The server over the folder `root` in this folder, on this port; with TLS if that is wanted.
    pub(crate) command: fn(&Path, u16, bool) -> Command,
}

pub(crate) const OURS: &str = "ftp-server";
/// Ours, with nothing waiting for the disk: only where it is asked for, since in memory it is the same.
pub(crate) const RELAXED: &str = "relaxed";
pub(crate) const FLOOR: &str = "floor";

/// How many sessions are held of those that have processes for each.
const FEW: usize = 500;

/// What the servers that are no others' have in common.
const OWN: Peer = Peer {
    name: OURS,
    needs: &[],
    user: "anonymous",
    folder: "",
    forks: false,
    most_idle: 10_000,
    has_mlsd: true,
    tls: Some(Tls::V13),
    command: ours,
};

pub(crate) const PEERS: &[Peer] = &[
    OWN,
    Peer {
        name: RELAXED,
        command: relaxed,
        ..OWN
    },
    Peer {
        name: FLOOR,
        has_mlsd: false,
        tls: None,
        command: floor,
        ..OWN
    },
    Peer {
        name: "vsftpd",
        needs: &["vsftpd", ROOT],
        user: "anonymous",
        folder: "root/",
        forks: true,
        most_idle: FEW,
        has_mlsd: false,
        tls: Some(Tls::V13),
        command: vsftpd,
    },
    Peer {
        name: "ProFTPD",
        needs: &["proftpd", ROOT],
        user: "anonymous",
        folder: "",
        forks: true,
        most_idle: FEW,
        has_mlsd: true,
        tls: Some(Tls::V13),
        command: proftpd,
    },
    Peer {
        name: "Pure-FTPd",
        needs: &["pure-ftpd", "pure-pw", ROOT],
        user: "guest",
        folder: "",
        forks: true,
        most_idle: FEW,
        has_mlsd: true,
        tls: Some(Tls::V13),
        command: pure_ftpd,
    },
    Peer {
        name: "pyftpdlib",
        needs: &["pyftpdlib"],
        user: "anonymous",
        folder: "",
        forks: false,
        most_idle: 10_000,
        has_mlsd: true,
        tls: Some(Tls::V13),
        command: pyftpdlib,
    },
    Peer {
        name: "unFTP",
        needs: &["unftp"],
        user: "anonymous",
        folder: "",
        forks: false,
        most_idle: 5_000,
        has_mlsd: true,
        tls: Some(Tls::V12),
        command: unftp,
    },
];

#[derive(Clone, Copy)]
pub(crate) enum Tls {
    V12,
    V13,
}

impl Peer {
    pub(crate) fn is_here(&self) -> bool {
        self.needs.iter().all(|need| programs::has(need))
    }
}

/// More than come.
const CLIENTS: &str = "20000";

fn ours(folder: &Path, port: u16, _: bool) -> Command {
    let mut command = crate::support::Server::command();
    command
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--anonymous", "full"])
        .args(["--max-clients", CLIENTS])
        .args(["--max-clients-per-address", CLIENTS])
        .arg("--root")
        .arg(folder.join("root"))
        .env("XDG_STATE_HOME", folder.join("state"));
    command
}

fn relaxed(folder: &Path, port: u16, with_tls: bool) -> Command {
    let mut command = ours(folder, port, with_tls);
    command.args(["--durability", "relaxed"]);
    command
}

fn floor(folder: &Path, port: u16, _: bool) -> Command {
    let own = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new(own);
    command
        .arg("--floor")
        .arg(folder.join("root"))
        .arg(port.to_string());
    command
}

fn vsftpd(folder: &Path, port: u16, is_private: bool) -> Command {
    let command = daemons::vsftpd(folder, port);
    let config = folder.join("vsftpd.conf");
    append(
        &config,
        &format!(
            // One line for each transfer, as wu-ftpd has it. By default at most 50 come from one address; each session has a
            // network namespace, without which logins and ports cost less; and ports are those of outgoing connections too.
            "xferlog_enable=YES\nxferlog_file={}\nmax_per_ip=0\nmax_clients=0\n\
             isolate_network=NO\npasv_min_port=61000\npasv_max_port=65535\n\
             require_ssl_reuse=NO\nssl_enable={}\n",
            folder.join("transfers").display(),
            if is_private { "YES" } else { "NO" }
        ),
    );
    command
}

fn proftpd(folder: &Path, port: u16, is_private: bool) -> Command {
    let command = daemons::proftpd(folder, port);
    let config = folder.join("proftpd.conf");
    let log = folder.join("transfers");
    let text = fs::read_to_string(&config).expect("ProFTPD's configuration");
    let text = text.replace(
        "TransferLog none",
        &format!("TransferLog {}", log.display()),
    );
    let text = if is_private {
        text
    } else {
        // It would make keys for each session.
        text.replace("TLSEngine on", "TLSEngine off")
    };
    fs::write(&config, text).expect("ProFTPD's configuration");
    command
}

fn pure_ftpd(folder: &Path, port: u16, is_private: bool) -> Command {
    // A password's hash is made to take long, and its anonymous users have none but may not overwrite: the account has one
    // of the old kind, which takes next to nothing.
    let users = folder.join("users");
    if !users.exists() {
        let root = folder.join("root");
        let line = format!(
            "guest:{CHEAP_HASH}:65534:65534::{}/./::::::::::::\n",
            root.display()
        );
        fs::write(&users, line).expect("Pure-FTPd's users");
        let database = folder.join("users.pdb").display().to_string();
        let make = ["mkdb", &database, "-f", &users.display().to_string()];
        programs::run(folder, "pure-pw", &make, "").unwrap_or_else(|error| panic!("{error}"));
    }
    let mut command = daemons::pure_ftpd(folder, port);
    command
        .args([
            "--altlog",
            &format!("clf:{}", folder.join("transfers").display()),
        ])
        .args(["--maxclientsnumber", CLIENTS])
        .args(["--tls", if is_private { "1" } else { "0" }])
        // It would show the first 10,000 entries.
        .args(["--limitrecursion", "1000000:5"]);
    command
}

/// Of [`programs::PASSWORD`], by DES.
const CHEAP_HASH: &str = "abvyhtC1vX8PI";

fn pyftpdlib(folder: &Path, port: u16, is_private: bool) -> Command {
    let mut command = if is_private {
        daemons::pyftpdlib(folder, port)
    } else {
        let mut command = command("pyftpdlib");
        command
            .args(["--interface", "127.0.0.1", "--port", &port.to_string()])
            .arg("--write")
            .arg("--directory")
            .arg(folder.join("root"));
        command
    };
    command.args(["--max-cons", CLIENTS, "--max-cons-per-ip", CLIENTS]);
    command
}

fn unftp(folder: &Path, port: u16, is_private: bool) -> Command {
    let mut command = command("unftp");
    command
        .args(["--bind-address", &format!("127.0.0.1:{port}")])
        // Where it tells its metrics.
        .args(["--bind-address-http", "127.0.0.1:0"])
        // Its default has the ports of outgoing connections in it.
        .args(["--passive-ports", "61000-65535"])
        .arg("--root-dir")
        .arg(folder.join("root"));
    if is_private {
        for flag in ["--ftps-certs-file", "--ftps-key-file"] {
            command.arg(flag).arg(folder.join(daemons::CERTIFICATE));
        }
    }
    command
}

fn append(config: &Path, text: &str) {
    let before = fs::read_to_string(config).expect("the configuration");
    fs::write(config, before + text).expect("the configuration");
}
