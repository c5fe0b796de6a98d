//! rclone, which copies, compares and syncs trees over several connections at once.

use super::Client;
use crate::operations::{self as op, ODD_NAME, RANGE};
use crate::place::{PASSWORD, Place};
use crate::programs::{Outcome, run};
use std::fs;

pub(super) const CLIENT: Client = Client {
    name: "rclone",
    needs: &["rclone"],
    acts: &[
        (&op::LIST, |place| rclone(place, &["lsf", "SERVER:"])),
        (&op::MLSD, |place| rclone(place, &["lsf", "SERVER:"])),
        (&op::DOWNLOAD, |place| {
            rclone(place, &["copy", "SERVER:file", "."])
        }),
        (&op::UPLOAD, |place| {
            rclone(place, &["copy", "file", "SERVER:"])
        }),
        (&op::MISSING, |place| {
            rclone(place, &["copy", "SERVER:missing", "."])
        }),
        (&op::ODD_NAME_DOWN, |place| {
            rclone(place, &["copy", &format!("SERVER:{ODD_NAME}"), "."])
        }),
        (&op::ODD_NAME_UP, |place| {
            rclone(place, &["copy", ODD_NAME, "SERVER:"])
        }),
        (&op::WILDCARD, |place| {
            rclone(place, &["copy", "SERVER:", ".", "--include", "a*.txt"])
        }),
        (&op::EPSV_DOWN, |place| {
            rclone(place, &["copy", "SERVER:file", "."])
        }),
        (&op::PASV_DOWN, |place| {
            rclone(place, &["copy", "SERVER:file", ".", "--ftp-disable-epsv"])
        }),
        (&op::PART_OF_FILE, |place| {
            let (offset, count) = (RANGE.start.to_string(), RANGE.len().to_string());
            let part = ["--offset", &offset, "--count", &count];
            let bytes = rclone(place, &[&["cat", "SERVER:file"], &part[..]].concat())?;
            place.keep("part", bytes);
            Ok(String::new())
        }),
        (&op::MKDIR, |place| {
            rclone(place, &["mkdir", "SERVER:new folder"])
        }),
        (&op::RMDIR, |place| {
            rclone(place, &["rmdir", "SERVER:folder"])
        }),
        (&op::DELETE, |place| {
            rclone(place, &["deletefile", "SERVER:file"])
        }),
        (&op::RENAME, |place| {
            rclone(place, &["moveto", "SERVER:old name", "SERVER:new name"])
        }),
        (&op::FILE_SIZE, |place| {
            rclone(place, &["lsl", "SERVER:file"])
        }),
        (&op::FILE_DATE, |place| {
            rclone(place, &["lsl", "SERVER:file"])
        }),
        (&op::DATE_DOWN, |place| {
            rclone(place, &["copy", "SERVER:file", "."])
        }),
        (&op::DATE_UP, |place| {
            rclone(place, &["copy", "file", "SERVER:"])
        }),
        (&op::CREATE_DIRS, |place| {
            rclone(place, &["copy", "file", "SERVER:one/two"])
        }),
        (&op::TREE_DOWN, |place| {
            rclone(place, &["copy", "SERVER:tree", "tree"])
        }),
        (&op::TREE_UP, |place| {
            rclone(place, &["copy", "tree", "SERVER:tree"])
        }),
        (&op::SYNC, |place| {
            rclone(place, &["sync", "tree", "SERVER:tree"])?;
            rclone(place, &["check", "tree", "SERVER:tree"])
        }),
        (&op::COMPARE, |place| {
            rclone(place, &["check", "tree", "SERVER:tree"])
        }),
        (&op::TLS, |place| both_ways(place, &["--ftp-explicit-tls"])),
        (&op::TLS_1_2, |place| {
            both_ways(place, &["--ftp-explicit-tls", "--ftp-disable-tls13"])
        }),
        (&op::TLS_IMPLICIT, |place| {
            both_ways(place, &["--ftp-tls", "--ftp-port", &place.tls_port()])
        }),
    ],
};

fn both_ways(place: &Place, flags: &[&str]) -> Outcome {
    let flags = [flags, &["--ftp-no-check-certificate"]].concat();
    rclone(place, &[&["copy", "up", "SERVER:"], &flags[..]].concat())?;
    rclone(place, &[&["copy", "SERVER:down", "."], &flags[..]].concat())
}

/// `SERVER:` in the arguments means the server: rclone's configuration has it under that name.
fn rclone(place: &Place, args: &[&str]) -> Outcome {
    let hidden = run(&place.local, "rclone", &["obscure", PASSWORD], "")?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("rclone.conf");
    let text = format!(
        "[SERVER]\ntype = ftp\nhost = {}\nport = {}\nuser = {}\npass = {}\n",
        place.host(),
        place.port(),
        place.user,
        hidden.trim()
    );
    fs::write(&config, text).expect("the configuration is written");
    let config = format!("--config={}", config.display());
    let own = [
        &config,
        "--retries=1",
        "--low-level-retries=2",
        "--timeout=20s",
    ];
    run(&place.local, "rclone", &[args, &own].concat(), "")
}
