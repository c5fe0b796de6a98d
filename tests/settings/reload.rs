//! What a SIGHUP does: it reads the file again, and tells what that has changed.

use crate::SettingsFile;
use crate::support::Raw;
use rustix::process::Signal;
use std::fs;

#[test]
fn a_signal_reads_the_file_again_and_tells_what_has_changed() {
    let file = SettingsFile::new("port = 1\nanonymous = 'write'");
    // The flags of every test's server go first, `--port` among them.
    let flags = ["--idle-timeout", "200", "--sandbox", "auto"];
    let server = file.server(&flags, &[("FTP_SERVER_DATA_TIMEOUT", "20")]);
    let mut early = server.login();
    file.put(
        "port = 2\nanonymous = 'read'\nmax-clients = 2\nidle-timeout = 7\ndata-timeout = 7\n\
         public-address = '192.0.2.7'\nhash-jobs = 3\nverbose = 1",
    );
    server.signal(Signal::HUP);
    // Changes are told in the order of `--help`, of which this is the last.
    server.wait_for_log(&["verbose 0 -> 1"]);
    let log = server.log();
    for line in [
        "anonymous write -> read\n",
        "max-clients 2000 -> 2\n",
        "public-address unset -> 192.0.2.7\n",
        "hash-jobs unset -> 3 needs a restart\n",
    ] {
        assert!(log.contains(line), "no {line:?} in the log");
    }
    for key in ["port 1", "idle-timeout", "data-timeout"] {
        assert!(!log.contains(key), "{key} has not changed");
    }
    // Who was there before keeps to what there was then.
    early.store("early", b"early");
    let mut late = server.login();
    server.wait_for_log(&["PASV tells clients of other networks 192.0.2.7,"]);
    late.begin_refused("STOR late", &[550]);
    assert_eq!(late.fetch("early"), b"early");
    server.wait_for_log(&["DEBUG"]);
    Raw::dial(server.address).expect(421);
}

#[test]
fn what_needs_a_restart_stays_as_it_is() {
    let file = SettingsFile::new("tls = 'off'\nmax-clients = 2");
    let server = file.server(&[], &[]);
    for clients in [3, 4] {
        file.put(&format!(
            "tls = 'require'\nmax-clients = {clients}\nroot = '/nowhere'"
        ));
        server.signal(Signal::HUP);
        server.wait_for_log(&[&format!("max-clients {} -> {clients}", clients - 1)]);
    }
    server.wait_for_log(&["tls off -> require needs a restart"]);
    let mut raw = server.login();
    raw.run("AUTH TLS", 502);
    raw.store("a", b"a");
    assert_eq!(server.read("a"), b"a");
}

#[test]
fn who_begins_or_ends_to_be_quiet_is_told_so() {
    let file = SettingsFile::new("quiet = true");
    let server = file.server(&[], &[]);
    for (now, before) in [(false, true), (true, false)] {
        file.put(&format!("quiet = {now}"));
        server.signal(Signal::HUP);
        server.wait_for_log(&[&format!("quiet {before} -> {now}")]);
    }
    let log = server.log();
    server.login().run("QUIT", 221);
    assert_eq!(server.log(), log);
}

#[test]
fn a_broken_file_changes_nothing_until_it_is_mended() {
    let file = SettingsFile::new("anonymous = 'read'");
    let server = file.server(&[], &[]);
    for (broken, part) in [
        ("anonymous = 'write'\nprot = 1", "line 2, column 1"),
        ("anonymous = 'write'\nkeep-partials = 1", "data-timeout"),
        ("anonymous = 'write'\ntls-cert = 'x'", "tls-key"),
        ("anonymous = 'write'\n[", "line 2"),
    ] {
        file.put(broken);
        server.signal(Signal::HUP);
        server.wait_for_log(&["ERROR", part, "the settings stay as they were"]);
        server.login().begin_refused("STOR a", &[550]);
    }
    fs::remove_file(file.path()).expect("the file is removed");
    server.signal(Signal::HUP);
    server.wait_for_log(&[
        "ERROR",
        "cannot read the settings file",
        "stay as they were",
    ]);
    file.put("anonymous = 'write'");
    server.signal(Signal::HUP);
    server.wait_for_log(&["anonymous read -> write"]);
    server.login().store("a", b"a");
    // What the file says no more is as if it had never been said.
    file.put("");
    server.signal(Signal::HUP);
    server.wait_for_log(&["anonymous write -> unset"]);
    server.login().store("a", b"b");
}
