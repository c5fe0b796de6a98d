//! A client that nobody here wrote: libcurl lists, downloads and uploads.

mod support;

use curl::easy::Easy;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use support::{PATIENCE, Pattern, Server, assert_same, try_connect};

/// `CURLE_REMOTE_FILE_NOT_FOUND`, which the crate has no method for.
const REMOTE_FILE_NOT_FOUND: u32 = 78;

/// A transfer of libcurl's that gives up rather than hangs.
#[track_caller]
fn easy(address: SocketAddr, path: &str) -> Easy {
    let mut easy = Easy::new();
    easy.url(&format!("ftp://{address}/{path}"))
        .expect("a URL that libcurl takes");
    easy.timeout(PATIENCE).expect("the option is set");
    easy
}

/// Downloads or lists.
#[track_caller]
fn get(easy: &mut Easy) -> Result<Vec<u8>, curl::Error> {
    let mut bytes = Vec::new();
    let mut transfer = easy.transfer();
    transfer.write_function(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    })?;
    transfer.perform()?;
    drop(transfer);
    Ok(bytes)
}

/// Uploads.
fn put(easy: &mut Easy, mut from: impl Read, size: u64) -> Result<(), curl::Error> {
    easy.upload(true)?;
    easy.in_filesize(size)?;
    let mut transfer = easy.transfer();
    transfer.read_function(|buffer| Ok(from.read(buffer).expect("a pattern has no errors")))?;
    transfer.perform()
}

/// A control connection on the way to the server on which `EPSV` is unknown, so that libcurl falls back to `PASV`.
/// (The crate has no switch for that.)
fn without_epsv(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let server = try_connect(server).expect("the server");
            let (mut replies, mut to_client) = (
                server.try_clone().expect("a descriptor"),
                client.try_clone().expect("a descriptor"),
            );
            thread::spawn(move || std::io::copy(&mut replies, &mut to_client));
            let mut server = server;
            let mut lines = BufReader::new(client);
            let mut line = Vec::new();
            while lines
                .read_until(b'\n', &mut line)
                .is_ok_and(|count| count > 0)
            {
                if line.starts_with(b"EPSV") {
                    line = b"NOSUCH\r\n".to_vec();
                }
                if server.write_all(&line).is_err() {
                    break;
                }
                line.clear();
            }
            let _ = server.shutdown(std::net::Shutdown::Both);
        }
    });
    address
}

#[test]
fn libcurl_lists() {
    let server = Server::start();
    server.write("a b.txt", "12345");
    server.make_folder("folder");
    let text = get(&mut easy(server.address, "")).expect("libcurl lists");
    let text = String::from_utf8(text).expect("UTF-8");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(
        rows.iter()
            .any(|row| row.starts_with('-') && row.ends_with(" a b.txt")),
        "{text}"
    );
    let folder = |row: &&str| row.starts_with('d') && row.ends_with(" folder");
    assert!(rows.iter().any(folder), "{text}");
    let empty = get(&mut easy(server.address, "folder/")).expect("libcurl lists an empty folder");
    assert_eq!(empty, b"");
    let mut machine = easy(server.address, "");
    machine.custom_request("MLSD").expect("the option is set");
    let text = get(&mut machine).expect("libcurl lists by MLSD");
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("; a b.txt"), "{text}");
}

#[test]
fn libcurl_downloads_and_uploads_by_epsv_and_by_pasv() {
    let server = Server::start();
    server.make_folder("folder");
    for (address, name) in [
        (server.address, "by%20epsv"),
        (without_epsv(server.address), "by%20pasv"),
    ] {
        let expected = Pattern::new(1, 100_000);
        let path = format!("folder/{name}");
        put(&mut easy(address, &path), expected.clone(), 100_000)
            .unwrap_or_else(|error| panic!("{name}: libcurl cannot upload: {error}"));
        let stored = server.read(&path.replace("%20", " "));
        assert_same("the stored file", &stored[..], expected.clone());
        let got = get(&mut easy(address, &path))
            .unwrap_or_else(|error| panic!("{name}: libcurl cannot download: {error}"));
        assert_same("the downloaded file", &got[..], expected);
    }
}

#[test]
fn libcurl_moves_100_mb() {
    let server = Server::start();
    let size = 100_000_000;
    let expected = Pattern::new(2, size);
    put(&mut easy(server.address, "big"), expected.clone(), size).expect("libcurl uploads");
    let stored = std::fs::File::open(server.path("big")).expect("the stored file");
    assert_same("the stored file", stored, expected.clone());
    let got = get(&mut easy(server.address, "big")).expect("libcurl downloads");
    assert_same("the downloaded file", &got[..], expected);
}

#[test]
fn libcurl_is_told_what_fails() {
    let server = Server::with(&["--anonymous", "read"]);
    let missing = get(&mut easy(server.address, "missing")).expect_err("a missing file");
    assert!(missing.code() == REMOTE_FILE_NOT_FOUND, "{missing}");
    let folder = get(&mut easy(server.address, "missing/")).expect_err("a missing folder");
    assert!(folder.is_remote_access_denied(), "{folder}");
    let denied = put(&mut easy(server.address, "new"), &b"abc"[..], 3).expect_err("read only");
    assert!(denied.is_upload_failed(), "{denied}");
    let mut somebody = easy(server.address, "missing");
    somebody.username("somebody").expect("the option is set");
    somebody.password("x").expect("the option is set");
    let denied = get(&mut somebody).expect_err("no such user");
    assert!(denied.is_login_denied(), "{denied}");
}

#[test]
fn libcurl_keeps_its_session() {
    let server = Server::start();
    let mut kept = easy(server.address, "file0");
    for number in 0..20 {
        let name = format!("file{number}");
        server.write(&name, &name);
        kept.url(&format!("ftp://{}/{name}", server.address))
            .expect("a URL that libcurl takes");
        let got = get(&mut kept).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(got, name.as_bytes());
    }
    support::wait_until("a line for each of the 20 transfers", || {
        server.log().matches("RETR").count() == 20
    });
    assert_eq!(server.log().matches(" connected").count(), 1, "sessions");
}
