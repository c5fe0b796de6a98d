//! `SECURITY.md` names the test of each defence: one that is gone or has another name would be a defence that nobody checks.

use std::fs;
use std::path::Path;

/// The tests that a text names, as `tests/FILE.rs::NAME`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.starts_with("tests/"))
        .filter_map(|word| word.split_once("::"))
        .collect()
}

#[test]
fn each_test_that_it_names_exists() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(crate_folder.join("SECURITY.md")).expect("SECURITY.md");
    let tests = named(&text);
    assert!(tests.len() > 30, "only {} tests were found", tests.len());
    let missing: Vec<String> = tests
        .into_iter()
        .filter(|(file, name)| {
            let source = fs::read_to_string(crate_folder.join(file)).unwrap_or_default();
            !source.contains(&format!("#[test]\nfn {name}()"))
        })
        .map(|(file, name)| format!("{file}::{name}"))
        .collect();
    assert!(
        missing.is_empty(),
        "SECURITY.md names what is not there: {missing:#?}"
    );
}
