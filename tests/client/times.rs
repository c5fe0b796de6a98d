//! Mirrors of servers whose times are hard to tell: of another zone, of days only, or not to be set.

use super::fake::{Place, Session, check};
use super::mirror::{date, knows_no_mlsd, login, rows, sends, takes};
use super::tree::lists;

#[test]
fn a_server_that_tells_times_only_in_rows() {
    let place = Place::new();
    let script = |fetches: bool| {
        move |s: &mut Session| {
            s.login();
            knows_no_mlsd(s);
            let row = "-rw-r--r-- 1 0 0 5 Mar  7  2021 f\r\n";
            rows(s, "LIST d", row);
            rows(s, "LIST -a d", row);
            if fetches {
                s.expect("TYPE I", "200 image");
                sends(s, "d/f");
            }
            s.quit();
        }
    };
    let run = check(&place, "mirror d", 0, script(true));
    run.tells("d: 1 copied, 0 as they should be");
    let run = check(&place, "mirror d", 0, script(false));
    run.tells("d: 0 copied, 1 as they should be");
    // Some time of that day is as good.
    date(&place, "client_downloads/d/f", 1_615_075_200 + 80_000);
    check(&place, "mirror d", 0, script(false));
    date(&place, "client_downloads/d/f", 1_615_075_200 + 90_000);
    check(&place, "mirror d", 0, script(true));
}

#[test]
fn rows_of_another_zone_are_set_right_by_mdtm() {
    let place = Place::new();
    place.write("client_downloads/d/f", b"hello");
    date(&place, "client_downloads/d/f", 1_615_075_200);
    for (mdtm, fetches) in [("213 20210307000000", false), ("213 20210307000001", true)] {
        check(&place, "mirror d", 0, move |s| {
            login(s, " MDTM");
            rows(s, "LIST d", "-rw-r--r-- 1 0 0 5 Mar  6  2021 f\r\n");
            rows(s, "LIST -a d", "");
            s.expect("MDTM d/f", mdtm);
            if fetches {
                s.expect("TYPE I", "200 image");
                let data = s.epsv();
                s.expect("MDTM d/f", mdtm);
                s.expect("RETR d/f", "150 here it comes");
                data.send(b"hello");
                s.say("226 done");
            }
            s.quit();
        });
    }
}

#[test]
fn where_no_times_are_taken_what_is_not_older_is_left_alone() {
    let place = Place::new();
    for name in ["long ago", "younger", "older"] {
        place.write(&format!("u/{name}"), b"hello");
        date(&place, &format!("u/{name}"), 1_615_075_200);
    }
    let run = check(&place, "mirror -R --delete u", 0, |s| {
        login(s, " MDTM");
        rows(
            s,
            "LIST u",
            "-rw-r--r-- 1 0 0 5 Mar  9  2021 long ago\r\n\
             -rw-r--r-- 1 0 0 5 Mar  7  2021 younger\r\n\
             -rw-r--r-- 1 0 0 5 Mar  7  2021 older\r\n\
             drwxr-xr-x 1 0 0 4 Mar  9  2021 extra\r\n",
        );
        rows(s, "LIST -a u", "");
        s.expect("MDTM u/older", "213 20210306235959");
        s.expect("MDTM u/younger", "213 20210307000001");
        // The rest of the server's folder goes first.
        s.expect("DELE u/extra", "550 it is a folder");
        rows(s, "LIST u/extra", "-rw-r--r-- 1 0 0 5 Mar  9  2021 f\r\n");
        rows(s, "LIST -a u/extra", "");
        s.expect("DELE u/extra/f", "250 gone");
        s.expect("RMD u/extra", "250 gone");
        takes(s, "u/older");
        s.quit();
    });
    run.tells("u: 1 copied, 2 as they should be, 1 removed");
}

#[test]
fn a_server_that_refuses_a_time_is_taken_for_one_that_takes_none() {
    let place = Place::new();
    place.write("u/f", b"hello");
    date(&place, "u/f", 1_615_075_200);
    for (reply, copies) in [("550 not yours", false), ("213 set", true)] {
        check(&place, "mirror -R u", 0, move |s| {
            login(s, " MLST\n MFMT");
            lists(s, "u", "type=file;size=5;modify=20220101000000; f\r\n");
            s.expect("MFMT 20220101000000 u/f", reply);
            if copies {
                takes(s, "u/f");
                s.expect("MFMT 20210307000000 u/f", "213 set");
            }
            s.quit();
        });
    }
}
