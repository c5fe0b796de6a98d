//! The real client as one of the clients: a process for each thing that it does, which may be killed.

use crate::slot::Slot;
use rustix::process::Signal;
use std::fs;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

const FLAGS: [&str; 5] = [
    "--tls=off",
    "--jobs=1",
    "--retries=3",
    "--retry-wait=50",
    "--timeout=10",
];

/// How a process comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By itself, over a network that holds.
    Good,
    /// By itself, through the proxy.
    Any,
    /// Killed.
    Killed,
}

impl Slot<'_> {
    /// Does one thing by the real client.
    pub(crate) fn process(&mut self) {
        let Some(path) = self.some().filter(|_| self.dice.below(4) > 0) else {
            let path = self.fresh();
            return self.sends("put", &path);
        };
        match self.dice.below(6) {
            0 => self.sends("put", &path),
            1 if self.files[&path].len() < 5 => self.sends("append", &path),
            2 => self.moves(&path),
            3 => self.removes(&path),
            _ => self.fetches(&path),
        }
    }

    fn sends(&mut self, verb: &str, path: &str) {
        let (mark, bytes) = self.piece();
        self.client.write("f", &bytes);
        let mut after = match verb {
            "append" => self.files[path].clone(),
            _ => Vec::new(),
        };
        after.push(mark);
        self.begins(path, Some(after.clone()));
        if self.does(&format!("{verb} f {path}\n")) {
            self.is_so(path, Some(after));
        }
    }

    fn moves(&mut self, from: &str) {
        let to = self.fresh();
        let held = self.files[from].clone();
        self.begins(from, None);
        self.begins(&to, Some(held.clone()));
        if self.does(&format!("rename {from} {to}\n")) {
            self.is_so(from, None);
            self.is_so(&to, Some(held));
        }
    }

    fn removes(&mut self, path: &str) {
        self.begins(path, None);
        if self.does(&format!("rm {path}\n")) {
            self.is_so(path, None);
        }
    }

    fn fetches(&mut self, path: &str) {
        let name = path.rsplit('/').next().expect("a name");
        let there = self.client.download(name);
        let done = self.does(&format!("get {path}\n"));
        let bytes = fs::read(&there).ok();
        // Whole or not there, and there for sure if the client says so.
        if done || bytes.is_some() {
            self.compares(path, bytes.as_deref());
            fs::remove_file(there).expect("it is removed");
            self.soak.moves(bytes.map_or(0, |bytes| bytes.len()));
        }
    }

    /// Runs the client. Whether it says that this was done.
    fn does(&mut self, command: &str) -> bool {
        let end = [End::Good, End::Any, End::Any, End::Killed][self.dice.index(4)];
        let address = match end {
            End::Any => self.soak.proxy.address(),
            End::Good | End::Killed => self.soak.server.address,
        };
        let running = self.client.at(&[address]).with(&FLAGS).spawn(command);
        if end == End::Killed {
            // At some point of what it does, which takes about as long.
            thread::sleep(Duration::from_millis(self.dice.below(100)));
            running.signal(Signal::KILL);
            self.soak.kills.fetch_add(1, Relaxed);
        }
        let output = running.output();
        let errors = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        match end {
            End::Good => assert_eq!(
                code,
                Some(0),
                "{command}over a network that holds: {errors}"
            ),
            End::Any => assert!(
                matches!(code, Some(0 | 1 | 3 | 5)) && (code == Some(0) || !errors.is_empty()),
                "{command}ended with {:?}: {errors}",
                output.status
            ),
            End::Killed => {}
        }
        code == Some(0)
    }
}
