//! GNU Wget, which only downloads.

use super::Client;
use crate::operations::{self as op, ODD_NAME};
use crate::place::Place;
use crate::programs::{Outcome, run};

pub(super) const CLIENT: Client = Client {
    name: "wget",
    // Nothing of dates: it has them from LIST, which has no time of day for old files.
    needs: &["wget"],
    acts: &[
        (&op::LIST, |place| wget(place, &["-O", "-"], "")),
        (&op::DOWNLOAD, |place| wget(place, &[], "file")),
        (&op::MISSING, |place| wget(place, &[], "missing")),
        (&op::ODD_NAME_DOWN, |place| wget(place, &[], ODD_NAME)),
        (&op::WILDCARD, |place| wget(place, &[], "a*.txt")),
        (&op::PASV_DOWN, |place| wget(place, &[], "file")),
        (&op::ACTIVE_DOWN, |place| {
            wget(place, &["--no-passive-ftp"], "file")
        }),
        (&op::RESUME_DOWNLOAD, |place| wget(place, &["-c"], "file")),
        (&op::TEXT_DOWN, |place| {
            wget(place, &["-O", "text"], "text;type=a")
        }),
        (&op::FILE_SIZE, |place| wget(place, &["--spider"], "file")),
        (&op::TREE_DOWN, |place| wget(place, &["-r", "-nH"], "tree")),
        (&op::TLS_DOWN, |place| {
            let url = format!("ftps://{}/down", place.address);
            let flags = ["--no-check-certificate", "--tries=1", "--timeout=20", &url];
            run(&place.local, "wget", &flags, "")
        }),
    ],
};

fn wget(place: &Place, flags: &[&str], path: &str) -> Outcome {
    let url = place.url(path);
    // It would try 20 times. A name stays as it is in the listing.
    let own = [
        "--no-config",
        "--tries=2",
        "--timeout=20",
        "--restrict-file-names=nocontrol",
    ];
    run(&place.local, "wget", &[&own, flags, &[&url]].concat(), "")
}
