//! A verb as a command of its own: `ftp-client get URL`. It becomes the call that the prompt's verb takes, of words that
//! are what the shell has made of them.

use super::error::Trouble;
use super::target::{Place, Target};
use super::words::Word;
use anyhow::{Result, bail};
use clap::{Subcommand, ValueHint};
use std::path::{Component, Path, absolute};

// As a doc comment this would be the binary's own description in --help.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum OneShot {
    /// Download a file, all that match a glob, or with -r a folder
    ///
    /// It lands in the current folder (or that of --downloads) under its own name, or as LOCAL. A LOCAL that is a folder,
    /// or ends in /, takes it under its own name; - is standard output. A * or [ in the URL makes it a glob, %2A and %5B
    /// are just these characters: ftp-client get 'ftp://host/in/*.csv' reports/
    #[command(override_usage = "ftp-client get [OPTIONS] URL [LOCAL]")]
    Get {
        /// The URL is that of a folder, of which all comes that is in it
        #[arg(short = 'r', short_alias = 'R')]
        tree: bool,
        /// Over how many connections a file comes
        #[arg(long, value_name = "N")]
        segments: Option<u16>,
        /// ftp://user@host:port/path, or @NAME/path for what is below a bookmark's folder
        #[arg(value_hint = ValueHint::Url)]
        url: String,
        /// The file or folder on this side
        #[arg(value_hint = ValueHint::AnyPath)]
        local: Option<String>,
    },
    /// Upload files, or with -r folders
    ///
    /// A single FILE is stored under the path of the URL, or in it if that ends in /. Of several FILEs the URL is the
    /// folder, which has to be there. A FILE of - is standard input.
    #[command(override_usage = "ftp-client put [OPTIONS] FILE... URL")]
    Put {
        /// A FILE may be a folder, which goes with all that is in it
        #[arg(short = 'r', short_alias = 'R')]
        tree: bool,
        // One list, so that options may stand between its words.
        /// The files, and behind them ftp://user@host:port/path, or @NAME/path
        #[arg(value_name = "FILE... URL", required = true, value_hint = ValueHint::AnyPath)]
        words: Vec<String>,
    },
    /// List a folder, or what matches a glob
    ///
    /// A table on a terminal, else one name a line, or with --json one object with all that is known.
    #[command(override_usage = "ftp-client ls [OPTIONS] URL")]
    Ls {
        /// ftp://user@host:port/path, or @NAME/path for what is below a bookmark's folder
        #[arg(value_hint = ValueHint::Url)]
        url: String,
    },
    /// Make a folder the same as one on the server, or with -R the other way round
    ///
    /// Only what differs in size or time is copied.
    #[command(
        override_usage = "ftp-client mirror [OPTIONS] URL [LOCAL]\n       ftp-client mirror [OPTIONS] -R LOCAL URL"
    )]
    Mirror {
        /// Upload: LOCAL is what URL becomes the same as
        #[arg(short = 'R')]
        upload: bool,
        /// Remove what the other side does not have
        #[arg(long)]
        delete: bool,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
        /// The folder that is as it should be
        #[arg(value_hint = ValueHint::AnyPath)]
        from: String,
        /// The folder that becomes the same
        #[arg(value_hint = ValueHint::AnyPath)]
        to: Option<String>,
    },
}

/// A verb, what it is about, and the server to be connected to first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where to connect to.
    pub server: Target,
    /// The verb's name.
    pub verb: &'static str,
    /// Its words.
    pub words: Vec<Word>,
}

