//! The example of `deploy`: each flag is in it, with its default.

use crate::SettingsFile;
use crate::support::Server;
use rustix::process::Signal;
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

/// A key of the example, its value, and whether it is said to be followed at once.
struct Said {
    key: &'static str,
    value: &'static str,
    live: bool,
    /// Whether a comment sign is in front of it.
    off: bool,
}

fn said() -> Vec<Said> {
    let mut said = Vec::new();
    let (mut live, mut in_text) = (false, false);
    for line in EXAMPLE.lines() {
        let (off, rest) = match line.strip_prefix("# ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let key = rest.split_once(" = ").filter(|(key, _)| !key.contains(' '));
        if let Some((key, value)) = key {
            said.push(Said {
                key,
                value,
                live,
                off,
            });
            in_text = false;
        } else {
            live = in_text && live || line.contains("[live]");
            in_text = line.starts_with('#');
        }
    }
    said
}

impl Said {
    /// The line that says something else than what holds without.
    fn changed(&self) -> String {
        let other = match (self.key, self.value) {
            _ if self.off => self.value.to_owned(),
            ("host", _) => "\"127.0.0.2\"".to_owned(),
            ("root", _) => "\"elsewhere\"".to_owned(),
            ("passive-ports", _) => "\"61000-61001\"".to_owned(),
            ("keep-partials", _) => "\"25h\"".to_owned(),
            ("log-format", _) => "\"json\"".to_owned(),
            ("durability", _) => "\"relaxed\"".to_owned(),
            ("tls-close-notify", _) => "\"optional\"".to_owned(),
            (_, "\"offer\"" | "\"auto\"") => "\"require\"".to_owned(),
            (_, "false") => "true".to_owned(),
            (key, number) => {
                let number: u64 = number
                    .parse()
                    .unwrap_or_else(|_| panic!("another value of {key} is wanted here"));
                (number + 1).to_string()
            }
        };
        format!("{} = {other}", self.key)
    }
}

#[test]
fn what_the_example_says_is_followed_at_once_is() {
    let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = outside.path().join("root");
    let base = format!("host = '127.0.0.1'\nport = 0\nroot = {root:?}\n");
    let file = SettingsFile::new(&base);
    let mut command = Server::command();
    command.arg("--config").arg(file.path());
    let server = Server::from_command(command, outside);
    let said = said();
    assert!(said.iter().any(|said| said.live) && said.iter().any(|said| !said.live));
    for one in &said {
        let kept = base.lines().filter(|line| !line.starts_with(one.key));
        let mut lines: Vec<String> = kept.map(str::to_owned).collect();
        // The two of the certificate go together.
        let pair = |other: &&Said| {
            let both = [one.key, other.key];
            other.key == one.key
                || both == ["tls-cert", "tls-key"]
                || both == ["tls-key", "tls-cert"]
        };
        lines.extend(said.iter().filter(pair).map(Said::changed));
        file.put(&lines.join("\n"));
        server.signal(Signal::HUP);
        let told = server.wait_for_log(&[&format!("] {} ", one.key), " -> "]);
        let restarts = told.ends_with(" needs a restart");
        assert_eq!(one.live, !restarts, "{told}");
    }
}
