//! Every foreign client with the server, and the client with every foreign server: what passes here is what the
//! README's tables say.

mod clients;
mod operations;
mod place;
mod programs;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod table;

use libtest_mimic::{Arguments, Trial};
use operations::Operation;
use std::collections::BTreeSet;
use std::process::ExitCode;

/// Which side the foreign program is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Clients,
    Servers,
}

/// One cell of the tables.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) side: Side,
    pub(crate) program: &'static str,
    pub(crate) operation: &'static Operation,
    /// What the machine has to have.
    pub(crate) needs: &'static [&'static str],
    pub(crate) test: fn(&Case),
    pub(crate) act: clients::Act,
}

impl Case {
    fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.needs
            .iter()
            .copied()
            .filter(|need| !programs::has(need))
    }

    fn trial(&self) -> Trial {
        let name = format!("{}: {}", self.program, self.operation.name);
        let missing: Vec<&str> = self.missing().collect();
        let case = self.clone();
        Trial::test(name.replace('`', ""), move || {
            (case.test)(&case);
            Ok(())
        })
        .with_ignored_flag(!missing.is_empty())
    }
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // A server and a client each wait for the other most of the time.
    args.test_threads = args.test_threads.or(Some(8));
    let cases: Vec<Case> = [clients::cases(), servers::cases()].concat();
    let conclusion = libtest_mimic::run(&args, cases.iter().map(Case::trial).collect());
    if args.list || args.filter.is_some() || !args.skip.is_empty() || conclusion.has_failed() {
        return conclusion.exit_code();
    }
    let missing: BTreeSet<&str> = cases.iter().flat_map(Case::missing).collect();
    if missing.is_empty() {
        let right = table::are_right(&cases);
        return if right {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    programs::skipped(&missing)
}
