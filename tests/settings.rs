//! Settings from flags, variables and a file: which goes first, what a file is refused for, and what a SIGHUP does.

mod support;

use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use support::{Raw, Server};
use tempfile::TempDir;

/// A settings file in a folder of its own.
struct SettingsFile(TempDir);

impl SettingsFile {
    #[track_caller]
    fn new(text: &str) -> Self {
        let file = Self(TempDir::with_prefix("ftp-test-").expect("a temporary folder"));
        file.put(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ftp-server.toml")
    }

    /// Puts a text in its place in one step, as editors do.
    #[track_caller]
    fn put(&self, text: &str) {
        let fresh = self.0.path().join("fresh");
        fs::write(&fresh, text).expect("a settings file");
        fs::rename(&fresh, self.path()).expect("a settings file in its place");
    }

    /// A server by this file, these flags and these variables.
    #[track_caller]
    fn server(&self, flags: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut command = Server::command();
        command.envs(variables.iter().copied());
        command.arg("--config").arg(self.path());
        Server::spawn(command, flags)
    }

    /// What a server says that is not to start.
    #[track_caller]
    fn refused(&self, flags: &[&str]) -> String {
        let path = self.path();
        let flags = [&["--config", path.to_str().expect("UTF-8")], flags].concat();
        refused(&Server::run(&flags))
    }
}

#[track_caller]
fn refused(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it was taken");
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(output.stdout.is_empty(), "it wrote a first line");
    errors
}

/// The address that a server tells its clients.
#[track_caller]
fn told(server: &Server) -> String {
    server.login().pasv().ip().to_string()
}

#[test]
fn a_flag_goes_before_its_variable_and_that_before_the_file() {
    let file = SettingsFile::new("public-address = '192.0.2.1'\nmax-clients-per-address = 9");
    assert_eq!(told(&file.server(&[], &[])), "192.0.2.1");
    let variable = ("FTP_SERVER_PUBLIC_ADDRESS", "192.0.2.2");
    assert_eq!(told(&file.server(&[], &[variable])), "192.0.2.2");
    let flags = ["--public-address", "192.0.2.3"];
    assert_eq!(told(&file.server(&flags, &[variable])), "192.0.2.3");
    assert_eq!(told(&file.server(&flags, &[])), "192.0.2.3");
}

#[test]
fn a_variable_names_the_file_and_a_flag_another() {
    let (one, other) = (
        "public-address = '192.0.2.1'",
        "public-address = '192.0.2.2'",
    );
    let (one, other) = (SettingsFile::new(one), SettingsFile::new(other));
    let by_variable = || {
        let mut command = Server::command();
        command.env("FTP_SERVER_CONFIG", one.path());
        command
    };
    assert_eq!(told(&Server::spawn(by_variable(), &[])), "192.0.2.1");
    let other = other.path();
    let flags = ["--config", other.to_str().expect("UTF-8")];
    assert_eq!(told(&Server::spawn(by_variable(), &flags)), "192.0.2.2");
}

/// A server that has had a client.
#[track_caller]
fn used(file: &SettingsFile, flags: &[&str], variables: &[(&str, &str)]) -> Server {
    let server = file.server(flags, variables);
    let mut raw = server.login();
    raw.run("QUIT", 221);
    raw.expect_closed();
    server
}

#[test]
fn switches_of_the_file_give_way_to_what_contradicts_them() {
    let loud = SettingsFile::new("verbose = 2");
    used(&loud, &[], &[]).wait_for_log(&["TRACE"]);
    for (flags, variables) in [
        (&["-q"][..], &[][..]),
        (&[], &[("FTP_SERVER_QUIET", "yes")]),
    ] {
        let log = used(&loud, flags, variables).log();
        assert!(!log.contains("TRACE") && !log.contains("INFO"), "{log}");
    }
    let silent = SettingsFile::new("quiet = true");
    let log = used(&silent, &[], &[]).log();
    assert!(!log.contains("INFO"), "{log}");
    used(&silent, &[], &[("FTP_SERVER_QUIET", "no")]).wait_for_log(&["INFO"]);
    used(&silent, &["-vv"], &[]).wait_for_log(&["TRACE"]);
}

#[test]
fn what_a_flag_lacks_may_be_in_the_file() {
    let file = SettingsFile::new("tls-key = '/nowhere/key.pem'");
    let errors = file.refused(&["--tls-cert", "/nowhere/cert.pem"]);
    assert!(errors.contains("/nowhere/cert.pem"), "{errors}");
    // As it is with no file at all.
    let alone = refused(&Server::run(&["--tls-cert", "/nowhere/cert.pem"]));
    assert!(alone.contains("--tls-key <FILE>"), "{alone}");
}

#[test]
fn a_file_is_refused_with_line_column_key_value_and_what_is_expected() {
    for (text, place, parts) in [
        (
            "prot = 21",
            "line 1, column 1",
            &["\"prot\"", "\"port\""][..],
        ),
        (
            "\n\n max_clients = 1",
            "line 3, column 2",
            &["max_clients", "\"max-clients\""],
        ),
        (
            "[server]\nport = 1",
            "line 1, column 2",
            &["\"server\"", "no setting"],
        ),
        ("config = 'x'", "line 1, column 1", &["config"]),
        ("help = true", "line 1, column 1", &["help", "no setting"]),
        (
            "port = '21'",
            "line 1, column 8",
            &["port is \"21\"", "whole number"],
        ),
        (
            "port = 65_536",
            "line 1, column 8",
            &["port is 65536", "65535"],
        ),
        ("root = 5", "line 1, column 8", &["root is 5", "text"]),
        (
            "tls = 'of'",
            "line 1, column 7",
            &["tls is \"of\"", "\"off\", \"offer\" or \"require\""],
        ),
        (
            "tls = true",
            "line 1, column 7",
            &["tls is true", "\"require\""],
        ),
        (
            "idle-timeout = 'soon'",
            "line 1, column 16",
            &["\"soon\"", "90s"],
        ),
        (
            "idle-timeout = 1.5",
            "line 1, column 16",
            &["1.5", "whole number"],
        ),
        ("passive-ports = 5", "line 1, column 17", &["LOW-HIGH"]),
        (
            "quiet = 1",
            "line 1, column 9",
            &["quiet is 1", "true or false"],
        ),
        (
            "verbose = true",
            "line 1, column 11",
            &["verbose is true", "whole number"],
        ),
        (
            "host = ['a', 'b']",
            "line 1, column 8",
            &["host is [\"a\", \"b\"]", "text"],
        ),
        ("port = 1\nport = 2", "line 2, column 1", &["duplicate"]),
        ("port = ", "line 1, column 8", &[]),
        ("tls-cert = 'x'", "ftp-server.toml", &["tls-key is missing"]),
        (
            "quiet = true\nverbose = 1",
            "ftp-server.toml",
            &["quiet and verbose"],
        ),
        ("keep-partials = 59", "", &["keep-partials", "data-timeout"]),
    ] {
        let errors = SettingsFile::new(text).refused(&[]);
        let all = [&[place][..], parts].concat();
        let complete = all.iter().all(|part| errors.contains(part));
        assert!(complete, "{text:?}: expected {all:?}, got:\n{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn what_is_wrong_with_flags_is_told_of_them_and_not_of_the_file() {
    let file = SettingsFile::new("port = 2121");
    let errors = file.refused(&["--port", "many"]);
    assert!(errors.contains("--port <PORT>"), "{errors}");
    assert!(!errors.contains("ftp-server.toml"), "{errors}");
}

#[test]
fn a_file_that_cannot_be_read_is_said_so() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let folder = folder.path().to_str().expect("UTF-8");
    for path in [&format!("{folder}/none.toml"), folder] {
        let errors = refused(&Server::run(&["--config", path]));
        let parts = [path, "settings file", "--config"];
        assert!(parts.iter().all(|part| errors.contains(part)), "{errors}");
    }
}

#[test]
fn a_signal_reads_the_file_again_and_tells_what_has_changed() {
    let file = SettingsFile::new("port = 1\nanonymous = 'write'");
    // The flags of every test's server go first, `--port` among them.
    let flags = ["--idle-timeout", "200", "--sandbox", "auto"];
    let server = file.server(&flags, &[("FTP_SERVER_DATA_TIMEOUT", "20")]);
    let mut early = server.login();
    file.put(
        "port = 2\nanonymous = 'read'\nmax-clients = 2\nidle-timeout = 7\ndata-timeout = 7\n\
         public-address = '192.0.2.7'\nhash-jobs = 3\nverbose = 1",
    );
    server.signal(Signal::HUP);
    // Changes are told in the order of `--help`, of which this is the last.
    server.wait_for_log(&["verbose 0 -> 1"]);
    let log = server.log();
    for line in [
        "anonymous write -> read\n",
        "max-clients 2000 -> 2\n",
        "public-address none -> 192.0.2.7\n",
        "hash-jobs none -> 3 needs a restart\n",
    ] {
        assert!(log.contains(line), "no {line:?} in the log");
    }
    for key in ["port 1", "idle-timeout", "data-timeout"] {
        assert!(!log.contains(key), "{key} has not changed");
    }
    // Who was there before keeps to what there was then.
    early.store("early", b"early");
    let mut late = server.login();
    assert_eq!(late.pasv().ip().to_string(), "192.0.2.7");
    late.begin_refused("STOR late", &[550]);
    assert_eq!(late.fetch("early"), b"early");
    server.wait_for_log(&["DEBUG"]);
    Raw::dial(server.address).expect(421);
}

#[test]
fn what_needs_a_restart_stays_as_it_is() {
    let file = SettingsFile::new("tls = 'off'\nmax-clients = 2");
    let server = file.server(&[], &[]);
    for clients in [3, 4] {
        file.put(&format!(
            "tls = 'require'\nmax-clients = {clients}\nroot = '/nowhere'"
        ));
        server.signal(Signal::HUP);
        server.wait_for_log(&[&format!("max-clients {} -> {clients}", clients - 1)]);
    }
    server.wait_for_log(&["tls off -> require needs a restart"]);
    let mut raw = server.login();
    raw.run("AUTH TLS", 502);
    raw.store("a", b"a");
    assert_eq!(server.read("a"), b"a");
}

#[test]
fn a_broken_file_changes_nothing_until_it_is_mended() {
    let file = SettingsFile::new("anonymous = 'read'");
    let server = file.server(&[], &[]);
    for (broken, part) in [
        ("anonymous = 'write'\nprot = 1", "line 2, column 1"),
        ("anonymous = 'write'\nkeep-partials = 1", "data-timeout"),
        ("anonymous = 'write'\ntls-cert = 'x'", "tls-key"),
        ("anonymous = 'write'\n[", "line 2"),
    ] {
        file.put(broken);
        server.signal(Signal::HUP);
        server.wait_for_log(&["ERROR", part, "the settings stay as they were"]);
        server.login().begin_refused("STOR a", &[550]);
    }
    fs::remove_file(file.path()).expect("the file is removed");
    server.signal(Signal::HUP);
    server.wait_for_log(&[
        "ERROR",
        "cannot read the settings file",
        "stay as they were",
    ]);
    file.put("anonymous = 'write'");
    server.signal(Signal::HUP);
    server.wait_for_log(&["anonymous read -> write"]);
    server.login().store("a", b"a");
}

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

const EXAMPLE: &str = include_str!("../deploy/ftp-server.toml");

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
