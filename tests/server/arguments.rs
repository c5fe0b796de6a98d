//! Every malformed argument of every command gets its 5xx, and the session lives.

use crate::support::{Raw, Server, names_in, wait_until};

/// Commands whose argument is a path.
const WITH_PATH: [&str; 25] = [
    "CWD",
    "XCWD",
    "MKD",
    "XMKD",
    "RMD",
    "XRMD",
    "DELE",
    "RNFR",
    "SIZE",
    "MDTM",
    "MLST",
    "RETR",
    "STOR",
    "APPE",
    "STOU",
    "LIST",
    "NLST",
    "MLSD",
    "STAT",
    "HASH",
    "XSHA256",
    "XMD5",
    "XCRC",
    "SITE CHMOD 644",
    "MFMT 20010909014640",
];

/// Commands that do something without an argument too.
const OPTIONAL: [&str; 6] = ["STOU", "LIST", "NLST", "MLSD", "MLST", "STAT"];

fn full() -> (Server, Raw) {
    let server = Server::with(&["--anonymous", "full"]);
    server.write("a", "abc");
    let raw = server.login();
    (server, raw)
}

/// Sends a line of these bytes with a data connection at hand, and expects a refusal.
#[track_caller]
fn refuses(raw: &mut Raw, line: &[u8]) {
    let _data = crate::support::data_connection(raw.epsv());
    raw.send_bytes(line);
    raw.send_bytes(b"\r\n");
    raw.expect_refusal();
    raw.run("NOOP", 200);
}

#[test]
fn paths_that_cannot_be() {
    let (server, mut raw) = full();
    let long = "n".repeat(300);
    // With a verb of 23 bytes a line of the greatest length that there is.
    let longest = format!("d/{}", "x/".repeat(2030));
    for verb in WITH_PATH {
        for name in [
            &b"a\0b"[..],
            b"\0",
            b"a\rb",
            b"\r\r",
            b"a\tb",
            b"a\x1b[31mb",
            b"a\x7fb",
            // A doubled IAC is 0xFF, which is no UTF-8 (RFC 2640).
            b"a\xff\xffb",
            b"\xff\xff",
            b"a\xc3\x28",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b".ftp-upload.x",
            long.as_bytes(),
            longest.as_bytes(),
        ] {
            refuses(&mut raw, &[verb.as_bytes(), b" ", name].concat());
        }
        if !OPTIONAL.contains(&verb) {
            raw.run(verb, 501);
            raw.run(&format!("{verb} "), 501);
        }
    }
    assert_eq!(names_in(&server.root), ["a"]);
    assert_eq!(raw.fetch("a"), b"abc");
    server.assert_never_panicked();
}

