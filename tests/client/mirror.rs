//! Mirrors of servers that tell too little, or what is not so: above all, what must not be removed then.

use super::fake::{Data, Place, Run, Server, Session, check};
use super::tree::lists;
use std::fs::File;
use std::time::{Duration, SystemTime};

/// Answers `command` with rows.
#[track_caller]
pub(super) fn rows(s: &mut Session, command: &str, rows: &str) {
    let data = s.epsv();
    s.expect(command, "150 here it comes");
    data.send(rows.as_bytes());
    s.say("226 done");
}

/// Answers `MLSD d` as a server does that has never heard of it.
#[track_caller]
pub(super) fn knows_no_mlsd(s: &mut Session) {
    let _data: Data = s.epsv();
    s.expect("MLSD d", "500 what?");
}

/// Lets anybody in, and knows these features.
#[track_caller]
pub(super) fn login(s: &mut Session, features: &str) {
    s.say("220 ready");
    s.expect("USER anonymous", "230 in");
    s.expect("FEAT", &format!("211-Features\n{features}\n211 End"));
}

/// Sends a file of which the size was listed.
#[track_caller]
pub(super) fn sends(s: &mut Session, name: &str) {
    let data = s.epsv();
    s.expect(&format!("RETR {name}"), "150 here it comes");
    data.send(b"hello");
    s.say("226 done");
}

/// Takes a file.
#[track_caller]
pub(super) fn takes(s: &mut Session, name: &str) {
    s.expect("TYPE I", "200 image");
    let data = s.epsv();
    s.expect(&format!("STOR {name}.part"), "150 go");
    assert_eq!(data.receive().unwrap(), b"hello");
    s.say("226 done");
    s.named(name);
}

/// A copy of `d` with a file that `d` has no more.
fn copied() -> Place {
    let place = Place::new();
    place.write("client_downloads/d/old", b"old");
    place.write("client_downloads/d/kept", b"kept");
    place
}

#[track_caller]
fn removed_nothing(place: &Place, run: &Run) {
    for name in ["old", "kept"] {
        let path = place.path("client_downloads/d").join(name);
        assert!(path.exists(), "{name} is gone; {run}");
    }
}

