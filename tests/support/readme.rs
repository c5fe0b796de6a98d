//! The tables of documents that tests and benches make.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What stands behind a table.
const END: &str = "<!-- /table -->";
/// Says that what is made anew is wanted: `1` in its place, anything else names a folder that gets it as a copy.
const WANTED: &str = "FTP_WRITE_TABLES";

/// Where a document of the project is.
pub(crate) fn path(document: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(document)
}

/// A document with this table between the marks of this name. `Err` says which mark it lacks.
pub(crate) fn with_table(text: &str, name: &str, table: &str) -> Result<String, String> {
    let begin = format!("<!-- table:{name} -->");
    let no_place = format!("there is no place for a table: {begin} and {END}");
    let (start, rest) = text.split_once(&begin).ok_or(&no_place)?;
    let (_, rest) = rest.split_once(END).ok_or(&no_place)?;
    Ok(format!("{start}{begin}\n{table}{END}{rest}"))
}

/// Writes a document that was made anew, if that is wanted; it has to be there already.
pub(crate) fn write(document: &str, text: &str) -> io::Result<()> {
    let Some(folder) = env::var_os(WANTED) else {
        return Ok(());
    };
    fs::metadata(path(document))?;
    if is_in_place() {
        return fs::write(path(document), text);
    }
    let copy = Path::new(&folder).join(document);
    fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
    fs::write(copy, text)
}

/// Whether what is written takes the place of what was there.
pub(crate) fn is_in_place() -> bool {
    env::var_os(WANTED).is_some_and(|value| value == "1")
}

/// Writes a document with this table, likewise. `Err` says what went wrong.
pub(crate) fn write_table(document: &str, name: &str, table: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write the table into {document}: {error}");
    let before = fs::read_to_string(path(document)).map_err(failed)?;
    write(document, &with_table(&before, name, table)?).map_err(failed)
}

/// A row of cells as Markdown has it.
pub(crate) fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
