//! suppaftp, a client in plain Rust whose calls are the commands.

use super::Client;
use crate::operations::{self as op, ODD_NAME, PART, RANGE};
use crate::place::{PASSWORD, Place};
use crate::programs::Outcome;
use crate::support::{PATIENCE, TlsClient};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use suppaftp::types::FileType;
use suppaftp::{FtpError, FtpStream, Mode, RustlsConnector, RustlsFtpStream};

pub(super) const CLIENT: Client = Client {
    name: "suppaftp",
    needs: &[],
    acts: &[
        (&op::LIST, |place| {
            let mut ftp = login(place)?;
            done(
                ftp.list(None)
                    .and_then(|rows| Ok([rows, ftp.nlst(None)?].concat())),
            )
        }),
        (&op::MLSD, |place| done(login(place)?.mlsd(None))),
        (&op::CD, |place| {
            let mut ftp = login(place)?;
            let pwd = ftp.cwd("folder").and_then(|()| ftp.pwd());
            get(&mut ftp, &place.local.join("file"), "file", 0)?;
            done(pwd)
        }),
        (&op::DOWNLOAD, |place| {
            download(place, Mode::ExtendedPassive, "file")
        }),
        (&op::UPLOAD, |place| {
            upload(place, Mode::ExtendedPassive, "file")
        }),
        (&op::MISSING, |place| {
            done(login(place)?.retr_as_buffer("missing"))
        }),
        (&op::ODD_NAME_DOWN, |place| {
            download(place, Mode::ExtendedPassive, ODD_NAME)
        }),
        (&op::ODD_NAME_UP, |place| {
            upload(place, Mode::ExtendedPassive, ODD_NAME)
        }),
        (&op::QUOTES, |place| {
            let mut ftp = login(place)?;
            let made = ftp
                .mkdir("a \"quoted\" name")
                .and_then(|()| ftp.cwd("a \"quoted\" name"));
            made.and_then(|()| ftp.pwd())
                .map(|path| path.replace("\"\"", "\""))
                .map_err(text)
        }),
        (&op::WILDCARD, |place| {
            let mut ftp = login(place)?;
            for name in ftp.nlst(Some("a*.txt")).map_err(text)? {
                get(&mut ftp, &place.local.join(&name), &name, 0)?;
            }
            Ok(String::new())
        }),
        (&op::EPSV_DOWN, |place| {
            download(place, Mode::ExtendedPassive, "file")
        }),
        (&op::PASV_DOWN, |place| {
            download(place, Mode::Passive, "file")
        }),
        (&op::ACTIVE_DOWN, |place| {
            download(place, Mode::Active, "file")
        }),
        (&op::ACTIVE_UP, |place| upload(place, Mode::Active, "file")),
        (&op::RESUME_DOWNLOAD, |place| {
            get(&mut login(place)?, &place.local.join("file"), "file", PART)
        }),
        (&op::RESUME_UPLOAD, resume_upload),
        (&op::CUT_UPLOAD, resume_upload),
        (&op::APPEND, |place| {
            done(login(place)?.append_file("file", &mut open(place, "file")?))
        }),
        (&op::PART_OF_FILE, |place| {
            let mut ftp = login(place)?;
            let mut part = vec![0; RANGE.len()];
            let mut stream = ftp
                .resume_transfer(RANGE.start)
                .and_then(|()| ftp.retr_as_stream("file"))
                .map_err(text)?;
            stream.read_exact(&mut part).map_err(text)?;
            place.keep("part", part);
            done(ftp.abort(stream))
        }),
        (&op::TEXT_DOWN, |place| {
            let mut ftp = login(place)?;
            ftp.transfer_type(FileType::Ascii(suppaftp::types::FormatControl::Default))
                .map_err(text)?;
            get(&mut ftp, &place.local.join("text"), "text", 0)
        }),
        (&op::TEXT_UP, |place| {
            let mut ftp = login(place)?;
            ftp.transfer_type(FileType::Ascii(suppaftp::types::FormatControl::Default))
                .map_err(text)?;
            done(ftp.put_file("text", &mut open(place, "text")?))
        }),
        (&op::ABORT, |place| {
            let mut ftp = login(place)?;
            let mut stream = ftp.retr_as_stream("big").map_err(text)?;
            stream.read_exact(&mut [0; 1000]).map_err(text)?;
            ftp.abort(stream).map_err(text)?;
            get(&mut ftp, &place.local.join("file"), "file", 0)
        }),
        (&op::MKDIR, |place| done(login(place)?.mkdir("new folder"))),
        (&op::RMDIR, |place| done(login(place)?.rmdir("folder"))),
        (&op::DELETE, |place| done(login(place)?.rm("file"))),
        (&op::RENAME, |place| {
            done(login(place)?.rename("old name", "new name"))
        }),
        (&op::FILE_SIZE, |place| done(login(place)?.size("file"))),
        (&op::FILE_DATE, |place| done(login(place)?.mdtm("file"))),
        (&op::CHMOD, |place| {
            done(login(place)?.site("CHMOD 640 file"))
        }),
        (&op::CREATE_DIRS, |place| {
            let mut ftp = login(place)?;
            let made = ftp.mkdir("one").and_then(|()| ftp.mkdir("one/two"));
            made.map_err(text)?;
            done(ftp.put_file("one/two/file", &mut open(place, "file")?))
        }),
        (&op::TREE_DOWN, |place| {
            tree_down(&mut login(place)?, &place.local, "tree")
        }),
        (&op::TREE_UP, |place| {
            tree_up(&mut login(place)?, &place.local, "tree")
        }),
        (&op::FEATURES, |place| done(login(place)?.feat())),
        (&op::TLS, |place| {
            both_ways(place, begin_tls(place, &TlsClient::new())?)
        }),
        (&op::TLS_1_2, |place| {
            both_ways(place, begin_tls(place, &TlsClient::of_1_2())?)
        }),
        (&op::TLS_RESUMED, |place| {
            both_ways(place, begin_tls(place, &TlsClient::new())?)
        }),
    ],
};

