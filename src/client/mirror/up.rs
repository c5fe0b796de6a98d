//! A mirror of this side's folder on the server.

use super::compare::{Compared, Copied, is_same};
use super::{Act, Folder, is_part_of_one};
use crate::client::connection::Connection;
use crate::client::error::{Trouble, local_trouble};
use crate::client::events::Event;
use crate::client::jobs::What;
use crate::client::listing::{self, Told};
use crate::client::{interrupt, tree};
use crate::protocol::command::{Arg, Command};
use crate::protocol::entry::{Entry, Kind};
use crate::protocol::reply::Class;
use anyhow::Result;
use std::collections::{BTreeMap, HashSet};

impl Folder<'_> {
    /// # Errors
    /// See [`super::open`].
    pub(super) fn up(&mut self, connection: &mut Connection) -> Result<()> {
        let locals = tree::list(&self.place())?;
        let told = match self.step.new {
            true => {
                self.make(connection)?;
                Told::default()
            }
            false => self.look(connection)?,
        };
        let there: BTreeMap<&str, &Entry> = told
            .entries
            .iter()
            .map(|entry| (&*entry.name, entry))
            .collect();
        let (mut names, mut doubt) = (HashSet::new(), None);
        for local in &locals {
            let (path, name) = (local.path(), local.file_name());
            let Some(name) = name.to_str() else {
                let error = "its name is not UTF-8 text";
                self.fault(local_trouble("send", &path, &error));
                doubt = Some("names here are not UTF-8 text");
                continue;
            };
            names.insert(name.to_owned());
            if let Some(what) = tree::of_path(&path, self.step.depth) {
                let there = there.get(name).map(|&entry| (entry, told.rough));
                self.send(connection, name, what, there)?;
            }
        }
        if self.step.rules.delete {
            let names: HashSet<&str> = names.iter().map(|name| &**name).collect();
            let extra = told.entries.iter().filter(|entry| {
                !names.contains(&*entry.name) && !is_part_of_one(&entry.name, &names)
            });
            let extra: Vec<&Entry> = extra.collect();
            match doubt {
                Some(doubt) if !extra.is_empty() => self.keeps(&self.job.remote, doubt),
                _ => extra.into_iter().for_each(|entry| self.remove_there(entry)),
            }
        }
        Ok(())
    }

    /// What the server has in the folder, which is made if there is none.
    fn look(&mut self, connection: &mut Connection) -> Result<Told> {
        match listing::told(connection, &self.job.remote) {
            Ok(told) if told.rough && listing::may_be_pattern(&self.job.remote) => {
                log::debug!(
                    "{}: no more is known than that it is there",
                    self.job.remote
                );
                if self.step.depth == 0 {
                    self.make(connection)?;
                }
                Ok(Told::default())
            }
            Ok(told) if !told.entries.is_empty() || told.sure => Ok(told),
            // There may be none, and the one who has listed the folder above would know.
            Ok(told) => {
                if self.step.depth == 0 {
                    self.make(connection)?;
                }
                Ok(told)
            }
            Err(error) if self.step.depth == 0 && is_refused(&error) && !connection.is_broken() => {
                self.make(connection)?;
                match self.step.rules.dry_run {
                    true => Ok(Told::default()),
                    false => listing::told(connection, &self.job.remote),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn make(&mut self, connection: &mut Connection) -> Result<()> {
        let remote = self.job.remote.clone();
        if self.would(Act::Make, "", &remote) {
            return Ok(());
        }
        tree::make(connection, &remote)
    }

    /// Notes what is to be done for a name of the local folder.
    fn send(
        &mut self,
        connection: &mut Connection,
        name: &str,
        what: What,
        there: Option<(&Entry, bool)>,
    ) -> Result<()> {
        let remote = self.remote(name);
        let kind = there.map(|(entry, _)| entry.kind);
        let mut job = self.job.inner(name.to_owned(), what);
        if let What::Folder { .. } = what {
            let new = match kind {
                None => true,
                Some(Kind::File | Kind::Link) if !self.displace(connection, &remote, there)? => {
                    return Ok(());
                }
                Some(Kind::File | Kind::Link) => true,
                Some(_) => false,
            };
            job.what = self.inner(new);
            self.found.jobs.push(job);
            return Ok(());
        }
        let dry_run = self.step.rules.dry_run;
        if let (
            Some(there),
            What::File {
                size: Some(size),
                modified,
            },
        ) = (there, what)
            && kind != Some(Kind::Folder)
            && is_same(
                connection,
                Copied::There { dry_run },
                &remote,
                there,
                Compared { size, modified },
            )?
        {
            self.found.tally.same += 1;
            return Ok(());
        }
        if matches!(kind, Some(Kind::Folder | Kind::Link))
            && !self.displace(connection, &remote, there)?
        {
            return Ok(());
        }
        let local = job.local();
        if !self.would_at(Act::Put, remote, &local.display()) {
            self.found.jobs.push(job);
        }
        Ok(())
    }

    /// Makes room on the server where something of another type is. Whether there is room, or would be.
    fn displace(
        &mut self,
        connection: &mut Connection,
        remote: &str,
        there: Option<(&Entry, bool)>,
    ) -> Result<bool> {
        let folder = there.is_some_and(|(entry, _)| may_be_folder(entry));
        if !self.step.rules.delete {
            let type_there = if folder { "folder" } else { "file or link" };
            self.fault(Trouble::Failed(format!(
                "cannot send {remote}: there is a {type_there} of that name on the server; --delete replaces it"
            )));
            return Ok(false);
        }
        if self.would_at(Act::Remove, remote.to_owned(), &remote) {
            return Ok(true);
        }
        match remove(connection, remote, folder) {
            Ok(event) => {
                self.found.tally.removed += 1;
                event.tell();
                Ok(true)
            }
            Err(error) if is_refused(&error) && !connection.is_broken() => {
                self.fault(error.context(format!("cannot remove {remote}")));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that something is to be gone from the server.
    fn remove_there(&mut self, entry: &Entry) {
        let remote = self.remote(&entry.name);
        if !self.would_at(Act::Remove, remote.clone(), &remote) {
            let folder = may_be_folder(entry);
            let job = self.job.inner(entry.name.clone(), What::Remove { folder });
            self.found.jobs.push(job);
        }
    }
}

/// Removes a file from the server, or a folder with all that is in it, and says so.
///
/// # Errors
/// The server refused, of a tree perhaps only something of it; or the connection broke.
pub(in crate::client) fn remove(
    connection: &mut Connection,
    path: &str,
    folder: bool,
) -> Result<Event> {
    erase(connection, path, folder, 0)?;
    Ok(Event::Removed(path.to_owned()))
}

fn erase(connection: &mut Connection, path: &str, folder: bool, depth: u32) -> Result<()> {
    tree::check_depth(depth)?;
    let arg: Arg = path.parse()?;
    // Some servers list a link to a folder as one. It goes as a file does, and what it leads to stays.
    let reply = connection.send(&Command::Dele(arg.clone()))?;
    if reply.class() == Class::Completion {
        return Ok(());
    }
    if !folder || connection.is_broken() {
        return Err(Trouble::Refused(reply).into());
    }
    let mut first = Ok(());
    for entry in listing::told(connection, path)?.entries {
        let inner = format!("{path}/{}", entry.name);
        let outcome = erase(connection, &inner, may_be_folder(&entry), depth + 1);
        if outcome.is_err() && (connection.is_broken() || interrupt::is_raised()) {
            return outcome;
        }
        first = first.and(outcome.map_err(|error| error.context(inner)));
    }
    first?;
    connection.expect(&Command::Rmd(arg))?;
    Ok(())
}

fn may_be_folder(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Folder | Kind::Other)
}

fn is_refused(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::Refused(_)))
}
