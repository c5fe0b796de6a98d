//! Mirrors in both directions with the real server: what is copied, what is left alone, what is removed.

mod kept;
#[path = "../support/mod.rs"]
mod support;

use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use support::{Client, Server, grow, tree, wait_until};

/// A server on which anybody may remove what there is.
#[track_caller]
fn open_to_all() -> Server {
    Server::with(&["--anonymous", "full"])
}

/// Runs the client, which must end with this code, and gives its standard error.
#[track_caller]
fn tells(client: &Client, commands: &str, code: i32) -> String {
    let output = client.run(commands);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{commands:?}:\n{errors}");
    errors
}

#[track_caller]
fn assert_says(errors: &str, text: &str) {
    assert!(errors.contains(text), "no {text:?} in:\n{errors}");
}

/// Sets a file's time so many seconds after 1970.
#[track_caller]
fn date(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("the file");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .expect("its time is set");
}

#[track_caller]
fn write(path: &Path, content: &str, seconds: u64) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
    date(path, seconds);
}

#[test]
fn a_folder_that_is_named_by_where_it_is() {
    let server = open_to_all();
    server.write("f", "f");
    let client = Client::new(server.address);
    // What is not there cannot be called by a dot.
    fs::remove_dir(client.download("")).expect("the folder for downloads");
    client.succeed("mirror . .\nmirror . new/.\nget -r . other/.\n");
    for copy in ["f", "new/f", "other/f"] {
        assert_eq!(fs::read(client.download(copy)).expect(copy), b"f");
    }
}

#[test]
fn a_second_mirror_copies_nothing() {
    for jobs in [&["--jobs", "1"][..], &["--jobs", "4"]] {
        let server = open_to_all();
        let client = Client::new(server.address).with(jobs);
        let local = client.folder().join("tree");
        fs::create_dir(&local).expect("a folder");
        let grown = grow(&local);
        let files = grown.values().flatten().count();
        for (command, copy) in [
            ("mirror -R --delete tree a/copy", server.path("a/copy")),
            ("mirror --delete a/copy", client.download("copy")),
            ("mirror --delete a/copy/ b/c", client.download("b/c")),
        ] {
            let errors = tells(&client, command, 0);
            assert_says(
                &errors,
                &format!(": {files} copied, 0 as they should be, 0 removed"),
            );
            assert_eq!(tree(&copy), grown, "{command}");
            let errors = tells(&client, command, 0);
            assert_says(
                &errors,
                &format!(": 0 copied, {files} as they should be, 0 removed"),
            );
            assert_eq!(tree(&copy), grown, "{command}");
        }
        server.assert_never_panicked();
    }
}

#[test]
fn only_what_differs_in_size_or_time_is_copied() {
    let server = open_to_all();
    let client = Client::new(server.address);
    let (theirs, ours) = (server.path("d"), client.download("d"));
    for (name, content, there, here) in [
        ("same", "1234", 1_000_000, Some(("----", 1_000_000))),
        (
            "younger there",
            "1234",
            1_000_001,
            Some(("----", 1_000_000)),
        ),
        ("younger here", "1234", 1_000_000, Some(("----", 1_000_001))),
        ("longer", "12345", 1_000_000, Some(("----", 1_000_000))),
        ("in/new", "1234", 1_000_000, None),
    ] {
        write(&theirs.join(name), content, there);
        if let Some((content, seconds)) = here {
            write(&ours.join(name), content, seconds);
        }
    }
    let errors = tells(&client, "mirror d\n", 0);
    assert_says(&errors, "d: 4 copied, 1 as they should be, 0 removed");
    assert_eq!(fs::read(ours.join("same")).expect("a file"), b"----");
    fs::write(ours.join("same"), "1234").expect("a file");
    assert_eq!(tree(&ours), tree(&theirs));

    // And the other way, of a fraction of a second that no server is told.
    write(&ours.join("longer"), "123456", 2_000_000);
    date(&ours.join("same"), 1_000_000);
    let file = File::options()
        .write(true)
        .open(ours.join("in/new"))
        .expect("the file");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_700))
        .expect("its time is set");
    let errors = tells(&client, "mirror -R downloads/d d\n", 0);
    assert_says(&errors, "d: 1 copied, 4 as they should be, 0 removed");
    assert_eq!(tree(&ours), tree(&theirs));
}

#[test]
fn what_is_too_much_goes_only_when_it_is_told_to() {
    let server = open_to_all();
    let client = Client::new(server.address);
    let local = client.folder().join("d");
    for folder in [&local, &server.path("d")] {
        write(&folder.join("kept/f"), "f", 1_000_000);
    }
    for folder in [&client.download("d"), &server.path("d")] {
        write(&folder.join("old"), "old", 1);
        write(&folder.join(".hidden"), "old", 1);
        write(&folder.join("old tree/a/b"), "old", 1);
        fs::create_dir_all(folder.join("old tree/empty")).expect("a folder");
    }
    let before = tree(&server.path("d"));
    tells(&client, "mirror -R d\n", 0);
    assert_eq!(tree(&server.path("d")), before);
    let errors = tells(&client, "mirror -R --delete d\n", 0);
    assert_says(&errors, "d: 0 copied, 1 as they should be, 3 removed");
    assert_says(&errors, "removed d/old tree\n");
    assert_eq!(tree(&server.path("d")), tree(&local));

    tells(&client, "mirror d\n", 0);
    assert!(client.download("d/old tree/a/b").exists());
    let errors = tells(&client, "mirror --delete d\n", 0);
    assert_says(&errors, "d: 0 copied, 1 as they should be, 3 removed");
    assert_eq!(tree(&client.download("d")), tree(&local));
}