fn begin_tls(place: &Place, client: &TlsClient) -> Result<RustlsFtpStream, String> {
    let connector = RustlsConnector::from(client.config());
    let ftp = RustlsFtpStream::connect(place.address).map_err(text)?;
    ftp.into_secure(connector, "localhost").map_err(text)
}

fn both_ways(place: &Place, mut ftp: RustlsFtpStream) -> Outcome {
    ftp.login(place.user, PASSWORD).map_err(text)?;
    ftp.transfer_type(FileType::Binary).map_err(text)?;
    ftp.put_file("up", &mut open(place, "up")?).map_err(text)?;
    let down = ftp.retr_as_buffer("down").map_err(text)?;
    place.keep("down", down.get_ref());
    done(ftp.quit())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn done<T: std::fmt::Debug>(result: Result<T, FtpError>) -> Outcome {
    result.map(|value| format!("{value:?}")).map_err(text)
}

fn login(place: &Place) -> Result<FtpStream, String> {
    let mut ftp = FtpStream::connect(place.address)
        .map_err(text)?
        .active_mode(PATIENCE);
    let socket = ftp.get_ref();
    socket.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    drop(socket);
    ftp.set_mode(Mode::ExtendedPassive);
    ftp.login(place.user, PASSWORD).map_err(text)?;
    ftp.transfer_type(FileType::Binary).map_err(text)?;
    Ok(ftp)
}

fn open(place: &Place, name: &str) -> Result<File, String> {
    File::open(place.local.join(name)).map_err(text)
}

fn download(place: &Place, mode: Mode, name: &str) -> Outcome {
    let mut ftp = login(place)?;
    ftp.set_mode(mode);
    get(&mut ftp, &place.local.join(name), name, 0)
}

fn upload(place: &Place, mode: Mode, name: &str) -> Outcome {
    let mut ftp = login(place)?;
    ftp.set_mode(mode);
    done(ftp.put_file(name, &mut open(place, name)?))
}

fn resume_upload(place: &Place) -> Outcome {
    let mut file = open(place, "file")?;
    let mut ftp = login(place)?;
    let size = ftp.size("file").map_err(text)?;
    file.seek(SeekFrom::Start(size as u64)).map_err(text)?;
    ftp.resume_transfer(size).map_err(text)?;
    done(ftp.put_file("file", &mut file))
}

/// Downloads to the end of a local file.
fn get(ftp: &mut FtpStream, local: &Path, name: &str, from: usize) -> Outcome {
    let bytes = ftp
        .resume_transfer(from)
        .and_then(|()| ftp.retr_as_buffer(name))
        .map_err(text)?;
    let file = File::options().create(true).append(true).open(local);
    file.and_then(|mut file| file.write_all(bytes.get_ref()))
        .map_err(text)?;
    Ok(String::new())
}

fn tree_down(ftp: &mut FtpStream, local: &Path, folder: &str) -> Outcome {
    fs::create_dir(local.join(folder)).map_err(text)?;
    for row in ftp.mlsd(Some(folder)).map_err(text)? {
        let entry = suppaftp::list::ListParser::parse_mlsd(&row).map_err(text)?;
        let path = format!("{folder}/{}", entry.name());
        if entry.is_directory() {
            tree_down(ftp, local, &path)?;
        } else {
            get(ftp, &local.join(&path), &path, 0)?;
        }
    }
    Ok(String::new())
}

fn tree_up(ftp: &mut FtpStream, local: &Path, folder: &str) -> Outcome {
    ftp.mkdir(folder).map_err(text)?;
    for name in crate::support::names_in(&local.join(folder)) {
        let path = format!("{folder}/{name}");
        if local.join(&path).is_dir() {
            tree_up(ftp, local, &path)?;
        } else {
            let mut file = File::open(local.join(&path)).map_err(text)?;
            ftp.put_file(&path, &mut file).map_err(text)?;
        }
    }
    Ok(String::new())
}
