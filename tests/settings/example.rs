//! The example of `deploy`: each flag is in it, with its default.

use crate::SettingsFile;
use crate::support::Server;
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../deploy/ftp-server.toml");

/// `--help` in pieces: each flag with the text that tells of it.
fn flags() -> Vec<(String, String)> {
    let output = Server::run(&["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut flags: Vec<(String, String)> = Vec::new();
    for indented in help.lines() {
        let line = indented.trim_start();
        // A text is further to the right, and may begin with a flag too.
        let is_flag = line.starts_with('-') && indented.len() - line.len() < 8;
        let named = line
            .split(' ')
            .take(2)
            .find_map(|word| word.strip_prefix("--"));
        match (named.filter(|_| is_flag), flags.last_mut()) {
            (Some(name), _) => {
                let name = name.trim_end_matches("...").trim_end_matches(',');
                flags.push((name.to_owned(), line.to_owned()));
            }
            (None, Some((_, text))) => *text = format!("{text} {line}"),
            (None, None) => {}
        }
    }
    flags.retain(|(name, _)| !["help", "version", "config"].contains(&name.as_str()));
    flags
}

#[test]
fn the_example_names_every_flag_with_its_default() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let value = |beginning: &str, name: &str| {
        let beginning = format!("{beginning}{name} = ");
        lines.iter().find_map(|line| line.strip_prefix(&*beginning))
    };
    let flags = flags();
    assert!(flags.len() > 20, "{flags:?}");
    for (name, help) in &flags {
        let default = help
            .split_once("[default: ")
            .and_then(|(_, rest)| rest.split_once(']'))
            .map(|(default, _)| default);
        // A text in brackets says what happens without; a value of its own is another matter.
        let default = default.filter(|default| !default.contains(' '));
        match (default, value("", name)) {
            (Some(default), Some(said)) => assert_eq!(said.trim_matches('"'), default, "{name}"),
            // Switches, and how often one is given.
            (None, Some(said)) => assert!(["false", "0"].contains(&said), "{name} = {said}"),
            (Some(_), None) => panic!("{name} is missing"),
            (None, None) => {
                assert!(value("# ", name).is_some(), "{name} is missing");
            }
        }
    }
}

#[test]
fn the_example_is_taken_as_it_is_and_with_all_of_its_keys() {
    let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let as_it_is = SettingsFile::new(EXAMPLE);
    let server = as_it_is.server(&[], &[]);
    assert_eq!(server.login().pasv().ip().to_string(), "127.0.0.1");
    // A key that is switched off by its comment sign begins a line.
    let is_key = |line: &&str| {
        let key = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once(" = "));
        key.is_some_and(|(key, _)| !key.contains(' '))
    };
    let off: Vec<&str> = EXAMPLE.lines().filter(is_key).collect();
    assert!(off.len() > 4, "{off:?}");
    let all: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| if is_key(&line) { &line[2..] } else { line })
        .collect();
    let all = SettingsFile::new(&all.join("\n"));
    let mut command = Server::command();
    command.arg("check").arg("--config").arg(all.path());
    command.current_dir(outside.path());
    let output = command.output().expect("the server's binary runs");
    let findings = String::from_utf8_lossy(&output.stdout);
    let first = findings.lines().next().expect("a line");
    assert!(first.starts_with("ok "), "{findings}{output:?}");
}
