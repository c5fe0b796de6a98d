//! Verbs that move the bytes of files: get, put and their kin.

use super::local::{self, local_names};
use super::{DONE, each, remote_names};
use crate::client::error::Trouble;
use crate::client::glob::{Want, split};
use crate::client::words::Word;
use crate::client::{Client, pipe, screen, text, transfer};
use crate::protocol::command::{Arg, Command};
use anyhow::Result;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};
use std::slice;
use std::time::Instant;

/// The longest file that is shown on the screen.
const SHOWN: u64 = 16 * 1024 * 1024;

pub(super) fn get(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    fetch(client, slice::from_ref(&arguments[0]), arguments.get(1))
}

pub(super) fn mget(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    fetch(client, arguments, None)
}

fn fetch(client: &mut Client, what: &[Word], to: Option<&Word>) -> Result<ControlFlow<()>> {
    let remotes = remote_names(client, what, Want::Files)?;
    if to.is_some_and(Word::is_stream) {
        return each(client, &remotes, |client, remote| {
            pipe::read(client.connection()?, &remote.parse()?, &mut io::stdout())?;
            Ok(())
        });
    }
    let many = remotes.len() > 1;
    each(client, &remotes, |client, remote| {
        let (folder, name) = landing(&client.options().downloads, to, remote, many)?;
        let remote: Arg = remote.parse()?;
        let verify = client.options().verify;
        let (moved, path) = transfer::get(client.connection()?, &remote, &folder, &name, verify)?;
        text::say(&format!(
            "got {remote}: {moved}, saved as {}",
            path.display()
        ));
        Ok(())
    })
}

