//! Bad input: each has its reply, the session goes on, and no way leads out of the root.

mod support;

use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use support::{Raw, Server, connect_from, names_in, wait_until};

#[test]
fn no_name_leads_out_of_the_root() {
    let server = Server::with(&["--anonymous", "full"]);
    server.make_folder("d");
    std::fs::write(server.outside().join("secret"), "secret").expect("a file outside");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    for path in [
        "../secret",
        "../../secret",
        "/../secret",
        "/d/../../secret",
        "..//../secret",
        "./.././../secret",
        "..\\..\\secret",
    ] {
        for verb in ["RETR", "LIST", "NLST", "MLSD"] {
            raw.begin_refused(&format!("{verb} {path}"), &[450, 550, 553]);
        }
        for verb in ["SIZE", "MDTM", "MLST", "CWD"] {
            let reply = raw.refused(&format!("{verb} {path}"));
            assert!(
                !reply.text.contains(&*server.outside().to_string_lossy()),
                "{verb} tells where the root is: {reply}"
            );
        }
    }
    let absolute = server.outside().join("secret");
    raw.begin_refused(&format!("RETR {}", absolute.display()), &[550]);
    // `..` at the root stays at the root, so these may be done; but within it.
    for line in ["MKD ../../made", "MKD /../../made2"] {
        raw.send(line);
        raw.expect_one_of(&[257, 550, 553]);
    }
    if let Some(data) = raw.begin_any("STOR ../../../stored") {
        drop(data);
        raw.expect(226);
    }
    assert_eq!(names_in(server.outside()), ["root", "secret"]);
    let secret = std::fs::read(server.outside().join("secret"));
    assert_eq!(secret.expect("the file outside"), b"secret");
}

#[test]
fn no_link_leads_out_of_the_root() {
    let server = Server::with(&["--anonymous", "full"]);
    let outside = server.outside().to_owned();
    std::fs::write(outside.join("secret"), "secret").expect("a file outside");
    symlink("../secret", server.path("file")).expect("a link");
    symlink(outside.join("secret"), server.path("absolute")).expect("a link");
    symlink("..", server.path("above")).expect("a link");
    symlink(&outside, server.path("there")).expect("a link");
    symlink("/", server.path("slash")).expect("a link");
    let mut raw = server.login();
    for path in [
        "file",
        "absolute",
        "above/secret",
        "there/secret",
        "slash/etc/passwd",
    ] {
        raw.begin_refused(&format!("RETR {path}"), &[550]);
        raw.refused(&format!("SIZE {path}"));
        raw.refused(&format!("MDTM {path}"));
    }
    for path in ["above", "there", "slash"] {
        raw.refused(&format!("CWD {path}"));
        raw.refused(&format!("MKD {path}/made"));
        raw.begin_refused(&format!("STOR {path}/stored"), &[550, 553]);
        raw.begin_refused(&format!("MLSD {path}"), &[550]);
        for verb in ["LIST", "NLST"] {
            // The link itself may be shown, what it leads to not.
            if let Some(data) = raw.begin_any(&format!("{verb} {path}")) {
                let text = String::from_utf8_lossy(&support::read_all(data)).into_owned();
                assert!(!text.contains("secret"), "{verb} {path}: {text}");
                raw.expect(226);
            }
        }
    }
    // The link may be replaced by a file, or the upload refused; what it leads to stays as it is.
    for path in ["file", "absolute"] {
        if let Some(data) = raw.begin_any(&format!("STOR {path}")) {
            drop(data);
            raw.reply();
        }
    }
    let secret = std::fs::read(outside.join("secret"));
    assert_eq!(secret.expect("the file outside"), b"secret");
    assert_eq!(names_in(&outside), ["root", "secret"]);
}

