//! libcurl: in the crate `curl`, which nobody has to install, and in the program of that name, which has the options
//! that the crate has no call for.

use super::Client;
use crate::operations::{self as op, PART, RANGE};
use crate::place::Place;
use crate::programs::{Outcome, run};
use crate::support::PATIENCE;
use curl::easy::{Easy, SslVersion};
use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

pub(super) const LIBRARY: Client = Client {
    name: "libcurl",
    needs: &[],
    acts: &[
        (&op::LIST, |place| list(place, "LIST")),
        (&op::MLSD, |place| list(place, "MLSD")),
        (&op::DOWNLOAD, |place| {
            get(&mut easy(place, "file")?, place, "file")
        }),
        (&op::UPLOAD, |place| put(place, "file", "file", 0)),
        (&op::MISSING, |place| {
            get(&mut easy(place, "missing")?, place, "missing")
        }),
        (&op::ODD_NAME_DOWN, |place| {
            get(&mut easy(place, op::ODD_NAME)?, place, op::ODD_NAME)
        }),
        (&op::ODD_NAME_UP, |place| {
            put(place, op::ODD_NAME, op::ODD_NAME, 0)
        }),
        (&op::WILDCARD, |place| {
            let mut easy = easy(place, "a*.txt")?;
            easy.wildcard_match(true).map_err(text)?;
            // The crate has no call that says which file is next; they are all of one length.
            let bytes = fetch(&mut easy)?;
            for name in bytes.chunks(6) {
                let name = String::from_utf8_lossy(name);
                place.keep(&name, &*name);
            }
            Ok(String::new())
        }),
        (&op::EPSV_DOWN, |place| {
            get(&mut easy(place, "file")?, place, "file")
        }),
        (&op::RESUME_DOWNLOAD, |place| {
            let mut easy = easy(place, "file")?;
            easy.resume_from(PART as u64).map_err(text)?;
            get(&mut easy, place, "file")
        }),
        (&op::RESUME_UPLOAD, resume_upload),
        (&op::CUT_UPLOAD, resume_upload),
        (&op::PART_OF_FILE, |place| {
            let mut easy = easy(place, "file")?;
            easy.range(&format!("{}-{}", RANGE.start, RANGE.end - 1))
                .map_err(text)?;
            get(&mut easy, place, "part")
        }),
        (&op::TEXT_DOWN, |place| {
            get(&mut easy(place, "text;type=a")?, place, "text")
        }),
        (&op::TEXT_UP, |place| {
            place.keep("wire", "one\r\ntwo\r\n");
            put(place, "wire", "text;type=a", 0)
        }),
        (&op::FILE_SIZE, |place| {
            let mut easy = easy(place, "file")?;
            easy.nobody(true).map_err(text)?;
            fetch(&mut easy)?;
            Ok(format!(
                "{:?}",
                easy.content_length_download().map_err(text)?
            ))
        }),
        (&op::DATE_DOWN, |place| {
            let mut easy = easy(place, "file")?;
            easy.fetch_filetime(true).map_err(text)?;
            get(&mut easy, place, "file")?;
            let seconds = easy.filetime().map_err(text)?.ok_or("no date")?;
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
            let file = File::options().write(true).open(place.local.join("file"));
            file.and_then(|file| file.set_modified(date))
                .map_err(text)?;
            Ok(String::new())
        }),
        // From the first byte, all of them: the crate has no call for `AUTH TLS`.
        (&op::TLS_1_2, |place| {
            library_both_ways(place, SslVersion::Tlsv12)
        }),
        (&op::TLS_IMPLICIT, |place| {
            library_both_ways(place, SslVersion::Tlsv13)
        }),
        (&op::TLS_RESUMED, |place| {
            library_both_ways(place, SslVersion::Tlsv13)
        }),
    ],
};

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn easy(place: &Place, path: &str) -> Result<Easy, String> {
    let mut easy = Easy::new();
    let path = path.replace(' ', "%20");
    easy.url(&place.url(&path)).map_err(text)?;
    easy.timeout(PATIENCE).map_err(text)?;
    Ok(easy)
}

