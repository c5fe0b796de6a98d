//! Listings of the server's folders: `MLSD` where there is one, else `LIST`, else `NLST`.

mod told;

use super::connection::{Connection, Data};
use super::error::Trouble;
use super::text;
use crate::json::Object;
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::{Reply, ReplyCode};
use crate::stream::timed_out;
use anyhow::Result;
use jiff::Timestamp;
use std::io::Read;
pub(super) use told::{Told, may_be_pattern, told};

/// The longest listing that is taken, in bytes: room for some 600,000 entries.
const MAX_LISTING: u64 = 64 * 1024 * 1024;
/// What a terminal shows a folder's name in: bold blue, as ls does.
const FOLDER: &str = "\x1b[1;34m";
const PLAIN: &str = "\x1b[0m";

/// The entries of a folder, by name, without the folder itself and the one above. Entries whose names could not be
/// files of that folder are left out, and standard error says so.
///
/// # Errors
/// The server refused, or a connection broke.
pub fn entries(connection: &mut Connection, folder: Option<&str>) -> Result<Vec<Entry>> {
    let (entries, unfit) = fit(connection, folder)?;
    if let [first, ..] = &unfit[..] {
        let count = unfit.len();
        text::say(&format!("left out {count} that the server listed: {first}"));
    }
    Ok(entries)
}

/// As [`entries`], without a word: for Tab, in the middle of a line.
///
/// # Errors
/// See [`entries`]; or the connection is gone already.
pub fn all(connection: &mut Connection, folder: Option<&str>) -> Result<Vec<Entry>> {
    if !connection.is_alive() {
        return Err(Trouble::Lost("the connection is lost".to_owned()).into());
    }
    Ok(fit(connection, folder)?.0)
}

/// The entries, and what is wrong with each that is left out.
fn fit(connection: &mut Connection, folder: Option<&str>) -> Result<(Vec<Entry>, Vec<Trouble>)> {
    let arg: Option<Arg> = folder.map(str::parse).transpose()?;
    let mut entries = fetch(connection, arg.as_ref(), true)?.entries;
    let unfit = weed(&mut entries);
    Ok((entries, unfit))
}

/// Sorts entries, and takes out those that are not files of the folder. What is wrong with those that should have been.
fn weed(entries: &mut Vec<Entry>) -> Vec<Trouble> {
    entries.retain(|entry| {
        !matches!(entry.kind, Kind::Current | Kind::Parent) && !matches!(&*entry.name, "." | "..")
    });
    let mut unfit = Vec::new();
    entries.retain(|entry| match text::single_name(&entry.name) {
        Ok(_) => true,
        Err(error) => {
            unfit.push(error);
            false
        }
    });
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    unfit
}

/// Size, time and name in aligned columns, one entry a line, cleaned; a folder's name ends in `/`, and is blue when
/// `colours` are wanted. Where the widest row does not fit into `width`, the times make room. A name is never cut.
#[must_use]
pub fn columns(entries: &[Entry], width: Option<usize>, colours: bool) -> Vec<String> {
    let cells: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let size = entry.size.filter(|_| entry.kind != Kind::Folder);
            let time = entry
                .modified
                .map(|time| time.strftime("%Y-%m-%d %H:%M").to_string());
            (
                size.map(text::short_bytes).unwrap_or_default(),
                time.unwrap_or_default(),
            )
        })
        .collect();
    let size_width = cells.iter().map(|cell| cell.0.len()).max().unwrap_or(0);
    let mut time_width = cells.iter().map(|cell| cell.1.len()).max().unwrap_or(0);
    let names = entries.iter().map(|entry| entry.name.chars().count() + 1);
    let widest = size_width + 2 + time_width + 2 + names.max().unwrap_or(0);
    if width.is_some_and(|width| widest > width) {
        time_width = 0;
    }
    let row = |(entry, (size, time)): (&Entry, &(String, String))| {
        let name = text::clean(&entry.name);
        let name = match (entry.kind, colours) {
            (Kind::Folder, true) => format!("{FOLDER}{name}{PLAIN}/"),
            (Kind::Folder, false) => format!("{name}/"),
            _ => name.into_owned(),
        };
        match time_width {
            0 => format!("{size:>size_width$}  {name}"),
            _ => format!("{size:>size_width$}  {time:<time_width$}  {name}"),
        }
    };
    entries.iter().zip(&cells).map(row).collect()
}

