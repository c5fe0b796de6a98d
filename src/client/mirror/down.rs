//! A mirror of the server's folder on this side.

use super::compare::{Copied, is_same};
use super::here::{self, Here};
use super::{Act, Folder, is_part_of_one};
use crate::client::connection::Connection;
use crate::client::error::{Trouble, local_trouble};
use crate::client::events::Event;
use crate::client::jobs::{Job, What};
use crate::client::listing::{self, Told};
use crate::client::{interrupt, text, tree};
use crate::protocol::entry::{Entry, Kind};
use anyhow::Result;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

impl Folder<'_> {
    /// # Errors
    /// See [`super::open`].
    pub(super) fn down(&mut self, connection: &mut Connection) -> Result<()> {
        let told = listing::told(connection, &self.job.remote)?;
        let listed = told.sure || !told.rough || !told.entries.is_empty();
        if !listed && (self.step.depth == 0 || listing::may_be_pattern(&self.job.remote)) {
            let error =
                "the server lists nothing there, and does not tell whether there is such a folder";
            return Err(Trouble::Failed(error.to_owned()).into());
        }
        let place = self.place();
        let here = match self.is_new(&place)? {
            true => BTreeMap::new(),
            false => here::list(&place)?,
        };
        let mut different = Vec::new();
        for entry in &told.entries {
            let here = here.get(OsStr::new(&entry.name)).copied();
            if let (Some(Here::File(file)), false) = (here, entry.kind == Kind::Folder)
                && is_same(
                    connection,
                    Copied::Here,
                    &self.remote(&entry.name),
                    (entry, told.rough),
                    file,
                )?
            {
                self.found.tally.same += 1;
            } else {
                different.push((entry, here));
            }
        }
        // The server has answered all that there was to ask: from here on this folder is not begun anew.
        if self.step.new && !self.would(Act::Make, "", &place.display()) {
            fs::create_dir_all(&place)
                .map_err(|error| local_trouble("make the folder", &place, &error))?;
        }
        for (entry, here) in different {
            self.fetch(connection, &place, entry, here);
        }
        if self.step.rules.delete {
            self.clean(&place, &told, here);
        }
        Ok(())
    }

    /// Notes what is to be done for an entry of the server's folder.
    fn fetch(&mut self, connection: &Connection, place: &Path, entry: &Entry, here: Option<Here>) {
        let what = match (entry.kind, here) {
            (Kind::Folder, None) => self.inner(true),
            (Kind::Folder, Some(Here::Folder)) => self.inner(false),
            (Kind::Folder, Some(_)) => match self.clear(place, entry, "file or link") {
                true => self.inner(true),
                false => return,
            },
            // What it is only the server knows: it is not worth a folder.
            (Kind::Link | Kind::Other, Some(Here::Folder | Here::LinkToFolder)) => {
                let error = "there is a folder of that name, and of the server's it is not known what it is";
                return self.fault(local_trouble("write", &place.join(&entry.name), &error));
            }
            (_, Some(Here::Folder | Here::LinkToFolder)) if !self.clear(place, entry, "folder") => {
                return;
            }
            _ => tree::file(connection, entry),
        };
        let (remote, name) = (self.remote(&entry.name), entry.name.clone());
        if matches!(what, What::Mirror(_)) || !self.would(Act::Get, &entry.name, &remote) {
            let job = Job::new(place.to_owned(), name, remote, what);
            self.found.jobs.push(job);
        }
    }

    /// Makes room for an entry where something of another type is. Whether there is room, or would be.
    fn clear(&mut self, place: &Path, entry: &Entry, type_there: &str) -> bool {
        let path = place.join(&entry.name);
        if !self.step.rules.delete {
            let error = format!("there is a {type_there} of that name; --delete replaces it");
            self.fault(local_trouble("write", &path, &error));
            return false;
        }
        self.remove_here(place, OsStr::new(&entry.name))
    }

    /// Removes what the server does not have.
    fn clean(&mut self, place: &Path, told: &Told, here: BTreeMap<OsString, Here>) {
        let names: HashSet<&str> = told.entries.iter().map(|entry| &*entry.name).collect();
        let mut extra: Vec<OsString> = here.into_keys().collect();
        extra.retain(|name| match name.to_str().map(text::single_name) {
            Some(Ok(name)) => !names.contains(name) && !is_part_of_one(name, &names),
            _ => {
                let path = place.join(name);
                let why = "servers leave such names out of their listings";
                text::say(&format!("left {} alone: {why}", path.display()));
                false
            }
        });
        let hidden = |name: &OsString| name.as_encoded_bytes().starts_with(b".");
        let doubt = told.doubt.clone().or_else(|| {
            let why = "the server may have more than it lists";
            (!told.sure && (told.entries.is_empty() || extra.iter().any(hidden)))
                .then(|| why.to_owned())
        });
        if let Some(doubt) = doubt
            && !extra.is_empty()
        {
            return self.keeps(&place.display(), &doubt);
        }
        for name in extra {
            if interrupt::is_raised() {
                return;
            }
            self.remove_here(place, &name);
        }
    }

    /// Removes something on this side, or tells that it would. Whether it is gone, or would be.
    fn remove_here(&mut self, place: &Path, name: &OsStr) -> bool {
        let path = place.join(name);
        if self.would(Act::Remove, &name.to_string_lossy(), &path.display()) {
            return true;
        }
        match here::remove(place, name) {
            Ok(()) => {
                self.found.tally.removed += 1;
                Event::RemovedHere(path).tell();
                true
            }
            Err(error) => {
                self.fault(local_trouble("remove", &path, &error));
                false
            }
        }
    }

    /// Whether there is no local folder yet. Only the top of the tree may be a link to one: it was named by the user.
    fn is_new(&mut self, place: &Path) -> Result<bool, Trouble> {
        if self.step.depth > 0 {
            return Ok(self.step.new);
        }
        match fs::metadata(place) {
            Ok(data) if data.is_dir() => {}
            Ok(_) => return Err(local_trouble("write to", place, &"it is not a folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.step.new = true,
            Err(error) => return Err(local_trouble("look at", place, &error)),
        }
        Ok(self.step.new)
    }
}