fn fetch(easy: &mut Easy) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut transfer = easy.transfer();
    transfer
        .write_function(|chunk| {
            bytes.extend_from_slice(chunk);
            Ok(chunk.len())
        })
        .map_err(text)?;
    transfer.perform().map_err(text)?;
    drop(transfer);
    Ok(bytes)
}

/// Downloads to the end of a local file.
fn get(easy: &mut Easy, place: &Place, local: &str) -> Outcome {
    let bytes = fetch(easy)?;
    let path = place.local.join(local);
    let file = File::options().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(&bytes))
        .map_err(text)?;
    Ok(String::new())
}

/// Uploads what stands behind `from` in a local file: libcurl reads all of it, and leaves out what is there already.
fn put(place: &Place, local: &str, remote: &str, from: u64) -> Outcome {
    let mut easy = easy(place, remote)?;
    if from > 0 {
        easy.resume_from(from).map_err(text)?;
    }
    send(&mut easy, place, local)
}

fn send(easy: &mut Easy, place: &Place, local: &str) -> Outcome {
    let file = File::open(place.local.join(local)).map_err(text)?;
    let size = file.metadata().map_err(text)?.len();
    easy.upload(true).map_err(text)?;
    easy.in_filesize(size).map_err(text)?;
    let mut transfer = easy.transfer();
    transfer
        .read_function(|buffer| {
            (&file)
                .read(buffer)
                .map_err(|_| curl::easy::ReadError::Abort)
        })
        .map_err(text)?;
    transfer.perform().map_err(text)?;
    Ok(String::new())
}

fn resume_upload(place: &Place) -> Outcome {
    put(place, "file", "file", PART as u64)
}

