//! What people do with FTP: what is there before, and what has to be there after, whoever does it with whichever program.

use crate::place::Place;
use crate::programs::Outcome;
use crate::support::{Pattern, names_in};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// One row of the table.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// What is there before.
    pub(crate) prepare: fn(&Place),
    /// Looks at what the program wrote, and at what is there now.
    pub(crate) check: fn(&Place, &str),
    /// Whether the program has to say that it did not work.
    pub(crate) fails: bool,
}

impl Operation {
    /// Prepares, lets somebody do it, and checks.
    #[track_caller]
    pub(crate) fn run(&self, place: &Place, act: impl FnOnce(&Place) -> Outcome) {
        (self.prepare)(place);
        let output = match (act(place), self.fails) {
            (Ok(output), false) | (Err(output), true) => output,
            (Ok(output), true) => panic!("no word of a failure:\n{output}"),
            (Err(output), false) => panic!("{output}"),
        };
        (self.check)(place, &output);
    }
}

const fn operation(name: &'static str, prepare: fn(&Place), check: fn(&Place, &str)) -> Operation {
    Operation {
        name,
        prepare,
        check,
        fails: false,
    }
}

const fn failure(name: &'static str, prepare: fn(&Place), check: fn(&Place, &str)) -> Operation {
    let mut operation = operation(name, prepare, check);
    operation.fails = true;
    operation
}

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
fn part() -> Vec<u8> {
    vec![b'x'; PART]
}

fn resumed() -> Vec<u8> {
    [part(), content()[PART..].to_vec()].concat()
}

/// What also programs that print it leave as it is.
fn numbers() -> Vec<u8> {
    (0..1000)
        .flat_map(|n| format!("{n:07}\n").into_bytes())
        .collect()
}

/// 2020-01-02 03:04:05 UTC
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_934_245)
}

#[track_caller]
fn set_date(path: &Path) {
    let file = fs::File::options()
        .write(true)
        .open(path)
        .expect("the file");
    file.set_modified(long_ago()).expect("its date is set");
}

#[track_caller]
fn assert_date(path: &Path) {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    assert_eq!(modified.expect("its date"), long_ago(), "the date");
}

