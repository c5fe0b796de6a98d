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
    /// Whether a session is a process or two, of which fewer are held.
    pub(crate) forks: bool,
    pub(crate) has_mlsd: bool,
    pub(crate) has_tls: bool,
    pub(crate) has_listings: bool,
    /// The server over the folder `root` in this folder, on this port.
    pub(crate) command: fn(&Path, u16) -> Command,
}

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "ftp-server",
        needs: &[],
        user: "anonymous",
        folder: "",
        forks: false,
        has_mlsd: true,
        has_tls: true,
        has_listings: true,
        command: ours,
    },
    Peer {
        name: "floor",
        needs: &[],
        user: "anonymous",
        folder: "",
        forks: false,
        has_mlsd: false,
        has_tls: false,
        has_listings: false,
        command: floor,
    },
    Peer {
        name: "vsftpd",
        needs: &["vsftpd", ROOT],
        user: "anonymous",
        folder: "root/",
        forks: true,
        has_mlsd: false,
        has_tls: true,
        has_listings: true,
        command: vsftpd,
    },
    Peer {
        name: "ProFTPD",
        needs: &["proftpd", ROOT],
        user: "anonymous",
        folder: "",
        forks: true,
        has_mlsd: true,
        has_tls: true,
        has_listings: true,
        command: proftpd,
    },
    Peer {
        name: "Pure-FTPd",
        needs: &["pure-ftpd", "pure-pw", ROOT],
        user: "guest",
        folder: "",
        forks: true,
        has_mlsd: true,
        has_tls: true,
        has_listings: true,
        command: pure_ftpd,
    },
    Peer {
        name: "pyftpdlib",
        needs: &["pyftpdlib"],
        user: "anonymous",
        folder: "",
        forks: false,
        has_mlsd: true,
        has_tls: true,
        has_listings: true,
        command: pyftpdlib,
    },
    Peer {
        name: "unFTP",
        needs: &["unftp"],
        user: "anonymous",
        folder: "",
        forks: false,
        has_mlsd: true,
        has_tls: true,
        has_listings: true,
        command: unftp,
    },
];

impl Peer {
    pub(crate) fn is_here(&self) -> bool {
        self.needs.iter().all(|need| programs::has(need))
    }
}

/// More than come.
const CLIENTS: &str = "20000";

fn ours(folder: &Path, port: u16) -> Command {
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

fn floor(folder: &Path, port: u16) -> Command {
    let own = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new(own);
    command
        .arg("--floor")
        .arg(folder.join("root"))
        .arg(port.to_string());
    command
}

fn vsftpd(folder: &Path, port: u16) -> Command {
    let command = daemons::vsftpd(folder, port);
    let config = folder.join("vsftpd.conf");
    append(
        &config,
        &format!(
            // One line for each transfer, as wu-ftpd has it.
            "xferlog_enable=YES\nxferlog_file={}\n\
             max_clients=0\nmax_per_ip=0\n\
             require_ssl_reuse=NO\n",
            folder.join("transfers").display()
        ),
    );
    command
}

fn proftpd(folder: &Path, port: u16) -> Command {
    let command = daemons::proftpd(folder, port);
    let config = folder.join("proftpd.conf");
    let log = folder.join("transfers");
    let text = fs::read_to_string(&config).expect("ProFTPD's configuration");
    let text = text.replace(
        "TransferLog none",
        &format!("TransferLog {}", log.display()),
    );
    fs::write(&config, text).expect("ProFTPD's configuration");
    command
}

fn pure_ftpd(folder: &Path, port: u16) -> Command {
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
        // It would show the first 10,000 entries.
        .args(["--limitrecursion", "1000000:5"]);
    command
}

/// Of [`programs::PASSWORD`], by DES.
const CHEAP_HASH: &str = "abvyhtC1vX8PI";

fn pyftpdlib(folder: &Path, port: u16) -> Command {
    let mut command = daemons::pyftpdlib(folder, port);
    command.args(["--max-cons", CLIENTS]);
    command
}

fn unftp(folder: &Path, port: u16) -> Command {
    let mut command = command("unftp");
    command
        .args(["--bind-address", &format!("127.0.0.1:{port}")])
        // Where it tells its metrics: each namespace has the port for itself.
        .args(["--bind-address-http", "127.0.0.1:0"])
        .arg("--root-dir")
        .arg(folder.join("root"));
    for flag in ["--ftps-certs-file", "--ftps-key-file"] {
        command.arg(flag).arg(folder.join(daemons::CERTIFICATE));
    }
    command
}

fn append(config: &Path, text: &str) {
    let before = fs::read_to_string(config).expect("the configuration");
    fs::write(config, before + text).expect("the configuration");
}
