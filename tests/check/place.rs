//! A place to check, and what was found there.

use crate::support::Server;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A place for a server, with all that it needs.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::with_prefix("ftp-test-").expect("a temporary folder"));
        fs::create_dir(place.root()).expect("the root folder");
        place
    }

    pub(crate) fn root(&self) -> String {
        self.path("root")
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// The command, which is `check`'s, with the flags that a server on loopback has and these.
    #[track_caller]
    pub(crate) fn check_by(&self, mut command: Command, flags: &[&str]) -> Checked {
        command.args(["check", "--root", &self.root()]);
        let state = self.path("state");
        for (flag, value) in [
            ("--state-dir", state.as_str()),
            ("--host", "127.0.0.1"),
            ("--port", "0"),
            // Few, and none of the system's, whatever the machine has.
            ("--max-clients", "5"),
            ("--passive-ports", "900-910"),
        ] {
            // A file says how many clients itself.
            let by_file = flag == "--max-clients" && flags.contains(&"--config");
            if !by_file && !flags.contains(&flag) {
                command.args([flag, value]);
            }
        }
        let output = command
            .args(flags)
            .output()
            .expect("the server's binary runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, "", "{flags:?}");
        Checked {
            code: output.status.code().expect("an exit code"),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn check(&self, flags: &[&str]) -> Checked {
        self.check_by(Server::command(), flags)
    }
}

/// What `check` has said.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Checked {
    /// It found this, in one line, and nothing else that is wrong.
    #[track_caller]
    pub(crate) fn says(&self, verdict: &str, about: &str, parts: &[&str]) {
        let others: Vec<&str> = self
            .text
            .lines()
            .filter(|line| line.starts_with("warning") || line.starts_with("error"))
            .collect();
        let beginning = format!("{verdict:8} {about}: ");
        let found: Vec<&str> = self
            .text
            .lines()
            .filter(|line| line.starts_with(&beginning))
            .collect();
        assert_eq!(found.len(), 1, "a line {beginning:?} in\n{}", self.text);
        let complete = parts.iter().all(|part| found[0].contains(part));
        assert!(complete, "expected {parts:?} in {:?}", found[0]);
        assert_eq!(others.len(), usize::from(verdict != "ok"), "{}", self.text);
        assert_eq!(self.code, i32::from(verdict == "error"), "{}", self.text);
    }
}
