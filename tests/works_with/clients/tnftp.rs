//! tnftp, the `ftp` of the BSDs, of macOS and of Debian.

use super::Client;
use crate::operations::{self as op, ODD_NAME, PART};
use crate::place::{PASSWORD, Place};
use crate::programs::{Outcome, run};

pub(super) const CLIENT: Client = Client {
    name: "tnftp",
    needs: &["tnftp"],
    acts: &[
        (&op::LIST, |place| tnftp(place, "ls")),
        (&op::MLSD, |place| tnftp(place, "mlsd")),
        (&op::CD, |place| tnftp(place, "cd folder\npwd\nget file")),
        (&op::DOWNLOAD, |place| tnftp(place, "get file")),
        (&op::UPLOAD, |place| tnftp(place, "put file")),
        (&op::MISSING, |place| tnftp(place, "get missing")),
        (&op::ODD_NAME_DOWN, |place| {
            tnftp(place, &format!("get \"{ODD_NAME}\""))
        }),
        (&op::ODD_NAME_UP, |place| {
            tnftp(place, &format!("put \"{ODD_NAME}\""))
        }),
        (&op::QUOTES, |place| {
            tnftp(place, r#"mkdir a\ \"quoted\"\ name"#).map(|output| output.replace("\"\"", "\""))
        }),
        (&op::WILDCARD, |place| tnftp(place, "mget a*.txt")),
        (&op::EPSV_DOWN, |place| tnftp(place, "get file")),
        (&op::PASV_DOWN, |place| tnftp(place, "epsv4 off\nget file")),
        (&op::ACTIVE_DOWN, |place| {
            tnftp(place, "passive off\nget file")
        }),
        (&op::ACTIVE_UP, |place| {
            tnftp(place, "passive off\nput file")
        }),
        (&op::RESUME_DOWNLOAD, |place| tnftp(place, "reget file")),
        (&op::RESUME_UPLOAD, |place| {
            tnftp(place, &format!("restart {PART}\nput file"))
        }),
        (&op::CUT_UPLOAD, |place| {
            tnftp(place, &format!("restart {PART}\nput file"))
        }),
        (&op::APPEND, |place| tnftp(place, "append file")),
        (&op::UNIQUE, |place| tnftp(place, "sunique\nput file")),
        (&op::TEXT_DOWN, |place| tnftp(place, "ascii\nget text")),
        (&op::TEXT_UP, |place| tnftp(place, "ascii\nput text")),
        (&op::MKDIR, |place| tnftp(place, "mkdir \"new folder\"")),
        (&op::RMDIR, |place| tnftp(place, "rmdir folder")),
        (&op::DELETE, |place| tnftp(place, "delete file")),
        (&op::RENAME, |place| {
            tnftp(place, "rename \"old name\" \"new name\"")
        }),
        (&op::FILE_SIZE, |place| tnftp(place, "size file")),
        (&op::FILE_DATE, |place| tnftp(place, "modtime file")),
        (&op::DATE_DOWN, |place| tnftp(place, "get file")),
        (&op::CHMOD, |place| tnftp(place, "chmod 640 file")),
        (&op::STATUS, |place| tnftp(place, "rstatus")),
        (&op::FEATURES, |place| tnftp(place, "features")),
    ],
};

fn tnftp(place: &Place, script: &str) -> Outcome {
    let (host, port) = (place.host(), place.port());
    let script = format!(
        "open {host} {port}\nuser {} {PASSWORD}\nbinary\n{script}\nquit\n",
        place.user
    );
    let output = run(&place.local, "tnftp", &["-i", "-n", "-v"], &script)?;
    // Its exit code does not tell, the replies do.
    let refused = |line: &str| matches!(line.as_bytes(), [b'4' | b'5', b, c, b' ', ..] if b.is_ascii_digit() && c.is_ascii_digit());
    if output.lines().any(refused) {
        return Err(output);
    }
    Ok(output)
}
