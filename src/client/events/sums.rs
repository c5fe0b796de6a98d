//! What the files of one command have come to.

use crate::client::text;
use crate::json::Object;
use std::fmt;
use std::time::Duration;

/// Files that were moved.
#[derive(Debug, Clone)]
pub struct Total {
    /// They came, and have not gone.
    pub down: bool,
    /// How many are moved.
    pub files: u64,
    /// Of so many.
    pub of: u64,
    /// How many bytes they were.
    pub bytes: u64,
    /// In what time.
    pub took: Duration,
}

/// A folder that is a copy of another.
#[derive(Debug, Clone)]
pub struct Mirrored {
    /// The one on the server.
    pub remote: String,
    /// How many files were copied.
    pub files: u64,
    /// Of so many.
    pub of: u64,
    /// How many were as they should be.
    pub same: u64,
    /// How many files and whole trees are gone.
    pub removed: u64,
    /// How many bytes were moved.
    pub bytes: u64,
    /// In what time.
    pub took: Duration,
}

impl Total {
    pub(super) fn object(&self, event: Object) -> Object {
        event
            .with("verb", if self.down { "get" } else { "put" })
            .with("files", self.files)
            .with("of", self.of)
            .with("bytes", self.bytes)
            .with("seconds", self.took)
    }
}

impl Mirrored {
    pub(super) fn object(&self, event: Object) -> Object {
        event
            .with("remote", self.remote.as_str())
            .with("files", self.files)
            .with("of", self.of)
            .with("same", self.same)
            .with("removed", self.removed)
            .with("bytes", self.bytes)
            .with("seconds", self.took)
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, of, .. } = self;
        let verb = if self.down { "got" } else { "sent" };
        let moved = text::rate(self.bytes, self.took);
        write!(f, "{verb} {files} of {of} files: {moved}")
    }
}

impl fmt::Display for Mirrored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            remote,
            files,
            of,
            same,
            removed,
            ..
        } = self;
        write!(f, "{remote}: {files}")?;
        if files != of {
            write!(f, " of {of}")?;
        }
        let moved = text::rate(self.bytes, self.took);
        write!(
            f,
            " copied, {same} as they should be, {removed} removed; {moved}"
        )
    }
}
