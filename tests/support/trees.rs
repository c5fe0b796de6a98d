//! Trees of folders, to be moved and compared.

use super::Pattern;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The paths below a folder, each with its content; a folder has none.
pub(crate) type Tree = BTreeMap<String, Option<Vec<u8>>>;

pub(crate) fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        for entry in fs::read_dir(&path).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("it is below");
            let content = match path.is_dir() {
                true => {
                    left.push(path.clone());
                    None
                }
                false => Some(fs::read(&path).expect("a file")),
            };
            found.insert(name.display().to_string(), content);
        }
    }
    found
}

/// Folders in folders, empty ones, and names that mean something to shells, globs, listings or FTP.
pub(crate) fn grow(folder: &Path) -> Tree {
    for empty in ["empty", "a/b/c/empty too", "-r", " "] {
        fs::create_dir_all(folder.join(empty)).expect("a folder");
    }
    let names = [
        "plain.txt",
        "two words",
        " begins with a blank",
        "-dash",
        "grüße 日本.txt",
        "\"quoted\"",
        "star*[x]?",
        "a/b/c/deep",
        "a/x.part",
        "a/x",
        "a/x.part.facts",
        "-r/inside",
        "...",
        "nothing in it",
    ];
    for (seed, name) in (1..).zip(names) {
        let len = if name == "nothing in it" {
            0
        } else {
            seed * 7_919
        };
        fs::write(folder.join(name), Pattern::bytes(seed, len)).expect("a file");
    }
    tree(folder)
}
