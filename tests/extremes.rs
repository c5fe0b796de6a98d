//! Long names, deep folders, large files, many files, odd times, and folders that go away under a session's feet.

mod support;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use support::{
    Client, Pattern, Server, names_in, partials_in, peak_kib, read_all, reset, temporaries,
    wait_until,
};

const FULL: [&str; 2] = ["--anonymous", "full"];
const TIB: u64 = 1 << 40;
/// What is moved of a file of that size.
const END: u64 = 1 << 20;

/// A file of 1 TiB which takes up no more than its end.
#[track_caller]
fn write_tib(path: &Path) -> Vec<u8> {
    let end = Pattern::bytes(1, END);
    let file = File::create(path).expect("a file");
    file.set_len(TIB).expect("a file with holes");
    file.write_all_at(&end, TIB - END).expect("its end");
    end
}

#[track_caller]
fn assert_tib(path: &Path, end: &[u8]) {
    let mut file = File::open(path).expect("the file");
    assert_eq!(file.metadata().expect("its size").len(), TIB);
    file.seek(SeekFrom::Start(TIB - END)).expect("its end");
    let mut there = Vec::new();
    file.read_to_end(&mut there).expect("its end is read");
    assert!(there == end, "another end");
}

#[test]
fn a_tebibyte_goes_down_and_up_from_near_its_end() {
    let server = Server::with(&FULL);
    let end = write_tib(&server.path("huge"));
    let mut raw = server.login();
    assert_eq!(raw.run("SIZE huge", 213).text, format!("213 {TIB}"));
    assert_eq!(raw.fact("huge", "size"), Some(TIB.to_string()));
    raw.run(&format!("REST {}", TIB - END), 350);
    let opening = raw.open_data();
    let said = raw.run("RETR huge", 150).text;
    assert!(said.contains(&END.to_string()), "{said}");
    assert!(read_all(opening) == end, "another end");
    raw.expect(226);
    raw.run(&format!("REST {}", TIB + 1), 350);
    raw.begin_refused("RETR huge", &[554]);
    // As if an upload had been cut near its end.
    let mut data = raw.begin("STOR up");
    data.write_all(&[0; 1000]).expect("a beginning");
    wait_until("it to arrive", || {
        let full = |name: &String| fs::metadata(server.path(name)).is_ok_and(|f| f.len() == 1000);
        temporaries(&server.root).iter().any(full)
    });
    reset(data);
    raw.expect_one_of(&[426, 451]);
    let partial = partials_in(&server.root).pop().expect("a partial");
    let file = File::options().write(true).open(server.path(&partial));
    file.expect("the partial")
        .set_len(TIB - END)
        .expect("holes");
    assert_eq!(raw.run("SIZE up", 213).text, format!("213 {}", TIB - END));
    raw.run(&format!("REST {}", TIB - END), 350);
    let mut data = raw.begin("STOR up");
    data.write_all(&end).expect("the end");
    drop(data);
    raw.expect(226);
    assert_tib(&server.path("up"), &end);
}

#[test]
fn names_and_paths_may_be_as_long_as_the_system_has_them() {
    let server = Server::with(&FULL);
    let mut raw = server.login();
    let long = "n".repeat(255);
    raw.store(&long, b"abc");
    assert_eq!(raw.fetch(&long), b"abc");
    let longer = "n".repeat(256);
    raw.begin_refused(&format!("STOR {longer}"), &[550, 553]);
    raw.refused(&format!("MKD {longer}"));
    // Deeper and deeper, with no path that is longer than a line.
    let folder = "d".repeat(100);
    let mut depth = 0;
    loop {
        raw.send(&format!("MKD {folder}"));
        if raw.expect_one_of(&[257, 550, 553]).code != 257 {
            break;
        }
        raw.store(&format!("{folder}/f"), b"deep");
        raw.run(&format!("CWD {folder}"), 250);
        depth += 1;
        assert!(depth < 1000, "a path without an end");
    }
    assert!(depth >= 30, "{depth} folders");
    raw.run("NOOP", 200);
    assert_eq!(raw.fetch("f"), b"deep");
    assert_eq!(raw.rows("NLST"), ["f"]);
    for _ in 0..depth {
        raw.run("CDUP", 250);
        raw.run(&format!("DELE {folder}/f"), 250);
        raw.run(&format!("RMD {folder}"), 250);
    }
    assert_eq!(names_in(&server.root), [long]);
}

