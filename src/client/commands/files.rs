//! Verbs that move the bytes of files: get, put and their kin.

use super::local::{self, local_names};
use super::{DONE, each, remote_entries, remote_names};
use crate::client::error::Trouble;
use crate::client::events::Event;
use crate::client::glob::{Want, split};
use crate::client::jobs::{self, Job, Orders, Way, What};
use crate::client::transfer::Moved;
use crate::client::words::Word;
use crate::client::{Client, pipe, text, tree};
use crate::protocol::command::Arg;
use anyhow::Result;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};
use std::slice;
use std::time::Instant;

pub(super) fn get(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let (options, words) = Options::split(arguments)?;
    let (what, to) = one_and_target(words, "get [-r] [--segments=N] FILE [LOCAL]")?;
    fetch(client, &options, what, to)
}

pub(super) fn mget(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let (options, words) = Options::split(arguments)?;
    fetch(client, &options, words, None)
}

/// The options before the names.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    /// `-r`: whole trees are meant.
    tree: bool,
    /// `--segments`: over how many connections a file comes.
    segments: usize,
}

impl Options {
    /// The options, and the words behind them. A lone word is a name, whatever it looks like.
    fn split(arguments: &[Word]) -> Result<(Self, &[Word]), Trouble> {
        let mut options = Self {
            tree: false,
            segments: 1,
        };
        let mut words = arguments;
        while let [first, rest @ ..] = words
            && first.bare
            && !rest.is_empty()
        {
            words = match (&*first.text, rest) {
                ("-r" | "-R", _) => {
                    options.tree = true;
                    rest
                }
                ("--segments", [count, rest @ ..]) => {
                    options.segments = segments(&count.text)?;
                    rest
                }
                (text, _) => match text.strip_prefix("--segments=") {
                    Some(count) => {
                        options.segments = segments(count)?;
                        rest
                    }
                    None => break,
                },
            };
        }
        Ok((options, words))
    }
}

fn segments(text: &str) -> Result<usize, Trouble> {
    let count = text.parse().ok();
    count
        .filter(|count| (1..=64).contains(count))
        .ok_or_else(|| {
            let error = format!("\"{text}\" is no number of segments: it is one from 1 to 64");
            Trouble::Usage(error)
        })
}

/// What is to be moved, and the other side's name for it.
fn one_and_target<'w>(
    words: &'w [Word],
    usage: &str,
) -> Result<(&'w [Word], Option<&'w Word>), Trouble> {
    match words {
        [_] => Ok((words, None)),
        [_, to] => Ok((&words[..1], Some(to))),
        _ => Err(Trouble::Usage(format!(
            "usage: {usage} (a name with spaces goes in quotes)"
        ))),
    }
}

fn fetch(
    client: &mut Client,
    options: &Options,
    what: &[Word],
    to: Option<&Word>,
) -> Result<ControlFlow<()>> {
    let remotes = match options.tree {
        true => trees(client, what)?,
        false => files(client, what)?,
    };
    if to.is_some_and(Word::is_stream) {
        let names: Vec<String> = remotes.into_iter().map(|(name, _)| name).collect();
        return each(client, &names, |client, remote| {
            let began = Instant::now();
            let bytes = pipe::read(client.connection()?, &remote.parse()?, &mut io::stdout())?;
            // What is on standard output needs no line for people.
            Event::got(remote, None, whole(bytes, began)).note();
            Ok(())
        });
    }
    let many = remotes.len() > 1;
    let downloads = &client.options().downloads;
    let landed = |(remote, what): (String, What)| {
        let (folder, name) = match what {
            What::Folder { .. } => landing(downloads, to, remote.trim_end_matches('/'), many)?,
            _ => landing(downloads, to, &remote, many)?,
        };
        let name = match what {
            // These say where a folder is and not what it is called: what is in it lands there itself.
            What::Folder { .. } if matches!(&*name, "" | "." | "..") => String::new(),
            _ => text::single_name(&name)?.to_owned(),
        };
        Ok(Job::new(folder, name, remote, what))
    };
    let jobs = remotes.into_iter().map(landed).collect::<Result<_>>()?;
    let orders = Orders {
        segments: options.segments,
        ..Orders::plain(Way::Down)
    };
    jobs::run(client, orders, jobs)
}

