//! Transfers that were cut, and go on where they stopped.

use super::fake::{Place, Run, Session, check, check_with};

/// The first attempt at `hello, world`: what has come after `hello, ` is lost.
fn cut(place: &Place) {
    let run = check(place, "get f", 1, |s| {
        s.login_able();
        asked(s, 12, "20260102030405");
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        data.send(b"hello, ");
        s.say("426 oh");
        s.quit();
    });
    run.tells("426 oh");
}

fn asked(s: &mut Session, size: u64, time: &str) {
    s.expect("TYPE I", "200 image");
    s.expect("SIZE f", &format!("213 {size}"));
    s.expect("MDTM f", &format!("213 {time}"));
}

/// A download of `f`, to which `bytes` come. `rest` is the reply to the `REST 7` that goes before it, if there is one.
fn download(s: &mut Session, rest: Option<&str>, bytes: &[u8]) {
    let data = s.epsv();
    if let Some(reply) = rest {
        s.expect("REST 7", reply);
    }
    s.expect("RETR f", "150 here it comes");
    data.send(bytes);
    s.say("226 done");
}

/// Checks that the file has come whole, and that nothing else is left.
#[track_caller]
fn whole(place: &Place, run: &Run) {
    let file = ("f".into(), "hello, world".into());
    assert_eq!(place.downloads(), [file], "{run}");
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let place = Place::new();
    place.write("client_downloads/f", b"old");
    cut(&place);
    let names: Vec<String> = place
        .downloads()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["f", "f.part", "f.part.facts"]);
    let run = check(&place, "get f", 0, |s| {
        s.login_able();
        asked(s, 12, "20260102030405");
        download(s, Some("350 go on"), b"world");
        s.expect("HASH f", "213 CRC32 0-12 ffab723a f");
        s.quit();
    });
    run.tells("going on after 7 bytes");
    whole(&place, &run);
    let time = std::fs::metadata(place.path("client_downloads/f"))
        .unwrap()
        .modified()
        .unwrap();
    let seconds = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert_eq!(seconds, 1_767_323_045, "the time that the server said");
}

#[test]
fn a_file_that_changed_since_is_fetched_from_the_start() {
    let place = Place::new();
    cut(&place);
    let run = check(&place, "get f", 0, |s| {
        s.login_able();
        asked(s, 3, "20260102030406");
        download(s, None, b"new");
        s.quit();
    });
    assert_eq!(place.downloads(), [("f".into(), "new".into())], "{run}");
}

#[test]
fn a_bad_joint_is_noticed_and_the_file_fetched_from_the_start() {
    let place = Place::new();
    cut(&place);
    let run = check(&place, "get f", 0, |s| {
        s.login_able();
        asked(s, 12, "20260102030405");
        // Of the same size and time, and all the same another file.
        download(s, Some("350 go on"), b"WORLD");
        s.expect("HASH f", "213 CRC32 0-12 ffab723a f");
        download(s, None, b"hello, world");
        s.quit();
    });
    whole(&place, &run);
}

#[test]
fn a_server_that_takes_no_rest_sends_the_file_from_the_start() {
    let place = Place::new();
    cut(&place);
    let run = check(&place, "get f", 0, |s| {
        s.login_able();
        asked(s, 12, "20260102030405");
        download(s, Some("502 not now"), b"hello, world");
        s.quit();
    });
    whole(&place, &run);
}

#[test]
fn a_file_that_is_replaced_between_size_and_retr_is_fetched_as_it_is_now() {
    let place = Place::new();
    let run = check(&place, "get f", 0, |s| {
        s.login_able();
        asked(s, 12, "20260102030405");
        download(s, None, b"new");
        s.expect("SIZE f", "213 3");
        s.expect("MDTM f", "213 20260102030406");
        download(s, None, b"new");
        s.quit();
    });
    assert_eq!(place.downloads(), [("f".into(), "new".into())], "{run}");
}

#[test]
fn a_tebibyte_goes_on_near_its_end_and_its_checksum_takes_the_time_that_it_takes() {
    const SIZE: u64 = 1 << 40;
    let place = Place::new();
    check(&place, "get f", 1, |s| {
        s.login_able();
        asked(s, SIZE, "20260102030405");
        let data = s.epsv();
        s.expect("RETR f", "150 here it comes");
        data.send(b"hello, ");
        s.say("426 oh");
        s.quit();
    });
    let part = place.path("client_downloads/f.part");
    let part = std::fs::File::options().write(true).open(part).unwrap();
    part.set_len(SIZE - 5).unwrap();
    let arguments = ["--port", "{port}", "--timeout", "1"];
    let run = check_with(&place, &arguments, "get f", 0, |s| {
        s.login_able();
        asked(s, SIZE, "20260102030405");
        let data = s.epsv();
        s.expect(&format!("REST {}", SIZE - 5), "350 go on");
        s.expect("RETR f", "150 here it comes");
        data.send(b"world");
        s.say("226 done");
        assert_eq!(s.command(), "HASH f");
        // Longer than the client waits where there is nothing to read all of.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        // With a checksum the client would read all of it, too.
        s.say("550 not now");
        s.quit();
    });
    run.tells("got f: 5 bytes");
    run.tells("going on after 1024 GiB");
    let file = std::fs::metadata(place.path("client_downloads/f")).unwrap();
    assert_eq!(file.len(), SIZE);
}
