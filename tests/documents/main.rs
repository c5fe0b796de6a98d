//! What the documents say is so: their commands run, and the flags, tests and files that they name exist.

#[path = "../support/mod.rs"]
mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "../works_with/programs.rs"]
mod programs;

mod inline;
mod names;
mod text;

use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use support::finish;
use tempfile::TempDir;

/// Namespaces of a test's own, with other layers over the system's folders.
const STAGE: &str = "right to mount";
const JQ: &str = "jq";
const CURL: &str = "curl";

/// The documents with commands, and what is there already when somebody reads them.
const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", ""),
    ("deploy/accounts.md", ""),
    ("deploy/ec2.md", EC2),
    ("deploy/scripts.md", SCRIPTS),
    ("deploy/tls.md", TLS),
    ("deploy/watching.md", "ftp-server"),
];

/// Those whose commands take more than a stage, and what runs them in CI.
const ELSEWHERE: &[(&str, &str)] = &[
    ("deploy/lan.md", ".ci/try-lan"),
    ("deploy/systemd.md", ".ci/try-units"),
    (
        "deploy/three-servers-one-volume.md",
        ".ci/try-three-servers",
    ),
];

/// The instance is this machine, and what takes minutes to build is there.
const EC2: &str = "
cp -r $PROJECT/deploy .
printf '#!/bin/sh\nmkdir -p target/host/static && touch target/host/static/ftp-server target/host/static/ftp-client\n' >deploy/build-static
ftp-server user add users.toml anna
ftp-server --users users.toml --port 21
";

/// A server with an account, and something to send.
const SCRIPTS: &str = "
ftp-server user add users.toml anna --permissions write
ftp-server --users users.toml --anonymous write
echo 1,2 >report.csv
mkdir reports
";

/// A certificate and its key: those of a server.
const TLS: &str = "
ftp-server
cp ~/.local/state/multi-client-ftp/server.pem cert.pem
cp cert.pem key.pem
";

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let missing: BTreeSet<&str> = [STAGE, JQ, CURL]
        .into_iter()
        .filter(|&need| match need {
            STAGE => !has_stage(),
            program => !programs::has(program),
        })
        .collect();
    let runs = DOCUMENTS.iter().map(|&(document, before)| {
        let needed = |need: &&str| *need == STAGE || text::commands(document).contains(need);
        let lacks = missing.iter().any(needed);
        Trial::test(format!("the commands of {document}"), move || {
            play(document, &format!("{before}\n{}", text::commands(document)));
            Ok(())
        })
        .with_ignored_flag(lacks)
    });
    let own = [
        (
            "all documents with commands are run",
            &[][..],
            all_are_run as fn(),
        ),
        (
            "CI runs what it is said to run",
            &[],
            inline::rows_are_right,
        ),
        ("the commands within the text", &[STAGE, CURL], inline::run),
        (
            "what is typed at the prompt",
            &[STAGE],
            inline::type_at_the_prompt,
        ),
    ];
    let own = own.map(|(name, needs, test)| {
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trial.with_ignored_flag(needs.iter().any(|need| missing.contains(need)))
    });
    let trials = runs.chain(own).chain(names::trials()).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    if conclusion.has_failed() || args.list {
        return conclusion.exit_code();
    }
    programs::skipped(&missing)
}

fn has_stage() -> bool {
    let folder = TempDir::new().expect("a temporary folder");
    let try_it = "mount -t tmpfs tmpfs $0 && mkdir $0/u $0/w && \
        mount -t overlay overlay -o lowerdir=/etc,upperdir=$0/u,workdir=$0/w /etc && ip link set lo up";
    let tried = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", try_it])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Runs commands on the stage; each has to do well.
fn play(what: &str, typed: &str) {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let commands = folder.path().join("commands");
    fs::write(&commands, typed).expect("the commands");
    let programs = Path::new(env!("CARGO_BIN_EXE_ftp-server"));
    let stage = text::root().join("tests/documents/stage.sh");
    let log = folder.path().join("said");
    let said = fs::File::create(&log).expect("a file for what is said");
    let mut stage = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
        ])
        .arg(stage)
        .arg(programs.parent().expect("a folder"))
        .arg(folder.path())
        .arg(&commands)
        .env("PROJECT", text::root())
        .stdout(said.try_clone().expect("a second handle"))
        .stderr(said)
        .spawn()
        .expect("unshare runs");
    let status = finish(&mut stage, what);
    let said = fs::read_to_string(&log).unwrap_or_default();
    assert!(status.success(), "{what}: {status}\n{said}");
}

fn all_are_run() {
    let with_commands: BTreeSet<String> = text::documents()
        .into_iter()
        .filter(|document| !text::commands(document).is_empty())
        .collect();
    let all = DOCUMENTS.iter().chain(ELSEWHERE);
    let run: BTreeSet<String> = all.map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(with_commands, run);
    for (document, script) in ELSEWHERE {
        assert!(text::read(script).contains(document), "{script}");
        assert!(text::read(".ci/run").contains(script), "{script}");
    }
}
