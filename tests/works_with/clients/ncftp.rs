//! `NcFTP`: ncftpls, ncftpget and ncftpput, and its prompt for what these do not do.

use super::Client;
use crate::operations::{self as op, ODD_NAME};
use crate::place::{PASSWORD, Place};
use crate::programs::{Outcome, run};

pub(super) const CLIENT: Client = Client {
    name: "ncftp",
    // No resumption of an upload: after a right `REST` NcFTP 3.2.6 sends all of the file, to any server.
    needs: &["ncftp", "ncftpls", "ncftpget", "ncftpput"],
    acts: &[
        (&op::LIST, |place| {
            run(
                &place.local,
                "ncftpls",
                &[&login(place)[..], &["-l".into(), place.url("")]].concat(),
                "",
            )
        }),
        (&op::CD, |place| prompt(place, "cd folder\npwd\nget file")),
        (&op::DOWNLOAD, |place| get(place, &["file"])),
        (&op::UPLOAD, |place| put(place, &[], &["/", "file"])),
        (&op::MISSING, |place| get(place, &["missing"])),
        (&op::ODD_NAME_DOWN, |place| get(place, &[ODD_NAME])),
        (&op::ODD_NAME_UP, |place| put(place, &[], &["/", ODD_NAME])),
        (&op::WILDCARD, |place| get(place, &["a*.txt"])),
        (&op::PASV_DOWN, |place| get(place, &["-F", "file"])),
        (&op::ACTIVE_DOWN, |place| get(place, &["-E", "file"])),
        (&op::ACTIVE_UP, |place| put(place, &["-E"], &["/", "file"])),
        (&op::RESUME_DOWNLOAD, |place| get(place, &["-z", "file"])),
        (&op::APPEND, |place| put(place, &["-A"], &["/", "file"])),
        (&op::TEXT_DOWN, |place| get(place, &["-a", "text"])),
        (&op::TEXT_UP, |place| put(place, &["-a"], &["/", "text"])),
        (&op::MKDIR, |place| prompt(place, "mkdir \"new folder\"")),
        (&op::RMDIR, |place| prompt(place, "rmdir folder")),
        (&op::DELETE, |place| prompt(place, "rm file")),
        (&op::RENAME, |place| {
            prompt(place, "rename \"old name\" \"new name\"")
        }),
        (&op::FILE_SIZE, |place| prompt(place, "ls -l")),
        (&op::DATE_DOWN, |place| get(place, &["file"])),
        (&op::DATE_UP, |place| put(place, &[], &["/", "file"])),
        (&op::CHMOD, |place| prompt(place, "chmod 640 file")),
        (&op::CREATE_DIRS, |place| {
            put(place, &["-m"], &["/one/two", "file"])
        }),
        (&op::TREE_DOWN, |place| get(place, &["-R", "tree"])),
        (&op::TREE_UP, |place| put(place, &["-R"], &["/", "tree"])),
    ],
};

fn login(place: &Place) -> [String; 6] {
    let port = place.port();
    ["-u", place.user, "-p", PASSWORD, "-P", &port].map(str::to_owned)
}

/// `ncftpget [flags] host . files`; the flags are at the beginning of `files`.
fn get(place: &Place, files: &[&str]) -> Outcome {
    let (flags, files): (Vec<&str>, Vec<&str>) =
        files.iter().partition(|file| file.starts_with('-'));
    transfer(place, "ncftpget", &flags, &[&["."], &files[..]].concat())
}

/// `ncftpput [flags] host folder files`
fn put(place: &Place, flags: &[&str], files: &[&str]) -> Outcome {
    transfer(place, "ncftpput", flags, files)
}

fn transfer(place: &Place, program: &str, flags: &[&str], files: &[&str]) -> Outcome {
    let login = login(place);
    let login: Vec<&str> = login.iter().map(String::as_str).collect();
    let host = place.host();
    // No second try, and what it says of it.
    let own = ["-r", "1", "-t", "20", "-v"];
    let args = [&own, &login[..], flags, &[&host], files].concat();
    run(&place.local, program, &args, "")
}

fn prompt(place: &Place, script: &str) -> Outcome {
    let args = [&login(place)[..], &[place.host()]].concat();
    run(&place.local, "ncftp", &args, &format!("{script}\nquit\n"))
}