impl OneShot {
    /// The call that carries it out.
    ///
    /// # Errors
    /// [`Trouble::Usage`], or what [`Place::parse`] says.
    pub fn call(self) -> Result<Call> {
        match self {
            Self::Get {
                tree,
                segments,
                url,
                local,
            } => {
                let segments = segments.map(|count| format!("--segments={count}"));
                get(&url, tree, segments, local.as_deref())
            }
            Self::Put { tree, words } => put(tree, &words),
            Self::Ls { url } => {
                let Place { server, path } = Place::parse(&url)?;
                let words = Some(folder(path)).filter(|path| !path.text.is_empty());
                Ok(call("ls", server, None, words))
            }
            Self::Mirror {
                upload,
                delete,
                dry_run,
                from,
                to,
            } => {
                let options = option(upload, "-R")
                    .into_iter()
                    .chain(option(delete, "--delete"))
                    .chain(option(dry_run, "--dry-run"));
                match (upload, to) {
                    (false, to) => {
                        let Place { server, path } = Place::parse(&from)?;
                        let to = to.as_deref().map(local).transpose()?;
                        let words = [here(literal(path))].into_iter().chain(to);
                        Ok(call("mirror", server, options, words))
                    }
                    (true, Some(to)) => {
                        let Place { server, path } = Place::parse(&to)?;
                        let words = [Word::literal(from), here(literal(path))];
                        Ok(call("mirror", server, options, words))
                    }
                    (true, None) => bail!(usage("mirror -R takes a LOCAL and a URL")),
                }
            }
        }
    }
}

fn get(url: &str, tree: bool, segments: Option<String>, to: Option<&str>) -> Result<Call> {
    let Place { server, path } = Place::parse(url)?;
    if !tree && (path.text.is_empty() || path.text.ends_with('/')) {
        bail!(usage("the URL names no file; -r gets a whole folder"));
    }
    let path = if tree { here(folder(path)) } else { path };
    let to = to.map(local).transpose()?;
    let options = option(tree, "-r")
        .into_iter()
        .chain(segments.map(Word::bare));
    Ok(call("get", server, options, [path].into_iter().chain(to)))
}

fn put(tree: bool, words: &[String]) -> Result<Call> {
    let Some((url, files @ [first, ..])) = words.split_last() else {
        bail!(usage("put takes one FILE at least, and a URL behind it"));
    };
    let place = Place::parse(url)?;
    let options = option(tree, "-r");
    if let [_, _, ..] = files {
        if files.iter().any(|file| file == "-") {
            bail!(usage(
                "standard input goes alone, and its URL names the file"
            ));
        }
        let files = files.iter().map(Word::literal);
        return Ok(call("mput", place.into(), options, files));
    }
    let Place { server, path } = place;
    let to = literal(path);
    let file = match first.as_str() {
        "-" if to.text.is_empty() || to.text.ends_with('/') => {
            bail!(usage(
                "standard input has no name: the URL has to end in one"
            ));
        }
        "-" => Word::bare("-"),
        file => Word::literal(file),
    };
    let to = Some(to).filter(|to| !to.text.is_empty());
    Ok(call("put", server, options, [file].into_iter().chain(to)))
}

fn call(
    verb: &'static str,
    server: Target,
    options: impl IntoIterator<Item = Word>,
    words: impl IntoIterator<Item = Word>,
) -> Call {
    Call {
        server,
        verb,
        words: options.into_iter().chain(words).collect(),
    }
}

fn option(given: bool, option: &str) -> Option<Word> {
    given.then(|| Word::bare(option))
}

/// A path to write to is never a glob.
fn literal(path: Word) -> Word {
    Word::literal(path.text)
}

/// A folder without the `/` at its end, which some servers do not like.
fn folder(path: Word) -> Word {
    let trimmed = path.text.trim_end_matches('/');
    match trimmed.is_empty() || path.glob.is_some() {
        true => path,
        false => Word::literal(trimmed),
    }
}

/// No path is the folder that a login leads to.
fn here(path: Word) -> Word {
    match path.text.is_empty() {
        true => Word::literal("."),
        false => path,
    }
}

/// A path on this side. At the prompt `..` would be a way out of the downloads folder; the shell's user is in a folder of
/// the shell's, and knows.
fn local(typed: &str) -> Result<Word, Trouble> {
    if typed == "-" {
        return Ok(Word::bare(typed));
    }
    let path = Path::new(typed);
    if !path.components().any(|part| part == Component::ParentDir) {
        return Ok(Word::literal(typed));
    }
    let whole = absolute(path)
        .map_err(|error| Trouble::Local(format!("cannot tell the current folder: {error}")))?;
    match whole.to_str() {
        Some(whole) => Ok(Word::literal(whole)),
        None => Err(Trouble::Local(format!(
            "the name {} is not UTF-8 text",
            whole.display()
        ))),
    }
}