#[test]
fn a_hundred_thousand_files_in_a_folder() {
    many_files(100_000);
}

#[test]
#[ignore = "takes a minute"]
fn a_million_files_in_a_folder() {
    many_files(1_000_000);
}

fn many_files(count: usize) {
    let server = Server::with(&FULL);
    server.make_folder("d");
    for number in 0..count {
        // Empty, which is what takes the least time.
        File::create(server.path(&format!("d/{number:07}"))).expect("a file");
    }
    let mut raw = server.login();
    // What they need of the program itself is there by then.
    for verb in ["NLST", "LIST", "MLSD"] {
        raw.rows(verb);
    }
    let before = peak_kib(server.pid());
    raw.run("CWD d", 250);
    let mut names = raw.rows("NLST");
    names.sort_unstable();
    let expected = |(number, name): (usize, &String)| *name == format!("{number:07}");
    assert!(
        names.len() == count && names.iter().enumerate().all(expected),
        "{} of {count} names",
        names.len()
    );
    for verb in ["LIST", "MLSD"] {
        assert!(raw.rows(verb).len() >= count, "rows of {verb} are missing");
    }
    // The rows are several MiB, and more of them are to take no more.
    let more = peak_kib(server.pid()) - before;
    assert!(more < 1024, "{more} KiB for {count} entries");
    raw.store("0000000", b"abc");
    assert_eq!(raw.fetch("0000000"), b"abc");
    raw.refused("RMD /d");
}

/// The same to look at: composed (NFC), and decomposed (NFD) as macOS has names.
const COMPOSED: &str = "Gr\u{fc}n";
const DECOMPOSED: &str = "Gru\u{308}n";

#[test]
fn names_that_only_look_the_same_are_two() {
    let server = Server::with(&FULL);
    let mut raw = server.login();
    raw.store(COMPOSED, b"one");
    raw.store(DECOMPOSED, b"two");
    let mut names = raw.rows("NLST");
    names.sort_unstable();
    assert_eq!(names, [DECOMPOSED, COMPOSED]);
    for (name, content) in [(COMPOSED, b"one"), (DECOMPOSED, b"two")] {
        assert_eq!(raw.fetch(name), content);
        assert_eq!(raw.fact(name, "size"), Some("3".to_owned()));
    }
    raw.run(&format!("DELE {COMPOSED}"), 250);
    raw.refused(&format!("SIZE {COMPOSED}"));
    assert_eq!(raw.fetch(DECOMPOSED), b"two");
}

#[test]
fn names_that_only_look_the_same_are_two_to_the_client() {
    let server = Server::with(&FULL);
    let client = Client::new(server.address);
    for (name, content) in [(COMPOSED, "one"), (DECOMPOSED, "two")] {
        client.write(name, content);
        client.succeed(&format!("put {name}\n"));
    }
    assert_eq!(server.read(COMPOSED), b"one");
    assert_eq!(server.read(DECOMPOSED), b"two");
    let listed = client.succeed("ls\n");
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, [DECOMPOSED, COMPOSED]);
    // One by its name, and both by what both match.
    client.succeed(&format!("get {DECOMPOSED}\n"));
    assert_eq!(names_in(&client.download("")), [DECOMPOSED]);
    client.succeed("get Gr*\n");
    for (name, content) in [(COMPOSED, "one"), (DECOMPOSED, "two")] {
        let there = fs::read_to_string(client.download(name));
        assert_eq!(there.expect("the download"), content);
    }
    client.succeed(&format!("rename {COMPOSED} other\nrm {DECOMPOSED}\n"));
    assert_eq!(names_in(&server.root), ["other"]);
}

