//! The tables of documents that tests and benches make.

use std::path::PathBuf;

/// What stands behind a table.
const END: &str = "<!-- /table -->";

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

/// A row of cells as Markdown has it.
pub(crate) fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
