//! What a mirror must leave alone, whatever it is told to remove.

use super::support::{Client, tree};
use super::{assert_says, open_to_all, tells, write};
use std::fs::{self, File};
use std::os::unix::fs::symlink;

#[test]
fn links_are_not_followed_out_of_the_tree() {
    let server = open_to_all();
    let client = Client::new(server.address);
    let outside = client.folder().join("outside");
    write(&outside.join("precious"), "1", 1);
    write(&server.path("d/sub/precious"), "22", 2);
    write(&server.path("d/file"), "22", 2);
    let copy = client.download("d");
    fs::create_dir_all(copy.join("extra")).expect("a folder");
    for link in ["sub", "gone", "extra/link"] {
        symlink(&outside, copy.join(link)).expect("a link");
    }
    symlink(outside.join("precious"), copy.join("file")).expect("a link");
    // Without --delete what is behind the link is not written to, and says so.
    let errors = tells(&client, "mirror d\n", 7);
    assert_says(
        &errors,
        "d/sub: there is a file or link of that name; --delete replaces it",
    );
    tells(&client, "mirror --delete d\n", 0);
    assert_eq!(tree(&copy), tree(&server.path("d")));
    assert!(!copy.join("sub").is_symlink() && !copy.join("file").is_symlink());
    assert_eq!(
        fs::read(outside.join("precious")).expect("it is there"),
        b"1"
    );

    // A folder on the server that is a link there goes, and what it leads to stays.
    write(&server.path("elsewhere/precious"), "1", 1);
    fs::create_dir(server.path("u")).expect("a folder");
    symlink("../elsewhere", server.path("u/link")).expect("a link");
    fs::create_dir_all(client.folder().join("u")).expect("a folder");
    tells(&client, "mirror -R --delete u\n", 0);
    assert!(!server.path("u/link").is_symlink());
    assert!(server.path("elsewhere/precious").exists());

    // A local link to a folder is left out, and so is what the server has of that name.
    symlink(&outside, client.folder().join("u/left out")).expect("a link");
    write(&server.path("u/left out/f"), "1", 1);
    let errors = tells(&client, "mirror -R --delete u\n", 0);
    assert_says(&errors, "left out u/left out: it is a link to a folder");
    assert!(server.path("u/left out/f").exists());
}

#[test]
fn parts_of_downloads_stay() {
    use rustix::fs::{FlockOperation, flock};
    let server = open_to_all();
    let client = Client::new(server.address);
    write(&server.path("d/f"), "1", 1);
    let copy = client.download("d");
    write(&copy.join("f"), "1", 1);
    // To be gone on from, and one of a file that is nowhere any more.
    for name in ["f.part", "f.part.facts", "old.part", "old.part.facts"] {
        write(&copy.join(name), "1", 1);
    }
    // Downloads under way are locked.
    for name in ["now.part", "now.part.facts", "tree/now.part", "tree/done"] {
        write(&copy.join(name), "1", 1);
    }
    let locks = ["now.part", "tree/now.part"].map(|name| {
        let file = File::open(copy.join(name)).expect("the part");
        flock(&file, FlockOperation::NonBlockingLockExclusive).expect("a lock");
        file
    });
    let errors = tells(&client, "mirror --delete d\n", 7);
    assert_says(&errors, "a download to it is under way");
    let left: Vec<String> = tree(&copy).into_keys().collect();
    let expected = [
        "f",
        "f.part",
        "f.part.facts",
        "now.part",
        "now.part.facts",
        "tree",
        "tree/now.part",
    ];
    assert_eq!(left, expected);
    drop(locks);
    tells(&client, "mirror --delete d\n", 0);
    let left: Vec<String> = tree(&copy).into_keys().collect();
    assert_eq!(left, ["f", "f.part", "f.part.facts"]);
}

#[test]
fn a_source_that_is_not_there_removes_nothing() {
    let server = open_to_all();
    let client = Client::new(server.address);
    write(&client.download("d/f"), "1", 1);
    write(&server.path("d/f"), "1", 1);
    write(&server.path("file"), "1", 1);
    tells(&client, "mirror --delete nowhere d\n", 1);
    tells(&client, "mirror --delete file d\n", 1);
    tells(&client, "mirror -R --delete nowhere d\n", 7);
    tells(&client, "mirror --delete /\n", 2);
    tells(&client, "mirror -R --delete .\n", 2);
    assert!(client.download("d/f").exists() && server.path("d/f").exists());
    assert!(!client.download("nowhere").exists() && !server.path("nowhere").exists());
}

#[test]
fn names_that_are_not_text_remove_nothing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let server = open_to_all();
    let client = Client::new(server.address);
    let local = client.folder().join("u");
    write(&local.join(OsStr::from_bytes(b"lat\xfcn")), "1", 1);
    write(&local.join("f"), "1", 1);
    write(&server.path("u/extra"), "1", 1);
    let errors = tells(&client, "mirror -R --delete u\n", 7);
    assert_says(
        &errors,
        "nothing was removed from u: names here are not UTF-8 text",
    );
    assert!(server.path("u/extra").exists() && server.path("u/f").exists());

    // The server does not tell of its own.
    for folder in [server.path("d"), client.download("d")] {
        write(&folder.join(OsStr::from_bytes(b"lat\xfcn")), "1", 1);
        write(&folder.join("new\nline"), "1", 1);
    }
    write(&client.download("d/old"), "1", 1);
    let errors = tells(&client, "mirror --delete d\n", 0);
    assert_says(&errors, "d: 0 copied, 0 as they should be, 1 removed");
    assert_eq!(tree(&client.download("d")), tree(&server.path("d")));
}