#[test]
fn times_may_be_of_any_age() {
    let server = Server::with(&FULL);
    let seconds = Duration::from_secs;
    for (name, time, text) in [
        (
            "before",
            SystemTime::UNIX_EPOCH - seconds(86_400),
            "19691231000000",
        ),
        ("epoch", SystemTime::UNIX_EPOCH, "19700101000000"),
        (
            "2038",
            SystemTime::UNIX_EPOCH + seconds(1 << 31),
            "20380119031408",
        ),
        (
            "later",
            SystemTime::UNIX_EPOCH + seconds(7_258_118_400),
            "22000101000000",
        ),
    ] {
        server.write(name, name);
        let file = File::options().write(true).open(server.path(name));
        file.expect("a file").set_modified(time).expect("the time");
        let mut raw = server.login();
        assert_eq!(
            raw.run(&format!("MDTM {name}"), 213).text,
            format!("213 {text}")
        );
        assert_eq!(raw.fact(name, "modify"), Some(text.to_owned()));
        let row = raw.rows(&format!("LIST {name}")).concat();
        assert!(row.contains(&format!(" {} ", &text[..4])), "{row}");
        raw.run(&format!("MFMT {text} {name}"), 213);
        assert_eq!(raw.fetch(name), name.as_bytes());
        let client = Client::new(server.address);
        client.succeed(&format!("get {name}\n"));
        let there = fs::metadata(client.download(name)).expect("the download");
        assert_eq!(there.modified().expect("its time"), time);
    }
}

#[test]
fn a_folder_that_is_removed_under_a_session_is_not_there_and_the_session_is() {
    let server = Server::with(&FULL);
    server.make_folder("d/e");
    server.write("a", "abc");
    let mut raw = server.login();
    raw.run("CWD d/e", 250);
    let mut slow = raw.begin("STOR cut");
    slow.write_all(b"abc").expect("a part is sent");
    wait_until("it to arrive", || !temporaries(&server.root).is_empty());
    fs::remove_dir_all(server.path("d")).expect("the folder is removed");
    drop(slow);
    raw.expect_one_of(&[451, 550]);
    raw.run("PWD", 257);
    for command in ["MLST", "CWD .", "MKD f", "DELE a", "SIZE a"] {
        raw.refused(command);
    }
    for command in ["STOR f", "RETR f", "APPE f"] {
        raw.begin_refused(command, &[550]);
    }
    raw.begin_refused("MLSD", &[550]);
    raw.run("CWD /", 250);
    assert_eq!(raw.fetch("a"), b"abc");
    assert_eq!(names_in(&server.root), ["a"]);
    server.assert_never_panicked();
}

#[test]
fn a_root_that_disappears_comes_back() {
    // The sandbox holds the server to the folder that was there when it began.
    let server = Server::with(&["--anonymous", "full", "--sandbox", "off"]);
    server.write("a", "abc");
    let mut raw = server.login();
    // Away and back, it is the same.
    let elsewhere = server.outside().join("elsewhere");
    fs::rename(&server.root, &elsewhere).expect("it is moved away");
    server.login().run("NOOP", 200);
    fs::rename(&elsewhere, &server.root).expect("it is moved back");
    assert_eq!(raw.fetch("a"), b"abc");
    // Removed and made anew, it is another, for who comes then.
    fs::remove_dir_all(&server.root).expect("it is removed");
    raw.begin_refused("RETR a", &[550]);
    raw.begin_refused("STOR a", &[550]);
    let mut lost = server.login();
    lost.begin_refused("STOR a", &[550]);
    fs::create_dir(&server.root).expect("it is made anew");
    raw.begin_refused("STOR a", &[550]);
    let mut new = server.login();
    new.store("a", b"def");
    assert_eq!(server.read("a"), b"def");
    server.assert_never_panicked();
}
