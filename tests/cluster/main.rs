//! Several servers over one GlusterFS volume of three replicas, which lose a brick and a server in the midst of their work, and
//! the same behind a load balancer.
//!
//! All of it is in namespaces of its own, so that its addresses, ports, mounts and daemons are nobody else's and go with it:
//! the program starts itself again in there.

mod balancer;
#[path = "../history/register.rs"]
#[allow(dead_code)]
mod register;
#[path = "../support/mod.rs"]
mod support;
mod volume;
#[path = "../history/watch.rs"]
mod watch;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "../works_with/programs.rs"]
mod programs;

use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};
use tempfile::TempDir;

/// Who sees this in the environment is in the namespaces.
const INSIDE: &str = "FTP_TEST_INSIDE";
/// Namespaces with what FUSE needs.
const SPACES: &str = "right to have namespaces and FUSE";
const GLUSTER: &str = "glusterfs-server";
const HAPROXY: &str = "haproxy";

type Test = (&'static str, &'static str, fn());

const TESTS: &[Test] = &[
    (
        "uploads go on when a brick and a server die",
        GLUSTER,
        volume::uploads_go_on,
    ),
    (
        "a resume that began at one server goes on at another",
        GLUSTER,
        volume::resume_elsewhere,
    ),
    (
        "files are atomic over three servers and two bricks",
        GLUSTER,
        volume::atomic,
    ),
    (
        "behind a balancer that speaks PROXY v1",
        HAPROXY,
        balancer::version_1,
    ),
    (
        "behind a balancer that speaks PROXY v2",
        HAPROXY,
        balancer::version_2,
    ),
];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    let missing: BTreeSet<&str> = [SPACES, GLUSTER, HAPROXY]
        .into_iter()
        .filter(|need| !has(need))
        .collect();
    let inside = std::env::var_os(INSIDE).is_some();
    if !inside && !args.list && !missing.contains(SPACES) {
        return go_inside();
    }
    if inside {
        volume::furnish();
    }
    // They share the volume, and what one kills another would miss.
    args.test_threads = Some(1);
    let trial = |&(name, need, test): &Test| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(!inside || missing.contains(need))
    };
    let conclusion = libtest_mimic::run(&args, TESTS.iter().map(trial).collect());
    if conclusion.has_failed() || args.list {
        return conclusion.exit_code();
    }
    programs::skipped(&missing)
}

/// Tries whether the machine has this.
fn has(need: &str) -> bool {
    let mut command = match need {
        _ if std::env::var_os(INSIDE).is_some() && need == SPACES => return true,
        SPACES => {
            let mut command = spaces();
            command.args(["sh", "-c", "ip link set lo up && : <>/dev/fuse"]);
            command
        }
        GLUSTER => {
            let mut command = Command::new("glusterd");
            command.arg("--version");
            command
        }
        _ => {
            let mut command = Command::new(HAPROXY);
            command.arg("-v");
            command
        }
    };
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// What runs a program in namespaces of its own. With the first process in there end all others, daemons too.
fn spaces() -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]);
    command
}

fn go_inside() -> ExitCode {
    // What is mounted over it in there is seen by nobody here.
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let this = std::env::current_exe().expect("the path of this program");
    let mut command = spaces();
    // The first process in there has to wait for the daemons that others leave behind, or they would never be quite gone.
    command.args(["sh", "-c", "\"$0\" \"$@\"; exit $?"]);
    command.arg(this).args(std::env::args_os().skip(1));
    command.env(INSIDE, "1").env("TMPDIR", folder.path());
    let status = command.status().expect("unshare runs");
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => ExitCode::from(code),
        None => ExitCode::FAILURE,
    }
}
