//! `ftp-server user`: edits of the users file.

use crate::UsersFile;
use crate::support::{Server, finish, names_in};
use rexpect::session::spawn_command;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Output, Stdio};

/// Runs `ftp-server user` with a password in its standard input.
#[track_caller]
fn user(verb: &str, file: &Path, more: &[&str], password: &str) -> Output {
    let mut child = Server::command()
        .args(["user", verb])
        .arg(file)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server's binary runs");
    let mut input = child.stdin.take().expect("its standard input");
    // It may end without a look at it.
    let _ = writeln!(input, "{password}");
    drop(input);
    finish(&mut child, &format!("ftp-server user {verb}"));
    child.wait_with_output().expect("its output")
}

#[track_caller]
fn done(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!errors.contains("panicked"), "{errors}");
    errors
}

/// Adds an account with the password `name` + `!`.
#[track_caller]
pub(crate) fn add(users: &UsersFile, name: &str, flags: &[&str]) {
    let more = [&[name], flags].concat();
    done(&user("add", &users.path(), &more, &format!("{name}!")));
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("the users file");
    metadata.permissions().mode() & 0o7777
}

#[test]
fn accounts_come_and_go_while_the_server_runs() {
    let users = UsersFile::new("");
    let server = users.server(&[]);
    add(&users, "anna", &[]);
    crate::log_in(&server, "anna").run("MKD d", 257);
    add(
        &users,
        "bert",
        &["--permissions", "list,upload", "--root", "in"],
    );
    let mut bert = crate::log_in(&server, "bert");
    bert.store("b", b"b");
    assert_eq!(server.read("in/b"), b"b");
    bert.begin_refused("RETR b", &[550]);
    assert_eq!(
        done(&user("list", &users.path(), &[], "")),
        "anna\twrite\t/\nbert\tlist,upload\t/in\n"
    );
    done(&user("passwd", &users.path(), &["anna"], "other"));
    let mut raw = server.connect();
    crate::fail(&mut raw, "anna", "anna!");
    raw.run("USER anna", 331);
    raw.run("PASS other", 230);
    done(&user("remove", &users.path(), &["anna"], ""));
    crate::fail(&mut server.connect(), "anna", "other");
    assert_eq!(mode(&users.path()), 0o600);
}

#[test]
fn a_missing_file_is_made_for_its_owner_alone() {
    let users = UsersFile::new("");
    std::fs::remove_file(users.path()).expect("it goes");
    add(&users, "anna", &[]);
    assert_eq!(mode(&users.path()), 0o600);
    let text = users.text();
    assert!(
        text.starts_with("[anna]\npassword = \"$argon2id$v=19$m=19456,t=2,p=1$"),
        "{text}"
    );
    assert!(text.ends_with("\npermissions = \"write\"\n"), "{text}");
    assert!(!text.contains("anna!"), "{text}");
}

#[test]
fn what_people_wrote_stays() {
    let hash = crate::account("x", "");
    let hash = hash.lines().nth(1).expect("its password");
    let text = format!(
        "# Accounts of the lab.\n\n[zoe]  # first\n{hash}  # set in May\npermissions = [\"list\", 'upload']\n\n\
         # The other one.\n[anna]\npermissions = 'read'\n{hash}\nquota = 1_000\n"
    );
    let users = UsersFile::new(&text);
    std::fs::set_permissions(users.path(), Permissions::from_mode(0o644)).expect("its mode");
    add(&users, "b.c", &[]);
    assert!(users.text().starts_with(&text), "{}", users.text());
    assert_eq!(mode(&users.path()), 0o600);
    done(&user("remove", &users.path(), &["b.c"], ""));
    assert_eq!(users.text(), text);
    done(&user("passwd", &users.path(), &["zoe"], "new"));
    let now = users.text();
    let without_hash = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        let comment = lines[3]
            .split_once("\"  # ")
            .expect("the comment")
            .1
            .to_owned();
        lines.remove(3);
        (lines.join("\n"), comment)
    };
    assert_ne!(now, text);
    assert_eq!(without_hash(&now), without_hash(&text));
    done(&user("remove", &users.path(), &["zoe"], ""));
    assert!(
        users.text().contains("# The other one.\n[anna]"),
        "{}",
        users.text()
    );
    // Nothing is left beside it.
    let folder = users.path().parent().expect("a folder").to_owned();
    assert_eq!(names_in(&folder), ["users.toml"]);
}

#[test]
fn a_link_to_the_file_stays_one() {
    let users = UsersFile::new("");
    let link = users.path().with_file_name("link");
    symlink("users.toml", &link).expect("a link");
    done(&user("add", &link, &["anna"], "x"));
    assert!(users.text().contains("[anna]"));
    assert!(
        std::fs::symlink_metadata(&link)
            .expect("a link")
            .is_symlink()
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let good = crate::account("anna", "permissions = 'read'");
    let users = UsersFile::new(&good);
    let path = users.path();
    for (verb, more, password, part) in [
        (
            "add",
            &["anna"][..],
            "x",
            "there is an account anna already",
        ),
        ("add", &["ftp"], "x", "--anonymous"),
        ("add", &["a\tb"], "x", "control characters"),
        ("add", &["bert"], "", "at least one character"),
        ("add", &["bert"], "a\tb", "no control characters"),
        ("add", &["bert", "--permissions", "all"], "x", "\"all\""),
        ("add", &["bert", "--root", "../x"], "x", "root"),
        ("passwd", &["bert"], "x", "there is no account bert"),
        ("remove", &["bert"], "", "there is no account bert"),
    ] {
        let errors = refused(&user(verb, &path, more, password));
        assert!(errors.contains(part), "{verb} {more:?}: {errors}");
        assert_eq!(users.text(), good);
    }
    let broken = format!("{good}\n[bert]\nx = 1\n");
    users.put(&broken);
    for (verb, more) in [("add", &["carl"][..]), ("remove", &["anna"]), ("list", &[])] {
        let errors = refused(&user(verb, &path, more, "x"));
        assert!(errors.contains("line 6, column 1"), "{verb}: {errors}");
        assert_eq!(users.text(), broken);
    }
    let missing = path.with_file_name("missing");
    for (verb, more) in [
        ("passwd", &["anna"][..]),
        ("remove", &["anna"]),
        ("list", &[]),
    ] {
        let errors = refused(&user(verb, &missing, more, "x"));
        assert!(errors.contains("missing"), "{verb}: {errors}");
    }
    assert!(!missing.exists());
}

#[test]
fn on_a_terminal_the_password_is_asked_for_twice_and_not_shown() {
    let users = UsersFile::new("");
    let ask = |again: &str| {
        let mut command = Server::command();
        command.args(["user", "add"]).arg(users.path()).arg("anna");
        let mut terminal = spawn_command(command, Some(30_000)).expect("a terminal");
        let mut seen = terminal.exp_string("Password of anna: ").expect("a prompt");
        terminal.send_line("s3cret").expect("typing");
        seen += &terminal.exp_string("Again: ").expect("a prompt");
        terminal.send_line(again).expect("typing");
        seen += &terminal.exp_eof().expect("its end");
        assert!(!seen.contains("s3cret") && !seen.contains(again), "{seen}");
        seen
    };
    assert!(ask("s3cret?").contains("the two passwords differ"));
    assert_eq!(users.text(), "");
    ask("s3cret");
    let server = users.server(&[]);
    let mut raw = server.connect();
    raw.run("USER anna", 331);
    raw.run("PASS s3cret", 230);
}
