//! The rules that real clients taught, each in the words of a client that it is for.

use crate::support::{
    Active, Raw, Server, data_bytes, data_connection, names_in, partials_in, read_all, reset,
    wait_until,
};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;

/// A server with a few files.
fn with_files() -> Server {
    let server = Server::with(&["--anonymous", "full"]);
    server.make_folder("docs");
    server.write("docs/read me.txt", "hello");
    server.write("a", "abc");
    server
}

/// Rule 1. FileZilla asks FEAT between USER and PASS, WinSCP and Total Commander before USER; Explorer says `utf8 on`.
#[test]
fn rule_1_for_filezilla_winscp_and_explorer() {
    let server = with_files();
    for before in [
        &["FEAT", "CLNT FileZilla", "OPTS UTF8 ON"][..],
        &["FEAT", "CLNT WinSCP-release-6.3", "OPTS UTF8 ON", "SYST"],
        &["opts utf8 on", "syst"],
        &["OPTS UTF-8", "HELP", "NOOP", "SYST", "FEAT"],
    ] {
        for between in [false, true] {
            let mut raw = server.connect();
            if between {
                raw.run("USER anonymous", 331);
            }
            for line in before {
                raw.send(line);
                raw.expect_one_of(&[200, 211, 214, 215]);
            }
            if !between {
                raw.run("USER anonymous", 331);
            }
            raw.run("PASS ", 230);
            assert_eq!(raw.fetch("a"), b"abc");
        }
    }
}

/// Rule 2. FileZilla, ftplib and commons-net connect before they send the command; curl and lftp may do so after.
#[test]
fn rule_2_for_ftplib_and_curl() {
    let server = with_files();
    let mut raw = server.login();
    for command in ["RETR a", "NLST docs", "MLSD docs", "STOR b", "APPE b"] {
        let first = data_connection(raw.epsv());
        raw.run(command, 150);
        finish(&mut raw, first);
        let address = raw.pasv();
        raw.send(command);
        let after = data_connection(address);
        raw.expect(150);
        finish(&mut raw, after);
    }
    assert_eq!(names_in(&server.root), ["a", "b", "docs"]);
}

/// Ends a transfer of either direction.
#[track_caller]
fn finish(raw: &mut Raw, data: std::net::TcpStream) {
    data.shutdown(std::net::Shutdown::Write)
        .expect("the half of a connection closes");
    data_bytes(data);
    raw.expect(226);
}

/// Rule 3. Total Commander and wget ask for a port again after a failure; a camera forgets to ask at all.
#[test]
fn rule_3_for_total_commander_and_cameras() {
    let server = with_files();
    let mut raw = server.login();
    let first = raw.pasv();
    let abandoned = data_connection(first);
    raw.begin_refused("RETR missing", &[550]);
    assert_eq!(data_bytes(abandoned), b"");
    let first = data_connection(raw.pasv());
    let second = data_connection(raw.epsv());
    raw.run("RETR a", 150);
    assert_eq!(read_all(second), b"abc");
    assert_eq!(data_bytes(first), b"");
    raw.expect(226);
    for command in [
        "STOR new", "RETR a", "LIST", "NLST", "MLSD", "APPE a", "STOU",
    ] {
        raw.run(command, 425);
    }
    assert_eq!(server.read("a"), b"abc");
}

/// Rule 4. Explorer, cameras and mainframes' clients know nothing but LIST, and read it by its columns.
#[test]
fn rule_4_for_explorer() {
    let server = with_files();
    server.make_folder("empty");
    let mut raw = server.login();
    for command in [
        "LIST",
        "LIST -a",
        "LIST -l",
        "LIST -la",
        "LIST -al",
        "LIST -aL .",
    ] {
        let rows = raw.rows(command);
        assert_eq!(rows.len(), 3, "{command}: {rows:?}");
        for row in &rows {
            let fields: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(fields.len(), 9, "{command}: {row}");
            assert!(
                fields[1].parse::<u64>().is_ok() && fields[4].parse::<u64>().is_ok(),
                "{row}"
            );
            let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
            assert!(months.split(' ').any(|month| month == fields[5]), "{row}");
        }
    }
    for command in ["LIST empty", "NLST empty", "MLSD empty", "LIST -la empty"] {
        assert_eq!(read_all(raw.begin(command)), b"", "{command}");
        raw.expect(226);
    }
}

/// Rule 5. rclone and lftp's mirror stop at a listing that breaks off: one bad name must not take the others along.
#[test]
fn rule_5_for_rclone() {
    let server = with_files();
    for name in [
        &b"bad \xff name"[..],
        b"bad\nline",
        b"bad\r\nline",
        b"bad\x1b[2J",
    ] {
        std::fs::write(server.root.join(OsStr::from_bytes(name)), "x").expect("a file");
    }
    let mut raw = server.login();
    for command in ["LIST", "NLST", "MLSD", "NLST *"] {
        let rows = raw.rows(command);
        for name in ["a", "docs"] {
            assert!(
                rows.iter().any(|row| row.ends_with(name)),
                "{command}: no {name} in {rows:?}"
            );
        }
    }
    server.wait_for_log(&["WARN", "names not listed"]);
}

