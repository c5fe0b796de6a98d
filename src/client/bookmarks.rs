//! Servers under names of the user's choice, in a file that may also be edited by hand.

use super::error::Trouble;
use super::places;
use super::target::Target;
use anyhow::{Context, Result};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, value};

/// The key of a bookmark's table that holds its URL.
const URL: &str = "url";

/// The target of a bookmark.
///
/// # Errors
/// There is none of that name, or the file is no good.
pub fn find(name: &str) -> Result<Target> {
    let all = list()?;
    let Some((_, url)) = all.iter().find(|(other, _)| other == name) else {
        let names: Vec<&str> = all.iter().map(|(name, _)| &**name).collect();
        return Err(Trouble::Usage(match &names[..] {
            [] => {
                format!("there is no bookmark @{name}: bookmark add NAME at the prompt makes one")
            }
            _ => format!(
                "there is no bookmark @{name}; there is @{}",
                names.join(", @")
            ),
        })
        .into());
    };
    Target::from_url(url).with_context(|| format!("the bookmark @{name}"))
}

/// All bookmarks, each with its URL, in the order of the file.
///
/// # Errors
/// The file is there and no good.
pub fn list() -> Result<Vec<(String, String)>> {
    let Some(path) = path() else {
        return Ok(Vec::new());
    };
    let document = read(&path)?;
    let bookmarks = document.iter().filter_map(|(name, item)| {
        let url = item.as_table_like()?.get(URL)?.as_str()?;
        Some((name.to_owned(), url.to_owned()))
    });
    Ok(bookmarks.collect())
}

/// Keeps `target` under `name`, in place of one that was there.
///
/// # Errors
/// The name or the target does not fit, or the file cannot be changed.
pub fn add(name: &str, target: &Target) -> Result<String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(fits) {
        let error =
            format!("\"{name}\" is no name for a bookmark: letters, digits, - _ . can be in it");
        return Err(Trouble::Usage(error).into());
    }
    let url = target.to_url().ok_or_else(|| {
        Trouble::Usage("this server cannot be written as a URL, so it cannot be kept".to_owned())
    })?;
    change(|document| {
        let bookmark = document
            .entry(name)
            .or_insert_with(|| Item::Table(Table::new()));
        match bookmark.as_table_like_mut() {
            Some(table) => drop(table.insert(URL, value(url.clone()))),
            None => *bookmark = Item::Table(Table::from_iter([(URL, value(url.clone()))])),
        }
        Ok(())
    })?;
    Ok(url)
}

/// Forgets a bookmark.
///
/// # Errors
/// There is none of that name, or the file cannot be changed.
pub fn remove(name: &str) -> Result<()> {
    change(|document| match document.remove(name) {
        Some(_) => Ok(()),
        None => Err(Trouble::Usage(format!("there is no bookmark @{name}")).into()),
    })
}

fn path() -> Option<PathBuf> {
    Some(places::config()?.join("bookmarks.toml"))
}

fn read(path: &Path) -> Result<DocumentMut> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        outcome => outcome.map_err(|error| trouble("read", path, &error))?,
    };
    Ok(text
        .parse()
        .map_err(|error| trouble("read", path, &error))?)
}

/// Writes the file anew beside itself, so that it is whole at any time.
fn change(edit: impl FnOnce(&mut DocumentMut) -> Result<()>) -> Result<()> {
    let path = path().ok_or_else(|| {
        Trouble::Local("there is no place for bookmarks: HOME is not set".to_owned())
    })?;
    let mut document = read(&path)?;
    edit(&mut document)?;
    let write = || {
        places::make_private(path.parent().unwrap_or(Path::new(".")))?;
        let fresh = path.with_extension("toml.new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(document.to_string().as_bytes())?;
        file.sync_all()?;
        // A link to a file that is kept elsewhere stays one.
        fs::rename(&fresh, fs::canonicalize(&path).unwrap_or(path.clone()))
    };
    Ok(write().map_err(|error| trouble("write", &path, &error))?)
}

fn trouble(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::Local(format!("cannot {what} {}: {error}", path.display()))
}
