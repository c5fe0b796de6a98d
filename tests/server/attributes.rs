//! Times, modes and facts: MDTM, MFMT, SITE UTIME, SITE CHMOD, MLST, OPTS (RFC 3659, RFC 2389, draft-somers-ftp-mfxx).

use crate::support::{Raw, Server, names_in};
use std::os::unix::fs::PermissionsExt;
use std::time::UNIX_EPOCH;

/// 2001-09-09 01:46:40 UTC.
const STAMP: &str = "20010909014640";
const SECONDS: u64 = 1_000_000_000;

fn full() -> (Server, Raw) {
    let server = Server::with(&["--anonymous", "full"]);
    server.write("a b.txt", "abc");
    server.make_folder("d");
    let raw = server.login();
    (server, raw)
}

/// When a file was last changed, in seconds since 1970.
fn modified(server: &Server, name: &str) -> u64 {
    let metadata = std::fs::metadata(server.path(name)).expect("the file");
    let time = metadata.modified().expect("its time");
    time.duration_since(UNIX_EPOCH)
        .expect("a time since 1970")
        .as_secs()
}

fn mode(server: &Server, name: &str) -> u32 {
    let metadata = std::fs::metadata(server.path(name)).expect("the file");
    metadata.permissions().mode() & 0o7777
}

#[test]
fn every_way_to_set_a_time() {
    let (server, mut raw) = full();
    for (line, code) in [
        // FileZilla, WinSCP, lftp, curl -R.
        (format!("MFMT {STAMP} a b.txt"), 213),
        (format!("MFMT {STAMP}.987 a b.txt"), 213),
        // Total Commander and older clients, which have it from FTP Voyager.
        (format!("MDTM {STAMP} a b.txt"), 213),
        // lftp where there is no MFMT, in the short and the long form; ncftp.
        (format!("SITE UTIME {STAMP} a b.txt"), 200),
        (
            format!("SITE UTIME a b.txt 20020101000000 {STAMP} 20020101000000 UTC"),
            200,
        ),
        (format!("site utime {} a b.txt", &STAMP[..12]), 200),
    ] {
        server.write("a b.txt", "abc");
        assert_ne!(modified(&server, "a b.txt"), SECONDS);
        raw.run(&line, code);
        let seconds = if line.starts_with("site") {
            SECONDS - 40
        } else {
            SECONDS
        };
        assert_eq!(modified(&server, "a b.txt"), seconds, "{line}");
        let shown = raw.run("MDTM a b.txt", 213).text;
        assert!(
            shown.starts_with(&format!("213 {}", &STAMP[..12])),
            "{shown}"
        );
        assert_eq!(raw.fact("a b.txt", "modify").as_deref(), Some(&shown[4..]));
    }
    // draft-somers-ftp-mfxx §3.1: the reply repeats the fact.
    let reply = raw.run(&format!("MFMT {STAMP} a b.txt"), 213);
    assert!(
        reply.text.starts_with(&format!("213 Modify={STAMP}; ")),
        "{reply}"
    );
}

/// A file whose very name is a time and another name is asked for, not set.
#[test]
fn a_name_that_looks_like_a_time_is_a_name() {
    let (server, mut raw) = full();
    let name = format!("{STAMP} a b.txt");
    server.write(&name, "");
    let before = modified(&server, "a b.txt");
    raw.run(&format!("MDTM {name}"), 213);
    assert_eq!(modified(&server, "a b.txt"), before);
}

#[test]
fn times_that_cannot_be_set() {
    let (server, mut raw) = full();
    let before = modified(&server, "a b.txt");
    for line in [
        "MFMT 20010909014640 missing",
        "MDTM 20010909014640 missing",
        "SITE UTIME 20010909014640 missing",
    ] {
        raw.run(line, 550);
    }
    for line in [
        "MFMT",
        "MFMT 20010909014640",
        "MFMT 20010909014640 ",
        "MFMT a b.txt",
        "MFMT 2001 a b.txt",
        "MFMT 20011309014640 a b.txt",
        "MFMT 20010230014640 a b.txt",
        "MFMT 20010909254640 a b.txt",
        "MFMT 20010909014640. a b.txt",
        "MFMT -0010909014640 a b.txt",
        "MFMT 999999999999999999999999 a b.txt",
        "SITE UTIME",
        "SITE UTIME 20010909014640",
        "SITE UTIME 2001 a b.txt",
        "SITE UTIME a b.txt 1 2 3 UTC",
        "SITE UTIME UTC",
    ] {
        raw.refused(line);
    }
    assert_eq!(modified(&server, "a b.txt"), before);
}

#[test]
fn modes_are_set_and_shown() {
    let (server, mut raw) = full();
    for bits in [0o600, 0o644, 0o755, 0o000, 0o777] {
        // FileZilla and WinSCP say three digits, ncftp four.
        raw.run(&format!("SITE CHMOD {bits:03o} a b.txt"), 200);
        assert_eq!(mode(&server, "a b.txt"), bits);
        assert_eq!(
            raw.fact("a b.txt", "unix.mode"),
            Some(format!("{bits:04o}"))
        );
        raw.run("SITE CHMOD 0666 a b.txt", 200);
        assert_eq!(mode(&server, "a b.txt"), 0o666);
    }
    raw.run("SITE CHMOD 700 d", 200);
    assert_eq!(mode(&server, "d"), 0o700);
    raw.run("SITE CHMOD 644 missing", 550);
    for line in [
        "SITE CHMOD",
        "SITE CHMOD 644",
        "SITE CHMOD 8 a b.txt",
        "SITE CHMOD u+x a b.txt",
        "SITE CHMOD -644 a b.txt",
        "SITE CHMOD 7777777777777777777777777 a b.txt",
        // No set-user-ID program is to come from a client.
        "SITE CHMOD 4755 a b.txt",
        "SITE CHMOD 10000 a b.txt",
    ] {
        raw.refused(line);
    }
    assert_eq!(mode(&server, "a b.txt"), 0o666);
}

