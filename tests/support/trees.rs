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

/// Names that mean something to shells, globs, listings, terminals, FTP or this client.
pub(crate) fn odd_names() -> Vec<String> {
    let names = [
        "plain.txt",
        "two words",
        " begins with a blank",
        "ends with one ",
        "-dash",
        "--",
        "~",
        "#no comment",
        "!no command",
        "grüße 日本.txt",
        "Gr\u{fc}n",
        "Gru\u{308}n",
        "👩\u{200d}💻",
        "\"quoted\"",
        "it's",
        "semi;colon",
        "star*[x]?",
        "{a,b}",
        "$HOME `id` | &",
        "same",
        "Same",
        "SAME",
        ".hidden",
        "...",
        // In an order in which each can be fetched for itself: `z` is called `z.part` meanwhile.
        "z",
        "z.part",
        "z.part.facts",
        "z.part.part",
        "226 done",
        "nothing in it",
    ];
    let long = [250, 244, 255].map(|len| "n".repeat(len));
    let wide = "日".repeat(85);
    let names = names.into_iter().map(str::to_owned);
    names.chain(long).chain([wide]).collect()
}

/// Folders in folders, empty ones, and odd names in them.
pub(crate) fn grow(folder: &Path) -> Tree {
    for empty in ["empty", "a/b/c/empty too", "-r", " "] {
        fs::create_dir_all(folder.join(empty)).expect("a folder");
    }
    let names = odd_names();
    let deeper = [
        "a/b/c/deep",
        "a/x.part",
        "a/x",
        "a/x.part.facts",
        "-r/inside",
    ];
    let names = names.iter().map(String::as_str).chain(deeper);
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
