//! Several servers over one folder: what one begins another goes on with, and none is in another's way.

mod support;

use rustix::process::Signal;
use std::fs::{self, File};
use std::io::Write;
use std::thread;
use std::time::{Duration, SystemTime};
use support::{
    PARTIAL, Pattern, Raw, Server, TEMPORARY, names_in, partials_in, reset, temporaries,
    wait_until, whole_names_in,
};

const FULL: [&str; 2] = ["--anonymous", "full"];

/// Begins an upload, of which so many bytes have come when this is back.
#[track_caller]
fn begin(server: &Server, raw: &mut Raw, name: &str, part: &[u8]) -> std::net::TcpStream {
    let mut data = raw.begin(&format!("STOR {name}"));
    data.write_all(part).expect("a part of the file");
    let arrived = |name: &String| {
        fs::metadata(server.path(name)).is_ok_and(|file| file.len() == part.len() as u64)
    };
    wait_until("the part to arrive", || {
        temporaries(&server.root).iter().any(arrived)
    });
    data
}

#[test]
fn what_was_cut_at_one_server_goes_on_at_another() {
    let one = Server::start();
    let (two, three) = (one.beside(&[]), one.beside(&[]));
    let file = Pattern::bytes(1, 300_000);
    let mut raw = one.login();
    reset(begin(&one, &mut raw, "f", &file[..100_000]));
    raw.expect_one_of(&[426, 451]);
    let mut raw = two.login();
    assert_eq!(raw.run("SIZE f", 213).text, "213 100000");
    raw.run("REST 100000", 350);
    let mut data = raw.begin("STOR f");
    data.write_all(&file[100_000..200_000]).expect("more of it");
    wait_until("all of it to arrive", || {
        let arrived =
            |name: &String| fs::metadata(one.path(name)).is_ok_and(|f| f.len() == 200_000);
        temporaries(&one.root).iter().any(arrived)
    });
    reset(data);
    raw.expect_one_of(&[426, 451]);
    let mut raw = three.login();
    raw.run("REST 200000", 350);
    let mut data = raw.begin("STOR f");
    data.write_all(&file[200_000..]).expect("the rest");
    drop(data);
    raw.expect(226);
    assert!(one.read("f") == file, "another file");
    assert_eq!(names_in(&one.root), ["f"]);
}

#[test]
fn what_a_killed_server_was_writing_goes_on_at_another_at_once() {
    let mut one = Server::start();
    let two = one.beside(&[]);
    let file = Pattern::bytes(1, 300_000);
    let mut raw = one.login();
    let _data = begin(&one, &mut raw, "f", &file[..100_000]);
    // As long as its server lives it is nobody else's.
    let mut other = two.login();
    other.refused("SIZE f");
    other.run("REST 100000", 350);
    other.begin_refused("STOR f", &[554]);
    one.signal(Signal::KILL);
    one.ended();
    assert_eq!(other.run("SIZE f", 213).text, "213 100000");
    other.run("REST 100000", 350);
    let mut data = other.begin("STOR f");
    data.write_all(&file[100_000..]).expect("the rest");
    drop(data);
    other.expect(226);
    assert!(two.read("f") == file, "another file");
    assert_eq!(names_in(&two.root), ["f"]);
}

#[test]
fn a_folder_with_what_a_killed_server_left_is_empty_to_clients() {
    let mut one = Server::with(&FULL);
    one.make_folder("d");
    let two = one.beside(&FULL);
    let mut raw = one.login();
    let mut data = raw.begin("STOR d/f");
    data.write_all(b"abc").expect("three bytes");
    wait_until("them to arrive", || {
        let names = temporaries(&one.path("d"));
        let mut files = names.iter().map(|name| one.path("d").join(name));
        files.any(|path| fs::metadata(path).is_ok_and(|file| file.len() == 3))
    });
    let mut other = two.login();
    // Somebody writes there.
    other.run("RMD d", 550);
    one.signal(Signal::KILL);
    one.ended();
    other.run("RMD d", 250);
    assert!(!two.path("d").exists());
}

#[test]
fn a_sweep_takes_no_upload_that_another_server_has_under_way_whatever_the_clock_says() {
    let one = Server::start();
    let mut raw = one.login();
    let mut data = begin(&one, &mut raw, "f", b"abc");
    let live = temporaries(&one.root).pop().expect("a temporary file");
    // What nobody has under way, with a name as earlier versions had them, and a partial.
    for dead in [
        format!("{TEMPORARY}0123456789abcdef"),
        format!("{PARTIAL}1"),
    ] {
        one.write(&dead, "x");
    }
    // A clock that jumps by half a century makes all of it old.
    for name in names_in(&one.root) {
        let file = File::options().write(true).open(one.path(&name));
        let file = file.expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH)
            .expect("the time is set");
    }
    // The first one may still be at the sweep that it begins with, and take a part of it.
    let _two = one.beside(&[]);
    wait_until("the servers to sweep", || {
        names_in(&one.root) == [live.clone()]
    });
    data.write_all(b"def").expect("three bytes more");
    drop(data);
    raw.expect(226);
    assert_eq!(one.read("f"), b"abcdef");
}

#[test]
fn a_file_from_the_future_counts_as_new() {
    let server = Server::start();
    let name = format!("{PARTIAL}1");
    server.write(&name, "x");
    let file = File::options().write(true).open(server.path(&name));
    let later = SystemTime::now() + Duration::from_secs(1 << 30);
    file.expect("a file").set_modified(later).expect("the time");
    let dead = format!("{PARTIAL}2");
    server.write(&dead, "x");
    let file = File::options().write(true).open(server.path(&dead));
    let epoch = SystemTime::UNIX_EPOCH;
    file.expect("a file").set_modified(epoch).expect("the time");
    // The first one may still be at the sweep that it begins with.
    let _other = server.beside(&[]);
    wait_until("the servers to sweep", || {
        partials_in(&server.root) == [name.clone()]
    });
}

#[test]
fn listings_of_one_server_show_only_what_is_whole_while_others_write() {
    let one = Server::with(&FULL);
    let (two, three) = (one.beside(&FULL), one.beside(&FULL));
    let rounds = 30;
    thread::scope(|scope| {
        let writers: Vec<_> = [&one, &two]
            .into_iter()
            .zip(1..)
            .map(|(server, seed)| {
                scope.spawn(move || {
                    let mut raw = server.login();
                    for round in 0..rounds {
                        let name = format!("f{}", round % 5);
                        raw.store(&name, &Pattern::bytes(seed, 1000 * seed));
                        if round % 3 == 2 {
                            // The other may have been quicker.
                            raw.send(&format!("DELE {name}"));
                            raw.expect_one_of(&[250, 550]);
                        }
                    }
                })
            })
            .collect();
        let mut raw = three.login();
        while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
            for row in raw.rows("MLSD") {
                let (facts, name) = row.split_once(' ').expect("facts and a name");
                let whole = facts.contains("size=1000;") || facts.contains("size=2000;");
                assert!(
                    facts.contains("type=cdir") || name.starts_with('f') && whole,
                    "{row}"
                );
            }
        }
    });
    assert!(temporaries(&one.root).is_empty());
    assert_eq!(names_in(&one.root), whole_names_in(&one.root));
}
