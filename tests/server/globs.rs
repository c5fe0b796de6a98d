//! Globs in the last part of a listing's path, as `mget *.txt` of ftp, ncftp and Windows' `ftp.exe` sends them to NLST.

use crate::support::{Raw, Server};

/// A server with a few files, and a session.
fn with_files() -> (Server, Raw) {
    let server = Server::start();
    server.make_folder("dir/deep");
    for name in [
        "a1",
        "b2",
        "ab",
        "c3",
        "one.txt",
        "two.txt",
        "two.TXT",
        "dir/in.txt",
        "dir/in.rs",
        "dir/deep/deeper.txt",
        "übung.txt",
        "st*r.c",
        "[x]",
        "sp ace.txt",
    ] {
        server.write(name, name);
    }
    let raw = server.login();
    (server, raw)
}

/// The names that NLST sends, sorted.
#[track_caller]
fn nlst(raw: &mut Raw, pattern: &str) -> Vec<String> {
    let mut names = raw.rows(&format!("NLST {pattern}"));
    names.sort();
    names
}

#[test]
fn nlst_sends_what_matches() {
    let (_server, mut raw) = with_files();
    for (pattern, names) in [
        (
            "*.txt",
            &["one.txt", "sp ace.txt", "two.txt", "übung.txt"][..],
        ),
        ("t*", &["two.TXT", "two.txt"]),
        ("[ab]?", &["a1", "ab", "b2"]),
        ("[!ab]?", &["c3"]),
        ("*bung.txt", &["übung.txt"]),
        ("üb*", &["übung.txt"]),
        ("sp *", &["sp ace.txt"]),
        ("d*", &["dir"]),
        ("d?r", &["dir"]),
        ("*.{TXT,c}", &["st*r.c", "two.TXT"]),
        ("{one,dir/in}.*", &[]),
        // With the words before it, so that what comes back can be fetched.
        ("dir/*.txt", &["dir/in.txt"]),
        ("/dir/*.txt", &["/dir/in.txt"]),
        (
            "dir/../dir/in.*",
            &["dir/../dir/in.rs", "dir/../dir/in.txt"],
        ),
        ("-a *.rs dir/*.rs", &[]),
        ("-1 dir/*.rs", &["dir/in.rs"]),
    ] {
        if names.is_empty() {
            raw.begin_refused(&format!("NLST {pattern}"), &[550]);
            continue;
        }
        assert_eq!(nlst(&mut raw, pattern), names, "{pattern}");
    }
    for path in nlst(&mut raw, "dir/*.txt") {
        assert_eq!(raw.fetch(&path), path.as_bytes());
    }
    raw.run("CWD dir", 250);
    assert_eq!(nlst(&mut raw, "*.txt"), ["in.txt"]);
    assert_eq!(nlst(&mut raw, "../o*"), ["../one.txt"]);
}

#[test]
fn list_and_stat_match_as_well() {
    let (_server, mut raw) = with_files();
    let rows = raw.rows("LIST dir/*.txt");
    assert!(
        rows.len() == 1 && rows[0].ends_with(" dir/in.txt"),
        "{rows:?}"
    );
    let rows = raw.rows("LIST -la o*");
    assert!(rows.len() == 1 && rows[0].ends_with(" one.txt"), "{rows:?}");
    let reply = raw.run("STAT *.txt", 212);
    assert!(
        reply.text.contains("two.txt") && !reply.text.contains("two.TXT"),
        "{reply}"
    );
    // RFC 3659 §7.2: to MLSD a star is a letter.
    raw.begin_refused("MLSD *.txt", &[501, 550]);
}

#[test]
fn a_file_by_its_very_name_is_no_glob() {
    let (server, mut raw) = with_files();
    server.write("star.c", "");
    assert_eq!(nlst(&mut raw, "st*r.c"), ["st*r.c"]);
    assert_eq!(nlst(&mut raw, "[x]"), ["[x]"]);
    assert_eq!(raw.fetch("st*r.c"), b"st*r.c");
    // Other commands know no globs at all.
    raw.begin_refused("RETR *.txt", &[550]);
    raw.run("SIZE one.*", 550);
}