#[test]
fn a_dry_run_changes_nothing_and_tells_all() {
    let server = open_to_all();
    let client = Client::new(server.address).with(&["--jobs", "4"]);
    for (base, extra) in [(server.path("d"), "x"), (client.folder().join("u"), "x")] {
        for name in ["a/b/c", "a/d", "a.txt", "clash", "was a folder", "same"] {
            write(&base.join(name), "1", 1_000_000);
        }
        fs::create_dir_all(base.join("empty")).expect("a folder");
        fs::remove_file(base.join("clash")).expect("it was there");
        write(&base.join("clash").join(extra), "1", 1);
    }
    for copy in [client.download("d"), server.path("u")] {
        for name in ["clash", "was a folder/f", "too much/f", "same"] {
            write(&copy.join(name), "1", 1_000_000);
        }
    }
    let before = (tree(client.folder()), tree(&server.root));
    let expected = |verb: &str, from: &str, to: &str| {
        let lines = "mkdir TO/a\nmkdir TO/a/b\nGET FROM/a/b/c\nGET FROM/a/d\nGET FROM/a.txt\nremove TO/clash\n\
                     mkdir TO/clash\nGET FROM/clash/x\nmkdir TO/empty\nremove TO/too much\nremove TO/was a folder\n\
                     GET FROM/was a folder\n";
        let words = [("GET", verb), ("FROM", from), ("TO", to)];
        let text = lines.to_owned();
        words
            .iter()
            .fold(text, |text, (word, is)| text.replace(word, is))
    };
    let down = client.succeed("mirror --delete --dry-run d\n");
    let here = client.download("d").display().to_string();
    assert_eq!(down, expected("get", "d", &here));
    let up = client.succeed("mirror -R --dry-run --delete u\n");
    assert_eq!(up, expected("put", "u", "u"));
    let errors = tells(
        &client,
        "mirror --dry-run d new\nmirror -R --dry-run u new/too\n",
        0,
    );
    assert_says(
        &errors,
        "d: nothing done; 6 would be copied, 0 are as they should be, 0 would be removed",
    );
    assert_eq!((tree(client.folder()), tree(&server.root)), before);

    // What was told is what is done.
    client.succeed("mirror --delete d\nmirror -R --delete u\n");
    assert_eq!(tree(&client.download("d")), tree(&server.path("d")));
    assert_eq!(tree(&server.path("u")), tree(&client.folder().join("u")));
}

#[test]
fn a_file_for_a_folder_is_a_failure_without_delete_and_hides_nothing() {
    let server = open_to_all();
    let client = Client::new(server.address);
    for (source, copy) in [
        (server.path("d"), client.download("d")),
        (client.folder().join("u"), server.path("u")),
    ] {
        write(&source.join("file"), "1", 1);
        write(&source.join("folder/f"), "1", 1);
        write(&source.join("other"), "1", 1);
        write(&copy.join("file/f"), "1", 1);
        write(&copy.join("folder"), "1", 1);
    }
    let errors = tells(&client, "mirror d\n", 7);
    assert_says(
        &errors,
        "d/file: there is a folder of that name; --delete replaces it",
    );
    assert_says(
        &errors,
        "d/folder: there is a file or link of that name; --delete replaces it",
    );
    assert_says(&errors, "2 of 3 failed, the first was");
    assert!(client.download("d/other").exists());
    let errors = tells(&client, "mirror -R u\n", 1);
    assert_says(
        &errors,
        "cannot send u/file: there is a folder of that name on the server; --delete replaces it",
    );
    assert_says(
        &errors,
        "cannot send u/folder: there is a file or link of that name on the server",
    );
    assert!(server.path("u/other").exists());
    assert!(server.path("u/file/f").exists() && client.download("d/file/f").exists());
}

#[test]
fn an_interrupt_stops_a_mirror_and_keeps_its_parts() {
    let server = open_to_all();
    server.make_folder("d");
    for name in ["a", "b"] {
        server.write_sparse(&format!("d/{name}"), 1 << 40);
    }
    let client = Client::new(server.address).with(&["--jobs", "2"]);
    write(&client.download("d/old"), "1", 1);
    let parts = ["d/a.part", "d/b.part"].map(|name| client.download(name));
    let running = client.spawn("mirror d\npwd\n");
    wait_until("two downloads at once", || {
        let begun = |part: &PathBuf| fs::metadata(part).is_ok_and(|part| part.len() > 0);
        parts.iter().all(begun)
    });
    running.signal(Signal::INT);
    let output = running.output();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert_says(&errors, "stopped by Ctrl-C after 0 of 2 files");
    assert!(parts.iter().all(|part| part.exists()) && client.download("d/old").exists());
}
