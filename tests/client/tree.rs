//! Trees from servers that list what they should not, and servers with little room.

use super::fake::{Place, Server, Session, check};

/// Answers a listing of a folder.
#[track_caller]
pub fn lists(s: &mut Session, folder: &str, rows: &str) {
    let data = s.epsv();
    s.expect(&format!("MLSD {folder}"), "150 here it comes");
    data.send(rows.as_bytes());
    s.say("226 done");
}

#[track_caller]
fn sends(s: &mut Session, name: &str, content: &str) {
    s.expect(&format!("SIZE {name}"), &format!("213 {}", content.len()));
    let data = s.epsv();
    s.expect(&format!("RETR {name}"), "150 here it comes");
    data.send(content.as_bytes());
    s.say("226 done");
}

#[test]
fn no_name_in_a_listing_leads_out_of_the_target() {
    let place = Place::new();
    let run = check(&place, "get -r d", 0, |s| {
        s.login();
        lists(
            s,
            "d",
            "type=file; ../up\r\ntype=dir; ..\r\ntype=dir; ../../up\r\ntype=file; /abs\r\n\
             type=dir; /tmp\r\ntype=file; a/b\r\ntype=file; a\\b\r\ntype=file; x\x1b[2J\r\n\
             type=dir; ok\r\ntype=cdir; .\r\n",
        );
        lists(s, "d/ok", "type=file;size=5; f\r\n");
        s.expect("TYPE I", "200 image");
        // The listing has told its size.
        let data = s.epsv();
        s.expect("RETR d/ok/f", "150 here it comes");
        data.send(b"hello");
        s.say("226 done");
        s.quit();
    });
    run.tells("left out 7 that the server listed");
    let names: Vec<_> = std::fs::read_dir(place.path("client_downloads/d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["ok"]);
    let ours = std::fs::read_dir(place.path("")).unwrap();
    assert_eq!(ours.count(), 1, "nothing but the downloads");
    let content = std::fs::read(place.path("client_downloads/d/ok/f")).unwrap();
    assert_eq!(content, b"hello");
}

#[test]
fn a_server_that_is_gone_is_not_asked_for_each_of_the_files() {
    let place = Place::new();
    let server = Server::play(|s| {
        s.login();
        s.expect("TYPE I", "200 image");
    });
    let port = server.port.to_string();
    let arguments = ["--port", &port, "--retries", "1"];
    let run = place.run(&arguments, None, "mget a b c");
    assert_eq!(run.code, Some(3), "{run}");
    run.tells("1 of 3 failed and 2 were not begun, the first was: a: cannot connect");
    server.finish(&run);
}

#[test]
fn folders_without_end_have_an_end() {
    let place = Place::new();
    let run = check(&place, "get -r d", 1, |s| {
        s.login();
        let mut folder = "d".to_owned();
        for _ in 0..=100 {
            lists(s, &folder, "type=dir; d\r\n");
            folder += "/d";
        }
        s.quit();
    });
    run.tells("a link may lead in a circle");
}

#[test]
fn a_folder_that_is_not_there_leaves_none_here() {
    let place = Place::new();
    let run = check(&place, "get -r d", 1, |s| {
        s.login();
        let _data = s.epsv();
        s.expect("MLSD d", "550 no such folder");
        let _data = s.epsv();
        s.expect("LIST d", "550 no such folder");
        s.quit();
    });
    run.tells("550 no such folder");
    assert!(!place.path("client_downloads/d").exists());
}

#[test]
fn a_folder_that_is_there_already_is_used() {
    let place = Place::new();
    place.write("d/f", b"hello");
    for reply in ["521 it is there", "550 d: File already exists"] {
        check(&place, "put -r d", 0, move |s| {
            s.login();
            s.expect("MKD d", reply);
            s.expect("TYPE I", "200 image");
            let data = s.epsv();
            s.expect("STOR d/f.part", "150 go");
            assert_eq!(data.receive().unwrap(), b"hello");
            s.say("226 done");
            s.named("d/f");
            s.quit();
        });
    }
}

#[test]
fn a_helper_that_is_not_let_in_is_done_without() {
    for refusal in ["421 too many", "530 not you"] {
        let place = Place::new();
        let server = Server::with(move |listener| {
            let mut s = Session::accept(&listener);
            s.login();
            s.expect("PWD", "257 \"/\" it is");
            let mut helper = Session::accept(&listener);
            match refusal {
                "421 too many" => helper.say(refusal),
                _ => {
                    helper.say("220 ready");
                    helper.expect("USER anonymous", refusal);
                }
            }
            s.expect("TYPE I", "200 image");
            for name in ["a", "b", "c"] {
                sends(&mut s, name, name);
            }
            s.quit();
        });
        let port = server.port.to_string();
        let run = place.run(&["--port", &port, "--jobs", "2"], None, "mget a b c");
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(place.downloads().len(), 3, "{run}");
        run.tells("got 3 of 3 files");
        server.finish(&run);
    }
}

#[test]
fn a_helper_that_gets_no_data_connection_gives_its_file_back() {
    let place = Place::new();
    let server = Server::with(|listener| {
        let mut s = Session::accept(&listener);
        s.login();
        s.expect("PWD", "257 \"/\" it is");
        s.expect("TYPE I", "200 image");
        let mut helper = Session::accept(&listener);
        helper.login();
        helper.expect("CWD /", "250 there");
        helper.expect("TYPE I", "200 image");
        helper.expect("SIZE b", "213 1");
        let _data = helper.epsv();
        helper.expect("RETR b", "425 no more");
        helper.quit();
        for name in ["a", "b"] {
            sends(&mut s, name, name);
        }
        s.quit();
    });
    let port = server.port.to_string();
    let run = place.run(&["--port", &port, "--jobs", "2"], None, "mget a b");
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(place.downloads().len(), 2, "{run}");
    server.finish(&run);
}
