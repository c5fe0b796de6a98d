//! The users file: what is wrong with it, and when it is read again.

use crate::support::Server;
use crate::{UsersFile, account, fail, log_in};
use rustix::process::Signal;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

#[test]
fn a_file_that_is_no_good_ends_the_start() {
    let broken = account("anna", "permissions = 'read'\n\n  rate = 'fast'");
    for (text, part) in [
        (&*broken, "line 5, column 10: anna: rate is a whole number"),
        ("[anna\n", "line 1, column 6"),
        (
            "[anna]\npassword = 's3cret'\npermissions = 'read'",
            "line 2, column 12: anna: password is no argon2id hash",
        ),
        (
            &account("anna", "permissions = 'read'").replace("m=7168,t=5", "m=7168,t=4"),
            "line 2, column 12: anna: password is too weak: m is at least 7168, and m times t 35840; ftp-server user passwd",
        ),
    ] {
        let users = UsersFile::new(text);
        let errors = refusal(users.path().to_str().expect("UTF-8"));
        assert!(errors.contains("users.toml"), "{errors}");
        assert!(errors.contains(part), "{errors}");
        assert!(!errors.contains("s3cret"), "{errors}");
    }
    assert!(refusal("/nonexistent/users").contains("/nonexistent/users (ftp-server user add"));
}

/// What a server says that is not to start with this users file.
#[track_caller]
fn refusal(path: &str) -> String {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = folder.path().to_str().expect("UTF-8");
    let output = Server::run(&["--port", "0", "--root", root, "--users", path]);
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_change_is_in_force_with_the_next_login() {
    let (anna, bert) = (
        account("anna", "permissions = 'read'"),
        account("bert", "permissions = 'read'"),
    );
    let users = UsersFile::new(&anna);
    let server = users.server(&[]);
    let mut open = log_in(&server, "anna");
    fail(&mut server.connect(), "bert", "bert!");
    users.put(&bert);
    log_in(&server, "bert");
    fail(&mut server.connect(), "anna", "anna!");
    // A session that is open goes on.
    open.run("PWD", 257);
    users.put(&anna.replace("'read'", "'full'"));
    log_in(&server, "anna").run("MKD d", 257);
    open.run("MKD e", 550);
}

#[test]
fn a_broken_file_leaves_the_accounts_as_they_were() {
    let good = account("anna", "permissions = 'read'");
    let users = UsersFile::new(&good);
    let server = users.server(&[]);
    for (text, parts) in [
        (
            format!("{good}\n[bert]\nx = 1\n"),
            ["line 6, column 1", "bert"],
        ),
        ("[anna".to_owned(), ["line 1, column 6", "users.toml"]),
    ] {
        users.put(&text);
        log_in(&server, "anna");
        server.wait_for_log(&[parts[0], parts[1], "ERROR", "stay as they were"]);
    }
    let lines = server.log().matches("stay as they were").count();
    log_in(&server, "anna");
    assert_eq!(server.log().matches("stay as they were").count(), lines);
    std::fs::remove_file(users.path()).expect("the file goes");
    log_in(&server, "anna");
    users.put(&account("bert", "permissions = 'read'"));
    log_in(&server, "bert");
}

#[test]
fn sighup_has_the_file_read_again() {
    let users = UsersFile::new(&account("anna", "permissions = 'read'"));
    let server = users.server(&[]);
    server.signal(Signal::HUP);
    server.wait_for_log(&["users.toml read again"]);
    users.put("nonsense");
    server.signal(Signal::HUP);
    server.wait_for_log(&["users.toml", "line 1", "stay as they were"]);
    log_in(&server, "anna");
    // With no such file there is nothing to read, which is no reason to end.
    let server = Server::start();
    server.signal(Signal::HUP);
    server.login();
}

#[test]
fn a_file_that_others_can_read_is_warned_of() {
    let users = UsersFile::new(&account("anna", "permissions = 'read'"));
    std::fs::set_permissions(users.path(), Permissions::from_mode(0o644)).expect("its mode");
    let server = users.server(&[]);
    server.wait_for_log(&["WARN", "users.toml", "chmod 600"]);
}
