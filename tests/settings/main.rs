//! Settings from flags, variables and a file: which goes first, what a file is refused for, and what a SIGHUP does.

mod example;
mod reload;

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use support::Server;
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

/// The address that a server tells its clients of other networks.
#[track_caller]
fn told(server: &Server) -> String {
    server.wait_for_log(&["PASV tells clients of other networks "]);
    let log = server.log();
    let (_, rest) = log
        .rsplit_once("of other networks ")
        .expect("it was there a moment ago");
    rest.split(',').next().unwrap_or_default().to_owned()
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

/// What is wrong with a file, where that is, and what is told of it.
const REFUSED: [(&str, &str, &[&str]); 21] = [
    ("prot = 21", "line 1, column 1", &["\"prot\"", "\"port\""]),
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
];

#[test]
fn a_file_is_refused_with_line_column_key_value_and_what_is_expected() {
    for (text, place, parts) in REFUSED {
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
