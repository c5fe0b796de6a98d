//! A reply of the server, as it came.

use std::fmt;

/// One reply: its code, and its text as it came, with the codes, its lines parted by `\n`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Reply {
    /// The lines between the first and the last, as they came.
    pub(crate) fn inner_lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[1..lines.len().saturating_sub(1).max(1)].to_vec()
    }

    /// What stands between the first quote and the last one of a 257 reply, doubled quotes undone.
    #[track_caller]
    pub(crate) fn quoted(&self) -> String {
        let first = self.text.find('"');
        let last = self.text.rfind('"');
        match (first, last) {
            (Some(first), Some(last)) if first < last => {
                self.text[first + 1..last].replace("\"\"", "\"")
            }
            _ => panic!("expected a path in quotes, got {self}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
