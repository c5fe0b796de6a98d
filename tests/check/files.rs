//! What is wrong with files: the served folder, the settings, the accounts, the certificate.

use crate::place::Place;
use crate::support::{Server, UsersFile, account, other_user};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

pub(crate) fn no_folder() {
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

pub(crate) fn read_only() {
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

pub(crate) fn not_to_be_made() {
    let place = Place::new();
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).expect("the mode is set");
    fs::remove_dir(place.root()).expect("the root is removed");
    let checked = place.check_by(by_another(), &["--tls", "off"]);
    checked.says("error", "folder", &[&place.root(), "cannot make it"]);
}

pub(crate) fn unreadable() {
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

pub(crate) fn users() {
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

pub(crate) fn certificates() {
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
    let nowhere = place.path("key.pem/state");
    place.check(&["--state-dir", &nowhere]).says(
        "warning",
        "certificate",
        &[&nowhere, "--state-dir"],
    );
    place
        .check(&["--tls", "off"])
        .says("ok", "certificate", &["off"]);
}
