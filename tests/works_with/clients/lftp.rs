//! lftp, which mirrors trees, fetches a file in segments at once, and sends commands ahead of their replies.

use super::Client;
use crate::operations::{self as op, ODD_NAME};
use crate::place::{PASSWORD, Place};
use crate::programs::{Outcome, run};

pub(super) const CLIENT: Client = Client {
    name: "lftp",
    needs: &["lftp"],
    acts: &[
        (&op::LIST, |place| lftp(place, "ls")),
        (&op::MLSD, |place| {
            lftp(place, "set ftp:use-mlsd on; cls -l")
        }),
        (&op::CD, |place| lftp(place, "cd folder; pwd; get file")),
        (&op::DOWNLOAD, |place| lftp(place, "get file")),
        (&op::UPLOAD, |place| lftp(place, "put file")),
        (&op::MISSING, |place| lftp(place, "get missing")),
        (&op::ODD_NAME_DOWN, |place| {
            lftp(place, &format!("get '{ODD_NAME}'"))
        }),
        (&op::ODD_NAME_UP, |place| {
            lftp(place, &format!("put '{ODD_NAME}'"))
        }),
        (&op::QUOTES, |place| {
            lftp(
                place,
                r#"mkdir 'a "quoted" name'; cd 'a "quoted" name'; quote PWD"#,
            )
            .map(|output| output.replace("\"\"", "\""))
        }),
        (&op::WILDCARD, |place| lftp(place, "mget a*.txt")),
        (&op::EPSV_DOWN, |place| {
            lftp(place, "set ftp:prefer-epsv on; get file")
        }),
        (&op::PASV_DOWN, |place| {
            lftp(place, "set ftp:prefer-epsv off; get file")
        }),
        (&op::ACTIVE_DOWN, |place| {
            lftp(place, "set ftp:passive-mode off; get file")
        }),
        (&op::ACTIVE_UP, |place| {
            lftp(place, "set ftp:passive-mode off; put file")
        }),
        (&op::RESUME_DOWNLOAD, |place| lftp(place, "reget file")),
        (&op::RESUME_UPLOAD, |place| lftp(place, "reput file")),
        (&op::CUT_UPLOAD, |place| lftp(place, "reput file")),
        // Slowly: otherwise the first segment has been all of the file before the others begin.
        (&op::SEGMENTS, |place| {
            lftp(
                place,
                "set net:limit-rate 50k; set pget:min-chunk-size 50k; pget -n 3 file",
            )
        }),
        (&op::TEXT_DOWN, |place| lftp(place, "get -a text")),
        (&op::TEXT_UP, |place| lftp(place, "put -a text")),
        (&op::MKDIR, |place| lftp(place, "mkdir 'new folder'")),
        (&op::RMDIR, |place| lftp(place, "rmdir folder")),
        (&op::DELETE, |place| lftp(place, "rm file")),
        (&op::RENAME, |place| lftp(place, "mv 'old name' 'new name'")),
        (&op::FILE_SIZE, |place| {
            lftp(place, "cls -l --block-size=1 file")
        }),
        (&op::FILE_DATE, |place| {
            lftp(place, "cls -l --time-style=%Y-%m-%d file")
        }),
        (&op::DATE_DOWN, |place| lftp(place, "get file")),
        (&op::DATE_UP, |place| lftp(place, "mirror --reverse . .")),
        (&op::CHMOD, |place| lftp(place, "chmod 640 file")),
        (&op::CREATE_DIRS, |place| {
            lftp(place, "mkdir -p one/two; put -O one/two file")
        }),
        (&op::TREE_DOWN, |place| lftp(place, "mirror tree")),
        (&op::TREE_UP, |place| lftp(place, "mirror --reverse tree")),
        (&op::PIPELINED, |place| {
            lftp(
                place,
                "set ftp:sync-mode off; mirror tree; mirror --reverse up",
            )
        }),
        (&op::SYNC, |place| {
            lftp(place, "mirror --reverse --delete tree")
        }),
        (&op::STATUS, |place| lftp(place, "quote STAT")),
        (&op::FEATURES, |place| lftp(place, "quote FEAT")),
        (&op::TLS, |place| {
            lftp(place, &format!("{TLS}; put up; get down"))
        }),
        (&op::TLS_1_2, |place| {
            let priority = "set ssl:priority NORMAL:-VERS-ALL:+VERS-TLS1.2";
            lftp(place, &format!("{priority}; {TLS}; put up; get down"))
        }),
        (&op::TLS_IMPLICIT, |place| {
            let (host, port) = (place.host(), place.tls_port());
            let open = format!("open -u {},{PASSWORD} -p {port} ftps://{host}", place.user);
            lftp(place, &format!("{TLS}; {open}; put up; get down"))
        }),
        (&op::TLS_RESUMED, |place| {
            lftp(place, &format!("{TLS}; put up; get down"))
        }),
    ],
};

const TLS: &str = "set ftp:ssl-allow on; set ssl:verify-certificate no; set ftp:ssl-force on; set ftp:ssl-protect-data on";

fn lftp(place: &Place, script: &str) -> Outcome {
    // It would rather try again and again, for minutes. By itself it takes TLS where there is some, and then wants a
    // certificate that an authority vouches for.
    let script = format!(
        "set cmd:fail-exit on; set ftp:ssl-allow off; set net:max-retries 2; set net:timeout 20; set xfer:clobber on; \
         open -u {},{PASSWORD} -p {} {}; {script}",
        place.user,
        place.port(),
        place.host()
    );
    run(&place.local, "lftp", &["--norc", "-c", &script], "")
}