/// An entry for programs, its name as the server has it. `folder` is what was listed, if that has a name.
#[must_use]
pub fn row(entry: &Entry, folder: Option<&str>) -> Object {
    let kind = match entry.kind {
        Kind::File => "file",
        Kind::Folder | Kind::Current | Kind::Parent => "folder",
        Kind::Link => "link",
        Kind::Other => "other",
    };
    Object::default()
        .with("folder", folder)
        .with("name", entry.name.as_str())
        .with("type", kind)
        .with("size", entry.size.filter(|_| kind != "folder"))
        .with("modified", entry.modified.map(|time| time.to_string()))
        .with("mode", entry.mode.map(|mode| format!("{mode:04o}")))
}

/// All that is listed. `loosely` takes it too for what `MLSD` refuses and `LIST` may not.
fn fetch(connection: &mut Connection, folder: Option<&Arg>, loosely: bool) -> Result<Told> {
    let mut refusal = None;
    if connection.abilities.mlsd {
        match lines(connection, &Command::Mlsd(folder.cloned())) {
            Ok(lines) => {
                let mut told = lines.read(Entry::parse_facts);
                told.sure = true;
                return Ok(told);
            }
            Err(error) => match refused(&error) {
                Some(reply) if is_unknown(reply) => connection.abilities.mlsd = false,
                // A file or a pattern, which LIST may take where MLSD takes only folders.
                Some(reply) if loosely && folder.is_some() && !connection.is_broken() => {
                    log::debug!("MLSD says {}, now with LIST", reply.code());
                    refusal = Some(error);
                }
                _ => return Err(error),
            },
        }
    }
    match rows(connection, folder) {
        Ok(told) if !told.entries.is_empty() => Ok(told),
        // Many servers list nothing where there is no such folder: MLSD told it better.
        outcome => match refusal {
            Some(refusal) => Err(refusal),
            None => outcome,
        },
    }
}

fn rows(connection: &mut Connection, folder: Option<&Arg>) -> Result<Told> {
    if connection.abilities.list {
        match lines(connection, &Command::List(folder.map(undashed))) {
            Ok(lines) => {
                let told = lines.rows(folder);
                if !told.entries.is_empty() || lines.lines.len() < 2 {
                    return Ok(told);
                }
                log::debug!("no row of LIST could be read, now with NLST");
            }
            Err(error) if refused(&error).is_some_and(is_unknown) => {}
            Err(error) => return Err(error),
        }
        connection.abilities.list = false;
    }
    let names = match lines(connection, &Command::Nlst(folder.map(undashed))) {
        // RFC 959 has no reply for "empty", and some servers take it for a failure.
        Err(error) if refused(&error).is_some_and(is_empty) => Vec::new(),
        outcome => outcome?.lines,
    };
    let mut told = Told::default();
    told.doubt("the server tells only names (NLST), and of folders perhaps none");
    told.entries = names
        .into_iter()
        .map(|name| under(Entry::new(name, Kind::Other), folder))
        .collect();
    Ok(told)
}

/// What a listing command has sent.
struct Lines {
    /// Without their line ends. Bytes that are not UTF-8 have become U+FFFD.
    lines: Vec<String>,
    doubt: Option<String>,
}

impl Lines {
    fn read(&self, mut parse: impl FnMut(&str) -> Option<Entry>) -> Told {
        let mut told = Told {
            doubt: self.doubt.clone(),
            ..Told::default()
        };
        for line in &self.lines {
            match parse(line) {
                Some(entry) => told.entries.push(entry),
                // `ls` begins with how much room it all takes.
                None if line.starts_with("total ") => {}
                None => told.doubt(format!("this of its listing cannot be read: \"{line}\"")),
            }
        }
        told
    }

    fn rows(&self, folder: Option<&Arg>) -> Told {
        let now = Timestamp::now();
        let mut told = self.read(|line| Entry::parse_row(line, now));
        told.entries = told
            .entries
            .into_iter()
            .map(|entry| under(entry, folder))
            .collect();
        told.rough = true;
        told
    }
}

