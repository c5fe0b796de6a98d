//! The servers that a session may be with: several over one folder, of which the next is tried where one fails.

use super::error::Trouble;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// Its name or address.
    pub name: String,
    /// Its control port.
    pub port: u16,
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} port {}", self.name, self.port)
    }
}

impl Host {
    /// Reads `name`, `name:port` or `[address]:port`. `port` is that of one that has none of its own.
    fn parse(text: &str, port: u16) -> Result<Self, Trouble> {
        let bad = |why: &str| {
            Trouble::Usage(format!(
                "--host \"{text}\": {why}; a server is HOST or HOST:PORT, and an IPv6 address with a port is [ADDRESS]:PORT"
            ))
        };
        // An IPv6 address has colons of its own.
        let (name, own) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((name, ""))) => (name, None),
            Some(Some((name, rest))) => match rest.strip_prefix(':') {
                Some(port) => (name, Some(port)),
                None => return Err(bad("only :PORT may stand behind the ]")),
            },
            Some(None) => return Err(bad("there is no ]")),
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            },
        };
        if name.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = match own {
            Some(own) => own.parse().ok().filter(|&port| port > 0),
            None => Some(port),
        };
        Ok(Self {
            name: name.to_owned(),
            port: port.ok_or_else(|| bad("a port is a number up to 65535"))?,
        })
    }
}

/// Servers over one folder, at least one, and the one of them that was reached last. All who have a clone know that.
#[derive(Debug, Clone)]
pub struct Hosts {
    list: Arc<[Host]>,
    current: Arc<AtomicUsize>,
}

impl Hosts {
    /// A single server.
    #[must_use]
    pub fn one(name: String, port: u16) -> Self {
        Self::of([Host { name, port }].into())
    }

    /// Reads a list parted by commas: see [`Host::parse`].
    ///
    /// # Errors
    /// [`Trouble::Usage`].
    pub fn parse(text: &str, port: u16) -> Result<Self, Trouble> {
        let list: Result<Arc<[Host]>, _> = text
            .split(',')
            .map(|host| Host::parse(host.trim(), port))
            .collect();
        list.map(Self::of)
    }

    fn of(list: Arc<[Host]>) -> Self {
        Self {
            list,
            current: Arc::default(),
        }
    }

    /// The one that was reached last.
    #[must_use]
    pub fn current(&self) -> &Host {
        &self.list[self.current.load(Ordering::Relaxed)]
    }

    /// All of them, beginning with the one that was reached last.
    pub fn in_turn(&self) -> impl Iterator<Item = &Host> {
        let (before, after) = self.list.split_at(self.current.load(Ordering::Relaxed));
        after.iter().chain(before)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Host] {
        &self.list
    }

    /// This one has been reached.
    pub(super) fn settle(&self, host: &Host) {
        if let Some(at) = self.list.iter().position(|other| other == host) {
            self.current.store(at, Ordering::Relaxed);
        }
    }

    /// What tells these from others, in whatever order they were named.
    pub(super) fn key(&self) -> String {
        let mut all = self.list.to_vec();
        all.sort();
        all.dedup();
        let all: Vec<_> = all
            .iter()
            .map(|Host { name, port }| format!("{name}\0{port}"))
            .collect();
        all.join("\0")
    }
}

impl PartialEq for Hosts {
    /// Whether these are the same, in the same order. Which of them was reached last is no part of it.
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Hosts {}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<(String, u16)> {
        let hosts = Hosts::parse(text, 8080).unwrap();
        let all = hosts.all().iter();
        all.map(|host| (host.name.clone(), host.port)).collect()
    }

    #[test]
    fn what_a_list_names() {
        for (text, hosts) in [
            ("a", &[("a", 8080)][..]),
            ("a:21, b ,c:2121", &[("a", 21), ("b", 8080), ("c", 2121)]),
            ("::1", &[("::1", 8080)]),
            ("[::1]", &[("::1", 8080)]),
            (
                "[::1]:2121,fe80::2:3",
                &[("::1", 2121), ("fe80::2:3", 8080)],
            ),
        ] {
            let hosts = hosts.iter().map(|&(name, port)| (name.to_owned(), port));
            assert_eq!(named(text), hosts.collect::<Vec<_>>(), "{text}");
        }
        for text in [
            "", "a,", ",a", "a:", "a:0", "a:65536", "a:x", ":21", "[]:21", "[::1", "[::1]21",
            "[::1]:",
        ] {
            assert!(Hosts::parse(text, 8080).is_err(), "{text}");
        }
    }

    #[test]
    fn the_one_that_was_reached_is_the_first_to_be_tried() {
        let hosts = Hosts::parse("a,b,c", 21).unwrap();
        let order = || {
            let names = hosts.in_turn().map(|host| host.name.as_str());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order(), "a b c");
        hosts.settle(&hosts.all()[1]);
        assert_eq!((order().as_str(), &*hosts.current().name), ("b c a", "b"));
    }

    #[test]
    fn the_order_is_no_part_of_what_they_are_known_by() {
        let key = |text: &str| Hosts::parse(text, 21).unwrap().key();
        assert_eq!(key("a,b:22"), key("b:22,a:21"));
        assert_ne!(key("a,b"), key("a"));
        assert_eq!(key("a"), "a\u{0}21");
    }
}
