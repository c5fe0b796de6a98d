//! Where the settings come from: flags, variables and a file. A flag goes before its variable, and that before the file.
//!
//! What the file says becomes flags in front of the command line's own, so that each setting has one parser, one default and
//! one place where it is used.

mod file;

use anyhow::{Result, anyhow};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Id};
use file::Entry;
use std::ffi::OsString;
use std::path::PathBuf;

/// The flag that names the file.
const CONFIG: &str = "config";

/// The settings that a command was started with.
#[derive(Debug)]
pub(super) struct Settings {
    command: Command,
    /// The command line as it was given.
    words: Vec<OsString>,
    path: Option<PathBuf>,
    /// What the file says.
    entries: Vec<Entry>,
    matches: ArgMatches,
}

/// What the file says now.
#[derive(Debug)]
pub(super) struct Reread {
    /// All of it.
    pub(super) asked: Settings,
    /// As much of it as a server can do that runs.
    pub(super) possible: Settings,
}

/// A setting that has another value.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) old: String,
    pub(super) new: String,
}

impl Settings {
    /// Reads the command line, the variables, and the file that one of them names.
    ///
    /// # Errors
    /// A `clap::Error` where a flag or a variable is wrong; of the file the text says where and what.
    pub(super) fn read(command: Command, words: Vec<OsString>) -> Result<Self> {
        let given = given(&command, &words)?;
        let path = Target::of(&command, &given)
            .and_then(|target| target.matches.get_one::<PathBuf>(CONFIG).cloned());
        let mut settings = Self {
            matches: given,
            command,
            words,
            path,
            entries: Vec::new(),
        };
        settings.entries = settings.entries_now()?;
        settings.matches = settings.parse()?;
        Ok(settings)
    }

    /// What they are, all together.
    pub(super) const fn matches(&self) -> &ArgMatches {
        &self.matches
    }

    /// Reads the file again, if there is one. `can_change` knows the keys that a server can follow while it runs.
    ///
    /// # Errors
    /// The file cannot be used; the text says where and what.
    pub(super) fn reread(&self, can_change: impl Fn(&str) -> bool) -> Result<Option<Reread>> {
        if self.path.is_none() {
            return Ok(None);
        }
        let asked = self.with(self.entries_now()?)?;
        let new = asked.entries.iter().filter(|entry| can_change(&entry.key));
        let kept = self.entries.iter().filter(|entry| !can_change(&entry.key));
        let possible = self.with(kept.chain(new).cloned().collect())?;
        Ok(Some(Reread { asked, possible }))
    }

    /// What is not as it was before.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<Change> {
        let keys = self.command.get_arguments().filter_map(Arg::get_long);
        let changes = keys.map(|key| Change {
            key: key.to_owned(),
            old: before.shown(key),
            new: self.shown(key),
        });
        changes.filter(|change| change.old != change.new).collect()
    }

    /// The value of a setting as one would type it.
    fn shown(&self, key: &str) -> String {
        let arg = by_key(&self.command, key);
        let raw = arg.and_then(|arg| self.matches.try_get_raw(arg.get_id().as_str()).ok()?);
        raw.map_or_else(
            || "unset".to_owned(),
            |values| {
                let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                values.join(",")
            },
        )
    }

    fn with(&self, entries: Vec<Entry>) -> Result<Self> {
        let mut settings = Self {
            command: self.command.clone(),
            words: self.words.clone(),
            path: self.path.clone(),
            entries,
            matches: self.matches.clone(),
        };
        settings.matches = settings.parse()?;
        Ok(settings)
    }

    fn entries_now(&self) -> Result<Vec<Entry>> {
        let path = self.path.as_deref();
        path.map_or_else(|| Ok(Vec::new()), |path| file::read(path, &self.command))
    }

    /// The command line with what the file says in front of it, where nothing else says it.
    fn parse(&self) -> Result<ArgMatches> {
        let given = given(&self.command, &self.words)?;
        let parse = |words: &[OsString]| self.command.clone().try_get_matches_from(words);
        let Some(target) = Target::of(&self.command, &given) else {
            return Ok(parse(&self.words)?);
        };
        let from_file = self.entries.iter().filter(|entry| target.lacks(&entry.key));
        let mut words = self.words.clone();
        let at = target.flags_at.min(words.len());
        words.splice(
            at..at,
            from_file.flat_map(|entry| entry.words.iter().cloned()),
        );
        parse(&words).map_err(|error| match (&self.path, parse(&self.words)) {
            // It is not for the file that it cannot be parsed.
            (_, Err(error)) => error.into(),
            (None, _) => error.into(),
            (Some(path), Ok(_)) => anyhow!("{}: {}", path.display(), disagreement(&error)),
        })
    }
}

/// The command line and the variables by themselves, whose errors are told once the file has had its say: one of its keys may be
/// what a flag lacks.
fn given(command: &Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(words)
}

/// The command or subcommand that takes the settings.
struct Target<'c> {
    command: &'c Command,
    matches: &'c ArgMatches,
    /// Which word is the first that may be a flag of it.
    flags_at: usize,
}

impl<'c> Target<'c> {
    /// `None` for a subcommand that has no settings.
    fn of(command: &'c Command, matches: &'c ArgMatches) -> Option<Self> {
        let (command, matches, flags_at) = match matches.subcommand() {
            None => (command, matches, 1),
            // It is the first word: flags of the server in front of it are refused.
            Some((name, matches)) => (command.find_subcommand(name)?, matches, 2),
        };
        by_key(command, CONFIG).map(|_| Self {
            command,
            matches,
            flags_at,
        })
    }

    /// Whether the command takes this key, and neither a flag nor a variable says it or what contradicts it.
    fn lacks(&self, key: &str) -> bool {
        let Some(arg) = by_key(self.command, key) else {
            return false;
        };
        let others = self.command.get_arguments().filter(|other| {
            let conflicts = |one, other: &Arg| {
                let conflicts = self.command.get_arg_conflicts_with(one);
                conflicts.iter().any(|one| one.get_id() == other.get_id())
            };
            conflicts(arg, other) || conflicts(other, arg)
        });
        let mut all = others.chain([arg]);
        !all.any(|arg| self.is_said(arg.get_id()))
    }

    fn is_said(&self, id: &Id) -> bool {
        matches!(
            self.matches.value_source(id.as_str()),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    }
}

/// The flag that a key is, if there is such a one.
fn by_key<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(key))
}

/// What is wrong with keys that are good each by itself.
fn disagreement(error: &clap::Error) -> String {
    let names = |kind| {
        let names: &[String] = match error.get(kind) {
            Some(ContextValue::Strings(names)) => names,
            Some(ContextValue::String(name)) => std::slice::from_ref(name),
            _ => &[],
        };
        // `--tls-key <FILE>` in the words of the command line.
        let names = names.iter().filter_map(|name| name.split(' ').next());
        let names: Vec<_> = names
            .map(|name| name.trim_start_matches('-').trim_end_matches("..."))
            .collect();
        names.join(" and ")
    };
    let (one, other) = (names(ContextKind::InvalidArg), names(ContextKind::PriorArg));
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            format!("{one} is missing, which another of the keys needs")
        }
        ErrorKind::ArgumentConflict => {
            format!("{one} and {other} contradict each other, leave one of them out")
        }
        _ => error.to_string(),
    }
}