fn list(place: &Place, command: &str) -> Outcome {
    let mut easy = easy(place, "")?;
    easy.custom_request(command).map_err(text)?;
    let bytes = fetch(&mut easy)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lists as well, and takes no other version of TLS.
fn library_both_ways(place: &Place, version: SslVersion) -> Outcome {
    let tls = |path: &str| -> Result<Easy, String> {
        let mut easy = easy(place, "")?;
        let url = format!("ftps://{}:{}/{path}", place.host(), place.tls_port());
        easy.url(&url)
            // The server has made its certificate itself.
            .and_then(|()| easy.ssl_verify_peer(false))
            .and_then(|()| easy.ssl_verify_host(false))
            .and_then(|()| easy.ssl_min_max_version(version, version))
            .map_err(text)?;
        Ok(easy)
    };
    send(&mut tls("up")?, place, "up")?;
    get(&mut tls("down")?, place, "down")?;
    let listing = fetch(&mut tls("")?)?;
    let listing = String::from_utf8_lossy(&listing).into_owned();
    let both = listing.contains(" up") && listing.contains(" down");
    both.then_some(listing)
        .ok_or_else(|| "the listing has not both files".to_owned())
}

pub(super) const PROGRAM: Client = Client {
    name: "curl",
    needs: &["curl"],
    acts: &[
        (&op::LIST, |place| curl(place, &[], "")),
        (&op::MLSD, |place| curl(place, &["-X", "MLSD"], "")),
        (&op::CD, |place| {
            curl(
                place,
                &["-O", "--ftp-method", "singlecwd", "-Q", "-PWD", "-v"],
                "folder/file",
            )
        }),
        (&op::DOWNLOAD, |place| curl(place, &["-O"], "file")),
        (&op::UPLOAD, |place| curl(place, &["-T", "file"], "")),
        (&op::MISSING, |place| curl(place, &["-O"], "missing")),
        (&op::ODD_NAME_DOWN, |place| {
            curl(place, &["-o", op::ODD_NAME], op::ODD_NAME)
        }),
        (&op::ODD_NAME_UP, |place| {
            curl(place, &["-T", op::ODD_NAME], "")
        }),
        (&op::QUOTES, |place| {
            let quotes = [
                "-Q",
                "MKD a \"quoted\" name",
                "-Q",
                "CWD a \"quoted\" name",
                "-Q",
                "PWD",
                "-v",
            ];
            curl(place, &quotes, "").map(|output| output.replace("\"\"", "\""))
        }),
        (&op::EPSV_DOWN, |place| curl(place, &["-O"], "file")),
        (&op::PASV_DOWN, |place| {
            curl(place, &["-O", "--disable-epsv"], "file")
        }),
        (&op::ACTIVE_DOWN, |place| {
            curl(place, &["-O", "-P", "-"], "file")
        }),
        (&op::ACTIVE_UP, |place| {
            curl(place, &["-P", "-", "--disable-eprt", "-T", "file"], "")
        }),
        (&op::RESUME_DOWNLOAD, |place| {
            curl(place, &["-O", "-C", "-"], "file")
        }),
        (&op::RESUME_UPLOAD, go_on),
        (&op::CUT_UPLOAD, go_on),
        (&op::APPEND, |place| curl(place, &["-a", "-T", "file"], "")),
        (&op::PART_OF_FILE, |place| {
            let range = format!("{}-{}", RANGE.start, RANGE.end - 1);
            curl(place, &["-r", &range, "-o", "part"], "file")
        }),
        (&op::TEXT_DOWN, |place| curl(place, &["-B", "-O"], "text")),
        (&op::TEXT_UP, |place| {
            curl(place, &["-B", "--crlf", "-T", "text"], "")
        }),
        (&op::MKDIR, |place| {
            curl(place, &["-Q", "MKD new folder"], "")
        }),
        (&op::RMDIR, |place| curl(place, &["-Q", "RMD folder"], "")),
        (&op::DELETE, |place| curl(place, &["-Q", "DELE file"], "")),
        (&op::RENAME, |place| {
            curl(place, &["-Q", "RNFR old name", "-Q", "RNTO new name"], "")
        }),
        (&op::FILE_SIZE, |place| curl(place, &["-I"], "file")),
        (&op::FILE_DATE, |place| curl(place, &["-I"], "file")),
        (&op::DATE_DOWN, |place| curl(place, &["-O", "-R"], "file")),
        (&op::CHMOD, |place| {
            curl(place, &["-Q", "SITE CHMOD 640 file"], "")
        }),
        (&op::CREATE_DIRS, |place| {
            curl(place, &["--ftp-create-dirs", "-T", "file"], "one/two/")
        }),
        (&op::STATUS, |place| curl(place, &["-v", "-Q", "STAT"], "")),
        (&op::FEATURES, |place| {
            curl(place, &["-v", "-Q", "FEAT"], "")
        }),
        (&op::TLS, |place| both_ways(place, &[])),
        (&op::TLS_1_2, |place| {
            both_ways(place, &["--tls-max", "1.2"])
        }),
        (&op::TLS_IMPLICIT, |place| {
            let url = |name| format!("ftps://{}:{}/{name}", place.host(), place.tls_port());
            let curl = |args: &[&str]| run(&place.local, "curl", &[&OWN[..], args].concat(), "");
            curl(&["-k", "-T", "up", &url("up")])?;
            curl(&["-k", "-O", &url("down")])
        }),
        (&op::TLS_RESUMED, |place| both_ways(place, &[])),
    ],
};

const OWN: [&str; 5] = ["--disable", "--silent", "--show-error", "--max-time", "20"];

fn curl(place: &Place, flags: &[&str], path: &str) -> Outcome {
    let url = place.url(&path.replace(' ', "%20"));
    run(&place.local, "curl", &[&OWN, flags, &[&url]].concat(), "")
}

fn both_ways(place: &Place, flags: &[&str]) -> Outcome {
    let tls = ["--ssl-reqd", "-k"];
    curl(place, &[&tls, flags, &["-T", "up"]].concat(), "")?;
    curl(place, &[&tls, flags, &["-O"]].concat(), "down")
}

/// Asks how much of the file is there, and uploads the rest.
fn go_on(place: &Place) -> Outcome {
    curl(place, &["-C", "-", "-T", "file"], "")
}
