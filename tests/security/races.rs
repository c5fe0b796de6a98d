//! Links that come and go while a client is at work: what was a folder when it was looked at is a link when it is opened.

use crate::support::{Server, names_in, read_all};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// How many times each command is tried: enough that the swap comes between any two steps of it.
const TURNS: usize = 500;

#[test]
fn a_link_that_takes_the_place_of_a_folder_leads_nowhere() {
    let server = Server::with(&["--anonymous", "full"]);
    let outside = server.outside().join("outside");
    std::fs::create_dir(&outside).expect("a folder outside");
    std::fs::write(outside.join("file"), "secret").expect("a file outside");
    server.make_folder("swapped");
    server.write("swapped/file", "public");
    symlink("../outside", server.path("link")).expect("a link");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (server.path("swapped"), server.path("link"));
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).expect("a swap");
            }
        });
        let mut raw = server.login();
        for _ in 0..TURNS {
            if let Some(data) = raw.begin_any("RETR swapped/file") {
                assert_eq!(read_all(data), b"public");
                raw.expect(226);
            }
            raw.send("SIZE swapped/file");
            raw.expect_one_of(&[213, 550]);
            raw.send("MKD swapped/made");
            raw.expect_one_of(&[257, 550]);
            raw.send("RMD swapped/made");
            raw.expect_one_of(&[250, 550]);
            if let Some(data) = raw.begin_any("STOR swapped/stored") {
                drop(data);
                raw.reply();
            }
            raw.send("DELE swapped/stored");
            raw.expect_one_of(&[250, 550]);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(names_in(&outside), ["file"]);
    let secret = std::fs::read(outside.join("file"));
    assert_eq!(secret.expect("the file outside"), b"secret");
}
