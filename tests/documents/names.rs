//! The names in the documents: flags, tests, benches, files.

use crate::text;
use libtest_mimic::Trial;
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    vec![
        trial("the flags that documents name exist", flags),
        trial("the tests and benches that documents name exist", targets),
        trial("the files that documents name exist", files),
    ]
}

fn flags() {
    let server = env!("CARGO_BIN_EXE_ftp-server");
    let client = env!("CARGO_BIN_EXE_ftp-client");
    let user = help(server, &["user", "add"]);
    let known = [
        (
            "ftp-server",
            help(server, &[]) + &user + &help(server, &["status"]),
        ),
        (
            "ftp-client",
            help(client, &[]) + &help(client, &["ls"]) + &help(client, &["mirror"]),
        ),
    ];
    let mut seen = 0;
    for document in text::documents() {
        let typed = text::commands(&document);
        let typed = typed.lines().map(ToOwned::to_owned);
        for said in typed.chain(text::code(&document)) {
            for (program, help) in &known {
                let Some((_, said)) = said.split_once(program) else {
                    continue;
                };
                // What is behind a pipe or in quotes is said to somebody else.
                let own = said.split(['|', ';', '\'', '"']).next().unwrap_or_default();
                for flag in own.split_whitespace().filter(|word| word.starts_with("--")) {
                    let flag = flag.split(['=', ',', ')']).next().unwrap_or(flag);
                    if flag == "--" {
                        continue;
                    }
                    assert!(
                        has_word(help, flag),
                        "{document}: {program} has no {flag}: {said}"
                    );
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} flags were found");
}

fn targets() {
    let mut seen = 0;
    for document in text::documents() {
        let all = text::read(&document);
        for (kind, folder) in [("--test ", "tests"), ("--bench ", "benches")] {
            for rest in all.split(kind).skip(1) {
                let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
                let name = name.into_iter().next().unwrap_or_default();
                // "--test NAME" is anybody's.
                if name.is_empty() || name.chars().all(char::is_uppercase) {
                    continue;
                }
                let file = text::root().join(folder).join(format!("{name}.rs"));
                let main = text::root().join(folder).join(name).join("main.rs");
                assert!(
                    file.exists() || main.exists(),
                    "{document}: there is no {kind}{name}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "only {seen} of them were found");
}

fn files() {
    let mut seen = 0;
    for document in text::documents() {
        let folder = text::root().join(&document);
        let folder = folder.parent().expect("it is in a folder");
        let all = text::read(&document);
        let links = all
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap_or(link);
            assert!(folder.join(file).exists(), "{document}: no file {link}");
            seen += 1;
        }
        let tops = [".ci/", "benches/", "deploy/", "fuzz/", "src/", "tests/"];
        let code = text::code(&document);
        for name in code
            .iter()
            .filter(|name| tops.iter().any(|top| name.starts_with(top)))
        {
            let file = name.split("::").next().unwrap_or(name);
            let file = file.split_whitespace().next().unwrap_or(file);
            if file.contains(['{', '*']) {
                continue;
            }
            let there = text::root().join(file).exists();
            assert!(there, "{document}: no file {name}");
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} of them were found");
}

fn help(program: &str, of: &[&str]) -> String {
    let output = Command::new(program)
        .args(of)
        .arg("--help")
        .output()
        .expect("the binary runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a flag is named as a whole, and not only as the beginning of another.
fn has_word(help: &str, flag: &str) -> bool {
    help.split(|c: char| !c.is_alphanumeric() && c != '-')
        .any(|word| word == flag)
}
