//! What our client does on each foreign server, told by lines on its standard input.

use crate::clients::Act;
use crate::operations::{self as op, ODD_NAME, Operation};
use crate::place::Place;
use crate::programs::{Outcome, run};

pub(super) const ACTS: &[(&Operation, Act)] = &[
    (&op::LIST, |place| ftp_client(place, "ls")),
    (&op::CD, |place| {
        ftp_client(place, "cd folder\npwd\nget file")
    }),
    (&op::DOWNLOAD, |place| ftp_client(place, "get file")),
    (&op::UPLOAD, |place| ftp_client(place, "put file")),
    (&op::MISSING, |place| ftp_client(place, "get missing")),
    (&op::ODD_NAME_DOWN, |place| {
        ftp_client(place, &format!("get \"{ODD_NAME}\""))
    }),
    (&op::ODD_NAME_UP, |place| {
        ftp_client(place, &format!("put \"{ODD_NAME}\""))
    }),
    (&op::WILDCARD, |place| ftp_client(place, "get a*.txt")),
    (&op::APPEND, |place| ftp_client(place, "append file")),
    (&op::DATE_DOWN, |place| ftp_client(place, "get file")),
    (&op::TREE_DOWN, |place| ftp_client(place, "get -r tree")),
    (&op::TREE_UP, |place| ftp_client(place, "put -r tree")),
    (&op::MIRROR_DOWN, |place| {
        ftp_client(place, "mirror --delete tree\nmirror --delete tree")
    }),
    (&op::MIRROR_UP, |place| {
        ftp_client(place, "mirror -R --delete tree\nmirror -R --delete tree")
    }),
    (&op::RMDIR, |place| ftp_client(place, "rmdir folder")),
    (&op::DELETE, |place| ftp_client(place, "rm file")),
    (&op::RENAME, |place| {
        ftp_client(place, "rename \"old name\" \"new name\"")
    }),
    (&op::MKDIR, |place| {
        ftp_client(place, "mkdir \"new folder\"")
    }),
    (&op::FILE_SIZE, |place| ftp_client(place, "size file")),
    (&op::TLS, |place| {
        ftp_client_with(
            place,
            &["--tls", "require", "--accept-new"],
            "put up\nget down",
        )
    }),
    (&op::TLS_MANY, |place| {
        ftp_client_with(
            place,
            &["--tls", "require", "--accept-new"],
            "put -r up\nget -r down",
        )
    }),
];

fn ftp_client(place: &Place, script: &str) -> Outcome {
    ftp_client_with(place, &["--tls", "off"], script)
}

fn ftp_client_with(place: &Place, flags: &[&str], script: &str) -> Outcome {
    let url = format!("ftp://{}@{}/{}", place.user, place.address, place.folder);
    let args = [&["--downloads", "."], flags, &[&url]].concat();
    let program = env!("CARGO_BIN_EXE_ftp-client");
    run(&place.local, program, &args, &format!("{script}\nexit\n"))
}
