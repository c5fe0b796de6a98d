//! Finds foreign programs and runs them, each with a deadline.

use crate::support::{PATIENCE, unpacked_programs};
use libtest_mimic::{Arguments, Trial};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The password of whoever logs in. Anonymous clients may say anything.
pub(crate) const PASSWORD: &str = "guest";

/// What a client has written to both of its outputs: `Err` when it says by its exit code that something failed.
pub(crate) type Outcome = Result<String, String>;

/// What a program needs that is no program: vsftpd, ProFTPD and Pure-FTPd change their user and their root.
pub(crate) const ROOT: &str = "root";

/// Where a program is: in the folder that `FTP_TEST_PROGRAMS` names (`programs` in the target folder otherwise, where
/// `.ci/install-programs` unpacks those that cannot be installed side by side), or in `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let ours = unpacked_programs();
    let below = ["bin", "usr/sbin", "usr/bin", "unftp/bin"].map(|folder| ours.join(folder));
    let path = env::var_os("PATH").unwrap_or_default();
    below
        .into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Whether the machine has this program, or these rights.
pub(crate) fn has(need: &str) -> bool {
    match need {
        ROOT => rustix::process::geteuid().is_root(),
        program => find(program).is_some(),
    }
}

/// A command with this program, which `has` has found.
pub(crate) fn command(name: &str) -> Command {
    let path = find(name).unwrap_or_else(|| panic!("{name} was there a moment ago"));
    let mut command = Command::new(path);
    // Months, sizes and errors in English, names in UTF-8, times as FTP has them, and nobody in between.
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    for proxy in ["ftp_proxy", "FTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    // A group of its own, so that what it has started ends with it.
    command.process_group(0);
    command
}

/// Runs a program to its end, in `folder`, with a home of its own and no terminal.
///
/// Its output goes to a file, since nobody would empty a pipe.
#[track_caller]
pub(crate) fn run<A: AsRef<OsStr>>(folder: &Path, name: &str, args: &[A], input: &str) -> Outcome {
    let home = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| home.path().join(name);
    fs::write(at("input"), input).expect("the input is written");
    let output = File::create(at("output")).expect("a file for the output");
    let mut command = command(name);
    command
        .args(args)
        .current_dir(folder)
        .env("HOME", home.path())
        // Where our client has it from, for a server that wants more than "anonymous".
        .env("FTP_PASSWORD", PASSWORD)
        .stdin(File::open(at("input")).expect("the input"))
        .stdout(output.try_clone().expect("a descriptor"))
        .stderr(output);
    for folder in [
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
    ] {
        command.env(folder, home.path());
    }
    let mut running = Running::start(command);
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        let ended = running.child.try_wait().expect("the child's state");
        if ended.is_some() || Instant::now() > deadline {
            break ended;
        }
        thread::sleep(Duration::from_millis(5));
    };
    drop(running);
    let text = fs::read(at("output")).expect("the output");
    let text = String::from_utf8_lossy(&text).into_owned();
    match status {
        Some(status) if status.success() => Ok(text),
        Some(status) => Err(format!("{name} ended with {status}:\n{text}")),
        None => panic!("{name} did not end within {PATIENCE:?}:\n{text}"),
    }
}

/// A program and all that it has started, which end with this value.
pub(crate) struct Running {
    pub(crate) child: Child,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self { child }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only while its number is certainly its own.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A command whose output goes to this file.
pub(crate) fn logged(mut command: Command, log: &Path) -> Command {
    let output = File::create(log).expect("a file for the log");
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a descriptor"))
        .stderr(output);
    command
}

/// One line on standard error, past whatever catches the output of tests.
pub(crate) fn say(line: &str) {
    let _ = std::io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// A test: what it shows, what it needs of the machine that not each has, and itself.
// Here and below: tests/works_with has a table instead, the other tests with needs are run this way.
#[allow(dead_code)]
pub(crate) type Test = (&'static str, Option<&'static str>, fn());

/// Runs the tests that this machine can run, and says which needs of the others it does not meet.
#[allow(dead_code)]
pub(crate) fn try_all(tests: &[Test], is_there: impl Fn(&str) -> bool) -> ExitCode {
    let args = Arguments::from_args();
    let needs: BTreeSet<&str> = tests.iter().filter_map(|(_, need, _)| *need).collect();
    let missing: BTreeSet<&str> = needs.into_iter().filter(|need| !is_there(need)).collect();
    let trial = |&(name, need, test): &Test| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(need.is_some_and(|need| missing.contains(need)))
    };
    let conclusion = libtest_mimic::run(&args, tests.iter().map(trial).collect());
    if conclusion.has_failed() || args.list {
        return conclusion.exit_code();
    }
    skipped(&missing)
}

/// Says which tests were not run, at the end of those that were. Where nothing should be missing, as in CI, that is a failure.
pub(crate) fn skipped(missing: &BTreeSet<&str>) -> ExitCode {
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    let missing: Vec<String> = missing.iter().map(|need| format!("no {need}")).collect();
    say(&format!("skipped: {}", missing.join(", ")));
    if env::var_os("FTP_REQUIRE_PROGRAMS").is_some() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
