//! `ftp-server user`: the users file, edited as a whole or not at all.

use super::account::{Access, Permissions};
use super::file::{Accounts, check_name, check_root};
use super::password::Hash;
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Subcommand;
use rustix::fs::{FlockOperation, Gid, Mode, Uid};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, value};
use zeroize::Zeroizing;

// What `ftp-server user` does. As a doc comment this would take the place of the one that --help shows.
#[allow(missing_docs)]
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add an account; its password is asked for, or read from standard input
    Add {
        /// The users file, made if it is missing
        file: PathBuf,
        /// The account's name
        name: String,
        /// read, write, full, or some of list,download,upload,mkdir,delete,rename,chmod
        #[arg(long, default_value_t = Access::Write.into())]
        permissions: Permissions,
        /// Its folder below the served one; all of that without this
        #[arg(long, value_name = "DIR")]
        root: Option<String>,
    },
    /// Change the password of an account
    Passwd {
        /// The users file
        file: PathBuf,
        /// The account's name
        name: String,
    },
    /// Remove an account
    Remove {
        /// The users file
        file: PathBuf,
        /// The account's name
        name: String,
    },
    /// List the accounts with their permissions and folders
    List {
        /// The users file
        file: PathBuf,
    },
}

impl UserCommand {
    /// Carries it out.
    ///
    /// # Errors
    /// The file is broken or cannot be changed, or there is an account of the name, or none; the text says which.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Add {
                file,
                name,
                permissions,
                root,
            } => add(&file, &name, permissions, root.as_deref()),
            Self::Passwd { file, name } => passwd(&file, &name),
            Self::Remove { file, name } => remove(&file, &name),
            Self::List { file } => list(&file),
        }
    }
}

fn add(file: &Path, name: &str, permissions: Permissions, root: Option<&str>) -> Result<()> {
    check_name(name)
        .and_then(|()| root.map_or(Ok(()), check_root))
        .map_err(|error| anyhow!(error))?;
    let vacant = |document: &DocumentMut| {
        ensure!(
            !document.contains_key(name),
            "there is an account {name} already: ftp-server user passwd changes its password"
        );
        Ok(())
    };
    // Before a password is asked for in vain.
    if file.exists() {
        vacant(&read(file)?)?;
    }
    let hash = hash(name)?;
    change(file, |document| {
        vacant(document)?;
        let mut table = Table::new();
        table.insert("password", value(hash));
        table.insert("permissions", words(permissions));
        if let Some(root) = root {
            table.insert("root", value(root));
        }
        document.insert(name, Item::Table(table));
        Ok(())
    })
}

fn passwd(file: &Path, name: &str) -> Result<()> {
    ensure!(read(file)?.contains_key(name), missing(name));
    let hash = hash(name)?;
    change(file, |document| {
        let table = document
            .get_mut(name)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| missing(name))?;
        match table.get_mut("password").and_then(Item::as_value_mut) {
            // Only the value is put in: a comment behind it stays.
            Some(old) => {
                let decor = old.decor().clone();
                *old = hash.into();
                *old.decor_mut() = decor;
            }
            None => drop(table.insert("password", value(hash))),
        }
        Ok(())
    })
}

fn remove(file: &Path, name: &str) -> Result<()> {
    ensure!(read(file)?.contains_key(name), missing(name));
    change(file, |document| {
        document.remove(name).ok_or_else(|| missing(name))?;
        Ok(())
    })
}

fn list(file: &Path) -> Result<()> {
    let text = load(file)?;
    let accounts =
        Accounts::parse(&text).map_err(|broken| anyhow!("{}: {broken}", file.display()))?;
    let mut rows = String::new();
    for entry in accounts.iter() {
        let account = &entry.account;
        let root = account.root.trim_matches('/');
        rows += &format!("{}\t{}\t/{root}\n", account.name, account.permissions);
    }
    io::stdout()
        .write_all(rows.as_bytes())
        .context("cannot write to standard output")
}

fn missing(name: &str) -> anyhow::Error {
    anyhow!("there is no account {name}: ftp-server user list FILE names those that there are")
}

/// As a users file has them: one word, or a list.
fn words(permissions: Permissions) -> Item {
    let text = permissions.to_string();
    if text.contains(',') {
        value(text.split(',').collect::<toml_edit::Array>())
    } else {
        value(text)
    }
}

/// The hash of a password that is asked for twice with no echo, or stands in the first line of standard input.
fn hash(name: &str) -> Result<String> {
    let password = if io::stdin().is_terminal() {
        let ask = |what: &str| {
            rpassword::prompt_password(what)
                .map(Zeroizing::new)
                .context("cannot ask for the password")
        };
        let password = ask(&format!("Password of {name}: "))?;
        ensure!(
            ask("Again: ")? == password,
            "the two passwords differ, nothing was changed"
        );
        password
    } else {
        let mut line = Zeroizing::new(String::new());
        io::stdin()
            .lock()
            .read_line(&mut line)
            .context("cannot read the password from standard input")?;
        Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    // No client can say it on a line of its own.
    if password.is_empty() || password.contains(char::is_control) {
        bail!("a password has at least one character, and no control characters");
    }
    Hash::make(&password).map_err(|error| anyhow!("cannot hash the password: {error}"))
}

fn load(file: &Path) -> Result<String> {
    fs::read_to_string(file)
        .with_context(|| format!("cannot read the users file, {}", file.display()))
}

/// Reads the file to edit it. One that the server would refuse is not edited: it must be put right by hand first.
fn read(file: &Path) -> Result<DocumentMut> {
    let text = load(file)?;
    Accounts::parse(&text).map_err(|broken| anyhow!("{}: {broken}", file.display()))?;
    Ok(text.parse()?)
}

/// Edits the file: a new one is written beside it, and takes its place when it is whole and on the disk.
fn change(file: &Path, edit: impl FnOnce(&mut DocumentMut) -> Result<()>) -> Result<()> {
    // A link to a file that is kept elsewhere stays one.
    let file = &fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let cannot = || format!("cannot change {}", file.display());
    let folder_handle = File::open(folder).with_context(cannot)?;
    // Of two edits at a time, one would undo the other.
    rustix::fs::flock(&folder_handle, FlockOperation::NonBlockingLockExclusive)
        .context("somebody else is editing a users file in this folder, try again")?;
    let mut document = if file.exists() {
        read(file)?
    } else {
        DocumentMut::new()
    };
    edit(&mut document)?;
    let text = document.to_string();
    Accounts::parse(&text).map_err(|broken| anyhow!("the file would be broken: {broken}"))?;
    let fresh = folder.join(format!(".ftp-users.{:016x}", getrandom::u64()?));
    let written = write(&fresh, &text, file).and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        // There may be none, and the error of before is the one to tell.
        let _ = fs::remove_file(&fresh);
    }
    written
        .and_then(|()| folder_handle.sync_all())
        .with_context(cannot)
}

/// Writes the new file, for its owner alone, who is that of the old one.
fn write(fresh: &Path, text: &str, old: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(fresh)?;
    // Whatever the umask says.
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    if let Ok(old) = fs::metadata(old)
        && (old.uid(), old.gid()) != file.metadata().map(|new| (new.uid(), new.gid()))?
    {
        let (owner, group) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        rustix::fs::fchown(&file, Some(owner), Some(group))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
