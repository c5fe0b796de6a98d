//! HASH (draft-bryan-ftpext-hash) and XSHA256, XSHA1, XMD5, XCRC, by which clients check what they copied.

use crate::support::{Pattern, Raw, Server};
use sha2::{Digest, Sha256};

/// The checksums of `abc`, as FIPS 180 and RFC 1321 have them, and CRC-32 of ISO 3309.
const ABC: [(&str, &str, &str); 4] = [
    (
        "SHA-256",
        "XSHA256",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    ("SHA-1", "XSHA1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("MD5", "XMD5", "900150983cd24fb0d6963f7d28e17f72"),
    ("CRC32", "XCRC", "352441c2"),
];

fn with_abc() -> (Server, Raw) {
    let server = Server::start();
    server.write("a b.txt", "abc");
    server.make_folder("d");
    let raw = server.login();
    (server, raw)
}

#[test]
fn known_values() {
    let (_server, mut raw) = with_abc();
    for (name, verb, digest) in ABC {
        raw.run(&format!("OPTS HASH {name}"), 200);
        // `213 SHA-256 0-3 ba78… path`
        let reply = raw.run("HASH a b.txt", 213);
        let words: Vec<&str> = reply.text.splitn(5, ' ').collect();
        assert_eq!(words[..2], ["213", name]);
        assert_eq!(words[2], "0-3", "{reply}");
        assert!(words[3].eq_ignore_ascii_case(digest), "{reply}");
        assert!(words[4].ends_with("a b.txt"), "{reply}");
        // GlobalScape's and others' clients put the name in quotes.
        for path in ["a b.txt", "\"a b.txt\"", "/a b.txt"] {
            let reply = raw.run(&format!("{verb} {path}"), 250);
            assert!(
                reply.text[4..].eq_ignore_ascii_case(digest),
                "{verb} {path}: {reply}"
            );
        }
    }
}

#[test]
fn empty_and_long_files() {
    let (server, mut raw) = with_abc();
    server.write("empty", "");
    let reply = raw.run("XCRC empty", 250);
    assert_eq!(reply.text, "250 00000000");
    let bytes = Pattern::bytes(1, 1_000_003);
    server.write("long", &bytes);
    let digest = Sha256::digest(&bytes);
    let expected = digest
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let reply = raw.run("HASH long", 213);
    assert!(
        reply.text.contains(&format!(" 0-1000003 {expected} ")),
        "{reply}"
    );
}

#[test]
fn opts_hash_says_and_chooses() {
    let (server, mut raw) = with_abc();
    assert_eq!(raw.run("OPTS HASH", 200).text, "200 SHA-256");
    assert!(raw.run("FEAT", 211).text.contains("SHA-256*"));
    assert_eq!(raw.run("opts hash md5", 200).text, "200 MD5");
    assert_eq!(raw.run("OPTS HASH", 200).text, "200 MD5");
    let feat = raw.run("FEAT", 211);
    assert!(
        feat.text.contains("MD5*") && !feat.text.contains("SHA-256*"),
        "{feat}"
    );
    for line in ["OPTS HASH SHA-9", "OPTS HASH MD5 MD5", "OPTS HASH *"] {
        raw.run(line, 501);
    }
    assert!(raw.run("HASH a b.txt", 213).text.starts_with("213 MD5 "));
    // It is of the session and not of the server.
    assert_eq!(server.login().run("OPTS HASH", 200).text, "200 SHA-256");
}

#[test]
fn what_has_no_checksum() {
    let (server, mut raw) = with_abc();
    for verb in ["HASH", "XSHA256", "XSHA1", "XSHA", "XMD5", "XCRC"] {
        for path in [
            "missing",
            "d",
            "/",
            "a b.txt/x",
            "\"missing\"",
            "\"",
            "../../etc/passwd",
        ] {
            raw.run(&format!("{verb} {path}"), 550);
        }
        raw.run(verb, 501);
        server.connect().run(&format!("{verb} a b.txt"), 530);
    }
}
