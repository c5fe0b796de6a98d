//! `ftp-server check`: whether all is well, with nothing started and nothing changed.

use crate::args::Args;
use anyhow::Result;
use log::LevelFilter;
use multi_client_ftp::server::{self, Finding, Verdict};
use multi_client_ftp::shown::counted;
use std::io::{self, Write};
use std::process::ExitCode;

/// Writes a line for each thing that was looked at. Fails if the server would not start.
pub(super) fn check(args: Args) -> Result<ExitCode> {
    // What would be logged is among the findings.
    log::set_max_level(LevelFilter::Off);
    let config = args.config(None)?;
    // As the server does first.
    let _ = server::raise_descriptor_limit();
    let mut findings = vec![settings(config.settings.as_deref())];
    findings.extend(server::check(&config));
    report(&findings)
}

fn settings(file: Option<&std::path::Path>) -> Finding {
    let text = file.map_or_else(
        || "from flags and variables".to_owned(),
        |file| format!("from {}", file.display()),
    );
    Finding::fine("settings", text)
}

fn report(findings: &[Finding]) -> Result<ExitCode> {
    let mut lines: Vec<_> = findings
        .iter()
        .map(|finding| format!("{:8} {finding}", finding.verdict))
        .collect();
    let count = |verdict| {
        let found = findings.iter().filter(|finding| finding.verdict == verdict);
        found.count()
    };
    let (errors, warnings) = (count(Verdict::Error), count(Verdict::Warning));
    let (outcome, code) = match (errors, warnings) {
        (0, 0) => ("all is well".to_owned(), ExitCode::SUCCESS),
        (0, _) => (
            format!("it works, with {}", counted(warnings, "warning")),
            ExitCode::SUCCESS,
        ),
        _ => ("the server would not start".to_owned(), ExitCode::FAILURE),
    };
    lines.push(outcome + "\n");
    match io::stdout().write_all(lines.join("\n").as_bytes()) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}