/// RFC 1123 §4.1 and wu-ftpd, by which BSD's `ftp` and ftplib's `nlst` know that there is nothing.
#[test]
fn no_match_is_550() {
    let (_server, mut raw) = with_files();
    for pattern in [
        "*.none",
        "dir/*.none",
        "missing/*",
        "one.txt/*",
        "[",
        "[a",
        "dir/[z-a]",
        "a*/b",
    ] {
        for verb in ["NLST", "LIST"] {
            raw.begin_refused(&format!("{verb} {pattern}"), &[550]);
        }
    }
    raw.run("STAT *.none", 550);
}

#[test]
fn a_listing_is_of_one_folder_and_never_of_a_tree() {
    let (_server, mut raw) = with_files();
    for pattern in [
        "**",
        "**/*.txt",
        "dir/**",
        "*/*.txt",
        "**/deeper.txt",
        "*/../../*",
    ] {
        if let Some(data) = raw.begin_any(&format!("NLST {pattern}")) {
            let names = String::from_utf8(crate::support::read_all(data)).expect("UTF-8");
            raw.expect(226);
            assert!(!names.contains("deeper"), "{pattern}: {names}");
        }
    }
}

#[test]
fn nothing_hidden_or_outside_matches() {
    let (server, mut raw) = with_files();
    std::fs::write(server.outside().join("secret.txt"), "s").expect("a file outside");
    std::os::unix::fs::symlink("../secret.txt", server.path("link.txt")).expect("a link");
    server.write(".ftp-upload.0123456789abcdef", "");
    for pattern in ["*", ".*", ".ftp*", "../*", "../../s*", "*.txt"] {
        if let Some(data) = raw.begin_any(&format!("NLST {pattern}")) {
            let names = String::from_utf8(crate::support::read_all(data)).expect("UTF-8");
            raw.expect(226);
            for unwanted in ["secret", "link.txt", "upload"] {
                assert!(!names.contains(unwanted), "{pattern}: {names}");
            }
        }
    }
}

/// Patterns made to take for ever, to fill the memory or to overflow the stack of a matcher.
#[test]
fn patterns_that_blow_up_are_answered() {
    let server = Server::start();
    for number in 0..50 {
        server.write(&format!("{}{number}", "a".repeat(200)), "");
    }
    let before = server.footprint();
    let mut raw = server.login();
    let nested = |depth| format!("{}*{}", "{a,".repeat(depth), "}".repeat(depth));
    for pattern in [
        "*a*a*a*a*a*a*a*a*b".to_owned(),
        "*a".repeat(1500) + "*b",
        format!("{}*", "{a,b}".repeat(30)),
        format!("{}*", "{a,b}".repeat(700)),
        format!("{}*", "{a*,*b}".repeat(500)),
        "*".repeat(4000),
        "?".repeat(4000),
        "[a-z]".repeat(800),
        "[!a]*".repeat(800),
        "[".repeat(4000),
        "{".repeat(4000),
        format!("{}*", "{".repeat(3900)),
        nested(60),
        nested(1000),
        // Those that a name could be as long as, and that get as far as a matcher.
        "*a".repeat(120) + "*b",
        format!("{}*", "{a*,*b}".repeat(35)),
        "*".repeat(255),
        "[!a]*".repeat(50),
        "{".repeat(120) + "*" + &"}".repeat(120),
        format!("{}*", "\\".repeat(3000)),
        format!("{}*", "é".repeat(1900)),
    ] {
        for verb in ["NLST", "LIST"] {
            if let Some(data) = raw.begin_any(&format!("{verb} {pattern}")) {
                let _ = crate::support::read_all(data);
                raw.expect(226);
            }
        }
        raw.send(&format!("STAT {pattern}"));
        raw.reply();
    }
    raw.run("NOOP", 200);
    drop(raw);
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}