/// All that a listing command sends.
fn lines(connection: &mut Connection, command: &Command) -> Result<Lines> {
    let bytes = connection.transfer(command, read_all)?;
    let mut doubt = None;
    // Pure-FTPd tells no more than ten thousand names, and vsftpd none of a folder that it cannot read, both with a 226.
    let said = connection.last_words().to_lowercase();
    if said.contains("truncated") || said.contains("failed") {
        doubt = Some(format!("the server said of its listing \"{said}\""));
    }
    if bytes.last().is_some_and(|&last| last != b'\n') {
        doubt = Some("the last line of the listing has no end".to_owned());
    }
    let lines = bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    Ok(Lines { lines, doubt })
}

fn read_all(data: Data) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match data.take(MAX_LISTING + 1).read_to_end(&mut bytes) {
        Err(error) if timed_out(&error) => {
            Err(Trouble::TimedOut("the server stopped sending the listing".to_owned()).into())
        }
        Err(error) => Err(Trouble::Lost(format!("the listing broke off: {error}")).into()),
        Ok(_) if bytes.len() as u64 > MAX_LISTING => {
            Err(Trouble::Mismatch("the listing does not end".to_owned()).into())
        }
        Ok(_) => Ok(bytes),
    }
}

/// A folder whose name begins with a dash would be taken for options of `ls`.
fn undashed(folder: &Arg) -> Arg {
    match folder.as_str() {
        name if name.starts_with('-') => format!("./{name}").parse().unwrap_or(folder.clone()),
        _ => folder.clone(),
    }
}

/// Takes the listed folder off an entry's name, for servers that put it before each.
fn under(mut entry: Entry, folder: Option<&Arg>) -> Entry {
    let folder = folder.map_or("", Arg::as_str);
    let name = entry.name.strip_prefix("./").unwrap_or(&entry.name);
    let name = if name == folder {
        // A single file was listed.
        name.rsplit('/').next().unwrap_or(name)
    } else {
        name.strip_prefix(folder.trim_end_matches('/'))
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|_| !folder.is_empty())
            .unwrap_or(name)
    };
    entry.name = name.to_owned();
    entry
}

fn refused(error: &anyhow::Error) -> Option<&Reply> {
    match error.downcast_ref() {
        Some(Trouble::Refused(reply)) => Some(reply),
        _ => None,
    }
}

/// Whether the server does not know the command at all, now or later.
fn is_unknown(reply: &Reply) -> bool {
    matches!(
        reply.code(),
        ReplyCode::UNKNOWN_COMMAND | ReplyCode::NOT_IMPLEMENTED | ReplyCode::NOT_FOR_PARAMETER
    )
}

fn is_empty(reply: &Reply) -> bool {
    matches!(reply.code(), ReplyCode::UNAVAILABLE | ReplyCode::FILE_BUSY)
        && reply.text().to_ascii_lowercase().contains("no files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_make_room_and_never_cut() {
        let mut file = Entry::new("a long name of a file", Kind::File);
        file.size = Some(5);
        file.modified = Some(Timestamp::UNIX_EPOCH);
        let entries = [Entry::new("sub\x1b", Kind::Folder), file];
        assert_eq!(
            columns(&entries, Some(80), false),
            [
                "                         sub\u{FFFD}/",
                "5 B    1970-01-01 00:00  a long name of a file"
            ]
        );
        let narrow = columns(&entries, Some(20), true);
        assert_eq!(narrow[0], "       \x1b[1;34msub\u{FFFD}\x1b[0m/");
        assert_eq!(narrow[1], "5 B    a long name of a file");
    }

    #[test]
    fn the_folder_before_a_name_is_taken_off() {
        for (name, folder, expected) in [
            ("a", None, "a"),
            ("./a", None, "a"),
            ("sub/a", Some("sub"), "a"),
            ("sub/a", Some("sub/"), "a"),
            ("sub/a.txt", Some("sub/a.txt"), "a.txt"),
            ("/a", Some("/"), "a"),
            ("../a", None, "../a"),
            ("other/a", Some("sub"), "other/a"),
            ("subway", Some("sub"), "subway"),
            ("/etc/passwd", None, "/etc/passwd"),
        ] {
            let folder = folder.map(|folder| folder.parse().unwrap());
            let entry = under(Entry::new(name, Kind::File), folder.as_ref());
            assert_eq!(entry.name, expected, "{name} in {folder:?}");
        }
    }
}
