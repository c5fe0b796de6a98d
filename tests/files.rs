//! Folders and facts about files: PWD CWD CDUP MKD SIZE MDTM MLST, and who may do what.

mod support;

use std::time::{Duration, UNIX_EPOCH};
use support::{Raw, Server, names_in};

#[track_caller]
fn pwd(raw: &mut Raw) -> String {
    raw.run("PWD", 257).quoted()
}

#[test]
fn folders_are_entered_and_left() {
    let server = Server::start();
    server.make_folder("a/b");
    let mut raw = server.login();
    assert_eq!(pwd(&mut raw), "/");
    for (line, now) in [
        ("CWD a", "/a"),
        ("CWD b", "/a/b"),
        ("CDUP", "/a"),
        ("CWD ..", "/"),
        ("CWD a/b", "/a/b"),
        ("CWD ../../a", "/a"),
        ("CWD /a/b/", "/a/b"),
        ("CWD .", "/a/b"),
        ("CWD /", "/"),
        ("XCWD a", "/a"),
        ("XCUP", "/"),
    ] {
        raw.send(line);
        raw.expect_one_of(&[200, 250]);
        assert_eq!(pwd(&mut raw), now, "after {line}");
    }
    assert_eq!(raw.run("XPWD", 257).quoted(), "/");
}

#[test]
fn a_folder_that_is_not_there_is_not_entered() {
    let server = Server::start();
    server.write("file", "");
    server.make_folder("a");
    let mut raw = server.login();
    raw.run("CWD a", 250);
    for line in ["CWD missing", "CWD /file", "CWD /file/x"] {
        raw.run(line, 550);
        assert_eq!(pwd(&mut raw), "/a", "after {line}");
    }
}

#[test]
fn the_folder_above_the_root_is_the_root() {
    let server = Server::start();
    let mut raw = server.login();
    for line in ["CDUP", "CWD ..", "CWD ../../..", "CWD /../.."] {
        // Both to stay and to refuse is right; to leave is not.
        raw.send(line);
        raw.expect_one_of(&[200, 250, 550]);
        assert_eq!(pwd(&mut raw), "/", "after {line}");
    }
}

#[test]
fn a_folder_that_went_away_is_a_reply_and_not_an_end() {
    let server = Server::start();
    server.make_folder("a");
    let mut raw = server.login();
    raw.run("CWD a", 250);
    std::fs::remove_dir(server.path("a")).expect("the folder goes");
    raw.begin_refused("STOR x", &[550, 553]);
    raw.begin_refused("RETR x", &[550]);
    raw.begin_refused("LIST", &[550, 450]);
    raw.send("CDUP");
    raw.expect_one_of(&[200, 250]);
    assert_eq!(pwd(&mut raw), "/");
}

#[test]
fn folders_are_made_and_quotes_in_names_doubled() {
    let server = Server::start();
    let mut raw = server.login();
    assert_eq!(raw.run("MKD new folder", 257).quoted(), "/new folder");
    // RFC 959 appendix II: the path in quotes, its own quotes doubled.
    let reply = raw.run("MKD say \"hi\"", 257);
    assert!(reply.text.contains("\"/say \"\"hi\"\"\""), "{reply}");
    raw.run("CWD say \"hi\"", 250);
    let reply = raw.run("PWD", 257);
    assert!(reply.text.contains("\"/say \"\"hi\"\"\""), "{reply}");
    assert_eq!(raw.run("MKD übung", 257).quoted(), "/say \"hi\"/übung");
    assert_eq!(raw.run("XMKD /top", 257).quoted(), "/top");
    assert_eq!(names_in(&server.root), ["new folder", "say \"hi\"", "top"]);
    assert!(server.path("say \"hi\"/übung").is_dir());
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let server = Server::start();
    server.make_folder("there");
    server.write("file", "");
    let mut raw = server.login();
    for line in ["MKD there", "MKD file", "MKD /", "MKD ."] {
        raw.send(line);
        raw.expect_one_of(&[521, 550, 553]);
    }
    for line in ["MKD missing/child", "MKD file/child"] {
        raw.run(line, 550);
    }
    let long = "n".repeat(300);
    raw.refused(&format!("MKD {long}"));
    assert_eq!(names_in(&server.root), ["file", "there"]);
}