/// The folder and the name that a download gets.
fn landing(
    downloads: &Path,
    to: Option<&Word>,
    remote: &str,
    many: bool,
) -> Result<(PathBuf, String), Trouble> {
    let own = split(remote).1.to_owned();
    let Some(to) = to else {
        return Ok((downloads.to_owned(), own));
    };
    let typed = local::path(&to.text, to.bare);
    if typed.is_relative() && typed.components().any(|part| part == Component::ParentDir) {
        return Err(Trouble::Usage(format!(
            "\"{}\" is a path out of the downloads folder; write a whole one, that begins with / or ~/",
            to.text
        )));
    }
    let path = downloads.join(typed);
    if many || to.text.ends_with('/') || path.is_dir() {
        return Ok((path, own));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default().to_owned();
    Ok((path.parent().map_or(PathBuf::new(), Path::to_owned), name))
}

pub(super) fn put(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let to = arguments.get(1);
    if arguments[0].is_stream() {
        return put_input(client, to);
    }
    send(client, slice::from_ref(&arguments[0]), to)
}

pub(super) fn mput(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    send(client, arguments, None)
}

fn send(client: &mut Client, what: &[Word], to: Option<&Word>) -> Result<ControlFlow<()>> {
    let locals = local_names(what, Want::Files)?;
    let many = locals.len() > 1;
    each(client, &locals, |client, local| {
        let path = Path::new(local);
        let remote: Arg = remote_name(path, to, many).parse()?;
        let (record, verify) = (
            client.upload_record(path, remote.as_str())?,
            client.options().verify,
        );
        let moved = transfer::put(
            client.connection()?,
            path,
            &remote,
            record.as_deref(),
            verify,
        )?;
        client.wrote(remote.as_str());
        text::say(&format!("sent {remote}: {moved}"));
        Ok(())
    })
}

/// The name that an upload gets.
fn remote_name(local: &Path, to: Option<&Word>, many: bool) -> String {
    // A path that ends in `..` has no name, and is a folder, which put itself complains about.
    let own = local.file_name().and_then(|name| name.to_str());
    let own = own.map_or_else(|| local.display().to_string(), str::to_owned);
    match to.map(|to| to.text.as_str()) {
        None => own,
        Some(to) if to.ends_with('/') => format!("{to}{own}"),
        Some(to) if many => format!("{to}/{own}"),
        Some(to) => to.to_owned(),
    }
}

/// Uploads standard input, to its end.
fn put_input(client: &mut Client, to: Option<&Word>) -> Result<ControlFlow<()>> {
    let Some(to) = to else {
        let error = "standard input has no name: put - REMOTE gives it one";
        return Err(Trouble::Usage(error.to_owned()).into());
    };
    let remote: Arg = to.text.parse()?;
    let start = Instant::now();
    let command = Command::Stor(remote.clone());
    let bytes = pipe::write(client.connection()?, &command, &mut io::stdin().lock())?;
    client.wrote(&to.text);
    text::say(&format!(
        "sent {remote}: {}",
        text::rate(bytes, start.elapsed())
    ));
    DONE
}

pub(super) fn append(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let locals = local_names(slice::from_ref(&arguments[0]), Want::Files)?;
    each(client, &locals, |client, local| {
        let path = Path::new(local);
        let remote: Arg = remote_name(path, arguments.get(1), false).parse()?;
        let trouble = |error: &dyn std::fmt::Display| {
            Trouble::Local(format!("cannot read {}: {error}", path.display()))
        };
        let mut file = File::open(path).map_err(|error| trouble(&error))?;
        if !file.metadata().is_ok_and(|data| data.is_file()) {
            return Err(trouble(&"it is not a regular file").into());
        }
        let start = Instant::now();
        let command = Command::Appe(remote.clone());
        let bytes = pipe::write(client.connection()?, &command, &mut file)?;
        client.wrote(remote.as_str());
        text::say(&format!(
            "added to {remote}: {}",
            text::rate(bytes, start.elapsed())
        ));
        Ok(())
    })
}

pub(super) fn cat(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    view(client, arguments, |text| text::print(screen::lines(text)))
}

pub(super) fn more(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    view(client, arguments, |text| screen::page(screen::lines(text)))
}

/// Writes files to standard output as they are, or lets `show` do it if that is a terminal. There the whole file is
/// fetched first: the server would not wait for a reader.
fn view(
    client: &mut Client,
    arguments: &[Word],
    show: impl Fn(&[u8]) -> Result<(), Trouble>,
) -> Result<ControlFlow<()>> {
    let remotes = remote_names(client, arguments, Want::Files)?;
    each(client, &remotes, |client, remote| {
        let remote: Arg = remote.parse()?;
        let mut output = io::stdout();
        if !output.is_terminal() {
            pipe::read(client.connection()?, &remote, &mut output)?;
            return Ok(output.flush()?);
        }
        let mut text = Capped(Vec::new());
        pipe::read(client.connection()?, &remote, &mut text)?;
        Ok(show(&text.0)?)
    })
}

/// The bytes of a file that is to be shown.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() as u64 + bytes.len() as u64 > SHOWN {
            return Err(io::Error::other(format!(
                "the file is larger than {}, get it instead",
                text::bytes(SHOWN)
            )));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::words::words;

    #[test]
    fn where_downloads_land() {
        let downloads = Path::new("/nowhere/d");
        let land = |to: &str, many| {
            let to = words(to).unwrap().pop();
            landing(downloads, to.as_ref(), "sub/f", many)
        };
        for (to, many, folder, name) in [
            ("", false, "/nowhere/d", "f"),
            ("g", false, "/nowhere/d", "g"),
            ("a/g", false, "/nowhere/d/a", "g"),
            ("a/", false, "/nowhere/d/a", "f"),
            ("a", true, "/nowhere/d/a", "f"),
            ("/x/g", false, "/x", "g"),
            ("/", false, "/", "f"),
        ] {
            let (into, called) = land(to, many).unwrap();
            assert_eq!(
                (into.as_path(), &*called),
                (Path::new(folder), name),
                "{to}"
            );
        }
        assert!(land("../g", false).is_err());
    }

    #[test]
    fn what_uploads_are_called() {
        let name = |to: &str, many| {
            let to = words(to).unwrap().pop();
            remote_name(Path::new("/x/f"), to.as_ref(), many)
        };
        assert_eq!(name("", false), "f");
        assert_eq!(name("g", false), "g");
        assert_eq!(name("in/", false), "in/f");
        assert_eq!(name("in", true), "in/f");
    }
}
