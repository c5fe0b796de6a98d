//! The commands that stand within the text, and what runs each. What no row here names runs on the stage, as it stands.

use crate::{ELSEWHERE, play, programs, text};
use multi_client_ftp::client::commands::VERBS;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What runs a command in CI, and the line there, maybe with less to do.
const RUN_BY: &[(&str, &str, &str)] = &[
    ("cargo test", RUN, TEST),
    ("cargo test --test works_with", RUN, TEST),
    ("FTP_WRITE_TABLES=1 cargo test --test picture", RUN, WRITING),
    (
        "FTP_WRITE_TABLES=1 cargo test --test works_with",
        RUN,
        WRITING,
    ),
    (
        "cargo test -- --ignored",
        RUN,
        "SOAK_SECONDS=20 cargo test -- --ignored",
    ),
    (
        "KILLS_SEED=17 cargo test --test kills",
        RUN,
        "KILLS_SEED=17 cargo test --test kills",
    ),
    (
        "deploy/build-static",
        ".ci/try-static",
        "nice deploy/build-static",
    ),
    ("benches/install-peers", BENCHES, "benches/install-peers"),
    ("cargo install cargo-fuzz", FUZZ, "cargo install"),
    (
        "RUSTC_BOOTSTRAP=1 cargo fuzz build --sanitizer none",
        FUZZ,
        "cargo fuzz build",
    ),
    (
        "RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none session",
        FUZZ,
        "cargo fuzz run",
    ),
    (
        "systemctl reload ftp-server",
        UNITS,
        "systemctl reload ftp-server",
    ),
    (
        "systemctl edit ftp-server.socket",
        UNITS,
        "edit ftp-server.socket",
    ),
    (
        "systemctl edit ftp-server.service",
        UNITS,
        "edit ftp-server.service",
    ),
];

const RUN: &str = ".ci/run";
const BENCHES: &str = ".ci/try-benches";
const FUZZ: &str = ".ci/try-fuzz";
const UNITS: &str = ".ci/try-units";
const TEST: &str = "cargo test";
const WRITING: &str = "FTP_WRITE_TABLES=${CARGO_TARGET_DIR:-target}/tables cargo test";

/// Programs that not each machine has; those in `PATH` need no row.
const PROGRAMS: [&str; 8] = [
    "aws",
    "curl",
    "ftp-client",
    "ftp-server",
    "lftp",
    "promtool",
    "sudo",
    "systemctl",
];

/// What is left out where only a flag is told of.
const ENDS: &[(&str, &str)] = &[("curl --no-ftp-skip-pasv-ip", "-sS ftp://127.0.0.1:8080/")];

/// A server with a seventh session, accounts, and what the commands take.
const BEFORE: &str = "
ftp-server user add users.toml anna
ftp-server --anonymous full
ftp-client -c 'bookmark add work'
for session in 2 3 4 5 6; do ftp-client -c pwd; done
mkfifo typed
ftp-client --host 127.0.0.1 <typed &
exec 3>typed
until ftp-server status | grep -q '^ *7 '; do sleep 0.02; done
";

/// The same for what is typed at the prompt, on both sides.
const AT_THE_PROMPT: &str = "
ftp-server --anonymous full
served=server_files
mkdir folder $served/folder $served/tmp
touch FILE 'my notes.txt' notes.txt here.log folder/file
touch $served/{FILE,notes.txt,hello.txt,list.csv,there.log,tmp/a,tmp/b,folder/file}
head -c 1000000 /dev/zero >$served/disk.img
";