/// A tree of folders: its files by their paths, and its folders with no content.
fn tree() -> BTreeMap<String, Vec<u8>> {
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

fn plant(serve: impl Fn(&str, Vec<u8>)) {
    for (name, bytes) in tree() {
        serve(&format!("tree/{name}"), bytes);
    }
}

#[track_caller]
fn assert_tree(folder: &Path) {
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

fn serve_content(place: &Place) {
    place.serve("file", content());
}

fn keep_content(place: &Place) {
    place.keep("file", content());
}

fn served(place: &Place, _: &str) {
    place.assert_served("file", content());
}

fn kept(place: &Place, _: &str) {
    place.assert_kept("file", content());
}

#[track_caller]
fn assert_shows(output: &str, parts: &[&str]) {
    for part in parts {
        assert!(output.contains(part), "no {part} in:\n{output}");
    }
}

#[track_caller]
fn assert_active(place: &Place) {
    place.assert_got(&["PORT", "EPRT"]);
    assert!(!place.got("PASV") && !place.got("EPSV"), "passive mode too");
}

/// What ftplib, which looks at the very bytes, gets with CRLF, others have as they like.
#[track_caller]
fn assert_text(place: &Place) {
    let text = fs::read_to_string(place.local.join("text")).expect("the text");
    assert_eq!(text.replace("\r\n", "\n"), "one\ntwo\n");
}

fn serve_listing(place: &Place) {
    place.serve("file.txt", "12345");
    place.serve("folder/inside.txt", "");
}

#[track_caller]
fn listed(_: &Place, output: &str) {
    assert_shows(output, &["file.txt", "folder"]);
}

pub(crate) const LIST: Operation = operation("list", serve_listing, listed);
pub(crate) const MLSD: Operation = operation("list by `MLSD`", serve_listing, |place, output| {
    listed(place, output);
    place.assert_got(&["MLSD"]);
});
pub(crate) const CD: Operation = operation(
    "change the folder",
    |place| place.serve("folder/file", content()),
    |place, output| {
        kept(place, output);
        assert_shows(output, &["/folder"]);
    },
);
pub(crate) const DOWNLOAD: Operation = operation("download", serve_content, kept);
pub(crate) const UPLOAD: Operation = operation("upload", keep_content, served);
pub(crate) const MISSING: Operation = failure(
    "hear that a file is missing",
    |_| {},
    |place, _| {
        let missing = place.local.join("missing");
        assert!(
            fs::metadata(missing).map_or(0, |file| file.len()) == 0,
            "a file that is not there was downloaded"
        );
    },
);
pub(crate) const ODD_NAME_DOWN: Operation = operation(
    "download a name with spaces and non-ASCII",
    |place| place.serve(ODD_NAME, content()),
    |place, _| place.assert_kept(ODD_NAME, content()),
);
pub(crate) const ODD_NAME_UP: Operation = operation(
    "upload a name with spaces and non-ASCII",
    |place| place.keep(ODD_NAME, content()),
    |place, _| place.assert_served(ODD_NAME, content()),
);
pub(crate) const QUOTES: Operation = operation(
    "quotes in a folder's name",
    |_| {},
    |place, output| {
        assert_eq!(names_in(&place.root), ["a \"quoted\" name"]);
        assert_shows(output, &["/a \"quoted\" name"]);
    },
);
pub(crate) const WILDCARD: Operation = operation(
    "download by wildcard",
    |place| {
        for name in ["a1.txt", "a2.txt", "b1.txt", "a3.dat"] {
            place.serve(name, name);
        }
    },
    |place, _| {
        place.assert_kept("a1.txt", "a1.txt");
        place.assert_kept("a2.txt", "a2.txt");
        for other in ["b1.txt", "a3.dat"] {
            assert!(
                !place.local.join(other).exists(),
                "{other} was downloaded too"
            );
        }
    },
);
pub(crate) const ACTIVE_DOWN: Operation =
    operation("download in active mode", serve_content, |place, output| {
        kept(place, output);
        assert_active(place);
    });
pub(crate) const ACTIVE_UP: Operation =
    operation("upload in active mode", keep_content, |place, output| {
        served(place, output);
        assert_active(place);
    });
pub(crate) const PASV_DOWN: Operation =
    operation("download by `PASV`", serve_content, |place, output| {
        kept(place, output);
        place.assert_got(&["PASV"]);
    });
pub(crate) const RESUME_DOWNLOAD: Operation = operation(
    "resume a download",
    |place| {
        serve_content(place);
        place.keep("file", part());
    },
    |place, _| place.assert_kept("file", resumed()),
);
pub(crate) const RESUME_UPLOAD: Operation = operation(
    "resume an upload",
    |place| {
        keep_content(place);
        place.serve("file", part());
    },
    |place, _| place.assert_served("file", resumed()),
);
pub(crate) const APPEND: Operation = operation(
    "append",
    |place| {
        place.serve("file", "first, ");
        place.keep("file", "second");
    },
    |place, _| place.assert_served("file", "first, second"),
);
pub(crate) const PART_OF_FILE: Operation = operation(
    "download a part of a file",
    |place| place.serve("file", numbers()),
    |place, _| place.assert_kept("part", &numbers()[RANGE]),
);
pub(crate) const SEGMENTS: Operation = operation(
    "download in parallel segments",
    serve_content,
    |place, output| {
        kept(place, output);
        place.assert_got(&["REST"]);
    },
);
pub(crate) const UNIQUE: Operation = operation(
    "upload under a unique name",
    |place| {
        keep_content(place);
        place.serve("file", "old");
    },
    |place, _| {
        place.assert_served("file", "old");
        let names = names_in(&place.root);
        let new = names.iter().find(|name| *name != "file");
        place.assert_served(new.expect("another file"), content());
    },
);
pub(crate) const TEXT_DOWN: Operation = operation(
    "download text (`TYPE A`)",
    |place| place.serve("text", "one\ntwo\n"),
    |place, _| assert_text(place),
);
pub(crate) const TEXT_UP: Operation = operation(
    "upload text (`TYPE A`)",
    |place| place.keep("text", "one\ntwo\n"),
    |place, _| place.assert_served("text", "one\ntwo\n"),
);
pub(crate) const MKDIR: Operation = operation(
    "make a folder",
    |_| {},
    |place, _| assert!(place.root.join("new folder").is_dir(), "no new folder"),
);
pub(crate) const RMDIR: Operation = operation(
    "remove a folder",
    |place| {
        place.serve("kept", "");
        fs::create_dir(place.root.join("folder")).expect("a folder");
    },
    |place, _| assert_eq!(names_in(&place.root), ["kept"]),
);
pub(crate) const DELETE: Operation = operation(
    "delete a file",
    |place| {
        place.serve("kept", "");
        place.serve("file", "");
    },
    |place, _| assert_eq!(names_in(&place.root), ["kept"]),
);
pub(crate) const RENAME: Operation = operation(
    "rename",
    |place| place.serve("old name", "1"),
    |place, _| {
        assert_eq!(names_in(&place.root), ["new name"]);
    },
);
pub(crate) const FILE_SIZE: Operation =
    operation("ask for the size", serve_content, |_, output| {
        assert_shows(output, &["300000"])
    });
pub(crate) const FILE_DATE: Operation = operation(
    "ask for the date",
    |place| {
        serve_content(place);
        set_date(&place.root.join("file"));
    },
    // However the client writes it.
    |_, output| assert_shows(output, &["2020"]),
);
pub(crate) const DATE_DOWN: Operation = operation(
    "keep the date of a download",
    |place| {
        serve_content(place);
        set_date(&place.root.join("file"));
    },
    |place, output| {
        kept(place, output);
        assert_date(&place.local.join("file"));
    },
);
pub(crate) const DATE_UP: Operation = operation(
    "keep the date of an upload",
    |place| {
        keep_content(place);
        set_date(&place.local.join("file"));
    },
    |place, output| {
        served(place, output);
        assert_date(&place.root.join("file"));
    },
);
pub(crate) const CHMOD: Operation =
    operation("change the permissions", serve_content, |place, _| {
        let metadata = fs::metadata(place.root.join("file")).expect("the file");
        assert_eq!(
            metadata.permissions().mode() & 0o777,
            0o640,
            "its permissions"
        );
    });
pub(crate) const CREATE_DIRS: Operation =
    operation("make the folders of an upload", keep_content, |place, _| {
        place.assert_served("one/two/file", content())
    });
pub(crate) const TREE_DOWN: Operation = operation(
    "download a tree",
    |place| plant(|name, bytes| place.serve(name, bytes)),
    |place, _| assert_tree(&place.local),
);
pub(crate) const TREE_UP: Operation = operation(
    "upload a tree",
    |place| plant(|name, bytes| place.keep(name, bytes)),
    |place, _| assert_tree(&place.root),
);
pub(crate) const PIPELINED: Operation = operation(
    "both with commands sent ahead",
    |place| {
        plant(|name, bytes| place.serve(name, bytes));
        for (name, bytes) in tree() {
            place.keep(&format!("up/tree/{name}"), bytes);
        }
    },
    |place, _| {
        assert_tree(&place.local);
        assert_tree(&place.root.join("up"));
    },
);
pub(crate) const SYNC: Operation = operation(
    "sync a tree, removing what is too much",
    |place| {
        plant(|name, bytes| place.keep(name, bytes));
        place.serve("tree/top.txt", "an older top");
        place.serve("tree/one/too much.txt", "");
        place.serve("tree/too/much/file.txt", "");
    },
    |place, _| assert_tree(&place.root),
);
pub(crate) const COMPARE: Operation = failure(
    "compare two trees",
    |place| {
        plant(|name, bytes| place.keep(name, bytes));
        plant(|name, bytes| place.serve(name, bytes));
        place.serve("tree/one/first.txt", "another");
    },
    |_, output| {
        assert_shows(output, &["first.txt", "1 differences found"]);
    },
);
pub(crate) const ABORT: Operation = operation(
    "abort a transfer and go on",
    |place| {
        place.serve("big", Pattern::bytes(2, 50_000_000));
        serve_content(place);
    },
    |place, output| {
        kept(place, output);
        place.assert_got(&["ABOR"]);
    },
);
pub(crate) const STATUS: Operation = operation(
    "ask for the state (`STAT`)",
    |_| {},
    |_, output| assert_shows(output, &["211"]),
);
pub(crate) const FEATURES: Operation = operation(
    "ask for the features (`FEAT`)",
    |_| {},
    |_, output| assert_shows(output, &["MLST", "SIZE", "REST", "UTF8"]),
);

/// The rows of the table, in its order.
pub(crate) const OPERATIONS: &[&Operation] = &[
    &LIST,
    &MLSD,
    &CD,
    &DOWNLOAD,
    &UPLOAD,
    &MISSING,
    &ODD_NAME_DOWN,
    &ODD_NAME_UP,
    &QUOTES,
    &WILDCARD,
    &PASV_DOWN,
    &ACTIVE_DOWN,
    &ACTIVE_UP,
    &RESUME_DOWNLOAD,
    &RESUME_UPLOAD,
    &APPEND,
    &PART_OF_FILE,
    &SEGMENTS,
    &UNIQUE,
    &TEXT_DOWN,
    &TEXT_UP,
    &ABORT,
    &MKDIR,
    &RMDIR,
    &DELETE,
    &RENAME,
    &FILE_SIZE,
    &FILE_DATE,
    &DATE_DOWN,
    &DATE_UP,
    &CHMOD,
    &CREATE_DIRS,
    &TREE_DOWN,
    &TREE_UP,
    &PIPELINED,
    &SYNC,
    &COMPARE,
    &STATUS,
    &FEATURES,
];
