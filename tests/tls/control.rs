//! The control connection: `AUTH`, `PBSZ`, `PROT`, `CCC`, implicit TLS, and who must not get in between.

use crate::support::{PARTIAL, Raw, Server, TlsClient, Wire, data_bytes, names_in};
use std::io::Write;

#[test]
fn a_session_goes_on_under_tls_with_either_version() {
    let server = Server::start();
    for client in [TlsClient::new(), TlsClient::of_1_2()] {
        let mut raw = server.connect().secure(&client);
        raw.run("PWD", 257);
        raw.run("QUIT", 221);
    }
    server.wait_for_log(&["TLSv1_3"]);
    server.wait_for_log(&["TLSv1_2"]);
}

#[test]
fn auth_begins_anew_and_nobody_is_logged_in() {
    let server = Server::start();
    server.make_folder("d");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    let mut raw = raw.auth_tls(&TlsClient::new());
    raw.run("PWD", 530);
    raw.login();
    assert!(raw.run("PWD", 257).text.contains("\"/\""));
}

#[test]
fn each_command_has_its_turn() {
    let server = Server::start();
    let mut raw = server.connect();
    for command in ["PBSZ 0", "PROT P", "CCC"] {
        raw.run(command, 503);
    }
    raw.run("AUTH GSSAPI", 504);
    let features = raw.run("FEAT", 211).text;
    for feature in [" AUTH TLS", " PBSZ", " PROT"] {
        assert!(features.lines().any(|line| line == feature), "{features}");
    }
    let mut raw = raw.auth_tls(&TlsClient::new());
    raw.run("AUTH TLS", 503);
    raw.run("PROT P", 503);
    raw.run("PBSZ x", 501);
    assert!(raw.run("PBSZ 16384", 200).text.contains("PBSZ=0"));
    raw.run("PROT X", 504);
    raw.run("PROT S", 536);
    raw.run("PROT E", 536);
    raw.run("PROT C", 200);
    raw.run("PROT P", 200);
    raw.run("CCC", 534);
}

#[test]
fn with_tls_off_there_is_none() {
    let server = Server::with(&["--tls", "off"]);
    let mut raw = server.connect();
    raw.run("AUTH TLS", 502);
    assert!(!raw.run("FEAT", 211).text.contains("AUTH"));
    let state = server.state().join("multi-client-ftp");
    assert_eq!(names_in(&state), ["status"], "it made a certificate");
}

#[test]
fn implicit_tls_begins_with_the_handshake_and_makes_data_private() {
    let server = Server::with(&["--implicit-tls-port", "0"]);
    server.write("a", "abc");
    let client = TlsClient::new();
    let mut raw = Raw::dial_tls(server.tls_address(), &client);
    raw.expect(220);
    raw.login();
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
    assert_eq!(server.login().fetch("a"), b"abc");
}

#[test]
fn what_stands_behind_auth_in_clear_is_dropped() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.send_bytes(b"AUTH TLS\r\nUSER anonymous\r\nPASS x\r\nMKD injected\r\nNO");
    raw.expect(234);
    let Wire::Plain(socket) = raw.into_wire() else {
        panic!("it is in clear")
    };
    let mut raw = Raw::on(TlsClient::new().connect(socket));
    // Neither a reply to what was injected, nor the beginning of a line from it.
    raw.run("OP", 500);
    raw.run("PWD", 530);
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn a_client_that_begins_no_handshake_is_let_go_and_keeps_nobody_waiting() {
    let server = Server::with(&[
        "--implicit-tls-port",
        "0",
        "--tls-handshake-timeout",
        "1",
        "--tls",
        "require",
    ]);
    let mut silent: Vec<Raw> = (0..20).map(|_| Raw::dial(server.tls_address())).collect();
    let mut asked = server.connect();
    asked.run("AUTH TLS", 234);
    server.connect().secure(&TlsClient::new()).run("PWD", 257);
    silent.push(asked);
    for mut raw in silent {
        raw.expect_closed();
    }
    server.wait_for_log(&["disconnected", "TLS handshake failed"]);
}

#[test]
fn a_handshake_of_noise_ends_the_session_and_no_other() {
    let server = Server::with(&["--implicit-tls-port", "0"]);
    let mut noise = Raw::dial(server.tls_address());
    noise.send_bytes(b"USER anonymous\r\nPASS x\r\n");
    let rest = data_bytes(match noise.into_wire() {
        Wire::Plain(socket) => socket,
        Wire::Tls(_) => panic!("it is in clear"),
    });
    // An alert of TLS (RFC 8446 §6) and no reply of FTP's.
    assert_eq!(rest.first(), Some(&21), "{}", rest.escape_ascii());
    server.login().run("PWD", 257);
    server.assert_never_panicked();
}

#[test]
fn http_is_answered_by_the_end_of_the_connection() {
    let server = Server::start();
    for verb in ["GET", "POST", "PUT", "options"] {
        let mut raw = server.connect();
        raw.send_bytes(format!("{verb} /<x> HTTP/1.1\r\nHost: <x>\r\n").as_bytes());
        let reply = raw.expect(421);
        assert!(!reply.text.contains("<x>"), "{reply}");
        raw.expect_closed();
        let mut raw = server.connect().auth_tls(&TlsClient::new());
        raw.run(&format!("{verb} / HTTP/1.1"), 421);
    }
}

#[test]
fn a_handshake_for_another_protocol_fails() {
    let server = Server::start();
    for (protocol, good) in [("ftp", true), ("http/1.1", false)] {
        let mut raw = server.connect();
        raw.run("AUTH TLS", 234);
        let Wire::Plain(socket) = raw.into_wire() else {
            panic!("it is in clear")
        };
        let wire = TlsClient::new().speaking(protocol).try_connect(socket);
        assert_eq!(wire.is_ok(), good, "{protocol}");
    }
}

#[test]
fn commands_sent_ahead_and_abor_are_seen_during_a_transfer() {
    let server = Server::start();
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    let mut data = raw.begin_secure("STOR a", &client);
    data.write_all(b"abc").expect("some of an upload is sent");
    // More lines than one read takes, so that some of them stay within TLS where no poll sees them.
    let noops = "NOOP\r\n".repeat(30);
    raw.send_bytes(noops.as_bytes());
    raw.send("STAT");
    raw.send("ABOR");
    raw.expect(426);
    raw.expect_all(&[200; 30]);
    raw.expect(211);
    raw.expect(226);
    let names = names_in(&server.root);
    assert!(
        names.iter().all(|name| name.starts_with(PARTIAL)),
        "{names:?}"
    );
}
