//! One of the clients: what it does, and what it knows of its files by that.

use crate::Soak;
use crate::content::{Mark, marks, piece};
use crate::session::Session;
use crate::support::{Client, Dice, TEMPORARY, whole_names_in};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The most files that a client has, but for those of which it is not sure.
const FILES: usize = 6;
/// The longest piece, in bytes.
const LONGEST: u64 = 300_000;
/// How long what nobody has acknowledged may still be done: longer than anything in the server waits.
const DOUBT: Duration = Duration::from_secs(20);

/// What a file holds; `None` if it is not there.
pub(crate) type Held = Option<Vec<Mark>>;

pub(crate) struct Slot<'s> {
    pub(crate) soak: &'s Soak,
    pub(crate) number: u64,
    pub(crate) dice: Dice,
    /// Pieces so far.
    last: u64,
    /// What is there for sure.
    pub(crate) files: BTreeMap<String, Vec<Mark>>,
    /// What may be there, by files that are not touched any more.
    doubts: Vec<Doubt>,
    session: Option<Session>,
    pub(crate) client: Client,
}

struct Doubt {
    path: String,
    may_hold: Vec<Held>,
    since: Instant,
}

impl<'s> Slot<'s> {
    pub(crate) fn new(soak: &'s Soak, number: u64) -> Self {
        soak.server.make_folder(&format!("c{number}"));
        Self {
            soak,
            number,
            dice: Dice(soak.seed.wrapping_mul(1000) + number),
            last: 0,
            files: BTreeMap::new(),
            doubts: Vec::new(),
            session: None,
            client: Client::new(soak.server.address),
        }
    }

    /// Does one thing after the other.
    pub(crate) fn work(&mut self, until: Instant) {
        while Instant::now() < until && !self.soak.failed.load(Relaxed) {
            if self.number.is_multiple_of(5) {
                self.process();
            } else if self.step().is_err() {
                // Only a session that may break says this.
                self.session = None;
                self.soak.broken.fetch_add(1, Relaxed);
            }
            self.soak.acts.fetch_add(1, Relaxed);
        }
        // What it has been in the midst of is over, and the server has heard of it.
        if let Some(mut session) = self.session.take() {
            let _ = session.run("QUIT", &[221]);
        }
    }

    fn step(&mut self) -> io::Result<()> {
        self.settle_doubt()?;
        match self.dice.below(12) {
            0 | 1 => self.put(),
            2 | 3 => self.get(),
            4 => self.list(),
            5 => self.folder(),
            6 => self.rename(),
            7 => self.append(),
            8 => self.resume(),
            9 => self.delete(),
            10 => self.abort(),
            _ => self.share(),
        }
    }

    /// The session, a new one if there is none: straight to the server, or through the proxy.
    fn session(&mut self) -> io::Result<&mut Session> {
        if self.dice.below(20) == 0 {
            self.session = None;
        }
        if self.session.is_none() {
            let may_break = self.dice.below(2) == 0;
            let address = match may_break {
                true => self.soak.proxy.address(),
                false => self.soak.server.address,
            };
            self.session = Some(Session::new(address, may_break)?);
        }
        Ok(self.session.as_mut().expect("it is there"))
    }

    fn put(&mut self) -> io::Result<()> {
        let path = match self.some() {
            Some(path) if self.files.len() >= FILES || self.dice.below(2) == 0 => path,
            _ => self.fresh(),
        };
        let (mark, bytes) = self.piece();
        let after = Some(vec![mark]);
        self.begins(&path, after.clone());
        self.session()?.store(&format!("STOR {path}"), &bytes)?;
        self.is_so(&path, after);
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        let Some(path) = self.some() else {
            return Ok(());
        };
        let (mark, bytes) = self.piece();
        let mut after = self.files[&path].clone();
        after.push(mark);
        self.begins(&path, Some(after.clone()));
        self.session()?.store(&format!("APPE {path}"), &bytes)?;
        // It does not grow for ever.
        let long = after.len() > 5;
        self.is_so(&path, Some(after));
        if long { self.delete_one(&path) } else { Ok(()) }
    }

    fn get(&mut self) -> io::Result<()> {
        let Some(path) = self.some() else {
            return Ok(());
        };
        let bytes = self.session()?.fetch(&path)?;
        self.soak.moves(bytes.as_ref().map_or(0, Vec::len));
        self.compares(&path, bytes.as_deref());
        Ok(())
    }

