//! The server's certificate: made once and kept, or from files and read again.

use crate::support::{Server, TlsClient, names_in, wait_until};
use multi_client_ftp::stream::fingerprint;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

const ANNOUNCED: &str = "TLS certificate ";

fn shown(server: &Server) -> String {
    let raw = server.connect().auth_tls(&TlsClient::new());
    fingerprint(&raw.wire().certificate())
}

fn mode(path: &Path) -> u32 {
    let found = std::fs::metadata(path).expect("it is there");
    found.permissions().mode() & 0o777
}

/// Writes a new certificate and its key there.
fn issue(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["ftp.example".to_owned()]).expect("it is made");
    write_over(&folder.join("cert.pem"), &made.cert.pem());
    write_over(&folder.join("key.pem"), &made.signing_key.serialize_pem());
}

/// As programs that renew certificates do it.
fn write_over(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("it is written");
    std::fs::rename(&new, path).expect("it is renamed");
}

fn with_files(folder: &Path) -> Server {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let [cert, key] = [cert, key].map(|path| path.display().to_string());
    Server::with(&["--tls-cert", &cert, "--tls-key", &key])
}

#[test]
fn the_server_makes_one_and_keeps_it_for_itself() {
    let state = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let folder = state.path().join("deep").join("er");
    let flags = ["--state-dir", folder.to_str().expect("UTF-8")];
    let server = Server::with(&flags);
    let first = server.announced(ANNOUNCED);
    assert_eq!(first, shown(&server));
    assert_eq!(names_in(&folder), ["server.pem", "status"]);
    assert_eq!(mode(&folder.join("server.pem")), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let again = Server::with(&flags);
    assert_eq!(again.announced(ANNOUNCED), first);
    assert_eq!(shown(&again), first);
}

#[test]
fn servers_that_begin_together_agree_on_one() {
    let state = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let flags = ["--state-dir", state.path().to_str().expect("UTF-8")];
    let announced: Vec<String> = std::thread::scope(|scope| {
        let start = || Server::with(&flags).announced(ANNOUNCED);
        let servers: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        let servers = servers.into_iter();
        servers.map(|one| one.join().expect("it starts")).collect()
    });
    assert!(
        announced.iter().all(|one| *one == announced[0]),
        "{announced:?}"
    );
    assert_eq!(names_in(state.path()), ["server.pem", "status"]);
}

#[test]
fn without_a_folder_to_keep_it_the_server_starts_all_the_same() {
    let state = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let file = state.path().join("file");
    std::fs::write(&file, "no folder").expect("a file");
    let server = Server::with(&["--state-dir", file.to_str().expect("UTF-8")]);
    server.wait_for_log(&["WARN", "for this run only", "file"]);
    assert_eq!(server.announced(ANNOUNCED), shown(&server));
}

#[test]
fn a_certificate_of_files_is_read_again_when_it_changes() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    issue(folder.path());
    let server = with_files(folder.path());
    let first = shown(&server);
    assert_eq!(server.announced(ANNOUNCED), first);
    let state = server.state().join("multi-client-ftp");
    assert_eq!(names_in(&state), ["status"], "it made a certificate");
    let mut open = server.connect().secure(&TlsClient::new());
    issue(folder.path());
    let second = shown(&server);
    assert_ne!(second, first);
    open.run("NOOP", 200);
    // Half of a change: what was in force stays so.
    write_over(&folder.path().join("cert.pem"), "no certificate");
    assert_eq!(shown(&server), second);
    server.wait_for_log(&["ERROR", "cert.pem", "stays in force"]);
    issue(folder.path());
    assert_ne!(shown(&server), second);
}

#[test]
fn sighup_has_it_read_again_and_ends_nothing() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    issue(folder.path());
    let server = with_files(folder.path());
    server.signal(Signal::HUP);
    // The signal comes when it comes, and the next handshake is the one that reads.
    wait_until("the certificate to be read again", || {
        shown(&server);
        server.log().contains("TLS certificate read again")
    });
    Server::with(&["--tls", "off"]).signal(Signal::HUP);
}

#[test]
fn one_that_is_no_good_is_refused_at_start() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let other = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    issue(folder.path());
    issue(other.path());
    let path = |folder: &TempDir, name: &str| folder.path().join(name).display().to_string();
    let cert = path(&folder, "cert.pem");
    for (key, part) in [
        (path(&folder, "missing"), "missing"),
        (cert.clone(), "the key"),
        (path(&other, "key.pem"), "cannot use"),
    ] {
        let root = folder.path().to_str().expect("UTF-8");
        let output = Server::run(&[
            "--port",
            "0",
            "--root",
            root,
            "--tls-cert",
            &cert,
            "--tls-key",
            &key,
        ]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(part), "{text}");
    }
}
