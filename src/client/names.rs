//! The names on the server that Tab offers: each folder is asked for once, and until something is written there.

use super::Client;
use super::connection::Connection;
use super::glob::Name;
use super::listing;
use super::text;
use crate::protocol::entry::{Entry, Kind};
use anyhow::Result;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long Tab waits for a listing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Listings for Tab, by the path of the folder.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Nothing, for a folder that could not be listed.
    known: HashMap<String, Vec<Name>>,
    asked: Option<Asked>,
}

/// A listing that is on its way. Who waits for it has the connection meanwhile: a listing that is slow is waited for by
/// the next command and not by Tab, and nothing has to be cut off in between.
#[derive(Debug)]
struct Asked {
    folder: String,
    answer: Receiver<(Connection, Result<Vec<Entry>>)>,
}

impl From<&Entry> for Name {
    fn from(entry: &Entry) -> Self {
        Self {
            name: entry.name.clone(),
            folder: entry.kind == Kind::Folder,
        }
    }
}

impl Client {
    /// The names in a folder, given as a path with a `/` at its end, or as nothing for the current folder. Nothing if
    /// they are not to be had in two seconds, or were not before.
    pub(super) fn names_for_tab(&mut self, folder: &str) -> Vec<Name> {
        let key = resolve(self.folder.as_deref(), folder);
        self.collect(Duration::ZERO);
        if !self.names.known.contains_key(&key) && self.ask(&key, folder) {
            self.collect(PATIENCE);
        }
        self.names.known.get(&key).cloned().unwrap_or_default()
    }

    /// Asks for a listing in the background, if there is a connection that is not waiting for one yet.
    fn ask(&mut self, key: &str, folder: &str) -> bool {
        let Some(mut connection) = self.connection.take() else {
            return false;
        };
        let (send, answer) = channel();
        let folder = listed(folder).map(str::to_owned);
        let list = move || {
            let entries = listing::all(&mut connection, folder.as_deref());
            // Nobody waits any more when the client is about to end.
            let _ = send.send((connection, entries));
        };
        if let Err(error) = thread::Builder::new().spawn(list) {
            log::debug!("no thread for a listing: {error}");
            return false;
        }
        self.names.asked = Some(Asked {
            folder: key.to_owned(),
            answer,
        });
        true
    }

    /// Takes the listing that is on its way, and the connection back, if it comes in time.
    fn collect(&mut self, patience: Duration) {
        let Some(asked) = self.names.asked.take() else {
            return;
        };
        match asked.answer.recv_timeout(patience) {
            Ok((connection, outcome)) => {
                self.connection = Some(connection);
                let entries = outcome.unwrap_or_else(|error| {
                    log::debug!("no names for Tab: {error:#}");
                    Vec::new()
                });
                let names = entries.iter().map(Name::from).collect();
                self.names.known.insert(asked.folder, names);
            }
            Err(RecvTimeoutError::Timeout) => self.names.asked = Some(asked),
            Err(RecvTimeoutError::Disconnected) => log::debug!("the listing for Tab is lost"),
        }
    }

    /// Gets the connection back from a listing that Tab has asked for.
    pub(super) fn recall(&mut self) {
        self.collect(Duration::ZERO);
        if self.names.asked.is_some() {
            text::say("waiting for the listing that Tab has asked for");
            self.collect(Duration::MAX);
        }
    }

    /// Gets the connection back if that needs no waiting.
    pub(super) fn recall_now(&mut self) {
        self.collect(Duration::ZERO);
        self.names.asked = None;
    }

    /// Remembers what a listing has just told.
    pub(super) fn listed(&mut self, folder: &str, entries: &[Entry]) {
        let key = resolve(self.folder.as_deref(), folder);
        let names = entries.iter().map(Name::from).collect();
        self.names.known.insert(key, names);
    }

    /// Forgets what is no longer so when something was written, removed or renamed at `path`.
    pub(super) fn wrote(&mut self, path: &str) {
        let changed = resolve(self.folder.as_deref(), path);
        let parent = resolve(self.folder.as_deref(), &format!("{path}/.."));
        let below = format!("{changed}/");
        self.names.known.retain(|folder, _| {
            *folder != changed && *folder != parent && !folder.starts_with(&below)
        });
    }

    /// Forgets all listings: the server, the user or anything may be another.
    pub(super) fn forget_names(&mut self) {
        self.names.known.clear();
    }
}

/// A folder as a listing command takes it: without the `/` at its end, `None` for the current one.
#[must_use]
pub(super) fn listed(folder: &str) -> Option<&str> {
    match folder.trim_end_matches('/') {
        "" if folder.is_empty() => None,
        "" => Some("/"),
        folder => Some(folder),
    }
}

/// The path of `path` as seen from `current`, with no `.`, `..` and doubled `/` in it.
fn resolve(current: Option<&str>, path: &str) -> String {
    let whole = match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None => format!("{}/{path}", current.unwrap_or_default()),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let root = if whole.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn one_folder_has_one_path() {
        for (current, path, expected) in [
            (Some("/a/b"), "", "/a/b"),
            (Some("/a/b"), "c/", "/a/b/c"),
            (Some("/a/b"), "../c//./d", "/a/c/d"),
            (Some("/a"), "/x/", "/x"),
            (Some("/"), "../..", "/"),
            (None, "x/y/..", "/x"),
            (Some("in here"), "x", "in here/x"),
        ] {
            assert_eq!(resolve(current, path), expected, "{path} from {current:?}");
        }
    }
}