/// Rule 6. ncftp and commons-net take the path out of the quotes; rclone and FileZilla cut facts at `; `.
#[test]
fn rule_6_for_commons_net_and_filezilla() {
    let server = with_files();
    let mut raw = server.login();
    let name = "say \"hi\"; then = go";
    assert!(
        raw.run(&format!("MKD {name}"), 257)
            .text
            .starts_with("257 \"/say \"\"hi\"\"; then = go\"")
    );
    raw.run(&format!("CWD {name}"), 250);
    assert_eq!(raw.run("PWD", 257).quoted(), format!("/{name}"));
    raw.store("x; y", b"x");
    for row in raw.rows("MLSD").iter().chain(&raw.rows("MLSD ..")) {
        let (facts, name) = row.split_once(' ').expect("a space behind the facts");
        assert!(
            facts.ends_with(';') && !facts.contains(";;") && !name.starts_with(' '),
            "{row}"
        );
    }
}

/// Rule 7. curl -C - and FileZilla resume with REST and STOR, ncftp and commons-net with APPE, wget -c with REST and RETR.
#[test]
fn rule_7_for_curl_ncftp_and_wget() {
    let server = with_files();
    for command in ["STOR", "APPE"] {
        let path = format!("docs/{command}");
        let mut raw = server.login();
        let mut data = raw.begin(&format!("STOR {path}"));
        data.write_all(b"first ").expect("six bytes");
        let has_size = |name: &String| {
            std::fs::metadata(server.path("docs").join(name)).is_ok_and(|file| file.len() == 6)
        };
        wait_until("the server to have the part", || {
            names_in(&server.path("docs"))
                .iter()
                .any(|name| name.starts_with('.') && has_size(name))
        });
        reset(data);
        raw.expect_one_of(&[426, 451]);
        let mut raw = server.login();
        raw.run("TYPE I", 200);
        assert_eq!(raw.run(&format!("SIZE {path}"), 213).text, "213 6");
        if command == "STOR" {
            raw.run("REST 6", 350);
        }
        let mut data = raw.begin(&format!("{command} {path}"));
        data.write_all(b"second").expect("six bytes");
        drop(data);
        raw.expect(226);
        assert_eq!(server.read(&path), b"first second");
        raw.run("REST 6", 350);
        assert_eq!(raw.fetch(&path), b"second");
    }
    assert_eq!(partials_in(&server.path("docs")), [""; 0]);
}

/// Rule 8. BSD's `ftp` sends a Telnet synch before ABOR, ftplib all of it as urgent data, `nc` and scripts a bare LF.
#[test]
fn rule_8_for_bsd_ftp_ftplib_and_nc() {
    let server = with_files();
    server.write_sparse("big", 64 * 1024 * 1024);
    let mut raw = server.login();
    let synchs: [fn(&mut Raw); 3] = [
        |raw| raw.send_bytes(b"\xff\xf4\xff\xf2ABOR\r\n"),
        |raw| {
            raw.send_urgent(b"\xff\xf4\xff");
            raw.send_bytes(b"\xf2ABOR\r\n");
        },
        |raw| raw.send_urgent(b"ABOR\r\n"),
    ];
    for abort in synchs {
        let mut data = raw.begin("RETR big");
        data.read_exact(&mut [0; 100]).expect("the first bytes");
        raw.send_bytes(b"\xff\xf4\xff\xf2STAT\r\n");
        raw.expect(211);
        abort(&mut raw);
        raw.expect_all(&[426, 226]);
    }
    raw.send_bytes(b"NOOP\nPWD\nSIZE a\xff\xff\n");
    raw.expect_all(&[200, 257, 501]);
    raw.send_bytes(b"MKD never");
    raw.finish_sending();
    raw.expect_closed();
    assert_eq!(names_in(&server.root), ["a", "big", "docs"]);
}

/// Rule 9. FileZilla's and lftp's users stop a transfer and begin another over the same control connection.
#[test]
fn rule_9_for_filezilla_and_lftp() {
    let server = with_files();
    server.write_sparse("big", 64 * 1024 * 1024);
    let mut raw = server.login();
    for command in ["RETR big", "STOR new", "RETR big"] {
        let _data = raw.begin(command);
        raw.send("ABOR");
        raw.expect_all(&[426, 226]);
        raw.run("ABOR", 226);
        assert_eq!(raw.fetch("a"), b"abc");
    }
    assert_eq!(names_in(&server.root), ["a", "big", "docs"]);
}

/// Windows' `ftp.exe`: active only, X-commands, and NLST where others say LIST.
#[test]
fn a_session_of_windows_ftp_exe() {
    let server = with_files();
    let active = Active::at(Ipv4Addr::LOCALHOST);
    let mut raw = server.connect();
    raw.run("OPTS UTF8 ON", 200);
    raw.run("USER anonymous", 331);
    raw.run("PASS me@", 230);
    raw.run("XPWD", 257);
    raw.run(&active.port_line(), 200);
    raw.run("NLST", 150);
    assert_eq!(read_all(active.accept()).len(), "a\r\ndocs\r\n".len());
    raw.expect(226);
    raw.run("TYPE I", 200);
    raw.run(&active.port_line(), 200);
    raw.run("RETR a", 150);
    assert_eq!(read_all(active.accept()), b"abc");
    raw.expect(226);
    raw.run(&active.port_line(), 200);
    raw.run("STOR b", 150);
    active.accept().write_all(b"b").expect("a byte");
    raw.expect(226);
    raw.run("RNFR b", 350);
    raw.run("RNTO c", 250);
    raw.run("DELE c", 250);
    raw.run("XMKD d", 257);
    raw.run("XRMD d", 250);
    raw.run("QUIT", 221);
    raw.expect_closed();
}
