//! Commands that nobody types: `-c`, `-b`, lines that may fail, and passwords from `~/.netrc`.

use super::fake::{Place, Run, Server, Session, check, check_with};
use std::os::unix::fs::PermissionsExt;

/// Runs a client with these arguments and nothing on standard input, and checks how it ended.
#[track_caller]
fn scripted(
    place: &Place,
    arguments: &[&str],
    typed: &str,
    code: i32,
    script: impl FnOnce(&mut Session) + Send + 'static,
) -> Run {
    let arguments = [&["--port", "{port}"], arguments].concat();
    check_with(place, &arguments, typed, code, script)
}

#[test]
fn commands_of_the_command_line_are_parted_by_semicolons() {
    let place = Place::new();
    let run = scripted(&place, &["-c", "cd 'a;b'; pwd;"], "nonsense", 0, |s| {
        s.login();
        s.expect("CWD a;b", "250 there");
        s.expect("PWD", "257 \"/a;b\"");
        s.expect("PWD", "257 \"/a;b\"");
        s.quit();
    });
    assert_eq!(run.out, "/a;b\n", "{run}");
    let run = scripted(&place, &["-c", "cd x; pwd"], "", 1, |s| {
        s.login();
        s.expect("CWD x", "550 no such folder");
        s.quit();
    });
    run.tells("line 1: cd x: the server answered \"550 no such folder\"");
    scripted(&place, &["-c", "-rm x; exit"], "", 0, |s| {
        s.login();
        s.expect("DELE x", "550 no such file");
        s.quit();
    });
}

#[test]
fn lines_of_a_file() {
    let place = Place::new();
    place.write("lines", b"# first\npwd\n");
    for (arguments, typed) in [(["-b", "lines"], ""), (["-b", "-"], "pwd\n")] {
        let run = scripted(&place, &arguments, typed, 0, |s| {
            s.login();
            s.expect("PWD", "257 \"/\"");
            s.quit();
        });
        assert_eq!(run.out, "/\n", "{run}");
    }
    scripted(&place, &["-b", "missing"], "", 7, |s| {
        s.login();
        s.quit();
    })
    .tells("cannot read commands from missing");
    let run = place.run(&["-b", "lines", "-c", "pwd"], None, "");
    assert_eq!(run.code, Some(2), "{run}");
}

#[test]
fn a_line_that_begins_with_a_dash_may_fail() {
    let run = check(&Place::new(), "-rm a\n- frobnicate\n-exit\npwd", 0, |s| {
        s.login();
        s.expect("DELE a", "550 no such file");
        s.quit();
    });
    run.tells("rm a: the server answered \"550 no such file\"");
    run.tells("help shows all");
}

#[test]
fn netrc_has_names_and_passwords_of_its_owner_only() {
    let place = Place::new();
    place.write(
        ".netrc",
        b"machine 127.0.0.1 login me password s3cret\nmachine other login you password x\n",
    );
    let private = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.path(".netrc"), permissions).unwrap();
    };
    private(0o600);
    let run = scripted(&place, &["-v", "-c", "exit"], "", 0, |s| {
        s.say("220 ready");
        s.expect("USER me", "331 password?");
        s.expect("PASS s3cret", "230 in");
        s.expect("FEAT", "500 what?");
        s.quit();
    });
    assert!(!run.err.contains("s3cret"), "{run}");
    private(0o644);
    let run = scripted(&place, &["-c", "exit"], "", 7, |s| {
        s.say("220 ready");
        s.expect("USER me", "331 password?");
        assert_eq!(s.command(), "");
    });
    run.tells("chmod 600 ~/.netrc");
    assert!(!run.err.contains("s3cret"), "{run}");
    // A file that everybody can read does no harm as long as nothing of it is needed.
    scripted(&place, &["--user", "you", "-c", "exit"], "", 2, |s| {
        s.say("220 ready");
        s.expect("USER you", "331 password?");
        assert_eq!(s.command(), "");
    })
    .tells("set FTP_PASSWORD");
}

#[test]
fn the_password_of_one_server_is_not_told_to_another() {
    let place = Place::new();
    let second = Server::play(|s| {
        s.say("220 ready");
        s.expect("USER me", "331 password?");
        assert_eq!(s.command(), "");
    });
    let first = Server::play(|s| {
        s.say("220 ready");
        s.expect("USER me", "331 password?");
        s.expect("PASS s3cret", "230 in");
        s.expect("FEAT", "500 what?");
        s.quit();
    });
    let run = place.run(
        &["--port", &first.port.to_string(), "--user", "me"],
        Some("s3cret"),
        format!("open ftp://me@localhost:{}/", second.port),
    );
    assert_eq!(run.code, Some(2), "{run}");
    first.finish(&run);
    second.finish(&run);
}

#[test]
fn pages_for_packagers() {
    let place = Place::new();
    for (arguments, part) in [
        (&["completions", "bash"][..], "--downloads"),
        (&["completions", "fish"], "downloads"),
        (&["man"], ".TH ftp-client 1"),
    ] {
        let run = place.run(arguments, None, "");
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.out.contains(part), "{run}");
        // What is for packagers is not offered to everybody.
        assert!(!run.out.contains("completions"), "{run}");
    }
    let help = place.run(&["--help"], None, "").out;
    assert!(help.starts_with("Opens an ftp> prompt"), "{help}");
    assert!(!help.contains("completions"), "{help}");
}
