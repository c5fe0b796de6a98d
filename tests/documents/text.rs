//! The documents, and what of them is meant to be typed.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document of the project, by its path. What changed is told of what no longer is.
pub(crate) fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "deploy", "benches", "tests/works_with"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder of documents") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.extension().is_some_and(|end| end == "md") && !path.ends_with("CHANGELOG.md") {
                let path = path.strip_prefix(root()).expect("it is below");
                found.push(path.to_str().expect("a plain name").to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).expect("the document is there")
}

/// The lines of a document's blocks of `sh`.
pub(crate) fn commands(document: &str) -> String {
    let mut commands = String::new();
    let mut within = false;
    for line in read(document).lines() {
        match line.trim_start() {
            "```sh" => within = true,
            "```" => within = false,
            line if within => commands += &format!("{line}\n"),
            _ => {}
        }
    }
    commands
}

/// What is typed behind the `$` of a session that a document shows.
pub(crate) fn at_the_shell(document: &str) -> Vec<String> {
    let lines = shown(document);
    let typed = lines.iter().filter_map(|line| line.strip_prefix("$ "));
    typed.map(ToOwned::to_owned).collect()
}

/// What is typed behind its `ftp>`. What the server then refuses has a `-` before it, so that it may.
pub(crate) fn session(document: &str) -> Vec<String> {
    let lines = shown(document);
    let next = lines.iter().skip(1).map(String::as_str).chain([""]);
    let typed = lines.iter().zip(next).filter_map(|(line, next)| {
        let typed = line.strip_prefix("ftp> ")?;
        let refused = next.contains("the server answered \"5");
        Some(format!("{}{typed}", if refused { "-" } else { "" }))
    });
    typed.collect()
}

/// The lines of blocks that are none of `sh`.
fn shown(document: &str) -> Vec<String> {
    let mut fence = None;
    let mut lines = Vec::new();
    for line in read(document).lines() {
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(language), None) => fence = Some(language == "sh"),
            (None, Some(false)) => lines.push(line.to_owned()),
            (None, _) => {}
        }
    }
    lines
}

/// What stands between backquotes within the lines.
pub(crate) fn code(document: &str) -> Vec<String> {
    let text = read(document);
    let mut prose = String::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if !block {
            prose += &format!("{line} ");
        }
    }
    let parts: Vec<&str> = prose.split('`').collect();
    assert!(parts.len() % 2 == 1, "{document}: a backquote is missing");
    let spans = parts.into_iter().skip(1).step_by(2);
    spans.map(ToOwned::to_owned).collect()
}
