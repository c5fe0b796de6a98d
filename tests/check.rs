//! `ftp-server check`, and the warnings of a server that starts: each thing that may be wrong, told in one line with the cure.

mod support;

// A part of what the foreign clients need is enough here.
#[allow(dead_code)]
#[path = "works_with/programs.rs"]
mod programs;

use libtest_mimic::{Arguments, Trial};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use support::{
    MOUNTS, Namespace, OTHER_USER, Server, UsersFile, account, has, names_in, other_user,
};
use tempfile::TempDir;

/// A network of a test's own.
const NETWORKS: &str = "network namespaces";

type Test = (&'static str, Option<&'static str>, fn());

const TESTS: &[Test] = &[
    ("all is well and nothing is changed", None, all_is_well),
    ("settings that are refused", None, settings),
    ("a port that is taken", None, port),
    ("a folder that is none", None, no_folder),
    ("a folder that is read-only", Some(MOUNTS), read_only),
    (
        "a folder that cannot be made",
        Some(OTHER_USER),
        not_to_be_made,
    ),
    (
        "settings that only root can read",
        Some(OTHER_USER),
        unreadable,
    ),
    ("users files", None, users),
    ("certificates", None, certificates),
    ("a passive range that is the system's", None, passive_ports),
    ("few descriptors", None, descriptors),
    ("few threads", Some(OTHER_USER), threads),
    ("public uploads by the flags", None, exposed_by_flags),
    (
        "public uploads by an interface",
        Some(NETWORKS),
        exposed_by_interface,
    ),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let is_there = |need: &str| match need {
        NETWORKS => Namespace::new().is_ok(),
        _ => has(need),
    };
    let missing: BTreeSet<&str> = [MOUNTS, OTHER_USER, NETWORKS]
        .into_iter()
        .filter(|need| !is_there(need))
        .collect();
    let trial = |&(name, need, test): &Test| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(need.is_some_and(|need| missing.contains(need)))
    };
    let conclusion = libtest_mimic::run(&args, TESTS.iter().map(trial).collect());
    if conclusion.has_failed() || args.list {
        return conclusion.exit_code();
    }
    programs::skipped(&missing)
}

/// A place for a server, with all that it needs.
struct Place(TempDir);

impl Place {
    #[track_caller]
    fn new() -> Self {
        let place = Self(TempDir::with_prefix("ftp-test-").expect("a temporary folder"));
        fs::create_dir(place.root()).expect("the root folder");
        place
    }

