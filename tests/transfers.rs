//! Transfers: what is fetched and stored, whole or not at all.

mod support;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use support::{
    Pattern, Server, assert_same, data_bytes, names_in, read_all, reset, temporaries, wait_until,
};

const MIB: u64 = 1024 * 1024;

#[test]
fn an_empty_file_goes_both_ways() {
    let server = Server::start();
    let mut raw = server.login();
    raw.store("empty", b"");
    assert_eq!(server.read("empty"), b"");
    assert_eq!(raw.fetch("empty"), b"");
    assert_eq!(names_in(&server.root), ["empty"]);
}

#[test]
fn every_byte_is_kept() {
    let server = Server::start();
    let mut raw = server.login();
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    raw.run("TYPE I", 200);
    raw.store("all", &all);
    assert!(server.read("all") == all, "the stored file differs");
    assert!(raw.fetch("all") == all, "the fetched file differs");
}

#[test]
fn sizes_around_those_of_buffers() {
    let server = Server::start();
    let mut raw = server.login();
    for power in [12, 16, 18] {
        for size in [(1 << power) - 1, 1 << power, (1 << power) + 1] {
            let expected = Pattern::bytes(size, size);
            raw.store("f", &expected);
            assert!(server.read("f") == expected, "{size} bytes up");
            assert!(raw.fetch("f") == expected, "{size} bytes down");
        }
    }
}

#[test]
fn a_file_of_256_mib_goes_both_ways() {
    let server = Server::start();
    let mut raw = server.login();
    raw.run("TYPE I", 200);
    let big = Pattern::new(1, 256 * MIB);
    raw.store_from("big", &mut big.clone());
    let stored = File::open(server.path("big")).expect("the stored file");
    assert_same("the stored file", stored, big.clone());
    let data = raw.begin("RETR big");
    assert_same("the fetched file", data, big);
    raw.expect(226);
    assert_eq!(raw.run("SIZE big", 213).text, "213 268435456");
}

#[test]
fn downloads_only_begin_when_they_can() {
    let server = Server::start();
    server.make_folder("folder");
    let mut raw = server.login();
    raw.begin_refused("RETR missing", &[550]);
    raw.begin_refused("RETR folder", &[550]);
    raw.begin_refused("RETR folder/missing", &[550]);
    raw.begin_refused("STOR folder", &[550, 553]);
    raw.begin_refused("STOR missing/file", &[550, 553]);
    raw.begin_refused("STOR /", &[550, 553]);
    assert_eq!(names_in(&server.root), ["folder"]);
}

// It is looked at when the upload begins, as far as that takes no time, and when it ends.
#[test]
fn what_comes_to_stand_under_the_name_meanwhile_is_replaced_or_left_as_it_is() {
    let server = Server::start();
    let mut raw = server.login();
    let mut data = raw.begin("STOR a");
    data.write_all(b"new").expect("the bytes");
    server.write("a", "old and longer");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(server.path("a"), private).expect("a mode");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("a"), b"new");
    let mode = fs::metadata(server.path("a")).expect("it").mode();
    assert_eq!(mode & 0o777, 0o600, "its mode is not the old one's");

    // What is to replace a private file is private before it is whole.
    let mut data = raw.begin("STOR c");
    server.write("c", "old");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(server.path("c"), private).expect("a mode");
    io::copy(&mut Pattern::new(1, MIB), &mut data).expect("all of it");
    wait_until("the hidden file to be private", || {
        let hidden = temporaries(&server.root);
        let mut files = hidden.iter().map(|name| fs::metadata(server.path(name)));
        files.any(|file| file.is_ok_and(|file| file.mode() & 0o777 == 0o600))
    });
    drop(data);
    raw.expect(226);
    fs::remove_file(server.path("c")).expect("the file is there");

    // A small one ends first, a large one is cut.
    for size in [3, 64 * MIB] {
        let mut data = raw.begin("STOR b");
        server.make_folder("b/inner");
        let sent = io::copy(&mut Pattern::new(1, size), &mut data);
        assert!(sent.is_err() || size < MIB, "all of it was taken");
        drop(data);
        raw.expect_one_of(&[550, 553]);
        assert_eq!(names_in(&server.root), ["a", "b"]);
        fs::remove_dir_all(server.path("b")).expect("the folder is there");
    }
}