fn usage(text: &str) -> Trouble {
    Trouble::Usage(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: OneShot,
    }

    /// The call, with each word as its text, in quotes if it stands for no more than that.
    fn called(line: &[&str]) -> Result<(Option<String>, String)> {
        let call = Line::try_parse_from([&["x"], line].concat())?
            .command
            .call()?;
        let words = call.words.into_iter().map(|word| match word {
            Word {
                glob: Some(glob), ..
            } => glob,
            Word {
                bare: true, text, ..
            } => text,
            Word { text, .. } => format!("'{text}'"),
        });
        let mut text = call.verb.to_owned();
        words.for_each(|word| text += &format!(" {word}"));
        Ok((call.server.folder, text))
    }

    #[test]
    fn what_the_prompt_would_be_told() {
        for (line, expected) in [
            (&["get", "ftp://h/d/f"][..], "get 'd/f'"),
            (&["get", "ftp://h/d/*.csv", "in/"], "get d/*.csv 'in/'"),
            (&["get", "ftp://h/%2Fd/%2A", "*"], "get '/d/*' '*'"),
            (&["get", "ftp://h/f", "-"], "get 'f' -"),
            (&["get", "-r", "ftp://h/d/"], "get -r 'd'"),
            (&["get", "ftp://h", "-R", "./-"], "get -r '.' './-'"),
            (
                &["get", "--segments", "4", "ftp://h/f"],
                "get --segments=4 'f'",
            ),
            (&["put", "f", "ftp://h"], "put 'f'"),
            (&["put", "~", "ftp://h/d/*"], "put '~' 'd/*'"),
            (&["put", "-", "ftp://h/d/f"], "put - 'd/f'"),
            (&["put", "--", "-r", "ftp://h/d/"], "put '-r' 'd/'"),
            (&["put", "d", "-r", "ftp://h/e"], "put -r 'd' 'e'"),
            (&["ls", "ftp://h/"], "ls"),
            (&["ls", "ftp://h//"], "ls '/'"),
            (&["ls", "ftp://h/-la/"], "ls '-la'"),
            (&["ls", "ftp://h/*/"], "ls */"),
            (&["mirror", "ftp://h/", "d"], "mirror '.' 'd'"),
            (
                &["mirror", "-R", "d", "--delete", "ftp://h/e"],
                "mirror -R --delete 'd' 'e'",
            ),
            (
                &["mirror", "--dry-run", "ftp://h/e"],
                "mirror --dry-run 'e'",
            ),
        ] {
            let (folder, text) = called(line).unwrap();
            assert_eq!((folder, &*text), (None, expected), "{line:?}");
        }
        let (folder, text) = called(&["put", "a b", "*", "ftp://h/d"]).unwrap();
        assert_eq!((folder.as_deref(), &*text), (Some("d"), "mput 'a b' '*'"));
        let (_, text) = called(&["get", "ftp://h/f", "../x/"]).unwrap();
        assert!(
            text.starts_with("get 'f' '/") && text.ends_with("/../x/'"),
            "{text}"
        );
    }

    #[test]
    fn what_makes_no_sense() {
        for line in [
            &["get"][..],
            &["get", "h/f"],
            &["get", "ftp://h/"],
            &["get", "ftp://h/d/"],
            &["get", "ftp://h/f?"],
            &["put", "f"],
            &["put", "ftp://h/f"],
            &["put", "-", "ftp://h/d/"],
            &["put", "-", "f", "ftp://h/d"],
            &["put", "ftp://h/f", "g"],
            &["mirror", "-R", "d"],
            &["mirror", "d", "ftp://h/"],
        ] {
            assert!(called(line).is_err(), "{line:?}");
        }
    }
}
