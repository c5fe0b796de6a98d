//! Uploads that were cut: kept hidden for their owner, who goes on with REST and STOR or with APPE.

use crate::support::{
    PARTIAL, Raw, Server, TEMPORARY, names_in, partials_in, reset, temporaries, wait_until,
};
use rustix::process::Signal;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;

/// An account that is another as far as cut uploads are concerned: anonymous ones are told apart by their address.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Begins an upload and cuts it when its file has come to `total` bytes.
#[track_caller]
fn cut(server: &Server, raw: &mut Raw, command: &str, bytes: &[u8], total: u64) {
    let mut data = raw.begin(command);
    data.write_all(bytes).expect("a part of the file");
    // A reset throws away what is still on its way.
    let arrived =
        |name: &String| std::fs::metadata(server.path(name)).is_ok_and(|file| file.len() == total);
    wait_until("the server to have the part", || {
        temporaries(&server.root).iter().any(arrived)
    });
    reset(data);
    raw.expect_one_of(&[426, 451]);
}

/// A server with one cut upload of `up`, which ends behind `abcdef`.
#[track_caller]
fn with_partial(flags: &[&str]) -> (Server, Raw) {
    let server = Server::with(flags);
    let mut raw = server.login();
    raw.run("TYPE I", 200);
    cut(&server, &mut raw, "STOR up", b"abcdef", 6);
    assert_eq!(partials_in(&server.root).len(), 1, "no partial is kept");
    assert_eq!(names_in(&server.root).len(), 1);
    (server, raw)
}

#[test]
fn a_new_session_goes_on_where_the_cut_one_stopped() {
    for (rest, command, more, then) in [
        // curl -C -, FileZilla and WinSCP: what SIZE says, then REST and STOR.
        (Some(6), "STOR up", "ghi", "abcdefghi"),
        (Some(2), "STOR up", "CD", "abCD"),
        // lftp, ncftp and commons-net: APPE.
        (None, "APPE up", "ghi", "abcdefghi"),
        (None, "APPE up", "", "abcdef"),
    ] {
        let (server, _gone) = with_partial(&[]);
        let mut raw = server.login();
        raw.run("TYPE I", 200);
        assert_eq!(raw.run("SIZE up", 213).text, "213 6");
        if let Some(at) = rest {
            raw.run(&format!("REST {at}"), 350);
        }
        let mut data = raw.begin(command);
        data.write_all(more.as_bytes()).expect("the rest");
        drop(data);
        raw.expect(226);
        assert_eq!(server.read("up"), then.as_bytes(), "{rest:?} {command}");
        assert_eq!(names_in(&server.root), ["up"]);
    }
}

#[test]
fn its_owner_is_told_of_it() {
    let (server, mut raw) = with_partial(&[]);
    assert_eq!(raw.run("SIZE up", 213).text, "213 6");
    assert_eq!(raw.fact("up", "size").as_deref(), Some("6"));
    assert_eq!(raw.fact("up", "type").as_deref(), Some("file"));
    let perm = raw.fact("up", "perm").unwrap_or_default();
    assert!(perm.contains('a') && !perm.contains('r'), "perm={perm}");
    // Another session of the same account is told as well: it is the one that goes on.
    assert_eq!(server.login().run("SIZE up", 213).text, "213 6");
}

#[test]
fn nobody_else_is_told_of_it_or_goes_on_with_it() {
    let (server, mut raw) = with_partial(&[]);
    let mut stranger = server.login_from(STRANGER);
    stranger.run("SIZE up", 550);
    stranger.run("MLST up", 550);
    stranger.run("REST 6", 350);
    stranger.begin_refused("STOR up", &[554]);
    cut(&server, &mut stranger, "STOR up", b"1234", 4);
    assert_eq!(stranger.run("SIZE up", 213).text, "213 4");
    assert_eq!(raw.run("SIZE up", 213).text, "213 6");
    assert_eq!(partials_in(&server.root).len(), 2);
}

