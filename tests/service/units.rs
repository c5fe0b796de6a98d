//! The units of `deploy/systemd`, as systemd sees them.

use crate::SYSTEMD;
use crate::programs;
use crate::support::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where the units have the server.
const INSTALLED: &str = "/usr/local/bin/ftp-server";
/// What `systemd-analyze security` may find at the most, in tenths: 0 is a service that can do nothing, 100 one that can do
/// all. What is left is what a server needs: the network, port 21, the folder in its state.
const EXPOSURE: &str = "15";

pub(crate) fn in_order() {
    let units = copies();
    let mut files: Vec<PathBuf> = fs::read_dir(units.path())
        .expect("the units")
        .map(|entry| entry.expect("a unit").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    let mut verify = programs::command(SYSTEMD);
    verify.args(["verify", "--man=no"]).args(&files);
    let text = output(verify);
    // What it does not know, it says, and ends well all the same.
    assert_eq!(text, "");
}

pub(crate) fn hardened() {
    let units = copies();
    let mut security = programs::command(SYSTEMD);
    security
        .args([
            "security",
            "--offline=yes",
            "--no-pager",
            "--threshold",
            EXPOSURE,
        ])
        .arg(units.path().join("ftp-server.service"));
    assert!(output(security).contains("Overall exposure level"));
}

/// The unit's variables are the server's own: with them it serves the folder in its state.
pub(crate) fn settings() {
    let place = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let state = place.path().to_str().expect("UTF-8");
    let unit = fs::read_to_string(folder().join("ftp-server.service")).expect("the unit");
    let mut command = Server::command();
    for line in unit.lines() {
        let Some(setting) = line.strip_prefix("Environment=") else {
            continue;
        };
        let (name, value) = setting.split_once('=').expect("a variable");
        command.env(name, value.replace("%S", state));
    }
    let given: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| value.is_some().then_some(name))
        .collect();
    assert!(given.len() >= 3, "{given:?}");
    command.env("FTP_SERVER_HOST", "127.0.0.1");
    // Not everybody may have port 21 here, and somebody else may have it.
    command.env("FTP_SERVER_PORT", "0");
    fs::create_dir_all(place.path().join("ftp-server/state")).expect("a folder");
    let server = Server::from_command(command, place);
    server.login().store("a", b"abc");
    let served = server.outside().join("ftp-server");
    assert_eq!(fs::read(served.join("files/a")).expect("the file"), b"abc");
    assert!(
        served.join("state/server.pem").is_file(),
        "no certificate kept"
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd")
}

/// The units, with the server where it is here: that it is there is looked at too.
fn copies() -> TempDir {
    let copies = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    for entry in fs::read_dir(folder()).expect("the units") {
        let entry = entry.expect("a unit");
        let unit = fs::read_to_string(entry.path()).expect("a unit");
        let unit = unit.replace(INSTALLED, env!("CARGO_BIN_EXE_ftp-server"));
        fs::write(copies.path().join(entry.file_name()), unit).expect("a copy");
    }
    copies
}

/// What it has said, if it ends well.
#[track_caller]
fn output(mut command: Command) -> String {
    let output = command.output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}
