//! The settings file: TOML, with the names of the flags as keys.
//!
//! ```toml
//! port = 21
//! root = "/srv/ftp"
//! idle-timeout = "10m"
//! plain-passwords = true
//! ```

use super::CONFIG;
use anyhow::{Context, Result, anyhow};
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};
use multi_client_ftp::server::Broken;
use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml_edit::{Document, Item, Key, Value};

/// A key of the file, and the words of a command line that say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) words: Vec<OsString>,
}

/// Reads a file of settings for this command.
///
/// # Errors
/// It cannot be read, is no TOML, or has a key or a value that there is not; the text names it, with line and column.
pub(super) fn read(path: &Path, command: &Command) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read the settings file {} (as user {}); --config names it, and that user has to be able to read it",
            path.display(),
            rustix::process::geteuid()
        )
    })?;
    parse(&text, command).map_err(|broken| anyhow!("{}: {broken}", path.display()))
}

fn parse(text: &str, command: &Command) -> Result<Vec<Entry>, Broken> {
    let document = Document::parse(text).map_err(|error| Broken::toml(text, &error))?;
    let command = bare(command);
    let mut entries = Vec::new();
    for (key, item) in document.iter() {
        let span = document.as_table().key(key).and_then(Key::span);
        let arg = super::by_key(&command, key).filter(|_| key != CONFIG);
        let arg = arg.ok_or_else(|| Broken::at(text, span.clone(), unknown(&command, key)))?;
        let words = words(arg, key, item)
            .and_then(|words| try_out(&command, key, item, words))
            .map_err(|what| Broken::at(text, span_of(item).or(span), what))?;
        entries.push(Entry {
            key: key.to_owned(),
            words,
        });
    }
    Ok(entries)
}

/// The command with nothing but its flags: a value of the file is tried by itself.
fn bare(command: &Command) -> Command {
    let mut bare = Command::new("settings").no_binary_name(true);
    for arg in command.get_arguments() {
        bare = bare.arg(arg.clone().env(Resettable::Reset));
    }
    bare
}

fn unknown(command: &Command, key: &str) -> String {
    if key == CONFIG {
        return format!("a settings file names no other: {key:?} is for the command line");
    }
    let found = command
        .clone()
        .try_get_matches_from([format!("--{key}")])
        .err();
    let found = found.as_ref();
    let suggested = found.and_then(|error| error.get(ContextKind::SuggestedArg));
    let cure = match suggested {
        Some(ContextValue::String(flag)) => {
            let like = flag.trim_start_matches('-');
            super::by_key(command, like).filter(|_| like != CONFIG && like != key)
        }
        _ => None,
    };
    match cure.and_then(Arg::get_long) {
        Some(like) => format!("{key:?} is no setting, did you mean {like:?}?"),
        None => format!("{key:?} is no setting, ftp-server --help lists them without their --"),
    }
}

/// What a command line would say.
fn words(arg: &Arg, key: &str, item: &Item) -> Result<Vec<OsString>, String> {
    let expected = |what: &str| format!("{key} is {}, expected {what}", shown(item));
    match arg.get_action() {
        ArgAction::SetTrue => match item.as_bool() {
            Some(true) => Ok(vec![format!("--{key}").into()]),
            Some(false) => Ok(Vec::new()),
            None => Err(expected("true or false")),
        },
        ArgAction::Count => match item.as_integer().map(u8::try_from) {
            Some(Ok(count)) => Ok(vec![format!("--{key}").into(); count.into()]),
            _ => Err(expected("a small whole number")),
        },
        action => {
            let takes_many =
                matches!(action, ArgAction::Append) || arg.get_value_delimiter().is_some();
            let what = kind(arg);
            let word = |value: &Value| {
                let text = what.text(value)?;
                Some(format!("--{key}={text}").into())
            };
            let words = match (item.as_value(), item.as_array()) {
                (_, Some(list)) if takes_many => list.iter().map(word).collect(),
                (Some(value), _) => word(value).map(|word| vec![word]),
                (None, _) => None,
            };
            let list = if takes_many {
                ", or a list of such"
            } else {
                ""
            };
            words.ok_or_else(|| expected(&format!("{}{list}", what.name(arg))))
        }
    }
}