#[test]
fn site_has_its_help_and_nothing_else() {
    let (server, mut raw) = full();
    let help = raw.run("SITE HELP", 214);
    for verb in ["CHMOD", "UTIME", "HELP"] {
        assert!(help.text.contains(verb), "no {verb} in {help}");
    }
    for line in [
        "SITE",
        "SITE ",
        "SITE EXEC ls",
        "SITE CPFR a b.txt",
        "SITE HELPS",
    ] {
        raw.refused(line);
    }
    server.connect().run("SITE HELP", 214);
}

/// RFC 3659 §7.5.5: `perm` is what this account may do, and clients grey out the rest.
#[test]
fn perm_is_true_to_each_account() {
    for (level, file, folder) in [
        ("read", "r", "el"),
        ("write", "arw", "celm"),
        ("full", "adfrw", "cdeflmp"),
    ] {
        let server = Server::with(&["--anonymous", level]);
        server.write("a", "abc");
        server.make_folder("d");
        let mut raw = server.login();
        for (path, wanted) in [("a", file), ("d", folder)] {
            let perm = raw.fact(path, "perm").expect("perm");
            assert_eq!(perm, wanted, "{level}: {path}");
        }
        let rows = raw.rows("MLSD");
        for (kind, perm) in [("file", file), ("dir", folder)] {
            let fits = |row: &&String| row.contains(&format!("type={kind};"));
            let row = rows.iter().find(fits).expect("a row of the kind");
            assert!(row.contains(&format!("perm={perm};")), "{level}: {row}");
        }
        // What it promises is so.
        let allowed = |yes: bool, code| if yes { code } else { 550 };
        let write = level != "read";
        raw.run(&format!("MFMT {STAMP} a"), allowed(write, 213));
        raw.run(&format!("MDTM {STAMP} a"), allowed(write, 213));
        raw.run(&format!("SITE UTIME {STAMP} a"), allowed(write, 200));
        raw.run("MKD d/new", allowed(write, 257));
        raw.run("SITE CHMOD 600 a", allowed(level == "full", 200));
        raw.run("RMD d/new", allowed(level == "full", 250));
        raw.run("RNFR a", allowed(level == "full", 350));
        raw.run("DELE a", allowed(level == "full", 250));
        let left: &[&str] = if level == "full" { &["d"] } else { &["a", "d"] };
        assert_eq!(names_in(&server.root), left);
    }
}

/// RFC 3659 §7.5.2: two names of one file have one `unique`, and no others do. Mirrors copy such a file once.
#[test]
fn unique_tells_names_of_one_file() {
    let (server, mut raw) = full();
    server.write("other", "abc");
    std::fs::hard_link(server.path("a b.txt"), server.path("d/same")).expect("a hard link");
    let mut unique = |path| raw.fact(path, "unique").expect("unique");
    let first = unique("a b.txt");
    assert!(!first.is_empty());
    assert_eq!(first, unique("d/same"));
    assert_ne!(first, unique("other"));
    assert_ne!(unique("d"), unique("other"));
    // A rename does not change it.
    raw.run("RNFR d/same", 350);
    raw.run("RNTO moved", 250);
    assert_eq!(raw.fact("moved", "unique"), Some(first));
}

#[test]
fn facts_are_chosen_with_opts_mlst() {
    let (_server, mut raw) = full();
    let mlst = |raw: &mut Raw| {
        let facts = raw.facts("a b.txt").into_iter();
        facts.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let feature = |raw: &mut Raw| {
        let feat = raw.run("FEAT", 211);
        let line = feat
            .inner_lines()
            .into_iter()
            .find(|line| line.starts_with(" MLST "));
        line.expect("MLST is promised").to_ascii_lowercase()
    };
    for wanted in ["type", "size", "modify", "perm", "unique", "unix.mode"] {
        assert!(
            mlst(&mut raw).iter().any(|name| name == wanted),
            "no {wanted}"
        );
        assert!(feature(&mut raw).contains(&format!("{wanted}*;")));
    }
    // RFC 3659 §7.9: what is unknown is passed over, and the reply says what there is.
    let reply = raw.run("OPTS MLST size;X.nonsense;Type;", 200);
    assert!(
        reply.text.to_ascii_lowercase().ends_with(" type;size;"),
        "{reply}"
    );
    assert_eq!(mlst(&mut raw), ["type", "size"]);
    let chosen = feature(&mut raw);
    assert!(
        chosen.contains("type*;size*;") && chosen.contains("perm;"),
        "{chosen}"
    );
    let rows = raw.rows("MLSD");
    assert!(
        rows.contains(&"type=file;size=3; a b.txt".to_owned()),
        "{rows:?}"
    );

    raw.run("OPTS MLST", 200);
    assert_eq!(mlst(&mut raw), [""; 0]);
    let rows = raw.rows("MLSD");
    assert!(rows.contains(&" a b.txt".to_owned()), "{rows:?}");
    raw.run("opts mlst Modify;", 200);
    assert_eq!(mlst(&mut raw), ["modify"]);
}
