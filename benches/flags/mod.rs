//! The flags of the benches: what stands behind cargo's `--`.

// Each of the benches uses a part of it.
#![allow(dead_code)]

use std::str::FromStr;

/// Flags with their values, in the order in which they were given.
pub(crate) struct Flags(Vec<(String, String)>);

impl Flags {
    /// Those of this process, which ends where one is not among the `known`, or has no value: nobody waits for minutes to
    /// see the wrong thing.
    pub(crate) fn given(known: &[&str]) -> Self {
        let mut flags = Vec::new();
        // cargo itself adds `--bench`.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(flag) = words.next() {
            if !known.contains(&flag.as_str()) {
                refuse(&format!("no flag {flag}; there are {}", known.join(", ")));
            }
            match words.next() {
                Some(value) => flags.push((flag, value)),
                None => refuse(&format!("{flag} takes a value")),
            }
        }
        Self(flags)
    }

    /// The last that was said of a flag.
    pub(crate) fn text(&self, flag: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(name, _)| name == flag);
        last.map(|(_, value)| value.as_str())
    }

    pub(crate) fn number<T: FromStr>(&self, flag: &str, otherwise: T) -> T {
        let Some(text) = self.text(flag) else {
            return otherwise;
        };
        let number = text.parse();
        number.unwrap_or_else(|_| refuse(&format!("{flag} takes a number, not {text}")))
    }
}

fn refuse(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}