#[test]
fn it_is_in_no_listing_and_nobody_reads_it() {
    let (server, mut raw) = with_partial(&["--anonymous", "full"]);
    server.write("whole", "");
    for command in ["LIST", "LIST -a", "NLST", "MLSD", "NLST *", "LIST .*"] {
        if let Some(data) = raw.begin_any(command) {
            let text = String::from_utf8(crate::support::read_all(data)).expect("UTF-8");
            raw.expect(226);
            assert!(
                !text.contains(TEMPORARY) && !text.contains(" up"),
                "{command} tells of it: {text}"
            );
        }
    }
    let hidden = partials_in(&server.root).concat();
    assert!(!raw.run("STAT /", 212).text.contains(&hidden));
    for name in ["up", &hidden] {
        for command in ["RETR", "NLST", "LIST", "MLSD"] {
            raw.begin_refused(&format!("{command} {name}"), &[550]);
        }
        for command in ["MDTM", "DELE", "RNFR", "SITE CHMOD 777"] {
            raw.run(&format!("{command} {name}"), 550);
        }
    }
    raw.refused(&format!("RETR {PARTIAL}x"));
    assert_eq!(raw.run("SIZE up", 213).text, "213 6");
}

#[test]
fn only_its_owner_learns_its_checksum() {
    let (server, mut raw) = with_partial(&[]);
    // ftp-client makes sure by it that the part is of the file that it is going to send the rest of.
    let told = raw.run("HASH up", 213).text;
    let sha256_of_abcdef = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721";
    assert!(told.contains(&format!("0-6 {sha256_of_abcdef}")), "{told}");
    let mut stranger = server.login_from(STRANGER);
    for command in ["HASH", "XCRC", "XMD5"] {
        stranger.run(&format!("{command} up"), 550);
        raw.run(
            &format!("{command} {}", partials_in(&server.root).concat()),
            550,
        );
    }
}

#[test]
fn of_two_that_go_on_with_it_only_one_gets_it() {
    let (server, mut first) = with_partial(&[]);
    first.run("REST 6", 350);
    let mut data = first.begin("STOR up");
    let mut second = server.login();
    second.run("SIZE up", 550);
    second.run("REST 6", 350);
    second.begin_refused("STOR up", &[554]);
    data.write_all(b"ghi").expect("the rest");
    drop(data);
    first.expect(226);
    assert_eq!(server.read("up"), b"abcdefghi");
    assert_eq!(names_in(&server.root), ["up"]);
}

/// Waits until there are unfinished uploads of these sizes.
#[track_caller]
fn wait_for_sizes(server: &Server, mut sizes: Vec<u64>) {
    sizes.sort_unstable();
    wait_until("the server to have the parts", || {
        let names = names_in(&server.root).into_iter();
        let files = names.filter_map(|name| std::fs::metadata(server.path(&name)).ok());
        let mut found: Vec<u64> = files.map(|file| file.len()).collect();
        found.sort_unstable();
        found == sizes
    });
}

#[test]
fn of_two_that_are_cut_at_the_same_time_the_first_is_kept_as_long_as_it_goes_on() {
    let server = Server::start();
    let (mut first, mut second) = (server.login(), server.login());
    let mut data = first.begin("STOR up");
    data.write_all(b"abcdef").expect("a part");
    wait_for_sizes(&server, vec![6]);
    let mut beside = second.begin("STOR up");
    beside.write_all(b"ABC").expect("a part");
    wait_for_sizes(&server, vec![6, 3]);
    // As long as the first goes on, nobody goes on from anything.
    reset(beside);
    second.expect_one_of(&[426, 451]);
    wait_for_sizes(&server, vec![6]);
    assert_eq!(partials_in(&server.root), [""; 0]);
    second.run("SIZE up", 550);
    reset(data);
    first.expect_one_of(&[426, 451]);
    assert_eq!(second.run("SIZE up", 213).text, "213 6");
    // One that begins beside what was cut takes its place, and one that goes on from there is the first again.
    cut(&server, &mut second, "STOR up", b"1234", 4);
    assert_eq!(second.run("SIZE up", 213).text, "213 4");
    first.run("TYPE I", 200);
    first.run("REST 4", 350);
    first.store("up", b"56");
    assert_eq!(server.read("up"), b"123456");
    assert_eq!(names_in(&server.root), ["up"]);
}

#[test]
fn whichever_of_two_is_whole_leaves_nothing_of_the_other() {
    for whole in [0, 1] {
        let server = Server::start();
        let mut sessions = [server.login(), server.login()];
        let mut data: Vec<_> = sessions
            .iter_mut()
            .map(|raw| {
                let mut data = raw.begin("STOR up");
                data.write_all(b"abc").expect("a part");
                Some(data)
            })
            .collect();
        wait_for_sizes(&server, vec![3, 3]);
        drop(data[whole].take());
        sessions[whole].expect(226);
        data.into_iter().flatten().for_each(reset);
        sessions[1 - whole].expect_one_of(&[426, 451]);
        assert_eq!(names_in(&server.root), ["up"], "{whole}");
        assert_eq!(server.read("up"), b"abc");
    }
}

