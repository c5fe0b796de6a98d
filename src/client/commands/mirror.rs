//! The verb that makes a folder a copy of the other side's.

use super::files::below;
use super::local::local_names;
use super::remote_names;
use crate::client::Client;
use crate::client::error::Trouble;
use crate::client::glob::{Want, split};
use crate::client::jobs::{self, Job, Orders, Way, What};
use crate::client::mirror::{Rules, Step};
use crate::client::text;
use crate::client::words::Word;
use anyhow::Result;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::slice;

/// What was typed.
struct Typed<'w> {
    up: bool,
    rules: Rules,
    folder: &'w Word,
    other: Option<&'w Word>,
}

pub(super) fn mirror(client: &mut Client, arguments: &[Word]) -> Result<ControlFlow<()>> {
    let typed = read(arguments)?;
    let (way, job) = match typed.up {
        false => (Way::Down, down(client, &typed)?),
        true => (Way::Up, up(&typed)?),
    };
    let remote = job.remote.clone();
    let orders = Orders {
        mirror: Some(typed.rules),
        ..Orders::plain(way)
    };
    let outcome = jobs::run(client, orders, vec![job]);
    if way == Way::Up && !typed.rules.dry_run {
        client.wrote(&remote);
    }
    outcome
}

fn read(arguments: &[Word]) -> Result<Typed<'_>, Trouble> {
    let (mut up, mut delete, mut dry_run) = (false, false, false);
    let mut names = Vec::new();
    for word in arguments {
        match &*word.text {
            "-R" if word.bare => up = true,
            "--delete" if word.bare => delete = true,
            "--dry-run" if word.bare => dry_run = true,
            option if word.bare && option.starts_with('-') => {
                return Err(usage(&format!(
                    "there is no {option}; a name goes in quotes"
                )));
            }
            _ => names.push(word),
        }
    }
    let (folder, other) = match names[..] {
        [folder] => (folder, None),
        [folder, other] => (folder, Some(other)),
        _ => return Err(usage("a name with spaces goes in quotes")),
    };
    Ok(Typed {
        up,
        rules: Rules { delete, dry_run },
        folder,
        other,
    })
}

fn usage(hint: &str) -> Trouble {
    Trouble::Usage(format!(
        "usage: mirror [-R] [--delete] [--dry-run] FOLDER [OTHER] ({hint})"
    ))
}

fn down(client: &mut Client, typed: &Typed<'_>) -> Result<Job> {
    let found = remote_names(client, slice::from_ref(typed.folder), Want::Folders)?;
    let remote = only(found, typed.folder)?;
    let downloads = &client.options().downloads;
    let folder = match (typed.other, own_name(&remote)) {
        (Some(other), _) => below(downloads, other)?,
        (None, Some(name)) => downloads.join(text::single_name(name)?),
        (None, None) => typed.nameless(downloads.clone())?,
    };
    Ok(job(typed, folder, trimmed(&remote)))
}

fn up(typed: &Typed<'_>) -> Result<Job> {
    let found = local_names(slice::from_ref(typed.folder), Want::Folders)?;
    let local = only(found, typed.folder)?;
    let remote = match (typed.other, own_name(&local)) {
        (Some(other), _) => other.text.clone(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => typed.nameless(".".to_owned())?,
    };
    Ok(job(typed, PathBuf::from(&local), trimmed(&remote)))
}

fn job(typed: &Typed<'_>, folder: PathBuf, remote: &str) -> Job {
    let what = What::Mirror(Step {
        rules: typed.rules,
        depth: 0,
        new: false,
    });
    Job::new(folder, String::new(), remote.to_owned(), what)
}

impl Typed<'_> {
    /// Where the copy of a folder lands that was named only by where it is. Much else may be there.
    fn nameless<T>(&self, place: T) -> Result<T, Trouble> {
        match self.rules.delete {
            true => Err(usage("to remove something, OTHER has to say where")),
            false => Ok(place),
        }
    }
}

fn only(mut found: Vec<String>, word: &Word) -> Result<String, Trouble> {
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(Trouble::Usage(format!(
            "{} stands for more than one folder",
            word.text
        ))),
    }
}

/// The name of the folder at a path, if the path ends in one.
fn own_name(path: &str) -> Option<&str> {
    let name = split(trimmed(path)).1;
    Some(name).filter(|name| !matches!(*name, "" | "." | ".."))
}

fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::words::words;

    #[test]
    fn options_stand_anywhere() {
        let typed = words("-R a --delete b --dry-run").unwrap();
        let typed = read(&typed).unwrap();
        assert!(typed.up && typed.rules.delete && typed.rules.dry_run);
        assert_eq!(typed.folder.text, "a");
        assert_eq!(typed.other.unwrap().text, "b");
        for wrong in ["-R", "a b c", "-x a", "--delet a"] {
            assert!(read(&words(wrong).unwrap()).is_err(), "{wrong}");
        }
        assert!(read(&words("'-R'").unwrap()).is_ok());
    }

    #[test]
    fn what_a_copy_is_called() {
        for (path, name) in [
            ("a/b/", Some("b")),
            ("/a", Some("a")),
            ("/", None),
            ("a/..", None),
            (".", None),
        ] {
            assert_eq!(own_name(path), name, "{path}");
        }
    }
}
