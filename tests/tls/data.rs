//! Data connections under TLS: whole both ways, and cut where no word of TLS ends them.

use crate::support::{
    Active, PARTIAL, Pattern, Raw, Server, TlsClient, assert_same, connections, names_in,
    partials_in, read_all, wait_until, whole_names_in,
};
use std::io::{Read, Write};

#[test]
fn files_and_listings_come_through_with_either_version() {
    let server = Server::start();
    server.write("empty", "");
    for client in [TlsClient::new(), TlsClient::of_1_2()] {
        let mut raw = server.connect().secure(&client);
        assert_eq!(raw.fetch_secure("empty", &client), b"");
        for len in [0, 1, 16_384, 5_000_000] {
            let bytes = Pattern::bytes(len, len);
            raw.store_secure("a", &bytes, &client);
            assert!(server.read("a") == bytes, "{len} bytes of an upload");
            let data = raw.begin_secure("RETR a", &client);
            assert_same("a download", data, Pattern::new(len, len));
            raw.expect(226);
        }
        let data = raw.begin_secure("MLSD", &client);
        let rows = String::from_utf8(read_all(data)).expect("UTF-8");
        raw.expect(226);
        assert!(
            rows.contains("size=5000000;") && rows.contains(" empty\r\n"),
            "{rows}"
        );
        raw.run("TYPE A", 200);
        raw.store_secure("text", b"one\r\ntwo\r\n", &client);
        assert_eq!(server.read("text"), b"one\ntwo\n");
        assert_eq!(raw.fetch_secure("text", &client), b"one\r\ntwo\r\n");
    }
}

#[test]
fn the_rest_of_a_file_comes_and_goes() {
    let server = Server::start();
    server.write("a", "0123456789");
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    raw.run("REST 4", 350);
    assert_eq!(raw.fetch_secure("a", &client), b"456789");
    raw.run("REST 8", 350);
    raw.store_secure("a", b"XYZ", &client);
    assert_eq!(server.read("a"), b"01234567XYZ");
}

#[test]
fn data_is_in_clear_until_prot_p_and_after_prot_c() {
    let server = Server::start();
    server.write("a", "abc");
    let client = TlsClient::new();
    let mut raw = server.connect().auth_tls(&client);
    raw.login();
    assert_eq!(raw.fetch("a"), b"abc");
    raw.run("PBSZ 0", 200);
    raw.run("PROT P", 200);
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
    raw.run("PROT C", 200);
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn the_server_is_the_server_of_tls_where_it_connects_too() {
    let server = Server::start();
    server.write("a", "abc");
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    let active = Active::at([127, 0, 0, 1]);
    raw.run(&active.eprt_line(), 200);
    raw.send("RETR a");
    let data = active.accept();
    raw.expect(150);
    assert_eq!(read_all(client.connect(data)), b"abc");
    raw.expect(226);
}

#[test]
fn an_upload_without_a_last_word_was_cut_off() {
    let server = Server::start();
    server.write("a", "before");
    for client in [TlsClient::new(), TlsClient::of_1_2()] {
        let mut raw = server.connect().secure(&client);
        for command in ["STOR a", "STOR new"] {
            let mut data = raw.begin_secure(command, &client);
            data.write_all(b"half of it")
                .expect("some of an upload is sent");
            data.cut();
            let reply = raw.expect(426);
            assert!(reply.text.contains("close_notify"), "{reply}");
        }
        assert_eq!(server.read("a"), b"before");
        assert_eq!(whole_names_in(&server.root), ["a"]);
    }
    // What came of the new one waits for its client to go on.
    assert_eq!(partials_in(&server.root).len(), 1);
}

#[test]
fn such_an_upload_is_whole_where_the_server_was_told_so() {
    let server = Server::with(&["--tls-close-notify", "optional"]);
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    let mut data = raw.begin_secure("STOR a", &client);
    data.write_all(b"all of it").expect("an upload is sent");
    data.cut();
    raw.expect(226);
    assert_eq!(server.read("a"), b"all of it");
}

#[test]
fn a_download_that_is_cut_has_no_last_word() {
    let server = Server::start();
    let file = server.write_sparse("a", 1 << 30);
    drop(file);
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    let mut data = raw.begin_secure("RETR a", &client);
    data.read_exact(&mut [0; 1000]).expect("some of a download");
    raw.send("ABOR");
    raw.expect(426);
    raw.expect(226);
    let mut rest = Vec::new();
    let end = data.read_to_end(&mut rest);
    assert!(end.is_err(), "{} bytes and a close_notify", rest.len());
}

#[test]
fn a_data_connection_that_begins_no_handshake_costs_the_transfer_and_not_the_session() {
    let server = Server::with(&["--tls-handshake-timeout", "1"]);
    server.write("a", "abc");
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    let silent = raw.begin("RETR a");
    raw.expect_one_of(&[425, 426]);
    drop(silent);
    let mut noise = raw.begin("STOR b");
    noise.write_all(b"no TLS at all").expect("it is sent");
    raw.expect(522);
    drop(noise);
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
    let names = names_in(&server.root);
    assert!(
        names
            .iter()
            .all(|name| name == "a" || name.starts_with(PARTIAL)),
        "{names:?}"
    );
}

#[test]
fn abor_is_seen_while_a_handshake_is_awaited() {
    let server = Server::start();
    server.write("a", "abc");
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    let silent = raw.begin("RETR a");
    raw.send("ABOR");
    raw.expect(426);
    raw.expect(226);
    drop(silent);
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
}

#[test]
fn nothing_stays_of_sessions_under_tls() {
    let server = Server::start();
    server.write("a", "abc");
    let before = server.at_rest();
    for _ in 0..5 {
        let client = TlsClient::new();
        let mut raw: Raw = server.connect().secure(&client);
        assert_eq!(raw.fetch_secure("a", &client), b"abc");
        raw.begin_secure("STOR b", &client).cut();
    }
    wait_until("the connections to end", || {
        connections(server.pid()).is_empty()
    });
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}