    fn list(&mut self) -> io::Result<()> {
        let line = format!("MLSD /c{}", self.number);
        let session = self.session()?;
        let data = session.begin(&line, &[])?.expect("the folder is there");
        let mut listed = String::new();
        let read = data.socket().read_to_string(&mut listed);
        session.check(&line, read)?;
        session.expect(&line, &[226])?;
        if session.may_break {
            // The proxy may have ended it, and nothing says how long it is.
            return Ok(());
        }
        let names: Vec<&str> = listed
            .lines()
            .filter_map(|row| Some(row.split_once(' ')?.1))
            .collect();
        assert!(
            !listed.contains(TEMPORARY),
            "a temporary file is listed: {listed}"
        );
        for path in self.files.keys() {
            let name = path.rsplit('/').next().expect("a name");
            assert!(names.contains(&name), "{path} is not listed: {listed}");
        }
        Ok(())
    }

    fn folder(&mut self) -> io::Result<()> {
        let (_, bytes) = self.piece();
        let folder = format!("/c{}/d{}", self.number, self.last);
        let session = self.session()?;
        session.run(&format!("MKD {folder}"), &[257])?;
        session.store(&format!("STOR {folder}/f"), &bytes)?;
        session.run(&format!("DELE {folder}/f"), &[250])?;
        session.run(&format!("RMD {folder}"), &[250])?;
        Ok(())
    }

    fn rename(&mut self) -> io::Result<()> {
        let Some(from) = self.some() else {
            return Ok(());
        };
        let to = self.fresh();
        let held = self.files[&from].clone();
        self.begins(&from, None);
        self.begins(&to, Some(held.clone()));
        let session = self.session()?;
        session.run(&format!("RNFR {from}"), &[350])?;
        session.run(&format!("RNTO {to}"), &[250])?;
        self.is_so(&from, None);
        self.is_so(&to, Some(held));
        Ok(())
    }

    fn delete(&mut self) -> io::Result<()> {
        match self.some() {
            Some(path) => self.delete_one(&path),
            None => Ok(()),
        }
    }

    fn delete_one(&mut self, path: &str) -> io::Result<()> {
        self.begins(path, None);
        self.session()?.run(&format!("DELE {path}"), &[250])?;
        self.is_so(path, None);
        Ok(())
    }

    /// An upload that is cut and gone on with.
    fn resume(&mut self) -> io::Result<()> {
        let path = self.fresh();
        let (mark, bytes) = self.piece();
        let cut = self.dice.index(bytes.len());
        self.begins(&path, Some(vec![mark]));
        let session = self.session()?;
        let line = format!("STOR {path}");
        let data = session.begin(&line, &[])?.expect("nothing may refuse it");
        let sent = data.socket().write_all(&bytes[..cut]);
        session.check(&line, sent)?;
        drop(data);
        session.expect(&line, &[426, 451])?;
        // The sweep may have been there, if this took long.
        let size = session.run(&format!("SIZE {path}"), &[213, 550])?;
        let kept = size
            .text
            .strip_prefix("213 ")
            .and_then(|size| size.parse().ok());
        let kept: usize = kept.unwrap_or(0);
        assert!(kept <= cut, "{kept} bytes were kept of {cut}");
        let goes_on = kept > 0 && session.run(&format!("REST {kept}"), &[350, 554])?.code == 350;
        session.store(&line, &bytes[if goes_on { kept } else { 0 }..])?;
        self.soak.resumed.fetch_add(u64::from(goes_on), Relaxed);
        self.is_so(&path, Some(vec![mark]));
        // It must be the very bytes, which the next one who gets it sees.
        if self.files.len() > FILES {
            self.delete_one(&path)
        } else {
            Ok(())
        }
    }

