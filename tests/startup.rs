//! Starting the server: its first line, its flags and their environment variables, and flags that it refuses.

mod support;

use std::net::TcpListener;
use support::Server;
use tempfile::TempDir;

#[test]
fn the_first_line_says_where_it_listens() {
    // Server::start fails unless the line has the form that scripts read the port from.
    let server = Server::start();
    assert_ne!(server.address.port(), 0);
    server.connect().run("QUIT", 221);
}

#[test]
fn every_flag_is_an_environment_variable_too() {
    let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = outside.path().join("root");
    let mut command = Server::command();
    command
        .env("FTP_SERVER_HOST", "127.0.0.1")
        .env("FTP_SERVER_PORT", "0")
        .env("FTP_SERVER_ROOT", &root)
        .env("FTP_SERVER_PASSIVE_PORTS", "61000-65000")
        .env("FTP_SERVER_PUBLIC_ADDRESS", "192.0.2.7")
        .env("FTP_SERVER_ANONYMOUS", "read")
        .env("FTP_SERVER_MAX_CLIENTS", "1")
        .env("FTP_SERVER_MAX_CLIENTS_PER_ADDRESS", "1")
        .env("FTP_SERVER_IDLE_TIMEOUT", "200")
        .env("FTP_SERVER_DATA_TIMEOUT", "20")
        .env("FTP_SERVER_TLS", "off")
        .env("FTP_SERVER_DRAIN", "1");
    let server = Server::from_command(command, outside);
    assert!(root.is_dir(), "the missing root was not made");
    let mut raw = server.login();
    server.wait_for_log(&["PASV tells", "192.0.2.7"]);
    raw.run("AUTH TLS", 502);
    raw.begin_refused("STOR a.txt", &[550, 553]);
    support::Raw::dial(server.address).expect(421);
}

#[test]
fn a_missing_root_is_made() {
    let outside = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = outside.path().join("root");
    let mut command = Server::command();
    command.args(["--host", "127.0.0.1", "--port", "0", "--root"]);
    command.arg(&root);
    let server = Server::from_command(command, outside);
    assert!(root.is_dir(), "{} was not made", root.display());
    server.login().store("a.txt", b"a");
    assert_eq!(server.read("a.txt"), b"a");
}

#[test]
fn flags_that_make_no_sense_are_refused_with_a_text() {
    for (flags, word) in [
        (["--passive-ports", "2000-1000"], "passive-ports"),
        (["--passive-ports", "0-10"], "passive-ports"),
        (["--passive-ports", "many"], "passive-ports"),
        (["--anonymous", "perhaps"], "anonymous"),
        (["--port", "65536"], "port"),
        (["--idle-timeout", "soon"], "idle-timeout"),
        (["--public-address", "here"], "public-address"),
        (["--keep-partials", "59"], "data-timeout"),
        (["--nonsense", "x"], "nonsense"),
    ] {
        let output = Server::run(&flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{flags:?} was taken");
        assert!(
            errors.contains(word) && !errors.contains("panicked"),
            "{flags:?}: expected a text that names {word}, got:\n{errors}"
        );
        assert!(output.stdout.is_empty(), "{flags:?} wrote a first line");
    }
}

#[test]
fn a_port_in_use_is_said_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = folder.path().join("root");
    let root = root.to_str().expect("UTF-8");
    let output = Server::run(&["--host", "127.0.0.1", "--port", &port, "--root", root]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "a second listener on one port");
    assert!(
        errors.contains(&port) && !errors.contains("panicked"),
        "expected a text that names the port {port}, got:\n{errors}"
    );
}

#[test]
fn a_root_that_is_a_file_is_said_so() {
    let folder = TempDir::with_prefix("ftp-test-").expect("a temporary folder");
    let root = folder.path().join("file");
    std::fs::write(&root, "").expect("a file");
    let root = root.to_str().expect("UTF-8");
    let output = Server::run(&["--host", "127.0.0.1", "--port", "0", "--root", root]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "served a file as a folder");
    assert!(
        errors.contains(root) && !errors.contains("panicked"),
        "expected a text that names {root}, got:\n{errors}"
    );
}

#[test]
fn help_and_version_are_for_standard_output() {
    for (flag, word) in [
        ("--help", "--passive-ports"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let output = Server::run(&[flag]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{flag}: {}", output.status);
        assert!(text.contains(word), "{flag}: {text}");
    }
}

#[test]
fn quiet_is_quieter_and_verbose_is_not() {
    let lengths = ["-q", "-v"].map(|flag| {
        let mut server = Server::with(&[flag]);
        server.write("a.txt", "a");
        let mut raw = server.login();
        assert_eq!(raw.fetch("a.txt"), b"a");
        raw.run("QUIT", 221);
        raw.expect_closed();
        assert!(server.stop().success(), "{flag}");
        server.log().len()
    });
    assert!(
        lengths[0] < lengths[1],
        "-q logs {} bytes and -v {}",
        lengths[0],
        lengths[1]
    );
}

#[test]
fn completions_and_the_man_page_are_written_without_a_server() {
    for (arguments, part) in [
        (["completions", "zsh"].as_slice(), "--passive-ports"),
        (["man"].as_slice(), "passive"),
    ] {
        let output = Server::command()
            .args(arguments)
            .output()
            .expect("the server's binary runs");
        let page = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && page.contains(part), "{page}");
        assert!(!page.contains("completions"), "{page}");
    }
}
