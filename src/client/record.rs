//! What was known of a file when its transfer began, kept beside the part for the next attempt to compare.

use crate::protocol::entry::{Entry, FactSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The longest record that is read back, in bytes.
const MAX_RECORD: u64 = 16 * 1024;

/// Whether the record at `path` says just this. One that cannot be read says nothing.
pub(super) fn says(path: &Path, entry: &Entry) -> bool {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_RECORD).read_to_string(&mut text));
    read.is_ok() && Entry::parse_facts(&text).as_ref() == Some(entry)
}

/// Writes the record at `path`, over what is there.
///
/// # Errors
/// What the system says.
pub(super) fn write(path: &Path, entry: &Entry) -> io::Result<()> {
    let mut facts = Vec::new();
    entry.write_facts(FactSet::ALL, &mut facts)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, facts)
}

/// Removes the record at `path`, if there is one.
///
/// # Errors
/// What the system says.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