/// Whoever runs it, the row is of a command that a document has, and CI does what it says.
pub(crate) fn rows_are_right() {
    let said = all(command);
    for (command, script, line) in RUN_BY {
        assert!(said.contains(*command), "no document says: {command}");
        let documents = ELSEWHERE.iter().filter(|(_, by)| by == script);
        let typed = documents.map(|(document, _)| text::commands(document));
        let done = typed.fold(text::read(script), |all, one| all + &one);
        assert!(does(&done, line), "{script} does not: {line}");
        assert!(script == &RUN || does(&text::read(RUN), script), "{script}");
    }
    for script in said.iter().filter(|said| said.starts_with(".ci/")) {
        assert!(script == RUN || does(&text::read(RUN), script), "{script}");
    }
    let listed = Command::new(text::root().join(BENCHES))
        .arg("--list")
        .output()
        .expect("the script runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let listed: BTreeSet<String> = listed.lines().map(ToOwned::to_owned).collect();
    let benches = said.into_iter().filter(|said| is_bench(said));
    assert_eq!(listed, benches.collect(), "what {BENCHES} runs");
    assert!(does(&text::read(RUN), BENCHES), "{BENCHES}");
}

/// The rest: each runs on the stage, by itself.
pub(crate) fn run() {
    let mut commands = BEFORE.to_owned();
    let elsewhere = |said: &String| {
        is_bench(said) || said.starts_with(".ci/") || RUN_BY.iter().any(|(row, ..)| row == said)
    };
    let here: Vec<String> = all(command)
        .into_iter()
        .filter(|said| !elsewhere(said))
        .collect();
    assert!(here.len() > 5, "only {here:?}");
    for said in &here {
        let end = ENDS.iter().find(|(begin, _)| begin == said);
        let end = end.map_or("", |(_, end)| end);
        commands += &format!("cat <<'END'\n$ {said}\nEND\n{said} {end} </dev/null\n");
    }
    play("the commands within the text", &commands);
}

/// What is typed at `ftp>`, in the order of the documents.
pub(crate) fn type_at_the_prompt() {
    let mut commands = AT_THE_PROMPT.to_owned();
    for document in text::documents() {
        let session = text::session(&document);
        let within = text::code(&document)
            .into_iter()
            .filter_map(|said| at_the_prompt(&said));
        let lines: Vec<String> = session.into_iter().chain(within).collect();
        if !lines.is_empty() {
            let lines = lines.join("\n");
            commands += &format!(
                "ftp-client -c 'bookmark add work'\nftp-client --host 127.0.0.1 -v -b - <<'END'\n{lines}\nEND\n"
            );
        }
    }
    play("what is typed at the prompt", &commands);
}

/// What the documents say that is of this kind.
fn all(kind: fn(&str) -> Option<String>) -> BTreeSet<String> {
    let documents = text::documents().into_iter();
    let said = documents.flat_map(|document| {
        let mut said = text::code(&document);
        said.extend(text::at_the_shell(&document));
        said
    });
    said.filter_map(|said| kind(&said)).collect()
}

/// A command for the shell: a program with arguments, maybe behind variables, or one of the project's own scripts. Blanks are
/// single.
fn command(said: &str) -> Option<String> {
    let mut words = said.split_whitespace().skip_while(|word| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    });
    let program = words.next()?;
    let has_arguments = words.next().is_some();
    let is_command = is_script(program)
        || has_arguments
            && at_the_prompt(said).is_none()
            && (program.starts_with("./") || PROGRAMS.contains(&program) || programs::has(program));
    is_command.then(|| spaced(said))
}

/// A verb of the client with arguments.
fn at_the_prompt(said: &str) -> Option<String> {
    let (verb, _) = said.split_once(char::is_whitespace)?;
    let mut verbs = VERBS.iter();
    let is_verb = verbs.any(|row| row.name == verb || row.aliases.contains(&verb));
    is_verb.then(|| spaced(said))
}

fn spaced(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_bench(said: &str) -> bool {
    said.contains("cargo bench ")
}

fn is_script(program: &str) -> bool {
    let file = program.contains('/').then(|| text::root().join(program));
    let about = file.and_then(|file| file.metadata().ok());
    about.is_some_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Whether a script has this, and not only in a comment.
fn does(script: &str, line: &str) -> bool {
    let mut lines = script
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.any(|one| one.contains(line))
}
