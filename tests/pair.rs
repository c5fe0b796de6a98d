//! The two binaries together, as the README has them.

mod support;

use rustix::process::Signal;
use std::fs::File;
use support::{
    Client, Pattern, Server, assert_same, names_in, temporaries, wait_for_part, wait_until,
    whole_names_in,
};

#[test]
fn the_session_of_the_readme_in_any_letter_case() {
    for commands in [
        "LS\nPUT hello.txt\nGET hello.txt\nEXIT\n",
        "ls\nput hello.txt\nget hello.txt\nexit\n",
        "Ls\nPut hello.txt\nGeT hello.txt\neXiT\n",
        "LS\r\nPUT hello.txt\r\nGET hello.txt\r\nEXIT\r\n",
        "ls\nput hello.txt\nget hello.txt",
    ] {
        let server = Server::start();
        server.write("there.txt", "there");
        let client = Client::new(server.address);
        client.write("hello.txt", "hello");
        let output = client.succeed(commands);
        // Not a terminal: no prompt and no banner, and LS is bare names.
        assert_eq!(output.lines().next(), Some("there.txt"), "{commands:?}");
        assert!(!output.contains("ftp>"), "{output}");
        assert_eq!(server.read("hello.txt"), b"hello", "{commands:?}");
        let got = std::fs::read(client.download("hello.txt"));
        assert_eq!(got.expect("the download"), b"hello", "{commands:?}");
        assert_eq!(names_in(&client.download("")), ["hello.txt"]);
    }
}

#[test]
fn names_with_spaces_stand_in_quotes() {
    let server = Server::start();
    let client = Client::new(server.address);
    client.write("two words.txt", "hello");
    client.write("grüße 日本.txt", "world");
    client.succeed(
        "put \"two words.txt\"\nput \"grüße 日本.txt\"\n\
         get \"two words.txt\"\nget \"grüße 日本.txt\"\nexit\n",
    );
    let names = ["grüße 日本.txt", "two words.txt"];
    assert_eq!(names_in(&server.root), names);
    assert_eq!(names_in(&client.download("")), names);
    let output = client.succeed("ls\n");
    let mut listed: Vec<&str> = output.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, names);
}

#[test]
fn nothing_of_an_upload_waits_for_another_client() {
    let server = Server::start();
    server.write("hello.txt", "hello");
    let size = 256 * 1024 * 1024;
    let big = Client::new(server.address);
    let mut file = File::create(big.folder().join("big")).expect("a file");
    std::io::copy(&mut Pattern::new(1, size), &mut file).expect("the file is written");
    let uploading = big.spawn("PUT big\nEXIT\n");
    wait_until("the upload to be under way", || {
        !temporaries(&server.root).is_empty()
    });
    // Now it is as slow as can be.
    uploading.signal(Signal::STOP);
    assert_eq!(
        names_in(&server.root).len(),
        2,
        "the upload was over before it could be stopped"
    );
    let other = Client::new(server.address);
    let output = other.succeed("LS\nGET hello.txt\nEXIT\n");
    assert_eq!(output.lines().next(), Some("hello.txt"));
    assert!(!output.contains("big"), "half a file is listed: {output}");
    let got = std::fs::read(other.download("hello.txt"));
    assert_eq!(got.expect("the download"), b"hello");
    assert!(!server.path("big").exists(), "the upload is not over yet");
    uploading.signal(Signal::CONT);
    let output = uploading.output();
    assert!(
        output.status.success(),
        "the upload: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stored = File::open(server.path("big")).expect("the stored file");
    assert_same("the stored file", stored, Pattern::new(1, size));
}

#[test]
fn the_first_failure_ends_a_batch() {
    let server = Server::start();
    server.write("hello.txt", "hello");
    let client = Client::new(server.address);
    let output = client.run("get missing.txt\nget hello.txt\nexit\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "a missing file is no failure");
    assert!(errors.contains("missing.txt"), "{errors}");
    assert_eq!(names_in(&client.download("")), [""; 0]);
}

#[test]
fn a_server_that_goes_away_in_a_download_leaves_no_final_name() {
    let server = Server::start();
    let file = File::create(server.path("big")).expect("a file");
    file.set_len(1024 * 1024 * 1024).expect("a file with holes");
    let client = Client::new(server.address);
    let downloading = client.spawn("get big\n");
    wait_until("the download to be under way", || {
        client.download("big.part").exists()
    });
    server.signal(Signal::KILL);
    let output = downloading.output();
    assert!(!output.status.success(), "a cut download is no failure");
    assert!(!output.stderr.is_empty(), "no word about it");
    assert!(
        !client.download("big").exists(),
        "a download that was cut has its final name"
    );
}

#[test]
fn an_upload_of_a_killed_client_goes_on_where_it_was_cut() {
    const SIZE: u64 = 256 * 1024 * 1024;
    let server = Server::start();
    let client = Client::new(server.address);
    let mut file = File::create(client.folder().join("big")).expect("a file to send");
    std::io::copy(&mut Pattern::new(5, SIZE), &mut file).expect("a file of that size");
    let running = client.spawn("put big\n");
    wait_for_part(&server, 1024 * 1024);
    running.signal(Signal::KILL);
    drop(running);
    wait_until("the part to be put away", || {
        temporaries(&server.root).is_empty()
    });
    assert_eq!(whole_names_in(&server.root), [""; 0]);

    let output = client.run("put big\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("going on after "),
        "{said}"
    );
    assert_eq!(names_in(&server.root), ["big"]);
    let there = File::open(server.root.join("big")).expect("the file");
    assert_same("big", there, Pattern::new(5, SIZE));
}
