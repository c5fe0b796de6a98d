//! The tables of the README: operations by programs, made of what the tests found.

use crate::operations::OPERATIONS;
use crate::programs::say;
use crate::{Case, Side};
use std::fs;
use std::path::Path;

/// What stands behind a table in the README.
const END: &str = "<!-- /table -->";

/// What stands before it.
fn begin(side: Side) -> &'static str {
    match side {
        Side::Clients => "<!-- table:clients -->",
        Side::Servers => "<!-- table:servers -->",
    }
}

/// Rows of operations that at least one program does, columns of programs in their order.
fn table(cases: &[Case], side: Side) -> String {
    let of_side: Vec<&Case> = cases.iter().filter(|case| case.side == side).collect();
    let mut programs: Vec<&str> = of_side.iter().map(|case| case.program).collect();
    programs.dedup();
    let row = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = row(&[&[""], &programs[..]].concat());
    text += &row(&[&["---"], &vec![":-:"; programs.len()][..]].concat());
    for operation in OPERATIONS {
        let does = |program: &&str| {
            of_side
                .iter()
                .any(|case| case.program == *program && case.operation.name == operation.name)
        };
        let cells: Vec<&str> = programs
            .iter()
            .map(|program| if does(program) { "✓" } else { "" })
            .collect();
        if cells.contains(&"✓") {
            text += &row(&[&[operation.name], &cells[..]].concat());
        }
    }
    text
}

/// Compares the README's tables with those of the cases, which have all passed, or writes them when the environment
/// variable `FTP_WRITE_TABLES` is set. Says whether they are right now.
pub(crate) fn are_right(cases: &[Case]) -> bool {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let before = fs::read_to_string(&readme).unwrap_or_default();
    let mut text = before.clone();
    for side in [Side::Clients, Side::Servers] {
        let Some((start, rest)) = text.split_once(begin(side)) else {
            say(&format!(
                "README.md has no place for a table: {} and {END}",
                begin(side)
            ));
            return false;
        };
        let Some((_, rest)) = rest.split_once(END) else {
            say(&format!("README.md has no {END} behind {}", begin(side)));
            return false;
        };
        text = format!("{start}{}\n{}{END}{rest}", begin(side), table(cases, side));
    }
    if text == before {
        return true;
    }
    if std::env::var_os("FTP_WRITE_TABLES").is_some() {
        return fs::write(&readme, text).is_ok();
    }
    say(
        "README.md has other tables than the tests: FTP_WRITE_TABLES=1 cargo test --test works_with",
    );
    false
}