/// Lets the flag's own parser have its word.
fn try_out(
    command: &Command,
    key: &str,
    item: &Item,
    words: Vec<OsString>,
) -> Result<Vec<OsString>, String> {
    match command.clone().try_get_matches_from(&words) {
        Ok(_) => Ok(words),
        Err(error) => match error.kind() {
            // What goes with it, or not with it, is another key's or flag's.
            ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict => Ok(words),
            _ => Err(format!("{key} is {}{}", shown(item), why(&error))),
        },
    }
}

/// What a flag's parser has against a value.
fn why(error: &clap::Error) -> String {
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => format!(": {source}"),
        (None, Some(ContextValue::Strings(valid))) if !valid.is_empty() => {
            format!(", expected {}", one_of(valid))
        }
        _ => ", expected a value".to_owned(),
    }
}

fn one_of(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<_> = words
        .iter()
        .map(|word| format!("{:?}", word.as_ref()))
        .collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// What a flag's value is in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    /// Such as a time, which may be seconds.
    Either,
}

fn kind(arg: &Arg) -> Kind {
    let parsed = arg.get_value_parser().type_id();
    let is_any = |types: &[TypeId]| types.iter().any(|one| parsed == *one);
    let numbers = [
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<NonZeroUsize>(),
    ];
    if is_any(&numbers) {
        Kind::Number
    } else if is_any(&[TypeId::of::<String>(), TypeId::of::<PathBuf>()])
        || !arg.get_possible_values().is_empty()
    {
        Kind::Text
    } else {
        Kind::Either
    }
}

impl Kind {
    /// The value as one would type it, if it is of this kind.
    fn text(self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) if self != Self::Number => Some(text.value().clone()),
            Value::Integer(number) if self != Self::Text => Some(number.value().to_string()),
            _ => None,
        }
    }

    fn name(self, arg: &Arg) -> String {
        let words: Vec<_> = arg
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        match self {
            Self::Number => "a whole number".to_owned(),
            Self::Text if !words.is_empty() => one_of(&words),
            Self::Text => "a text in quotes".to_owned(),
            Self::Either => "a text in quotes, or a whole number".to_owned(),
        }
    }
}

/// The value as it stands in the file.
fn shown(item: &Item) -> String {
    match item.as_value() {
        Some(value) => value.clone().decorated("", "").to_string(),
        None => "a table".to_owned(),
    }
}

fn span_of(item: &Item) -> Option<Range<usize>> {
    item.as_value().and_then(Value::span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::value_parser;

    /// Flags of kinds that take lists, and one that needs another.
    fn command() -> Command {
        Command::new("test")
            .arg(
                Arg::new("from")
                    .long("from")
                    .action(ArgAction::Append)
                    .requires("port"),
            )
            .arg(Arg::new("to").long("to").value_delimiter(','))
            .arg(
                Arg::new("port")
                    .long("port")
                    .value_parser(value_parser!(u16))
                    .action(ArgAction::Append),
            )
            .arg(Arg::new("loud").long("loud").action(ArgAction::Count))
    }

    fn words(text: &str) -> Result<Vec<String>, String> {
        let entries = parse(text, &command()).map_err(|broken| broken.to_string())?;
        let words = entries.into_iter().flat_map(|entry| entry.words);
        Ok(words
            .map(|word| word.to_string_lossy().into_owned())
            .collect())
    }

    #[test]
    fn a_list_is_a_flag_for_each() {
        for (text, flags) in [
            ("from = 'a'", &["--from=a"][..]),
            ("from = ['a', '-b']", &["--from=a", "--from=-b"]),
            ("to = ['a', 'b']", &["--to=a", "--to=b"]),
            ("to = 'a,b'", &["--to=a,b"]),
            ("port = [1, 2]", &["--port=1", "--port=2"]),
            ("from = []", &[]),
            ("loud = 2", &["--loud", "--loud"]),
            ("loud = 0", &[]),
            ("# nothing", &[]),
        ] {
            assert_eq!(words(text).unwrap(), flags, "{text}");
        }
        let broken = words("from = ['a', 1]").unwrap_err();
        assert!(broken.contains("or a list of such"), "{broken}");
        let broken = words("port = [1, 70000]").unwrap_err();
        assert!(broken.contains("70000 is not in"), "{broken}");
        let broken = words("loud = 300").unwrap_err();
        assert!(broken.contains("small whole number"), "{broken}");
    }
}
