//! What the operations work on, and how they look at it.

use crate::place::Place;
use crate::support::{Pattern, Raw, names_in, temporaries, wait_until};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file that takes several reads and writes.
pub(crate) fn content() -> Vec<u8> {
    Pattern::bytes(1, SIZE as u64)
}

pub(crate) const SIZE: usize = 300_000;
/// How much of it was there before a resumption.
pub(crate) const PART: usize = 100_000;
/// The part of the file that a range is.
pub(crate) const RANGE: std::ops::Range<usize> = 1000..3000;
/// A name with what trips clients and servers: spaces, an umlaut, and letters of three bytes.
pub(crate) const ODD_NAME: &str = "grüße an 日本.txt";

/// A resumption starts behind bytes that are not those of the file, so that a transfer of the whole shows.
pub(super) fn part() -> Vec<u8> {
    vec![b'x'; PART]
}

pub(super) fn resumed() -> Vec<u8> {
    [part(), content()[PART..].to_vec()].concat()
}

/// A client dies behind the first part of a new file, of which the server keeps what it got.
#[track_caller]
pub(super) fn cut_upload(place: &Place) {
    let mut dying = Raw::connect(place.address);
    dying.login();
    let mut data = dying.begin("STOR file");
    data.write_all(&part()).expect("the part is sent");
    wait_until("the server to have the part", || {
        let size = |name: &String| fs::metadata(place.root.join(name)).map(|file| file.len());
        let names = temporaries(&place.root);
        names
            .iter()
            .any(|name| size(name).is_ok_and(|size| size == PART as u64))
    });
    // The data connection ends behind the control connection: the other way round it would be a whole file.
    drop(dying);
    let mut other = Raw::connect(place.address);
    other.login();
    other.run("TYPE I", 200);
    wait_until("the server to keep the part", || {
        other.send("SIZE file");
        other.reply().text == format!("213 {PART}")
    });
    drop(data);
    assert!(!place.root.join("file").exists(), "a part of a file shows");
}

/// What also programs that print it leave as it is.
pub(super) fn numbers() -> Vec<u8> {
    (0..1000)
        .flat_map(|n| format!("{n:07}\n").into_bytes())
        .collect()
}

/// 2020-01-02 03:04:05 UTC
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_934_245)
}

#[track_caller]
pub(super) fn set_date(path: &Path) {
    let file = fs::File::options()
        .write(true)
        .open(path)
        .expect("the file");
    file.set_modified(long_ago()).expect("its date is set");
}

#[track_caller]
pub(super) fn assert_date(path: &Path) {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    assert_eq!(modified.expect("its date"), long_ago(), "the date");
}

/// A tree of folders: its files by their paths.
pub(super) fn tree() -> BTreeMap<String, Vec<u8>> {
    let files = [
        ("top.txt", "top"),
        ("one/first.txt", "first"),
        ("one/second file.txt", "second"),
        ("one/two/three/deep.txt", "deep"),
        ("empty.txt", ""),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    BTreeMap::from(files)
}

pub(super) fn plant(serve: impl Fn(&str, Vec<u8>)) {
    for (name, bytes) in tree() {
        serve(&format!("tree/{name}"), bytes);
    }
}

/// What a sync has to do away with.
pub(super) fn surplus(put: impl Fn(&str, &str)) {
    put("tree/top.txt", "an older top");
    put("tree/one/too much.txt", "");
    put("tree/too/much/file.txt", "");
}

/// After a mirror that was made twice.
#[track_caller]
pub(super) fn assert_mirrored(output: &str, files: usize) {
    let first = format!("tree: {files} copied, 0 as they should be");
    let second = format!("tree: 0 copied, {files} as they should be, 0 removed");
    assert_shows(output, &[&first, &second]);
}

#[track_caller]
pub(super) fn assert_tree(folder: &Path) {
    assert_eq!(files_below(&folder.join("tree"), ""), tree());
}

/// All files below a folder.
#[track_caller]
fn files_below(folder: &Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in names_in(folder) {
        let path = folder.join(&name);
        let shown = format!("{prefix}{name}");
        if path.is_dir() {
            found.append(&mut files_below(&path, &format!("{shown}/")));
        } else {
            found.insert(shown, fs::read(&path).expect("a file of the tree"));
        }
    }
    found
}

pub(super) fn serve_content(place: &Place) {
    place.serve("file", content());
}

pub(super) fn keep_content(place: &Place) {
    place.keep("file", content());
}

pub(super) fn served(place: &Place, _: &str) {
    place.assert_served("file", content());
}

pub(super) fn kept(place: &Place, _: &str) {
    place.assert_kept("file", content());
}

#[track_caller]
pub(super) fn assert_shows(output: &str, parts: &[&str]) {
    for part in parts {
        assert!(output.contains(part), "no {part} in:\n{output}");
    }
}

#[track_caller]
pub(super) fn assert_active(place: &Place) {
    place.assert_got(&["PORT", "EPRT"]);
    assert!(!place.got("PASV") && !place.got("EPSV"), "passive mode too");
}

/// What ftplib, which looks at the very bytes, gets with CRLF, others have as they like.
#[track_caller]
pub(super) fn assert_text(place: &Place) {
    let text = fs::read_to_string(place.local.join("text")).expect("the text");
    assert_eq!(text.replace("\r\n", "\n"), "one\ntwo\n");
}

pub(super) fn serve_listing(place: &Place) {
    place.serve("file.txt", "12345");
    place.serve("folder/inside.txt", "");
}

#[track_caller]
pub(super) fn listed(_: &Place, output: &str) {
    assert_shows(output, &["file.txt", "folder"]);
}

/// A file for either way.
pub(super) fn serve_and_keep(place: &Place) {
    place.serve("down", content());
    place.keep("up", content());
}

pub(super) fn both_went(place: &Place, _: &str) {
    place.assert_kept("down", content());
    place.assert_served("up", content());
}

/// More files than there are tickets of a TLS session, for either way.
const MANY: usize = 40;

pub(super) fn serve_and_keep_many(place: &Place) {
    for number in 0..MANY {
        place.serve(&format!("down/{number}"), number.to_string());
        place.keep(&format!("up/{number}"), number.to_string());
    }
}

pub(super) fn many_went(place: &Place, _: &str) {
    for number in 0..MANY {
        place.assert_kept(&format!("down/{number}"), number.to_string());
        place.assert_served(&format!("up/{number}"), number.to_string());
    }
}
