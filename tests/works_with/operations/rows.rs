//! The operations, by what they need.

use super::content::{
    ODD_NAME, RANGE, assert_active, assert_date, assert_mirrored, assert_shows, assert_text,
    assert_tree, both_went, content, cut_upload, keep_content, kept, listed, many_went, numbers,
    part, plant, resumed, serve_and_keep, serve_and_keep_many, serve_content, serve_listing,
    served, set_date, surplus, tree,
};
use super::{Operation, failure, operation};
use crate::support::{Pattern, names_in};
use std::fs;
use std::os::unix::fs::PermissionsExt;

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
pub(crate) const EPSV_DOWN: Operation =
    operation("download by `EPSV`", serve_content, |place, output| {
        kept(place, output);
        place.assert_got(&["EPSV"]);
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
pub(crate) const CUT_UPLOAD: Operation = operation(
    "go on with an upload that was cut",
    |place| {
        keep_content(place);
        cut_upload(place);
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
        assert_shows(output, &["300000"]);
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
        place.assert_served("one/two/file", content());
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
        surplus(|name, bytes| place.serve(name, bytes));
    },
    |place, _| assert_tree(&place.root),
);
pub(crate) const MIRROR_DOWN: Operation = operation(
    "mirror a tree, with nothing to be copied the second time",
    |place| {
        plant(|name, bytes| place.serve(name, bytes));
        // Rows of `LIST` have only the day of what is so old.
        set_date(&place.root.join("tree/one/first.txt"));
        place.serve("tree/.hidden", "hidden");
        surplus(|name, bytes| place.keep(name, bytes));
    },
    |place, output| {
        place.assert_kept("tree/.hidden", "hidden");
        fs::remove_file(place.local.join("tree/.hidden")).expect("it was there");
        assert_tree(&place.local);
        assert_mirrored(output, tree().len() + 1);
    },
);
pub(crate) const MIRROR_UP: Operation = operation(
    "mirror a tree to the server, with nothing to be copied the second time",
    |place| {
        plant(|name, bytes| place.keep(name, bytes));
        set_date(&place.local.join("tree/one/first.txt"));
        surplus(|name, bytes| place.serve(name, bytes));
        place.serve("tree/.hidden", "hidden");
    },
    |place, output| {
        assert_tree(&place.root);
        assert_mirrored(output, tree().len());
    },
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
pub(crate) const TLS: Operation = operation("TLS, both ways", serve_and_keep, both_went);
pub(crate) const TLS_1_2: Operation = operation("TLS 1.2, both ways", serve_and_keep, both_went);
pub(crate) const TLS_IMPLICIT: Operation =
    operation("TLS from the first byte", serve_and_keep, both_went);
pub(crate) const TLS_RESUMED: Operation = operation(
    "TLS, data resumes the session",
    serve_and_keep,
    |place, output| {
        both_went(place, output);
        place.assert_got(&["data resumes TLS"]);
    },
);
pub(crate) const TLS_DOWN: Operation = operation("TLS, download", serve_and_keep, |place, _| {
    place.assert_kept("down", content());
});
pub(crate) const TLS_MANY: Operation =
    operation("TLS, many files both ways", serve_and_keep_many, many_went);