    /// A transfer that the client gives up: nothing has changed.
    fn abort(&mut self) -> io::Result<()> {
        let Some(path) = self.some() else {
            return Ok(());
        };
        let (_, bytes) = self.piece();
        let (cut, up) = (self.dice.index(bytes.len()), self.dice.below(2) == 0);
        let line = format!("{} {path}", if up { "STOR" } else { "RETR" });
        let session = self.session()?;
        let data = session.begin(&line, &[])?.expect("it is there");
        if up {
            let sent = data.socket().write_all(&bytes[..cut]);
            session.check(&line, sent)?;
        }
        // A download may be over by now.
        let ends: &[u16] = if up { &[426] } else { &[426, 226] };
        session.run("ABOR", ends)?;
        session.expect("ABOR", &[226])?;
        drop(data);
        self.soak.aborts.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Files that all write and read: whose they are nobody can say, but each is whole.
    fn share(&mut self) -> io::Result<()> {
        let path = format!("/shared/s{}", self.dice.below(8));
        let (_, bytes) = self.piece();
        let puts = self.dice.below(2) == 0;
        let session = self.session()?;
        if puts {
            return session.store(&format!("STOR {path}"), &bytes);
        }
        if session.may_break {
            return Ok(());
        }
        if let Some(bytes) = session.fetch(&path)? {
            marks(&bytes).unwrap_or_else(|why| panic!("{path} is {why}"));
            self.soak.moves(bytes.len());
        }
        Ok(())
    }

    /// Looks at what was in doubt for long enough, and removes it.
    fn settle_doubt(&mut self) -> io::Result<()> {
        let old = self
            .doubts
            .iter()
            .position(|doubt| doubt.since.elapsed() > DOUBT);
        let Some(at) = old.filter(|_| self.session.as_ref().is_some_and(|s| !s.may_break)) else {
            return Ok(());
        };
        let doubt = self.doubts.swap_remove(at);
        let session = self.session.as_mut().expect("it is there");
        let bytes = session.fetch(&doubt.path)?;
        if bytes.is_some() {
            session.run(&format!("DELE {}", doubt.path), &[250])?;
        }
        doubt.compare(bytes.as_deref());
        Ok(())
    }

    /// Something begins that makes this of a file. Until it is acknowledged, nobody knows.
    pub(crate) fn begins(&mut self, path: &str, after: Held) {
        let before = self.files.remove(path);
        self.doubts.push(Doubt {
            path: path.to_owned(),
            may_hold: vec![before, after],
            since: Instant::now(),
        });
    }

    /// It was acknowledged, or it is known not to have been done.
    pub(crate) fn is_so(&mut self, path: &str, held: Held) {
        self.doubts.retain(|doubt| doubt.path != path);
        if let Some(held) = held {
            self.files.insert(path.to_owned(), held);
        }
    }

    /// Compares what came of a file with what it must hold.
    #[track_caller]
    pub(crate) fn compares(&self, path: &str, bytes: Option<&[u8]>) {
        let bytes = bytes.unwrap_or_else(|| panic!("{path}, which was acknowledged, is not there"));
        let there = marks(bytes).unwrap_or_else(|why| panic!("{path} is {why}"));
        assert_eq!(there, self.files[path], "{path}");
    }

    /// Looks at all files, when nobody is at work any more.
    pub(crate) fn compare_all(&self) {
        let read = |path: &str| fs::read(self.soak.server.path(&path[1..])).ok();
        for path in self.files.keys() {
            self.compares(path, read(path).as_deref());
        }
        for doubt in &self.doubts {
            doubt.compare(read(&doubt.path).as_deref());
        }
        let known = |path: &String| {
            self.files.contains_key(path) || self.doubts.iter().any(|doubt| doubt.path == *path)
        };
        let folder = format!("c{}", self.number);
        for name in whole_names_in(&self.soak.server.path(&folder)) {
            let is_folder = self.soak.server.path(&folder).join(&name).is_dir();
            let path = format!("/{folder}/{name}");
            assert!(
                is_folder || known(&path),
                "{path} is there, which nobody put there"
            );
        }
    }

    /// One of the files that are there for sure.
    pub(crate) fn some(&mut self) -> Option<String> {
        let at = self.dice.index(self.files.len().max(1));
        self.files.keys().nth(at).cloned()
    }

    /// A name that was never used.
    pub(crate) fn fresh(&mut self) -> String {
        self.last += 1;
        format!("/c{}/f{}", self.number, self.last)
    }

    pub(crate) fn piece(&mut self) -> (Mark, Vec<u8>) {
        self.last += 1;
        let most = if self.dice.below(4) == 0 {
            LONGEST
        } else {
            20_000
        };
        let mark = (self.number, self.last);
        let bytes = piece(mark, self.dice.below(most));
        self.soak.moves(bytes.len());
        (mark, bytes)
    }
}

impl Doubt {
    #[track_caller]
    fn compare(&self, bytes: Option<&[u8]>) {
        let there = bytes.map(marks).transpose();
        let there = there.unwrap_or_else(|why| panic!("{} is {why}", self.path));
        assert!(
            self.may_hold.contains(&there),
            "{} holds {there:?}, and may hold {:?}",
            self.path,
            self.may_hold
        );
    }
}