pub(super) fn date(place: &Place, name: &str, seconds: u64) {
    let file = File::options().write(true).open(place.path(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

#[test]
fn a_listing_that_fails_in_the_middle_removes_nothing() {
    for end in [
        "426 sorry",
        "451 sorry",
        "226 Output truncated to 1 matches",
    ] {
        let place = copied();
        let run = check(&place, "mirror --delete d", 1, move |s| {
            s.login();
            let data = s.epsv();
            s.expect("MLSD d", "150 here it comes");
            data.send(b"type=dir; sub\r\n");
            s.say(end);
            if end.starts_with('2') {
                lists(s, "d/sub", "");
            }
            s.quit();
        });
        removed_nothing(&place, &run);
    }
    // The server dies, and is as dead when it is tried again.
    let place = copied();
    let server = Server::play(|s| {
        s.login();
        let data = s.epsv();
        s.expect("MLSD d", "150 here it comes");
        data.send(b"type=file;size=4; kept\r\ntype=file;size=3; o");
    });
    let run = place.ftp(&server, "mirror --delete d");
    assert_eq!(run.code, Some(1), "{run}");
    removed_nothing(&place, &run);
    server.finish(&run);
}

#[test]
fn what_a_listing_leaves_open_removes_nothing() {
    for (listing, why) in [
        ("type=file; ../up\r\n", "cannot be a file name"),
        ("type=file; a/b\r\n", "cannot be a file name"),
        ("type=dir; x\x1b[2J\r\n", "cannot be a file name"),
        ("nonsense\r\n", "cannot be read: \"nonsense\""),
        (
            "type=cdir; .\r\ntype=cdir; d",
            "the last line of the listing has no end",
        ),
    ] {
        let place = copied();
        let run = check(&place, "mirror --delete d", 1, move |s| {
            s.login();
            lists(s, "d", listing);
            s.quit();
        });
        run.tells("nothing was removed from client_downloads/d: ");
        run.tells(why);
        removed_nothing(&place, &run);
        let names = std::fs::read_dir(place.path("")).unwrap();
        assert_eq!(names.count(), 1, "nothing but the downloads");
    }
}

#[test]
fn a_name_that_is_not_utf_8_there_stays_here() {
    let place = copied();
    let run = check(&place, "mirror --delete d", 1, |s| {
        s.login();
        let data = s.epsv();
        s.expect("MLSD d", "150 here it comes");
        data.send(b"type=dir; lat\xfcn\r\n");
        s.say("226 done");
        let _data = s.epsv();
        s.expect("MLSD d/lat\u{FFFD}n", "550 no such folder");
        s.quit();
    });
    run.tells("the server lists names that are not UTF-8 text");
    removed_nothing(&place, &run);
}

#[test]
fn rows_of_nothing_may_be_of_no_folder_at_all() {
    let place = copied();
    let run = check(&place, "mirror --delete d", 1, |s| {
        s.login();
        knows_no_mlsd(s);
        rows(s, "LIST d", "");
        rows(s, "LIST -a d", "");
        s.quit();
    });
    run.tells("does not tell whether there is such a folder");
    removed_nothing(&place, &run);
    // As good as the folder's own row.
    let run = check(&place, "mirror --delete d", 0, |s| {
        s.login();
        knows_no_mlsd(s);
        rows(s, "LIST d", "");
        let own =
            "drwxr-xr-x 2 0 0 4096 Jan  1  2020 .\r\ndrwxr-xr-x 2 0 0 4096 Jan  1  2020 ..\r\n";
        rows(s, "LIST -a d", own);
        s.quit();
    });
    run.tells("d: 0 copied, 0 as they should be, 2 removed");
}

#[test]
fn names_only_are_not_relied_on() {
    let place = copied();
    let run = check(&place, "mirror --delete d", 1, |s| {
        s.login();
        knows_no_mlsd(s);
        let _data = s.epsv();
        s.expect("LIST d", "502 no");
        rows(s, "NLST d", "d/kept\r\n");
        s.expect("TYPE I", "200 image");
        s.expect("SIZE d/kept", "213 4");
        s.quit();
    });
    run.tells("d: 0 copied, 1 as they should be, 0 removed");
    run.tells("the server tells only names (NLST)");
    removed_nothing(&place, &run);
}

#[test]
fn what_a_file_is_among_rows_removes_nothing() {
    let place = copied();
    let run = check(&place, "mirror --delete d", 1, |s| {
        s.login();
        knows_no_mlsd(s);
        for command in ["LIST d", "LIST -a d"] {
            rows(s, command, "-rw-r--r-- 1 0 0 5 Jan  1  2020 d\r\n");
        }
        s.expect("TYPE I", "200 image");
        sends(s, "d/d");
        s.quit();
    });
    run.tells("it may be a file that the server has listed");
    removed_nothing(&place, &run);
}

#[test]
fn hidden_names_are_asked_for_before_theirs_are_removed() {
    const ROWS: &str = "-rw-r--r-- 1 0 0 4 Jan  1  2020 kept\r\n";
    const HIDDEN: &str = "-rw-r--r-- 1 0 0 4 Jan  1  2020 .hidden\r\n";
    const OWN: &str = "drwxr-xr-x 2 0 0 4096 Jan  1  2020 .\r\n";
    let elsewhere = format!("{OWN}-rw-r--r-- 1 0 0 4 Jan  1  2020 other\r\n");
    for (all, removes) in [
        (format!("{OWN}{HIDDEN}{ROWS}"), true),
        // The option is not known, or the rest of the line is passed over for it.
        (ROWS.to_owned(), false),
        (elsewhere, false),
    ] {
        let place = Place::new();
        for name in ["kept", ".hidden", ".old"] {
            let name = format!("client_downloads/d/{name}");
            place.write(&name, b"kept");
            date(&place, &name, 1_577_900_000);
        }
        let code = if removes { 0 } else { 1 };
        let run = check(&place, "mirror --delete d", code, move |s| {
            s.login();
            knows_no_mlsd(s);
            rows(s, "LIST d", ROWS);
            rows(s, "LIST -a d", &all);
            s.quit();
        });
        assert_eq!(
            !place.path("client_downloads/d/.old").exists(),
            removes,
            "{run}"
        );
        assert!(place.path("client_downloads/d/.hidden").exists(), "{run}");
        run.tells(if removes {
            ", 1 removed"
        } else {
            "may have more than it lists"
        });
    }
}

#[test]
fn a_name_that_may_be_a_pattern_has_no_rows_of_its_own() {
    let place = copied();
    place.write("u/f", b"hello");
    date(&place, "u/f", 1_615_075_200);
    for folder in ["d[1]", "d*"] {
        let run = check(
            &place,
            &format!("mirror --delete \"{folder}\" d"),
            1,
            move |s| {
                s.login();
                let _data = s.epsv();
                s.expect(&format!("MLSD {folder}"), "500 what?");
                rows(s, &format!("LIST {folder}"), "");
                rows(s, &format!("LIST -a {folder}"), "");
                s.quit();
            },
        );
        removed_nothing(&place, &run);
        check(
            &place,
            &format!("mirror --delete -R u \"{folder}\""),
            0,
            move |s| {
                s.login();
                let _data = s.epsv();
                s.expect(&format!("MLSD {folder}"), "500 what?");
                let others =
                    "-rw-r--r-- 1 0 0 5 Mar  9  2021 f\r\n-rw-r--r-- 1 0 0 5 Mar  9  2021 g\r\n";
                rows(s, &format!("LIST {folder}"), others);
                rows(s, &format!("LIST -a {folder}"), others);
                s.expect(&format!("MKD {folder}"), "550 already exists");
                takes(s, &format!("{folder}/f"));
                s.quit();
            },
        );
    }
}

#[test]
fn a_dry_run_only_looks() {
    let place = copied();
    place.write("u/a/f", b"hello");
    let run = check(
        &place,
        "mirror --dry-run --delete d\nmirror -R --dry-run --delete u",
        0,
        |s| {
            login(s, " MLST\n MFMT");
            lists(s, "d", "type=dir; sub\r\ntype=file;size=5; kept\r\n");
            lists(s, "d/sub", "type=file;size=5; f\r\n");
            lists(s, "u", "type=file;size=5;modify=20220101000000; a\r\n");
            s.quit();
        },
    );
    let expected = "get d/kept\nremove client_downloads/d/old\nmkdir client_downloads/d/sub\nget d/sub/f\n\
                    remove u/a\nmkdir u/a\nput u/a/f\n";
    assert_eq!(run.out, expected);
    removed_nothing(&place, &run);
    assert!(!place.path("client_downloads/d/sub").exists() && !place.path("state").exists());
}

#[test]
fn one_failure_hides_none_of_the_others_and_removes_nothing_there() {
    let place = copied();
    place.write("client_downloads/d/sub/old", b"old");
    let run = check(&place, "mirror --delete d", 1, |s| {
        s.login();
        lists(s, "d", "type=dir; sub\r\ntype=file;size=5; f\r\n");
        let _data = s.epsv();
        s.expect("MLSD d/sub", "550 you may not look there");
        s.expect("TYPE I", "200 image");
        sends(s, "d/f");
        s.quit();
    });
    run.tells("550 you may not look there");
    run.tells("d: 1 copied, 0 as they should be, 2 removed");
    assert!(place.path("client_downloads/d/sub/old").exists(), "{run}");
}
