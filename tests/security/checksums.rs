//! What checksums can take up: their command is short, and a file can be huge and yet take no space.

use crate::support::{Raw, Server};
use std::net::Ipv4Addr;

#[test]
fn a_checksum_of_a_huge_file_can_be_stopped() {
    let server = Server::start();
    server.write_sparse("huge", 1 << 40);
    let before = server.at_rest();
    for command in ["HASH huge", "XCRC huge"] {
        let mut raw = server.login();
        raw.send(command);
        raw.send("STAT");
        let status = raw.expect_one_of(&[211, 213]);
        assert!(status.text.contains("/huge"), "{status}");
        raw.send("ABOR");
        raw.expect_all(&[426, 226]);
        raw.run("NOOP", 200);
        // Who leaves meanwhile leaves nothing.
        raw.send(command);
        drop(raw);
    }
    server.wait_for_footprint(&before);
}

/// Begins a checksum that takes hours, and returns when it runs.
#[track_caller]
fn begin_huge(raw: &mut Raw) {
    raw.send_bytes(b"HASH huge\r\n");
    loop {
        raw.send("STAT");
        let status = raw.expect(211);
        if !status.text.contains(" 0 bytes") {
            break;
        }
    }
}

#[test]
fn an_account_has_two_checksums_at_a_time() {
    let server = Server::start();
    server.write_sparse("huge", 1 << 40);
    server.write("a", "a");
    let before = server.at_rest();
    let mut running = [server.login(), server.login()];
    for raw in &mut running {
        begin_huge(raw);
    }
    // Whoever comes then waits for its turn, and can be asked and stopped meanwhile.
    let mut third = server.login();
    third.send_bytes(b"HASH a\r\nSTAT\r\n");
    let status = third.expect(211);
    assert!(status.text.contains("waits"), "{status}");
    third.send("ABOR");
    third.expect_all(&[426, 226]);
    third.send("HASH a");
    // Other clients do not wait for it.
    server
        .login_from(Ipv4Addr::new(127, 0, 0, 9))
        .run("HASH a", 213);
    assert!(third.waiting().is_none(), "it did not wait");
    running[0].send("ABOR");
    running[0].expect_all(&[426, 226]);
    third.expect(213);
    // Who leaves in the middle of it makes room as well.
    let mut fourth = server.login();
    begin_huge(&mut running[0]);
    fourth.send("HASH a");
    drop(running);
    fourth.expect(213);
    drop((third, fourth));
    server.wait_for_footprint(&before);
}