#[test]
fn offsets_that_cannot_be() {
    let (_server, mut raw) = full();
    for at in [
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "abc",
        "",
        " ",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "٣",
        "-",
        "1,000",
    ] {
        raw.run(&format!("REST {at}"), 501);
        assert_eq!(raw.fetch("a"), b"abc", "after REST {at}");
    }
    raw.run("REST", 501);
    for at in [
        "4",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
    ] {
        for command in ["RETR a", "STOR a"] {
            raw.run(&format!("REST {at}"), 350);
            raw.begin_refused(command, &[554]);
        }
    }
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn addresses_that_cannot_be() {
    let (_server, mut raw) = full();
    for line in [
        "PORT",
        "PORT ",
        "PORT 127,0,0,1",
        "PORT 127,0,0,1,200",
        "PORT 127,0,0,1,200,1,1",
        "PORT 127,0,0,1,256,1",
        "PORT 127,0,0,1,200,256",
        "PORT 127,0,0,256,200,1",
        "PORT -127,0,0,1,200,1",
        "PORT 127,0,0,1,+200,1",
        "PORT 127.0.0.1,200,1",
        "PORT 127,0,0,1,,1",
        "PORT a,b,c,d,e,f",
        "PORT 127,0,0,1,99999999999999999999,1",
        "PORT 127, 0, 0, 1, 200, 1",
        "PORT ,,,,,",
        "PORT 127,0,0,1,0,0",
        "EPRT",
        "EPRT |",
        "EPRT ||||",
        "EPRT |1|127.0.0.1|65536|",
        "EPRT |1|127.0.0.1|-2000|",
        "EPRT |1|127.0.0.1||",
        "EPRT |1|127.0.0.1|2000",
        "EPRT 1|127.0.0.1|2000|",
        "EPRT |1|localhost|2000|",
        "EPRT |1|127.0.0|2000|",
        "EPRT |1|::1|2000|",
        "EPRT |2|127.0.0.1|2000|",
        "EPRT |x|127.0.0.1|2000|",
        "EPRT |1|127.0.0.1|2000|x|",
        "EPRT |1|127.0.0.1|99999999999999999999|",
        "EPRT é1é127.0.0.1é2000é",
        "EPSV x",
        "EPSV -1",
        "EPSV 1 1",
        "EPSV ALL 1",
        "EPSV 99999999999999999999",
        "PASV 1",
        "LPRT 4,4",
    ] {
        raw.refused(line);
        raw.run("LIST", 425);
    }
    // RFC 2428 §2 and §3: 522 for networks that there are not, or not here.
    for line in [
        "EPRT |3|127.0.0.1|2000|",
        "EPRT |0|x|2000|",
        "EPSV 3",
        "EPSV 0",
        "EPSV 2",
    ] {
        raw.run(line, 522);
    }
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn words_where_none_belong() {
    let (_server, mut raw) = full();
    for verb in [
        "PWD", "XPWD", "CDUP", "XCUP", "PASV", "ABOR", "QUIT", "SYST", "NOOP", "FEAT",
    ] {
        raw.run(&format!("{verb} x"), 501);
    }
    // Blanks behind a command are what some old clients send, and no argument.
    for (line, code) in [
        ("PWD ", 257),
        ("NOOP  ", 200),
        ("SYST ", 215),
        ("PASV ", 227),
    ] {
        raw.run(line, code);
    }
    for verb in [
        "USER", "OPTS", "CLNT", "HOST", "SITE", "TYPE", "MODE", "STRU", "ALLO", "REST", "MFMT",
    ] {
        raw.run(verb, 501);
        raw.run(&format!("{verb} "), 501);
    }
    for line in [
        "OPTS MLSD",
        "OPTS FOO BAR",
        "OPTS UTF8 MAYBE",
        "OPTS  ",
        "OPTS UTF9 ON",
    ] {
        raw.run(line, 501);
    }
}

/// Half a command, then nothing: neither it nor what is behind it is kept longer than an idle session.
#[test]
fn half_a_command_and_then_silence_is_an_idle_session() {
    let server = Server::with(&["--idle-timeout", "2"]);
    let before = server.footprint();
    let halves = [
        &b"MKD half"[..],
        b"MKD half\r",
        b"\xff",
        b"\xff\xfb",
        b"M",
        &[b'x'; 10_000],
    ];
    let sessions = halves.map(|half| {
        let mut raw = server.login();
        raw.send_bytes(half);
        raw
    });
    for mut raw in sessions {
        raw.expect(421);
        raw.expect_closed();
    }
    // A byte now and then does not keep a session alive either.
    let mut raw = server.login();
    wait_until("the slow session to be let go", || {
        raw.try_send(b"x").is_err()
    });
    server.wait_for_footprint(&before);
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn a_thousand_refused_ports_leak_nothing() {
    let (server, mut raw) = full();
    raw.run("NOOP", 200);
    let before = server.footprint();
    for _ in 0..250 {
        raw.run("PORT 127,0,0,1,200,1", 200);
        raw.run("PORT 127,0,0,2,200,1", 504);
        raw.run("EPSV 2", 522);
        raw.pasv();
        raw.run("RETR missing", 550);
    }
    server.wait_for_footprint(&before);
}

/// What is malformed is so in a transfer too, and its answer waits like any other.
#[test]
fn malformed_commands_in_a_transfer() {
    let server = Server::with(&["--anonymous", "full"]);
    server.write_sparse("big", 64 * 1024 * 1024);
    let mut raw = server.login();
    let data = raw.begin("RETR big");
    raw.send_bytes(b"REST -1\r\nPORT 1\r\nRNTO x\r\nMKD a\0b\r\nDELE \xff\xff\r\nTYPE Q\r\n\r\n");
    raw.send("ABOR now");
    raw.send("STAT missing");
    raw.send(&"x".repeat(5000));
    raw.send("RETR big");
    assert_eq!(crate::support::read_all(data).len(), 64 * 1024 * 1024);
    raw.expect_all(&[226, 501, 501, 503, 501, 501, 501, 500, 501, 550, 500, 425]);
    raw.run("NOOP", 200);
    assert_eq!(names_in(&server.root), ["big"]);
}