    fn root(&self) -> String {
        self.path("root")
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// The command, which is `check`'s, with the flags that a server on loopback has and these.
    #[track_caller]
    fn check_by(&self, mut command: Command, flags: &[&str]) -> Checked {
        let state = self.path("state");
        command.args(["check", "--root", &self.root(), "--state-dir", &state]);
        for (flag, value) in [
            ("--host", "127.0.0.1"),
            ("--port", "0"),
            // Few, and none of the system's, whatever the machine has.
            ("--max-clients", "5"),
            ("--passive-ports", "900-910"),
        ] {
            // A file says how many clients itself.
            if !flags.contains(&flag) && !(flag == "--max-clients" && flags.contains(&"--config")) {
                command.args([flag, value]);
            }
        }
        let output = command
            .args(flags)
            .output()
            .expect("the server's binary runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, "", "{flags:?}");
        Checked {
            code: output.status.code().expect("an exit code"),
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    #[track_caller]
    fn check(&self, flags: &[&str]) -> Checked {
        self.check_by(Server::command(), flags)
    }
}

/// What `check` has said.
#[derive(Debug)]
struct Checked {
    code: i32,
    text: String,
}

impl Checked {
    /// It found this, in one line, and nothing else that is wrong.
    #[track_caller]
    fn says(&self, verdict: &str, about: &str, parts: &[&str]) {
        let others: Vec<&str> = self
            .text
            .lines()
            .filter(|line| line.starts_with("warning") || line.starts_with("error"))
            .collect();
        let beginning = format!("{verdict:8} {about}: ");
        let found: Vec<&str> = self
            .text
            .lines()
            .filter(|line| line.starts_with(&beginning))
            .collect();
        assert_eq!(found.len(), 1, "a line {beginning:?} in\n{}", self.text);
        let complete = parts.iter().all(|part| found[0].contains(part));
        assert!(complete, "expected {parts:?} in {:?}", found[0]);
        assert_eq!(others.len(), usize::from(verdict != "ok"), "{}", self.text);
        assert_eq!(self.code, i32::from(verdict == "error"), "{}", self.text);
    }
}

fn all_is_well() {
    let place = Place::new();
    fs::remove_dir(place.root()).expect("the root is removed");
    let checked = place.check(&[]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    assert!(checked.text.ends_with("all is well\n"), "{}", checked.text);
    for about in [
        "settings",
        "folder",
        "users",
        "certificate",
        "port",
        "passive ports",
        "descriptors",
        "threads",
        "anonymous",
    ] {
        checked.says("ok", about, &[]);
    }
    assert_eq!(names_in(place.0.path()), [""; 0]);
    fs::create_dir(place.root()).expect("the root folder");
    place.check(&[]).says("ok", "folder", &["can be written"]);
    assert_eq!(names_in(place.0.path()), ["root"]);
}

fn settings() {
    let place = Place::new();
    let file = place.path("settings.toml");
    fs::write(&file, "max-clients = 5\n").expect("a settings file");
    let checked = place.check(&["--config", &file]);
    checked.says("ok", "settings", &[&file]);
    checked.says("ok", "descriptors", &["for 5 clients"]);
    // A variable goes before it here too.
    let mut command = Server::command();
    command.env("FTP_SERVER_MAX_CLIENTS", "6");
    place
        .check_by(command, &["--config", &file])
        .says("ok", "descriptors", &["for 6 clients"]);
    fs::write(&file, "max-client = 5\n").expect("a settings file");
    let output = Server::run(&["check", "--config", &file]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("did you mean \"max-clients\""), "{errors}");
}

fn port() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let checked = place.check(&["--port", &port]);
    checked.says("error", "port", &[&port, "--port picks another"]);
    drop(taken);
    let checked = place.check(&["--host", "192.0.2.254"]);
    assert_eq!(checked.code, 1, "{}", checked.text);
    assert!(
        checked.text.contains("--host takes an address"),
        "{}",
        checked.text
    );
}

fn no_folder() {
    let place = Place::new();
    fs::remove_dir(place.root()).expect("the root is removed");
    fs::write(place.root(), "").expect("a file");
    let checked = place.check(&[]);
    checked.says("error", "folder", &[&place.root(), "no folder", "--root"]);
}

/// What starts the server with its root read-only: a script has the root in the place of ROOT.
fn with_read_only(root: &str) -> Command {
    let script = "mount --bind ROOT ROOT && mount -o remount,bind,ro ROOT && exec \"$0\" \"$@\"";
    let script = script.replace("ROOT", root);
    Server::by(&["unshare", "--mount", "sh", "-c", &script])
}

fn read_only() {
    let place = Place::new();
    let root = place.root();
    let check = |flags: &[&str]| place.check_by(with_read_only(&root), flags);
    let parts = [root.as_str(), "cannot be written", "remount"];
    check(&[]).says("warning", "folder", &parts);
    check(&["--anonymous", "read"]).says("ok", "folder", &["to be read"]);
    let users = UsersFile::new(&account("anna", "permissions = 'read'"));
    let path = users.path();
    let flags = ["--users", path.to_str().expect("UTF-8")];
    check(&flags).says("ok", "folder", &["to be read"]);
    users.put(&account("anna", "permissions = 'mkdir'"));
    check(&flags).says("warning", "folder", &parts);
    let mut command = with_read_only(&root);
    command.args(["--host", "127.0.0.1", "--port", "0", "--root", &root]);
    let server = Server::from_command(command, place.0);
    server.wait_for_log(&["WARN", "folder", "cannot be written", "remount"]);
}

/// What starts a server as another user, with many threads.
fn by_another() -> Command {
    Server::by(&other_user(5000).each_ref().map(String::as_str))
}

fn not_to_be_made() {
    let place = Place::new();
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).expect("the mode is set");
    fs::remove_dir(place.root()).expect("the root is removed");
    let checked = place.check_by(by_another(), &["--tls", "off"]);
    checked.says("error", "folder", &[&place.root(), "cannot make it"]);
}

fn unreadable() {
    let place = Place::new();
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).expect("the mode is set");
    let file = place.path("settings.toml");
    fs::write(&file, "port = 0\n").expect("a settings file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("the mode is set");
    for task in [&["check"][..], &[]] {
        let mut command = by_another();
        command.args(task).args(["--config", &file]);
        let output = command.output().expect("the server's binary runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        let parts = [&file, "as user 1", "to be able to read it", "denied"];
        assert!(parts.iter().all(|part| errors.contains(part)), "{errors}");
    }
}

fn users() {
    let place = Place::new();
    let users = UsersFile::new(&account("anna", "permissions = 'write'"));
    let path = users.path();
    let path = path.to_str().expect("UTF-8");
    let check = || place.check(&["--users", path]);
    check().says("ok", "users", &["1 account", path]);
    users.put(&account("anna", "permissions = 'all'"));
    check().says("error", "users", &[path, "line 3, column 15", "\"all\""]);
    users.put("");
    check().says(
        "warning",
        "users",
        &["nobody can log in", "ftp-server user add"],
    );
    users.put(&account("anna", "permissions = 'write'"));
    fs::set_permissions(path, Permissions::from_mode(0o644)).expect("the mode is set");
    check().says("warning", "users", &["chmod 600"]);
    fs::remove_file(path).expect("the file is removed");
    check().says("error", "users", &[path, "ftp-server user add"]);
    place
        .check(&["--anonymous", "off"])
        .says("warning", "users", &["--users"]);
}

/// Writes a new certificate and its key there.
fn issue(folder: &Path, end: i32) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["ftp.example".to_owned()]).expect("a name");
    params.not_after = date_time_ymd(end, 1, 2);
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(folder.join("cert.pem"), certificate.pem()).expect("it is written");
    fs::write(folder.join("key.pem"), key.serialize_pem()).expect("it is written");
}

fn certificates() {
    let place = Place::new();
    let (cert, key) = (place.path("cert.pem"), place.path("key.pem"));
    let flags = ["--tls-cert", cert.as_str(), "--tls-key", &key];
    place
        .check(&flags)
        .says("error", "certificate", &[&cert, "cannot read"]);
    issue(place.0.path(), 2300);
    place
        .check(&flags)
        .says("ok", "certificate", &["SHA256:", "until 2300-01-02"]);
    issue(place.0.path(), 2001);
    place.check(&flags).says(
        "warning",
        "certificate",
        &["expired on 2001-01-02", "renew"],
    );
    let server = Server::with(&flags);
    server.wait_for_log(&["WARN", "certificate", "expired on 2001-01-02"]);
    drop(server);
    let old = fs::read(&cert).expect("the certificate");
    issue(place.0.path(), 2300);
    fs::write(&cert, old).expect("it is written");
    place
        .check(&flags)
        .says("error", "certificate", &[&cert, &key]);
    fs::write(&key, "no key").expect("it is written");
    place.check(&flags).says("error", "certificate", &[&key]);
    place
        .check(&["--tls", "off"])
        .says("ok", "certificate", &["off"]);
}

fn passive_ports() {
    let place = Place::new();
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = range.expect("the system's range");
    let (low, high) = range
        .trim()
        .split_once(char::is_whitespace)
        .expect("two numbers");
    let ports = format!("{low}-{low}");
    let system = format!("{low}-{}", high.trim());
    let parts = [
        ports.as_str(),
        &system,
        "--passive-ports",
        "net.ipv4.ip_local_reserved_ports",
    ];
    let flags = ["--passive-ports", &ports];
    place.check(&flags).says("warning", "passive ports", &parts);
    let server = Server::with(&flags);
    server.wait_for_log(&[&["WARN", "passive ports"], &parts[..]].concat());
}

fn descriptors() {
    let place = Place::new();
    let few = || Server::by(&["sh", "-c", "ulimit -n 100 && exec \"$0\" \"$@\""]);
    let parts = [
        "100 are enough for 22 clients",
        "LimitNOFILE=332",
        "--max-clients 22",
    ];
    let check = |clients| place.check_by(few(), &["--max-clients", clients]);
    check("100").says("warning", "descriptors", &parts);
    check("22").says("ok", "descriptors", &["100"]);
    let server = Server::spawn(few(), &["--max-clients", "100"]);
    server.wait_for_log(&[&["WARN", "descriptors"], &parts[..]].concat());
    // A limit that the server raises by itself is none.
    let server = Server::with_few_files(100, &["--max-clients", "100"]);
    server.login().run("QUIT", 221);
    assert!(!server.log().contains("descriptors:"), "{}", server.log());
}

fn threads() {
    let place = Place::new();
    let root = place.root();
    for (folder, mode) in [(place.0.path(), 0o755), (Path::new(&root), 0o777)] {
        fs::set_permissions(folder, Permissions::from_mode(mode)).expect("the mode is set");
    }
    let few = || Server::by(&other_user(20).each_ref().map(String::as_str));
    let parts = [
        "20 are enough for 12 clients",
        "LimitNPROC=108",
        "--max-clients 12",
    ];
    let flags = ["--tls", "off", "--max-clients"];
    let check = |clients| place.check_by(few(), &[&flags[..], &[clients]].concat());
    check("100").says("warning", "threads", &parts);
    check("12").says("ok", "threads", &["20"]);
    let mut command = few();
    command.args(["--host", "127.0.0.1", "--port", "0", "--root", &root]);
    command.args(flags).arg("100");
    let server = Server::from_command(command, place.0);
    server.wait_for_log(&[&["WARN", "threads"], &parts[..]].concat());
}

fn exposed_by_flags() {
    let place = Place::new();
    let at = |address| ["--public-address", address];
    let parts = ["198.51.100.7", "--anonymous read"];
    place
        .check(&at("198.51.100.7"))
        .says("warning", "anonymous", &parts);
    place
        .check(&at("10.1.2.3"))
        .says("ok", "anonymous", &["no public address"]);
    for access in ["read", "off"] {
        let flags = [&at("198.51.100.7")[..], &["--anonymous", access]].concat();
        let checked = place.check(&flags);
        assert!(
            checked.text.contains("ok       anonymous: "),
            "{}",
            checked.text
        );
    }
    let server = Server::with(&at("198.51.100.7"));
    server.wait_for_log(&["WARN", "anonymous", "198.51.100.7", "--anonymous read"]);
}

fn exposed_by_interface() {
    let ip = |arguments: &str| {
        let output = Command::new("ip").args(arguments.split(' ')).output();
        let output = output.expect("ip runs");
        assert!(output.status.success(), "ip {arguments}: {output:?}");
    };
    for (address, is_public) in [("198.51.100.7", true), ("10.1.2.3", false)] {
        let space = Namespace::new().expect("a namespace");
        space.inside(|| {
            ip("link add outside type veth peer name other");
            ip(&format!("address add {address}/24 dev outside"));
            ip("link set outside up");
            ip("route add default dev outside");
            let place = Place::new();
            let verdict = if is_public { "warning" } else { "ok" };
            let found = if is_public { address } else { "no public" };
            for host in ["0.0.0.0", "::", address] {
                let checked = place.check(&["--host", host]);
                checked.says(verdict, "anonymous", &[found]);
            }
            place.check(&[]).says("ok", "anonymous", &["no public"]);
        });
    }
}
