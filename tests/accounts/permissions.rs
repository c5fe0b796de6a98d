//! What each permission allows, and no more than that.

use crate::support::{Raw, Server, partials_in, read_all, reset};
use crate::{UsersFile, account, begin_part, log_in};
use std::io::Write;
use std::net::Shutdown;

/// What the account may do of all that there is to do.
#[track_caller]
fn allowed(server: &Server, raw: &mut Raw) -> Vec<&'static str> {
    for name in ["f", "gone", "old"] {
        server.write(name, "abc");
    }
    server.make_folder("empty");
    let mut done = Vec::new();
    for (name, command) in [
        ("list", "LIST"),
        ("mlsd", "MLSD"),
        ("retr", "RETR f"),
        ("stor", "STOR new"),
        ("appe", "APPE f"),
    ] {
        if let Some(data) = raw.begin_any(command) {
            data.shutdown(Shutdown::Write).expect("the end of the data");
            read_all(data);
            raw.expect(226);
            done.push(name);
        }
    }
    for (name, line) in [
        ("cwd", "CWD empty"),
        ("pwd", "PWD"),
        ("cdup", "CDUP"),
        ("size", "SIZE f"),
        ("mlst", "MLST f"),
        ("mdtm", "MDTM f"),
        ("stat", "STAT /"),
        ("hash", "HASH f"),
        ("xmd5", "XMD5 f"),
        ("mfmt", "MFMT 20200101000000 f"),
        ("utime", "SITE UTIME 202001010000 f"),
        ("mdtm=", "MDTM 20200101000000 f"),
        ("mkd", "MKD made"),
        ("rmd", "RMD empty"),
        ("dele", "DELE gone"),
        ("rnfr", "RNFR old"),
        ("chmod", "SITE CHMOD 600 f"),
    ] {
        raw.send(line);
        let reply = raw.reply();
        match reply.code {
            350 => drop(raw.run("RNTO older", 250)),
            550 => continue,
            code => assert!(code < 300, "{line}: {reply}"),
        }
        done.push(name);
    }
    done
}

#[test]
fn each_permission_allows_its_commands_and_no_others() {
    const LIST: [&str; 3] = ["list", "mlsd", "stat"];
    const SEE: [&str; 3] = ["size", "mlst", "mdtm"];
    const DOWNLOAD: [&str; 3] = ["retr", "hash", "xmd5"];
    const UPLOAD: [&str; 5] = ["stor", "appe", "mfmt", "utime", "mdtm="];
    const ALWAYS: [&str; 3] = ["cwd", "pwd", "cdup"];
    for (permissions, expected) in [
        ("['list']", vec![&LIST[..], &SEE]),
        ("['download']", vec![&SEE, &DOWNLOAD]),
        ("['upload']", vec![&UPLOAD]),
        ("['mkdir']", vec![&["mkd"]]),
        ("['delete']", vec![&["rmd", "dele"]]),
        ("['rename']", vec![&["rnfr"]]),
        ("['chmod']", vec![&["chmod"]]),
        ("'read'", vec![&LIST, &SEE, &DOWNLOAD]),
        ("'write'", vec![&LIST, &SEE, &DOWNLOAD, &UPLOAD, &["mkd"]]),
        (
            "'full'",
            vec![
                &LIST,
                &SEE,
                &DOWNLOAD,
                &UPLOAD,
                &["mkd", "rmd", "dele", "rnfr", "chmod"],
            ],
        ),
    ] {
        let users = UsersFile::new(&account("anna", &format!("permissions = {permissions}")));
        let server = users.server(&[]);
        let mut done = allowed(&server, &mut log_in(&server, "anna"));
        let mut expected = [expected.concat(), ALWAYS.to_vec()].concat();
        done.sort_unstable();
        expected.sort_unstable();
        assert_eq!(done, expected, "{permissions}");
    }
}

#[test]
fn the_perm_fact_tells_what_the_account_may_do() {
    for (permissions, folder, file) in [
        ("'read'", "el", "r"),
        ("['list', 'upload']", "cel", "aw"),
        ("['download', 'delete']", "dep", "dr"),
        ("'full'", "cdeflmp", "adfrw"),
    ] {
        let users = UsersFile::new(&account("anna", &format!("permissions = {permissions}")));
        let server = users.server(&[]);
        server.make_folder("d");
        server.write("f", "");
        let mut raw = log_in(&server, "anna");
        assert_eq!(raw.fact("d", "perm").as_deref(), Some(folder));
        assert_eq!(raw.fact("f", "perm").as_deref(), Some(file));
    }
}

#[test]
fn who_can_only_upload_sees_nothing_but_its_own_cut_uploads() {
    let users = UsersFile::new(
        &[
            account("anna", "permissions = ['upload']"),
            account("bert", "permissions = ['upload']"),
        ]
        .concat(),
    );
    let server = users.server(&[]);
    server.write("there", "abc");
    let mut raw = log_in(&server, "anna");
    for line in [
        "SIZE there",
        "MLST there",
        "MDTM there",
        "HASH there",
        "SIZE missing",
    ] {
        let reply = raw.run(line, 550);
        assert!(
            reply.text.contains("anna may not") || line == "HASH there",
            "{reply}"
        );
    }
    let data = begin_part(&server.root, &mut raw, "STOR up", b"abcdef");
    reset(data);
    raw.expect(426);
    assert_eq!(partials_in(&server.root).len(), 1);
    assert_eq!(raw.run("SIZE up", 213).text, "213 6");
    log_in(&server, "bert").run("SIZE up", 550);
    raw.run("REST 6", 350);
    let mut data = raw.begin("STOR up");
    data.write_all(b"ghi").expect("the rest");
    drop(data);
    raw.expect(226);
    assert_eq!(server.read("up"), b"abcdefghi");
    raw.run("SIZE up", 550);
}
