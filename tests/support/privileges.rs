//! What only some may do to a machine: mount, be another user.

use super::Server;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Disks of a test's own, in a mount namespace of the server's own.
pub(crate) const MOUNTS: &str = "right to mount";
/// The same, and a file system in a process of its own.
pub(crate) const BINDFS: &str = "bindfs";
/// What a command is started by so that it, and what it starts, has mounts of its own that go with it.
pub(crate) const OWN_MOUNTS: [&str; 5] = ["unshare", "--mount", "--pid", "--fork", "--kill-child"];
/// Another user, whose threads are counted and who cannot read everything: root has as many as it likes, and can.
pub(crate) const OTHER_USER: &str = "right to be another user";

/// Tries whether the machine lets this be done.
pub(crate) fn has(need: &str) -> bool {
    let mut command = match need {
        MOUNTS => {
            let mut command = Command::new("unshare");
            command.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]);
            command
        }
        BINDFS => {
            let mut command = Command::new(OWN_MOUNTS[0]);
            command.args(&OWN_MOUNTS[1..]);
            command.args([
                "sh",
                "-c",
                "mount -t tmpfs tmpfs /tmp && mkdir /tmp/a && bindfs /usr /tmp/a",
            ]);
            command
        }
        _ => {
            let mut command = Server::by(&other_user(1000).each_ref().map(String::as_str));
            command.arg("--version");
            command
        }
    };
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What starts a server as a user that nobody else is and that has so many threads.
pub(crate) fn other_user(threads: usize) -> [String; 6] {
    static USERS: AtomicU32 = AtomicU32::new(0);
    let another = USERS.fetch_add(1, Ordering::Relaxed) % 50;
    let user = 100_000 + std::process::id() % 1000 * 50 + another;
    [
        "prlimit".to_owned(),
        format!("--nproc={threads}"),
        "setpriv".to_owned(),
        format!("--reuid={user}"),
        format!("--regid={user}"),
        "--clear-groups".to_owned(),
    ]
}
