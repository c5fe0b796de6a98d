//! Symbolic links: those within the root work from anywhere, and those that lead out of it do not exist.

use crate::support::{Raw, Server, names_in};
use std::os::unix::fs::symlink;

fn full() -> (Server, Raw) {
    let server = Server::with(&["--anonymous", "full"]);
    let raw = server.login();
    (server, raw)
}

#[test]
fn links_within_the_root_work_upward_and_downward() {
    let (server, mut raw) = full();
    server.make_folder("d/sub");
    server.make_folder("e");
    server.write("top", "top");
    server.write("e/file", "file");
    let link = |to: &str, name: &str| symlink(to, server.path(name)).expect("a link");
    link("../../top", "d/sub/up");
    link("../e/file", "d/across");
    link("../e", "d/folder");
    link("d/sub/up", "chain");
    link(".", "d/self");
    raw.run("TYPE I", 200);
    for (path, content) in [
        ("d/sub/up", "top"),
        ("d/across", "file"),
        ("d/folder/file", "file"),
        ("chain", "top"),
        ("d/self/self/across", "file"),
    ] {
        assert_eq!(raw.fetch(path), content.as_bytes(), "{path}");
        let size = format!("213 {}", content.len());
        assert_eq!(raw.run(&format!("SIZE {path}"), 213).text, size, "{path}");
        assert_eq!(raw.fact(path, "type").as_deref(), Some("file"));
        raw.run(&format!("XCRC {path}"), 250);
    }
    raw.run("CWD d/sub", 250);
    assert_eq!(raw.fetch("up"), b"top");
    let rows = raw.rows("MLSD");
    assert!(
        rows.len() == 1 && rows[0].contains("type=file;size=3;"),
        "{rows:?}"
    );
    raw.run("CWD ../folder", 250);
    assert_eq!(raw.rows("NLST"), ["file"]);
    raw.store("new", b"new");
    assert_eq!(server.read("e/new"), b"new");
    assert!(
        raw.rows("MLSD /d")
            .iter()
            .any(|row| row.contains("type=dir;") && row.ends_with(" folder"))
    );
}

/// What needs no data connection, and says 550 of what is not there.
const VERBS: [&str; 14] = [
    "SIZE",
    "MDTM",
    "MDTM 20010909014640",
    "MFMT 20010909014640",
    "MLST",
    "CWD",
    "HASH",
    "XMD5",
    "SITE CHMOD 777",
    "SITE UTIME 20010909014640",
    "RNFR",
    "DELE",
    "RMD",
    "STAT",
];

#[test]
fn links_that_lead_out_do_not_exist() {
    let (server, mut raw) = full();
    let outside = server.outside().to_owned();
    std::fs::create_dir(outside.join("folder")).expect("a folder outside");
    std::fs::write(outside.join("folder/secret"), "secret").expect("a file outside");
    server.make_folder("d");
    let link = |to: &str, name: &str| symlink(to, server.path(name)).expect("a link");
    link("../folder/secret", "file");
    link("../../folder", "d/folder");
    link(&outside.join("folder/secret").to_string_lossy(), "absolute");
    link("d/folder/secret", "chain");
    link("/proc/self/cwd", "magic");
    raw.run("TYPE I", 200);
    for path in [
        "file",
        "absolute",
        "chain",
        "d/folder",
        "d/folder/secret",
        "magic",
    ] {
        for verb in VERBS {
            raw.run(&format!("{verb} {path}"), 550);
        }
        for verb in ["RETR", "LIST", "NLST", "MLSD", "APPE"] {
            raw.begin_refused(&format!("{verb} {path}"), &[550]);
        }
        raw.run("REST 2", 350);
        raw.begin_refused(&format!("STOR {path}"), &[550, 554]);
    }
    for command in ["LIST", "NLST", "MLSD", "NLST *", "LIST f*"] {
        if let Some(data) = raw.begin_any(command) {
            let text = String::from_utf8(crate::support::read_all(data)).expect("UTF-8");
            raw.expect(226);
            for unwanted in ["file\r", "absolute", "chain", "magic", "folder"] {
                assert!(!text.contains(unwanted), "{command}: {text}");
            }
        }
    }
    assert_eq!(raw.rows("MLSD d"), [""; 0]);
    raw.run("RNFR d", 350);
    raw.run("RNTO e", 250);
    raw.run("MKD e/folder/made", 550);
    raw.begin_refused("STOU e/folder/x", &[550, 553]);
    assert_eq!(names_in(&outside.join("folder")), ["secret"]);
    let secret = std::fs::read(outside.join("folder/secret"));
    assert_eq!(secret.expect("the file outside"), b"secret");
}
