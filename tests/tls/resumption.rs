//! Data connections and the session of their control connection.

use crate::support::{Server, TlsClient, read_all};
use std::io::Write;

const REQUIRE: [&str; 2] = ["--tls-data-resumption", "require"];

#[test]
fn a_data_connection_resumes_its_session() {
    let server = Server::with(&REQUIRE);
    server.write("a", "abc");
    for client in [TlsClient::new(), TlsClient::of_1_2()] {
        let mut raw = server.connect().secure(&client);
        let data = raw.begin_secure("RETR a", &client);
        assert!(data.is_resumed());
        assert_eq!(read_all(data), b"abc");
        raw.expect(226);
    }
}

#[test]
fn one_that_does_not_is_refused_where_it_must() {
    let server = Server::with(&REQUIRE);
    server.write("a", "abc");
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    // A stranger to the session, and a client with a session of its own on the same server.
    let neighbour = TlsClient::new();
    let mut other = server.connect().secure(&neighbour);
    other.run("NOOP", 200);
    for foreign in [TlsClient::new(), neighbour] {
        let data = raw.begin("RETR a");
        if let Ok(data) = foreign.try_connect(data) {
            assert!(!data.is_resumed());
        }
        let reply = raw.expect(522);
        assert!(reply.text.contains("resume"), "{reply}");
    }
    assert_eq!(raw.fetch_secure("a", &client), b"abc");
}

#[test]
fn a_ticket_of_another_session_resumes_nothing() {
    let server = Server::start();
    server.write("a", "abc");
    for client in [TlsClient::new(), TlsClient::of_1_2()] {
        let mut first = server.connect().secure(&client);
        first.run("NOOP", 200);
        let second = server.connect().auth_tls(&client);
        assert!(!second.wire().is_resumed());
    }
}

#[test]
fn by_default_it_need_not() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.connect().secure(&TlsClient::new());
    let data = raw.begin_secure("RETR a", &TlsClient::new());
    assert!(!data.is_resumed());
    assert_eq!(read_all(data), b"abc");
    raw.expect(226);
}

#[test]
fn there_are_tickets_for_thousands_of_files() {
    let server = Server::with(&REQUIRE);
    server.write("a", "abc");
    for client in [TlsClient::new().asking_for_tickets(), TlsClient::of_1_2()] {
        let mut raw = server.connect().secure(&client);
        for _ in 0..1000 {
            assert_eq!(raw.fetch_secure("a", &client), b"abc");
        }
        for _ in 0..300 {
            raw.store_secure("b", b"abc", &client);
        }
    }
}

#[test]
fn an_upload_brings_no_ticket_to_a_client_that_may_not_read_it() {
    let server = Server::start();
    let client = TlsClient::new();
    let mut raw = server.connect().secure(&client);
    // This client reads nothing of the connection: were there a ticket, closing it would be a reset.
    let bytes = vec![7; 3_000_000];
    for _ in 0..10 {
        let mut data = raw.begin_secure("STOR a", &client);
        data.write_all(&bytes).expect("an upload is sent");
        data.send_last_word();
        drop(data);
        raw.expect(226);
    }
}