#[test]
fn a_second_file_of_the_name_replaces_the_first() {
    let server = Server::start();
    let mut raw = server.login();
    raw.store("a", &[1; 100_000]);
    raw.store("a", &[2; 10]);
    assert_eq!(server.read("a"), [2; 10]);
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn readers_see_the_old_file_until_the_new_one_is_whole() {
    let server = Server::start();
    // More than the socket buffers hold, so that the download is under way while the upload ends.
    let (old, new) = (Pattern::new(1, 32 * MIB), Pattern::bytes(2, MIB));
    let mut raw = server.login();
    raw.store_from("a", &mut old.clone());
    let mut reader = server.login();
    let mut reading = reader.begin("RETR a");
    let mut start = [0; 1000];
    reading.read_exact(&mut start).expect("the first bytes");

    let mut upload = raw.begin("STOR a");
    upload.write_all(&new[..new.len() / 2]).expect("one half");
    let mut third = server.login();
    let data = third.begin("RETR a");
    assert_same("the file while another comes", data, old.clone());
    third.expect(226);
    assert_eq!(third.run("SIZE a", 213).text, format!("213 {}", 32 * MIB));
    upload
        .write_all(&new[new.len() / 2..])
        .expect("the other half");
    drop(upload);
    raw.expect(226);

    assert!(third.fetch("a") == new, "the new file is not there at 226");
    let mut whole = old;
    let mut expected = [0; 1000];
    whole.read_exact(&mut expected).expect("a pattern");
    assert!(start == expected, "the first bytes");
    let mut rest = Vec::new();
    whole.read_to_end(&mut rest).expect("a pattern");
    assert!(read_all(reading) == rest, "an open download changed");
    reader.expect(226);
}

#[test]
fn no_reader_ever_sees_half_a_file() {
    let server = Server::start();
    let version = |number: u8| vec![number; 200_000 + usize::from(number)];
    server.write("a", version(0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut raw = server.login();
                    while !done.load(Ordering::Relaxed) {
                        let got = raw.fetch("a");
                        let number = *got.first().expect("a file of some bytes");
                        assert!(got == version(number), "half of version {number}");
                    }
                })
            })
            .collect();
        let mut raw = server.login();
        for number in 1..40 {
            raw.store("a", &version(number));
            if readers.iter().any(thread::ScopedJoinHandle::is_finished) {
                break; // it failed, and the scope hands its panic on
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn two_uploads_of_one_name_end_as_one_of_them() {
    let server = Server::start();
    let (mut one, mut two) = (server.login(), server.login());
    let mut first = one.begin("STOR a");
    let mut second = two.begin("STOR a");
    for _ in 0..10 {
        first.write_all(&[1; 10_000]).expect("a part of the first");
        second.write_all(&[2; 9_000]).expect("a part of the second");
    }
    drop(second);
    two.expect(226);
    assert!(server.read("a") == [2; 90_000], "not the second");
    drop(first);
    one.expect(226);
    assert!(server.read("a") == [1; 100_000], "not the first");
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn an_upload_cut_short_leaves_the_old_file() {
    let server = Server::start();
    server.write("a", "old");
    let mut raw = server.login();
    let mut data = raw.begin("STOR a");
    data.write_all(&[1; 100_000]).expect("a part of it");
    // A reset, as of a client whose machine went down, and not the end that FTP takes for the end of the file.
    reset(data);
    raw.expect_one_of(&[426, 451]);
    raw.run("NOOP", 200);
    assert_eq!(server.read("a"), b"old");
    assert_eq!(names_in(&server.root), ["a"]);
}

#[test]
fn a_download_that_nobody_wants_any_more_is_426() {
    let server = Server::start();
    server.write_sparse("big", 64 * MIB);
    let mut raw = server.login();
    let mut data = raw.begin("RETR big");
    data.read_exact(&mut [0; 1000]).expect("the first bytes");
    drop(data);
    raw.expect_one_of(&[426, 451]);
    raw.run("NOOP", 200);
}

#[test]
fn a_file_that_shrinks_is_never_226() {
    let server = Server::start();
    let file = server.write_sparse("big", 64 * MIB);
    let mut raw = server.login();
    let mut data = raw.begin("RETR big");
    data.read_exact(&mut [0; 1000]).expect("the first bytes");
    file.set_len(0).expect("the file shrinks");
    let got = data_bytes(data).len() as u64;
    assert!(got < 64 * MIB, "{got} bytes of a file that is not there");
    // The client was told no size, so a short file with a 226 would be taken for a whole one.
    raw.expect_one_of(&[426, 450, 451]);
    raw.run("NOOP", 200);
}