/// The files that the words stand for, with what is known of those that were listed.
fn files(client: &mut Client, words: &[Word]) -> Result<Vec<(String, What)>> {
    let (names, seen) = remote_entries(client, words, Want::Files)?;
    let connection = client.connection()?;
    let what = |name: String| {
        let listed = seen.get(&name);
        let what = listed.map_or(What::FILE, |entry| tree::file(connection, entry));
        (name, what)
    };
    Ok(names.into_iter().map(what).collect())
}

/// The folders that the words stand for, and what globs stand for besides.
fn trees(client: &mut Client, words: &[Word]) -> Result<Vec<(String, What)>> {
    let mut found = Vec::new();
    for word in words {
        let word = slice::from_ref(word);
        let folders = remote_names(client, word, Want::Folders);
        let others = match word[0].glob {
            Some(_) => files(client, word).unwrap_or_default(),
            None => Vec::new(),
        };
        match folders {
            Err(error) if others.is_empty() => return Err(error),
            Err(_) => {}
            Ok(names) => {
                let folder = |name| (name, What::Folder { depth: 0 });
                found.extend(names.into_iter().map(folder));
            }
        }
        found.extend(others);
    }
    Ok(found)
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
    let path = below(downloads, to)?;
    if many || to.text.ends_with('/') || path.is_dir() {
        return Ok((path, own));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default().to_owned();
    Ok((path.parent().map_or(PathBuf::new(), Path::to_owned), name))
}

/// A local path for downloads, as it was typed.
///
/// # Errors
/// [`Trouble::Usage`]: it leads out of the downloads folder.
pub(super) fn below(downloads: &Path, to: &Word) -> Result<PathBuf, Trouble> {
    let typed = local::path(&to.text, to.bare);
    if typed.is_relative() && typed.components().any(|part| part == Component::ParentDir) {
        return Err(Trouble::Usage(format!(
            "\"{}\" is a path out of the downloads folder; write a whole one, that begins with / or ~/",
            to.text
        )));
    }
    // Without the dots in it: a folder that is not there yet cannot be made by the name of one.
    Ok(downloads.join(typed).components().collect())
}

pub(super) fn put(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let (Options { tree, .. }, words) = Options::split(arguments)?;
    let (what, to) = one_and_target(words, "put [-r] FILE [REMOTE]")?;
    if what[0].is_stream() {
        return put_input(client, to);
    }
    send(client, what, to, tree)
}

pub(super) fn mput(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let (Options { tree, .. }, words) = Options::split(arguments)?;
    send(client, words, None, tree)
}

fn send(
    client: &mut Client,
    what: &[Word],
    to: Option<&Word>,
    tree: bool,
) -> Result<ControlFlow<()>> {
    let locals = local_names(what, if tree { Want::All } else { Want::Files })?;
    let many = locals.len() > 1;
    let job = |local: String| {
        let path = Path::new(&local);
        let what = match fs::metadata(path) {
            Ok(data) if tree && data.is_dir() => What::Folder { depth: 0 },
            Ok(data) => What::File {
                size: Some(data.len()).filter(|_| data.is_file()),
                modified: None,
            },
            // Whoever opens it will say what is wrong.
            Err(_) => What::FILE,
        };
        let remote = remote_name(path, to, many);
        Job::new(PathBuf::new(), local, remote, what)
    };
    let jobs: Vec<Job> = locals.into_iter().map(job).collect();
    let written: Vec<String> = jobs.iter().map(|job| job.remote.clone()).collect();
    let outcome = jobs::run(client, Orders::plain(Way::Up), jobs);
    written.iter().for_each(|remote| client.wrote(remote));
    outcome
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
    let bytes = pipe::put(client.connection()?, &remote, &mut io::stdin().lock())?;
    client.wrote(&to.text);
    Event::sent(&to.text, None, whole(bytes, start)).tell();
    DONE
}

/// A transfer from the first byte to the last.
fn whole(bytes: u64, began: Instant) -> Moved {
    Moved {
        bytes,
        resumed_at: 0,
        took: began.elapsed(),
    }
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
        let bytes = pipe::append(client.connection()?, &remote, &mut file)?;
        client.wrote(remote.as_str());
        Event::Added {
            remote: remote.to_string(),
            local: path.to_owned(),
            moved: whole(bytes, start),
        }
        .tell();
        Ok(())
    })
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