#[test]
fn names_with_control_characters_are_refused() {
    let server = Server::start();
    let mut raw = server.login();
    for name in ["a\x01b", "a\tb", "a\x1b[31mb", "a\x7fb", "a\u{85}b"] {
        raw.begin_refused(&format!("STOR {name}"), &[501, 550, 553]);
        raw.refused(&format!("MKD {name}"));
        raw.refused(&format!("CWD {name}"));
        raw.begin_refused(&format!("RETR {name}"), &[501, 550, 553]);
    }
    // Not even an argument: the line is malformed.
    for name in ["a\rb", "a\0b"] {
        for verb in ["MKD", "CWD", "STOR", "RETR"] {
            raw.refused(&format!("{verb} {name}"));
        }
    }
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn replies_never_repeat_control_characters() {
    let server = Server::start();
    let mut raw = server.login();
    // A name in a reply that ends its line would be a reply that the server never gave.
    for line in [
        "CWD a\x1b[2Jb",
        "RETR x\ry",
        "SIZE \x07",
        "\x1b[2J",
        "MKD a\x08",
    ] {
        let reply = raw.refused(line);
        assert!(
            !reply.text.contains(|c: char| c.is_control() && c != '\n'),
            "{line:?} gets {reply}"
        );
    }
}

#[test]
fn a_line_of_64_kib_is_500_and_the_session_lives() {
    let server = Server::start();
    server.write("a", "abc");
    let mut raw = server.connect();
    raw.run(&"A".repeat(64 * 1024), 500);
    raw.login();
    raw.run(&format!("RETR {}", "n".repeat(64 * 1024)), 500);
    raw.run(&format!("CWD {}", "../".repeat(30_000)), 500);
    raw.run("NOOP", 200);
    // 16 MiB with no end: the server keeps none of it, and it is one line still.
    for _ in 0..16 {
        raw.send_bytes(&vec![b'x'; 1024 * 1024]);
    }
    raw.run("", 500);
    assert_eq!(raw.fetch("a"), b"abc");
}

#[test]
fn long_names_get_a_reply() {
    let server = Server::start();
    let mut raw = server.login();
    // Past NAME_MAX, and a path near PATH_MAX.
    let long = "n".repeat(256);
    let deep = "d/".repeat(2000);
    for path in [&long, &deep] {
        raw.begin_refused(&format!("STOR {path}"), &[501, 550, 552, 553]);
        raw.begin_refused(&format!("RETR {path}"), &[501, 550, 553]);
        raw.refused(&format!("CWD {path}"));
    }
    // The longest name that Linux takes; the temporary name must not be longer.
    let longest = "n".repeat(255);
    raw.store(&longest, b"abc");
    assert_eq!(raw.fetch(&longest), b"abc");
    assert_eq!(names_in(&server.root), [longest]);
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.send_bytes(b"USER \xc3\x28\r\n");
    raw.expect_refusal();
    raw.login();
    for line in [
        &b"STOR a\xc3\x28\r\n"[..],
        b"MKD \x80\r\n",
        b"CWD \xf0\x9f\r\n",
        b"\xfe\xfe\xfe\r\n",
        b"NOOP\xe9\r\n",
    ] {
        raw.send_bytes(line);
        raw.expect_refusal();
        raw.run("NOOP", 200);
    }
    // A name in Latin-1, as old clients send it.
    let address = raw.epsv();
    let _data = support::data_connection(address);
    raw.send_bytes(b"RETR gr\xfc\xdfe.txt\r\n");
    raw.expect_refusal();
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn a_bare_line_feed_ends_a_line() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.send_bytes(b"USER anonymous\nPASS x\nNOOP\nPWD\r\n");
    for code in [331, 230, 200, 257] {
        raw.expect(code);
    }
}

#[test]
fn telnet_bytes_are_skipped() {
    let server = Server::start();
    let mut raw = server.login();
    // IAC IP, IAC DM: what a client sends before ABOR and STAT (RFC 959, RFC 854).
    raw.send_bytes(b"\xff\xf4\xff\xf2NOOP\r\n");
    raw.expect(200);
    // IAC WILL, WONT, DO and DONT have an option byte.
    raw.send_bytes(b"\xff\xfb\x01\xff\xfc\x01\xff\xfd\x01\xff\xfe\x01NO\xff\xf1OP\r\n");
    raw.expect(200);
    // A doubled IAC is one byte 0xFF, which is no UTF-8.
    raw.send_bytes(b"MKD a\xff\xffb\r\n");
    raw.expect_refusal();
    raw.run("NOOP", 200);
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn a_line_that_never_ended_is_no_command() {
    let server = Server::start();
    let before = server.at_rest();
    let mut raw = server.login();
    raw.send_bytes(b"MKD half");
    raw.finish_sending();
    raw.expect_closed();
    drop(raw);
    server.wait_for_footprint(&before);
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn noise_gets_a_reply_and_no_files() {
    let server = Server::start();
    let mut noise = server.connect();
    let mut bytes = support::Pattern::bytes(9, 10_000);
    bytes.retain(|byte| !matches!(byte, b'\n' | 0xff));
    bytes.extend_from_slice(b"\r\n");
    noise.send_bytes(&bytes);
    noise.expect_refusal();
    noise.run("NOOP", 200);
    server.assert_never_panicked();
}

#[test]
fn a_full_server_says_421() {
    let server = Server::with(&["--max-clients", "2"]);
    let mut first = server.login();
    let mut second = server.login();
    for _ in 0..3 {
        let mut third = Raw::dial(server.address);
        third.expect(421);
        third.expect_closed();
    }
    first.run("NOOP", 200);
    second.run("QUIT", 221);
    second.expect_closed();
    drop(second);
    wait_until("room for another client", || {
        let mut raw = Raw::dial(server.address);
        raw.expect_one_of(&[220, 421]).code == 220
    });
}

#[test]
fn one_address_cannot_have_it_all() {
    let server = Server::with(&["--max-clients-per-address", "2"]);
    let _first = server.login();
    let second = server.login();
    let mut third = Raw::dial(server.address);
    third.expect(421);
    third.expect_closed();
    let elsewhere = connect_from(Ipv4Addr::new(127, 0, 0, 2), server.address);
    let mut elsewhere = Raw::over(elsewhere);
    elsewhere.expect(220);
    elsewhere.login();
    drop(second);
    wait_until("room for another client of the address", || {
        let mut raw = Raw::dial(server.address);
        raw.expect_one_of(&[220, 421]).code == 220
    });
}

#[test]
fn clients_that_come_and_go_leave_nothing() {
    let server = Server::start();
    let before = server.at_rest();
    for turn in 0..200 {
        let mut raw = Raw::dial(server.address);
        match turn % 4 {
            0 => {}
            1 => raw.send_bytes(b"USER anon"),
            2 => raw.login_blindly(),
            _ => {
                raw.expect(220);
                raw.login();
                raw.epsv();
            }
        }
    }
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}