#[test]
fn size_and_time_of_a_file() {
    let server = Server::start();
    server.make_folder("d");
    server.write("d/five bytes", "12345");
    server.write("empty", "");
    let file = std::fs::File::options()
        .write(true)
        .open(server.path("d/five bytes"))
        .expect("the file opens");
    // 2001-09-09 01:46:40 UTC, and a fraction that RFC 3659 §2.3 lets a server leave out.
    file.set_modified(UNIX_EPOCH + Duration::from_millis(1_000_000_000_900))
        .expect("the time is set");
    let mut raw = server.login();
    raw.run("TYPE I", 200);
    assert_eq!(raw.run("SIZE d/five bytes", 213).text, "213 5");
    assert_eq!(raw.run("SIZE empty", 213).text, "213 0");
    let time = raw.run("MDTM d/five bytes", 213).text;
    assert!(
        time == "213 20010909014640" || time.starts_with("213 20010909014640."),
        "{time}"
    );
    for line in ["SIZE missing", "MDTM missing", "SIZE d", "SIZE empty/x"] {
        raw.run(line, 550);
    }
}

#[test]
fn mlst_tells_of_one_entry() {
    let server = Server::start();
    server.make_folder("d");
    server.write("d/a b.txt", "12345");
    let mut raw = server.login();
    let reply = raw.run("MLST d/a b.txt", 250);
    let lines = reply.inner_lines();
    let [line] = lines[..] else {
        panic!("expected one line of facts in {reply}");
    };
    let (facts, name) = line
        .strip_prefix(' ')
        .and_then(|line| line.split_once(' '))
        .unwrap_or_else(|| panic!("expected ` facts name`, got {line:?}"));
    let facts = facts.to_ascii_lowercase();
    assert!(facts.ends_with(';'), "{facts}");
    for fact in ["type=file;", "size=5;", "modify="] {
        assert!(facts.contains(fact), "no {fact} in {facts}");
    }
    assert_eq!(name, "/d/a b.txt");

    raw.run("CWD d", 250);
    let reply = raw.run("MLST", 250);
    let line = reply.inner_lines().join("|").to_ascii_lowercase();
    assert!(
        (line.contains("type=cdir;") || line.contains("type=dir;")) && line.ends_with(" /d"),
        "{reply}"
    );
    raw.run("MLST missing", 550);
    raw.run("NOOP", 200);
}

#[test]
fn read_lets_only_list_and_download() {
    let server = Server::with(&["--anonymous", "read"]);
    server.write("a.txt", "abc");
    let mut raw = server.login();
    assert_eq!(raw.fetch("a.txt"), b"abc");
    assert_eq!(raw.rows("NLST"), ["a.txt"]);
    raw.begin_refused("STOR a.txt", &[550, 553]);
    raw.begin_refused("STOR b.txt", &[550, 553]);
    raw.run("MKD d", 550);
    for line in ["DELE a.txt", "RNFR a.txt", "RMD d"] {
        raw.refused(line);
    }
    assert_eq!(names_in(&server.root), ["a.txt"]);
    assert_eq!(server.read("a.txt"), b"abc");
}

#[test]
fn write_is_the_default_and_deletes_nothing() {
    for flags in [&[][..], &["--anonymous", "write"][..]] {
        let server = Server::with(flags);
        let mut raw = server.login();
        raw.run("MKD d", 257);
        raw.store("d/a.txt", b"abc");
        assert_eq!(raw.fetch("d/a.txt"), b"abc");
        for line in ["DELE d/a.txt", "RMD d", "RNFR d/a.txt"] {
            raw.refused(line);
        }
        assert_eq!(server.read("d/a.txt"), b"abc");
    }
}

#[test]
fn full_lets_all_that_write_does() {
    let server = Server::with(&["--anonymous", "full"]);
    let mut raw = server.login();
    raw.run("MKD d", 257);
    raw.store("d/a.txt", b"abc");
    assert_eq!(raw.fetch("d/a.txt"), b"abc");
}
