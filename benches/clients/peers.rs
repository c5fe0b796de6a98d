//! The clients, and how each does the tasks.

use super::place::{Load, Place};
use crate::programs::{self, PASSWORD};
use std::fs;
use std::path::Path;
use std::process::Command;

/// How many connections a client may have, if it can use more than one.
const JOBS: usize = 8;

/// A client, in the order of the table's columns.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The programs that it takes.
    pub(crate) needs: &'static [&'static str],
    /// Fetches the tree `many` into `down`, sends the tree `many` into the server's folder `up`, and both with the file
    /// `large`.
    pub(crate) tasks: [fn(&Place, &Load) -> Command; 4],
}

/// The first is ours.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "`ftp-client`",
        needs: &[],
        tasks: [
            |place, _| ours(place, "get -r many"),
            |place, _| ours(place, "cd up; put -r many"),
            |place, _| ours(place, "get large"),
            |place, _| ours(place, "cd up; put large"),
        ],
    },
    Peer {
        name: "lftp",
        needs: &["lftp"],
        tasks: [
            |place, _| lftp(place, &format!("mirror --parallel={JOBS} many down/many")),
            |place, _| {
                lftp(
                    place,
                    &format!("mirror --reverse --parallel={JOBS} many up/many"),
                )
            },
            |place, _| lftp(place, "get large -o down/large"),
            |place, _| lftp(place, "put large -o up/large"),
        ],
    },
    Peer {
        name: "curl",
        needs: &["curl"],
        tasks: [curl_many_down, curl_many_up, curl_large_down, curl_large_up],
    },
    Peer {
        name: "ncftp",
        needs: &["ncftpget", "ncftpput"],
        tasks: [
            |place, _| ncftp(place, "ncftpget", &["-R"], &["down", "many"]),
            |place, _| ncftp(place, "ncftpput", &["-R"], &["up", "many"]),
            |place, _| ncftp(place, "ncftpget", &[], &["down", "large"]),
            |place, _| ncftp(place, "ncftpput", &[], &["up", "large"]),
        ],
    },
    Peer {
        name: "sftp",
        needs: &["sftp", "sshd", "ssh-keygen"],
        tasks: [
            |place, _| sftp(place, "get -r many down/many"),
            |place, _| sftp(place, "put -r many up/many"),
            |place, _| sftp(place, "get large down/large"),
            |place, _| sftp(place, "put large up/large"),
        ],
    },
    Peer {
        name: "rclone",
        needs: &["rclone"],
        tasks: [
            |place, _| rclone(place, ["SERVER:many", "down/many"]),
            |place, _| rclone(place, ["many", "SERVER:up/many"]),
            |place, _| rclone(place, ["SERVER:large", "down"]),
            |place, _| rclone(place, ["large", "SERVER:up"]),
        ],
    },
];

/// Ours, with as many connections as it has by itself.
pub(crate) const BY_ITSELF: Peer = Peer {
    name: "`ftp-client`, 4 jobs",
    needs: &[],
    tasks: [
        |place, _| by_itself(place, "get -r many"),
        |place, _| by_itself(place, "cd up; put -r many"),
        |place, _| by_itself(place, "get large"),
        |place, _| by_itself(place, "cd up; put large"),
    ],
};

fn ours(place: &Place, script: &str) -> Command {
    let mut command = by_itself(place, script);
    command.args(["--jobs", &JOBS.to_string()]);
    command
}

fn by_itself(place: &Place, script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftp-client"));
    command
        .args(["--host", &place.host(), "--port", &place.port()])
        .args(["--downloads", "down"])
        // In clear, as the others.
        .args(["--tls", "off"])
        .args(["-c", script]);
    command
}

fn lftp(place: &Place, script: &str) -> Command {
    let script = format!(
        "set cmd:fail-exit on; set ftp:ssl-allow off; set ftp:sync-mode off; set net:connection-limit {JOBS}; \
         open -u anonymous,{PASSWORD} -p {} {}; {script}",
        place.port(),
        place.host()
    );
    let mut command = programs::command("lftp");
    command.args(["--norc", "-c", &script]);
    command
}

fn curl() -> Command {
    let mut command = programs::command("curl");
    command
        .args(["--silent", "--show-error", "--fail-early"])
        .args(["--create-dirs", "--ftp-create-dirs"])
        .args(["--parallel", "--parallel-immediate"])
        .args(["--parallel-max", &JOBS.to_string()]);
    command
}

fn curl_many_down(place: &Place, load: &Load) -> Command {
    let mut command = curl();
    for folder in &load.folders {
        command
            .args(["--output", &format!("down/{folder}/file#1")])
            .arg(place.url(&format!("{folder}/file[000-{:03}]", load.files - 1)));
    }
    command
}

fn curl_many_up(place: &Place, load: &Load) -> Command {
    let mut command = curl();
    for folder in &load.folders {
        let files = format!("{folder}/file[000-{:03}]", load.files - 1);
        command
            .args(["--upload-file", &files])
            .arg(place.url(&format!("up/{folder}/")));
    }
    command
}

fn curl_large_down(place: &Place, _: &Load) -> Command {
    let mut command = curl();
    command
        .args(["--output", "down/large"])
        .arg(place.url("large"));
    command
}

fn curl_large_up(place: &Place, _: &Load) -> Command {
    let mut command = curl();
    command
        .args(["--upload-file", "large"])
        .arg(place.url("up/"));
    command
}

/// One of `NcFTP`'s programs: flags, the server, and the folder to and the file from which.
fn ncftp(place: &Place, program: &str, flags: &[&str], files: &[&str]) -> Command {
    let mut command = programs::command(program);
    command
        .args(["-V", "-u", "anonymous", "-p", PASSWORD])
        .args(["-P", &place.port()])
        .args(flags)
        .arg(place.host())
        .args(files);
    command
}

fn sftp(place: &Place, line: &str) -> Command {
    let batch = place.home().join("batch");
    // The server's folder is no root there.
    let script = format!("cd {}\n{line}\n", place.root().display());
    fs::write(&batch, script).expect("the batch file is written");
    let at = |name: &str| place.home().join(name).display().to_string();
    let mut command = programs::command("sftp");
    command
        .args(["-q", "-F", "none", "-i", &at("key"), "-b", &at("batch")])
        .args(["-P", &place.ssh_port().to_string()])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"])
        .args(["-o", &format!("UserKnownHostsFile={}", at("hosts"))])
        .arg(format!("root@{}", place.host()));
    command
}

/// `SERVER:` in the arguments means the server: rclone's configuration has it under that name.
fn rclone(place: &Place, [from, to]: [&str; 2]) -> Command {
    let config = place.home().join("rclone.conf");
    if !config.exists() {
        configure_rclone(place, &config);
    }
    let mut command = programs::command("rclone");
    command
        .arg("--config")
        .arg(config)
        .args(["copy", from, to])
        .args(["--transfers", &JOBS.to_string()])
        // Fetching one large file in several streams fails for it with every server: it takes the 426 for a fault that
        // it gets for closing the connection early.
        .args(["--multi-thread-streams", "0"]);
    command
}

fn configure_rclone(place: &Place, config: &Path) {
    let hidden = programs::run(&place.home(), "rclone", &["obscure", PASSWORD], "")
        .unwrap_or_else(|error| panic!("{error}"));
    let text = format!(
        "[SERVER]\ntype = ftp\nhost = {}\nport = {}\nuser = anonymous\npass = {}\n",
        place.host(),
        place.port(),
        hidden.trim()
    );
    fs::write(config, text).expect("the configuration is written");
}
