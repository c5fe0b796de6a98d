//! Listings: LIST, NLST and MLSD, of many files, of odd names, and of nothing.

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{Raw, Server, TEMPORARY};

/// The names that MLSD sends, sorted, without those of the folder itself and of the one above.
#[track_caller]
fn mlsd(raw: &mut Raw, command: &str) -> Vec<String> {
    let mut names: Vec<String> = raw
        .rows(command)
        .iter()
        .filter_map(|row| {
            let (facts, name) = row
                .split_once(' ')
                .unwrap_or_else(|| panic!("no space in {row:?}"));
            // Rule of real clients: each fact ends in `;` and one space follows.
            assert!(facts.ends_with(';'), "facts of {row:?}");
            let facts = facts.to_ascii_lowercase();
            assert!(facts.contains("type="), "no type in {row:?}");
            let special = facts.contains("type=cdir;") || facts.contains("type=pdir;");
            (!special).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// The names of LIST rows, sorted. Each row must have the form that every client reads.
#[track_caller]
fn list(raw: &mut Raw, command: &str) -> Vec<String> {
    let mut names: Vec<String> = raw
        .rows(command)
        .iter()
        .map(|row| list_fields(row).1)
        .collect();
    names.sort();
    names
}

/// `perms links owner group size MMM d HH:mm|yyyy` and the name.
#[track_caller]
fn list_fields(row: &str) -> (Vec<String>, String) {
    let mut rest = row;
    let mut fields = Vec::new();
    for _ in 0..8 {
        let (field, behind) = rest
            .trim_start_matches(' ')
            .split_once(' ')
            .unwrap_or_else(|| panic!("too few fields in {row:?}"));
        fields.push(field.to_owned());
        rest = behind;
    }
    assert!(
        fields[0].len() == 10 && fields[0].starts_with(['-', 'd', 'l']),
        "permissions of {row:?}"
    );
    assert!(fields[4].parse::<u64>().is_ok(), "size of {row:?}");
    let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    assert!(
        months.split(' ').any(|month| month == fields[5]),
        "month of {row:?}"
    );
    (fields, rest.to_owned())
}

#[track_caller]
fn nlst(raw: &mut Raw, command: &str) -> Vec<String> {
    let mut names = raw.rows(command);
    names.sort();
    names
}

#[test]
fn the_three_forms_agree() {
    let server = Server::start();
    server.write("a.txt", "12345");
    server.write("b c.txt", "");
    server.make_folder("folder");
    server.write("folder/inner.txt", "x");
    let mut raw = server.login();
    let all = ["a.txt", "b c.txt", "folder"];
    assert_eq!(list(&mut raw, "LIST"), all);
    assert_eq!(mlsd(&mut raw, "MLSD"), all);
    assert_eq!(nlst(&mut raw, "NLST"), all);
    for path in ["folder", "/folder", "folder/", "./folder"] {
        assert_eq!(list(&mut raw, &format!("LIST {path}")), ["inner.txt"]);
        assert_eq!(mlsd(&mut raw, &format!("MLSD {path}")), ["inner.txt"]);
    }
    raw.run("CWD folder", 250);
    assert_eq!(list(&mut raw, "LIST"), ["inner.txt"]);
    assert_eq!(mlsd(&mut raw, "MLSD"), ["inner.txt"]);
    assert_eq!(nlst(&mut raw, "NLST"), ["inner.txt"]);
    assert_eq!(list(&mut raw, "LIST /"), all);
}

#[test]
fn switches_of_ls_are_ignored() {
    let server = Server::start();
    server.write("a.txt", "");
    server.make_folder("folder");
    server.write("folder/inner.txt", "x");
    let mut raw = server.login();
    // Firefox, Total Commander and old FileZillas send these.
    for switch in ["-a", "-l", "-la", "-al", "-aL"] {
        assert_eq!(
            list(&mut raw, &format!("LIST {switch}")),
            ["a.txt", "folder"]
        );
        let inner = list(&mut raw, &format!("LIST {switch} folder"));
        assert_eq!(inner, ["inner.txt"], "LIST {switch} folder");
    }
    assert_eq!(nlst(&mut raw, "NLST -a"), ["a.txt", "folder"]);
}

#[test]
fn an_empty_folder_is_no_bytes() {
    let server = Server::start();
    server.make_folder("empty");
    let mut raw = server.login();
    assert_eq!(raw.list("LIST empty"), "");
    assert_eq!(raw.list("NLST empty"), "");
    assert_eq!(raw.list("LIST -la empty"), "");
    assert_eq!(mlsd(&mut raw, "MLSD empty"), [""; 0]);
}

#[test]
fn a_file_is_listed_by_its_name() {
    let server = Server::start();
    server.write("a.txt", "12345");
    let mut raw = server.login();
    assert_eq!(list(&mut raw, "LIST a.txt"), ["a.txt"]);
    // RFC 3659 §7.2.1: MLSD is for folders only, 501 the reply when it is a file.
    raw.begin_refused("MLSD a.txt", &[501, 550]);
    raw.begin_refused("LIST missing", &[550, 450]);
    raw.begin_refused("NLST missing", &[550, 450]);
    raw.begin_refused("MLSD missing", &[550]);
}

#[test]
fn sizes_and_times_are_right() {
    let server = Server::start();
    server.make_folder("d");
    server.write("d/old", "12345");
    server.write("d/young", "1");
    let set = |name: &str, time: SystemTime| {
        let file = std::fs::File::options().write(true).open(server.path(name));
        let set = file.and_then(|file| file.set_modified(time));
        set.unwrap_or_else(|error| panic!("cannot set the time of {name}: {error}"));
    };
    // 2001-09-09 01:46:40 UTC.
    set("d/old", UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    set("d/young", SystemTime::now() - Duration::from_secs(3600));
    let mut raw = server.login();
    let rows = raw.rows("LIST d");
    let row = |name: &str| {
        let ending = format!(" {name}");
        let row = rows.iter().find(|row| row.ends_with(&ending));
        list_fields(row.unwrap_or_else(|| panic!("no {name} in {rows:?}"))).0
    };
    assert_eq!(row("old")[4..], ["5", "Sep", "9", "2001"]);
    assert!(row("young")[7].contains(':'), "a young file has its hour");
    let rows = raw.rows("MLSD d").join("\n").to_ascii_lowercase();
    let old = rows.lines().find(|row| row.ends_with(" old"));
    let old = old.unwrap_or_else(|| panic!("no old in {rows}"));
    for fact in ["type=file;", "size=5;", "modify=20010909014640"] {
        assert!(old.contains(fact), "no {fact} in {old}");
    }
}

#[test]
fn ten_thousand_files() {
    let server = Server::start();
    server.make_folder("many");
    let expected: Vec<String> = (0..10_000).map(|n| format!("file {n:05}.txt")).collect();
    for name in &expected {
        server.write(&format!("many/{name}"), "");
    }
    let mut raw = server.login();
    // Not assert_eq, whose text would be of 20,000 names.
    assert!(mlsd(&mut raw, "MLSD many") == expected, "MLSD");
    assert!(list(&mut raw, "LIST many") == expected, "LIST");
    raw.run("CWD many", 250);
    assert!(nlst(&mut raw, "NLST") == expected, "NLST");
}

#[test]
fn a_listing_that_nobody_reads_on_ends() {
    let server = Server::start();
    for n in 0..2000 {
        server.write(&format!("file {n}"), "");
    }
    let before = server.at_rest();
    let mut raw = server.login();
    drop(raw.begin("MLSD"));
    // The listing may have fitted into the buffers between the two.
    raw.expect_one_of(&[226, 426]);
    raw.run("NOOP", 200);
    drop(raw);
    server.wait_for_footprint(&before);
    server.assert_never_panicked();
}

#[test]
fn spaces_and_letters_of_the_world() {
    let server = Server::start();
    let mut names = [
        "with space.txt",
        "  leading and trailing  ",
        "grüße.txt",
        "日本語.txt",
        "emoji 🦀.txt",
        "-dash",
        "semi;colon=x;.txt",
        "quote\"s'.txt",
        "back\\slash",
        "star*?[x]",
        "percent%20",
    ];
    names.sort_unstable();
    for name in names {
        server.write(name, name);
    }
    let mut raw = server.login();
    assert_eq!(mlsd(&mut raw, "MLSD"), names);
    assert_eq!(list(&mut raw, "LIST"), names);
    assert_eq!(nlst(&mut raw, "NLST"), names);
    for name in names {
        let bytes = raw.fetch(name);
        assert_eq!(bytes, name.as_bytes(), "content of {name:?}");
    }
}

#[test]
fn bad_names_on_the_disk_break_no_listing() {
    let server = Server::start();
    server.write("good.txt", "");
    for name in [
        &b"not utf8 \xff\xfe.txt"[..],
        b"line\r\nend.txt",
        b"esc\x1b[2J.txt",
    ] {
        std::fs::write(server.root.join(OsStr::from_bytes(name)), "")
            .expect("Linux takes any name");
    }
    let mut raw = server.login();
    for (command, names) in [
        ("LIST", list(&mut raw, "LIST")),
        ("MLSD", mlsd(&mut raw, "MLSD")),
        ("NLST", nlst(&mut raw, "NLST")),
    ] {
        // They may be shown escaped, or left out; a name that is half of one is neither.
        assert!(
            names.iter().any(|name| name == "good.txt"),
            "{command}: no good.txt in {names:?}"
        );
        assert!(
            names.len() <= 4 && !names.iter().any(|name| name == "end.txt"),
            "{command}: {names:?}"
        );
    }
    raw.run("NOOP", 200);
    if nlst(&mut raw, "NLST").len() < 4 {
        server.wait_for_log(&["WARN"]);
    }
    server.assert_never_panicked();
}

#[test]
fn temporaries_of_uploads_do_not_show() {
    let server = Server::start();
    server.write("a.txt", "");
    server.write(&format!("{TEMPORARY}left-over"), "");
    server.write(".hidden", "");
    let mut raw = server.login();
    let mut other = server.login();
    let data = other.begin("STOR b.txt");
    assert!(
        support::temporaries(&server.root).len() >= 2,
        "no temporary file in the folder of the upload: {:?}",
        support::names_in(&server.root)
    );
    for names in [
        list(&mut raw, "LIST -a"),
        mlsd(&mut raw, "MLSD"),
        nlst(&mut raw, "NLST"),
    ] {
        assert!(
            !names.iter().any(|name| name.starts_with(TEMPORARY)),
            "{names:?}"
        );
        assert!(names.iter().any(|name| name == "a.txt"), "{names:?}");
    }
    drop(data);
    other.expect(226);
}

#[test]
fn temporaries_of_uploads_cannot_be_named() {
    let server = Server::with(&["--anonymous", "full"]);
    server.make_folder("d");
    let name = format!("{TEMPORARY}x");
    server.write(&name, "secret");
    server.write(&format!("d/{name}"), "secret");
    let mut raw = server.login();
    for path in [name.clone(), format!("d/{name}"), format!("/d/../{name}")] {
        for verb in ["RETR", "STOR", "LIST", "MLSD", "NLST"] {
            raw.begin_refused(&format!("{verb} {path}"), &[550, 553, 450]);
        }
        for verb in ["SIZE", "MDTM", "MLST", "CWD", "MKD"] {
            raw.send(&format!("{verb} {path}"));
            raw.expect_one_of(&[550, 553]);
        }
    }
    raw.send(&format!("MKD {TEMPORARY}new"));
    raw.expect_one_of(&[550, 553]);
    assert_eq!(server.read(&name), b"secret");
}

#[test]
fn links_within_the_root_are_listed_and_served() {
    let server = Server::start();
    server.make_folder("d");
    server.write("d/a.txt", "abc");
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, server.path(name)).expect("a link");
    };
    link("d/a.txt", "inside");
    link("nowhere", "dangling");
    link("dangling-b", "dangling-a");
    link("dangling-a", "dangling-b");
    let mut raw = server.login();
    for names in [list(&mut raw, "LIST"), mlsd(&mut raw, "MLSD")] {
        for wanted in ["d", "inside"] {
            assert!(
                names.iter().any(|name| name.starts_with(wanted)),
                "no {wanted} in {names:?}"
            );
        }
    }
    assert_eq!(raw.fetch("inside"), b"abc");
    raw.begin_refused("RETR dangling", &[550]);
    raw.begin_refused("RETR dangling-a", &[550]);
}
