//! The tables of what works with what: operations by programs, made of what the tests found.

use crate::operations::OPERATIONS;
use crate::programs::say;
use crate::support::readme::{self, row};
use crate::{Case, Side};
use std::fs;

/// Where the tables are.
const DOCUMENT: &str = "tests/works_with/README.md";

/// What the document calls its table.
fn name(side: Side) -> &'static str {
    match side {
        Side::Clients => "clients",
        Side::Servers => "servers",
    }
}

/// Rows of operations that at least one program does, columns of programs in their order.
fn table(cases: &[Case], side: Side) -> String {
    let of_side: Vec<&Case> = cases.iter().filter(|case| case.side == side).collect();
    let mut programs: Vec<&str> = of_side.iter().map(|case| case.program).collect();
    programs.dedup();
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

/// Compares the document's tables with those of the cases, which have all passed, and writes them where that is wanted. Says
/// whether the document's are right now.
pub(crate) fn are_right(cases: &[Case]) -> bool {
    let document = readme::path(DOCUMENT);
    let before = fs::read_to_string(&document).unwrap_or_default();
    let mut text = before.clone();
    for side in [Side::Clients, Side::Servers] {
        match readme::with_table(&text, name(side), &table(cases, side)) {
            Ok(with) => text = with,
            Err(why) => {
                say(&why);
                return false;
            }
        }
    }
    if let Err(why) = readme::write(DOCUMENT, &text) {
        say(&format!("cannot write the tables into {DOCUMENT}: {why}"));
        return false;
    }
    if text == before || readme::is_in_place() {
        return true;
    }
    say(&format!(
        "{DOCUMENT} has other tables than the tests: FTP_WRITE_TABLES=1 cargo test --test works_with"
    ));
    false
}