#[test]
fn an_upload_from_the_start_takes_its_place() {
    let (server, mut raw) = with_partial(&[]);
    cut(&server, &mut raw, "STOR up", b"ABC", 3);
    assert_eq!(raw.run("SIZE up", 213).text, "213 3");
    assert_eq!(partials_in(&server.root).len(), 1);
    raw.store("up", b"new");
    assert_eq!(server.read("up"), b"new");
    assert_eq!(names_in(&server.root), ["up"]);
}

#[test]
fn a_resume_that_is_cut_again_keeps_what_came() {
    let (server, mut raw) = with_partial(&[]);
    raw.run("REST 6", 350);
    cut(&server, &mut raw, "STOR up", b"ghighighi", 15);
    assert_eq!(raw.run("SIZE up", 213).text, "213 15");
    cut(&server, &mut raw, "APPE up", b"+", 16);
    assert_eq!(raw.run("SIZE up", 213).text, "213 16");
    raw.run("REST 17", 350);
    raw.begin_refused("STOR up", &[554]);
    // The data connection of this one never comes, and what is there stays.
    raw.run("REST 16", 350);
    let _ = raw.epsv();
    raw.run("STOR up", 150);
    raw.send("ABOR");
    raw.expect_one_of(&[425, 426]);
    raw.expect(226);
    assert_eq!(raw.run("SIZE up", 213).text, "213 16");
    raw.run("REST 16", 350);
    raw.store("up", b".");
    assert_eq!(server.read("up"), b"abcdefghighighi+.");
}

#[test]
fn an_upload_goes_on_behind_four_gibibytes() {
    const END: u64 = (1 << 32) + 5;
    let (server, mut raw) = with_partial(&[]);
    let partial = server.path(&partials_in(&server.root).concat());
    let file = File::options().write(true).open(partial);
    file.expect("the partial").set_len(END).expect("holes");
    assert_eq!(raw.run("SIZE up", 213).text, format!("213 {END}"));
    raw.run(&format!("REST {END}"), 350);
    raw.store("up", b"the end");
    let size = std::fs::metadata(server.path("up"))
        .expect("the file")
        .len();
    assert_eq!(size, END + 7);
    raw.run(&format!("REST {}", END - 1), 350);
    assert_eq!(raw.fetch("up"), b"\0the end");
}

#[test]
fn a_folder_that_holds_only_partials_is_empty_to_clients() {
    let server = Server::with(&["--anonymous", "full"]);
    server.make_folder("d");
    let mut raw = server.login();
    raw.run("CWD d", 250);
    let mut data = raw.begin("STOR up");
    data.write_all(b"abc").expect("three bytes");
    let mut other = server.login();
    // Somebody is writing there: that is none that was cut.
    other.run("RMD d", 550);
    wait_until("the server to have the part", || {
        let names = names_in(&server.path("d"));
        let size = |name| std::fs::metadata(server.path("d").join(name)).map(|file| file.len());
        names.iter().any(|name| matches!(size(name), Ok(3)))
    });
    reset(data);
    raw.expect_one_of(&[426, 451]);
    assert_eq!(partials_in(&server.path("d")).len(), 1);
    other.run("RMD d", 250);
    assert_eq!(names_in(&server.root), [""; 0]);
}

#[test]
fn partials_and_leftovers_of_a_killed_server_are_swept() {
    let (mut killed, mut raw) = with_partial(&[]);
    killed.write("whole", "w");
    let mut data = raw.begin("STOR other");
    data.write_all(b"abc").expect("three bytes");
    wait_until("a temporary file", || !temporaries(&killed.root).is_empty());
    killed.signal(Signal::KILL);
    killed.ended();
    assert_eq!(names_in(&killed.root).len(), 3, "nothing to sweep is left");

    let outside = tempfile::tempdir().expect("a folder");
    let mut command = Server::command();
    command.args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--data-timeout",
        "1",
        "--keep-partials",
        "1",
        "--root",
    ]);
    command.arg(&killed.root);
    let sweeper = Server::from_command(command, outside);
    wait_until("the sweep", || names_in(&killed.root) == ["whole"]);
    sweeper.wait_for_log(&["removed", "unfinished uploads"]);
    sweeper.login().run("SIZE up", 550);
    assert_eq!(sweeper.login().fetch("whole"), b"w");
}
