//! Who may log in, and what each may do.

mod account;
mod edit;
mod failures;
mod file;
mod password;
mod turns;

pub use account::{Access, Permissions};
pub use edit::UserCommand;
pub use file::Broken;

pub(super) use account::Account;

use crate::copy::Pace;
use crate::protocol::command::Password;
use anyhow::{Context, Result, anyhow};
use failures::{Attempt, Failures};
use file::{Accounts, Entry};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use turns::Turns;

/// The names that mean a login without a password (RFC 1635).
const PUBLIC_NAMES: [&str; 2] = [ANONYMOUS, "ftp"];
/// How all of them stand in the log.
pub(super) const ANONYMOUS: &str = "anonymous";
/// How long a login waits for its turn to have its password hashed.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// All who may log in.
#[derive(Debug)]
pub(super) struct Users {
    file: Option<UsersFile>,
    turns: Turns,
    failures: Failures,
    present: Arc<Mutex<Present>>,
    /// The account of all who log in without a password.
    public: Mutex<Arc<Account>>,
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such account, the password is another, or it is not to be used from there: nobody learns which.
    Wrong,
    /// The account has all the sessions that it may have.
    Sessions(usize),
    /// Too many passwords wait to be checked.
    Busy,
}

/// Who is logged in to a session.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) account: Arc<Account>,
    /// What its transfers keep to, those of its other sessions included.
    pub(super) pace: Option<Arc<Pace>>,
    /// Its place among the sessions of the account, given back on drop.
    _place: Option<Place>,
}

impl Users {
    /// Reads the users file, if there is one. At most `hash_jobs` passwords are checked at a time.
    ///
    /// # Errors
    /// The file cannot be read, or is broken: the text says where.
    pub(super) fn new(path: Option<&Path>, hash_jobs: usize) -> Result<Self> {
        Ok(Self {
            file: path.map(UsersFile::open).transpose()?,
            turns: Turns::new(hash_jobs),
            failures: Failures::default(),
            present: Arc::default(),
            public: Mutex::new(Arc::new(Account::new(ANONYMOUS, Permissions::NONE))),
        })
    }

    /// Reads the users file again, whether it has changed or not. Where it is broken, the accounts stay as they were.
    pub(super) fn reload(&self) {
        if let Some(file) = &self.file {
            file.reload(&mut file.state());
        }
    }

    /// Logs in, or not. An unknown name and a wrong password take the same time, and say the same. `anonymous` is what a
    /// login without a password may do; `None` lets nobody in that way.
    #[inline(never)]
    pub(super) fn log_in(
        &self,
        anonymous: Option<Access>,
        name: &str,
        password: &Password,
        from: IpAddr,
    ) -> Result<Member, Refusal> {
        if let Some(access) = anonymous.filter(|_| is_public(name)) {
            return Ok(Member {
                account: self.public(access.into()),
                pace: None,
                _place: None,
            });
        }
        let accounts = self.file.as_ref().ok_or(Refusal::Wrong)?.current();
        let attempt = self.failures.attempt(from, name);
        let found = accounts.find(name);
        let right = match found.or_else(|| accounts.stand_in(attempt.account)) {
            Some(checked) => self.check(checked, attempt, password)?,
            None => false,
        };
        let entry = found
            .filter(|entry| right && entry.admits(from))
            .ok_or(Refusal::Wrong)?;
        self.enter(&entry.account)
    }

    /// One for all, since each of a session's own would be a part of what an idle session costs.
    fn public(&self, permissions: Permissions) -> Arc<Account> {
        // Whole after every statement that touches it.
        let mut public = self.public.lock().unwrap_or_else(PoisonError::into_inner);
        if public.permissions != permissions {
            *public = Arc::new(Account::new(ANONYMOUS, permissions));
        }
        Arc::clone(&public)
    }

    /// Counts a login that failed, and says how long its reply is to wait: where there are no accounts, there is nothing to
    /// guess and so no wait.
    pub(super) fn failed(&self, name: &str, from: IpAddr) -> Duration {
        self.file.as_ref().map_or(Duration::ZERO, |_| {
            self.failures.count(self.failures.attempt(from, name))
        })
    }

    /// Whether the password is that of the entry, in its turn.
    fn check(&self, entry: &Entry, attempt: Attempt, password: &Password) -> Result<bool, Refusal> {
        let failures = self.failures.before(attempt);
        let turn = self
            .turns
            .take(attempt, failures, TURN_WAIT)
            .ok_or(Refusal::Busy)?;
        let began = Instant::now();
        let right = entry
            .hash
            .matches(password.reveal())
            .map_err(|_| Refusal::Busy)?;
        drop(turn);
        log::debug!(
            "a password of {} was checked in {:.3} s",
            attempt.from,
            began.elapsed().as_secs_f64()
        );
        Ok(right)
    }

    /// Takes a place among the sessions of an account.
    fn enter(&self, account: &Arc<Account>) -> Result<Member, Refusal> {
        let mut present = lock(&self.present);
        let presence = present.0.entry(account.name.clone()).or_default();
        if let Some(most) = account
            .max_sessions
            .filter(|&most| presence.sessions >= most)
        {
            return Err(Refusal::Sessions(most));
        }
        presence.sessions += 1;
        // A file that was read again may say another rate.
        if presence.pace.as_ref().map(|(rate, _)| *rate) != account.rate {
            presence.pace = account.rate.map(|rate| (rate, Arc::new(Pace::new(rate))));
        }
        Ok(Member {
            account: Arc::clone(account),
            pace: presence.pace.as_ref().map(|(_, pace)| Arc::clone(pace)),
            _place: Some(Place {
                present: Arc::clone(&self.present),
                name: account.name.clone(),
            }),
        })
    }
}

/// The names of the accounts in the text of a users file, sorted: what the server takes it for, with nothing in force by it.
///
/// # Errors
/// The file is broken.
pub fn account_names(text: &str) -> Result<Vec<String>, Broken> {
    let accounts = Accounts::parse(text)?;
    Ok(accounts
        .iter()
        .map(|entry| entry.account.name.clone())
        .collect())
}

/// How many accounts a users file has, and whether any of them may change files.
///
/// # Errors
/// It cannot be read, or is broken; the text names it, with line and column.
pub(super) fn survey(path: &Path) -> Result<(usize, bool)> {
    let (accounts, _) = read(path)?;
    let writes = |entry: &Entry| entry.account.permissions.allow(Permissions::CHANGE);
    Ok((accounts.iter().count(), accounts.iter().any(writes)))
}

/// Whether a name means a login without a password.
#[must_use]
pub(super) fn is_public(name: &str) -> bool {
    PUBLIC_NAMES
        .iter()
        .any(|public| public.eq_ignore_ascii_case(name))
}

/// The accounts that have sessions.
#[derive(Debug, Default)]
struct Present(HashMap<String, Presence>);

/// What the sessions of one account have in common.
#[derive(Debug, Default)]
struct Presence {
    sessions: usize,
    pace: Option<(u64, Arc<Pace>)>,
}

/// A session's place among those of its account, given back on drop.
#[derive(Debug)]
struct Place {
    present: Arc<Mutex<Present>>,
    name: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = lock(&self.present);
        if let Some(presence) = present.0.get_mut(&self.name) {
            presence.sessions -= 1;
            if presence.sessions == 0 {
                present.0.remove(&self.name);
            }
        }
    }
}

/// The users file, as it was when it was last good.
#[derive(Debug)]
struct UsersFile {
    path: PathBuf,
    state: Mutex<FileState>,
}

#[derive(Debug)]
struct FileState {
    accounts: Arc<Accounts>,
    /// What the file looked like when it was last read, good or broken.
    seen: Option<Stamp>,
}

/// What tells that a file is another: device, inode, size and time of the last change.
type Stamp = (u64, u64, u64, i64, i64);

impl UsersFile {
    fn open(path: &Path) -> Result<Self> {
        let (accounts, stamp) = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(FileState {
                accounts: Arc::new(accounts),
                seen: Some(stamp),
            }),
        })
    }

    /// The accounts that are in force. A look at the file costs less than any login, so that no thread need watch it.
    fn current(&self) -> Arc<Accounts> {
        let mut state = self.state();
        let now = fs::metadata(&self.path).map(|metadata| stamp(&metadata));
        if now.ok() != state.seen {
            self.reload(&mut state);
        }
        Arc::clone(&state.accounts)
    }

    fn reload(&self, state: &mut FileState) {
        match read(&self.path) {
            Ok((accounts, stamp)) => {
                log::info!("{} read again", self.path.display());
                state.accounts = Arc::new(accounts);
                state.seen = Some(stamp);
            }
            Err(error) => {
                log::error!("{error:#}; the accounts stay as they were");
                // It is told once, and not at each login.
                state.seen = fs::metadata(&self.path).map(|file| stamp(&file)).ok();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, FileState> {
        lock(&self.state)
    }
}

/// Reads a users file.
///
/// # Errors
/// It cannot be read, or is broken; the text names it, with line and column.
fn read(path: &Path) -> Result<(Accounts, Stamp)> {
    let mut text = String::new();
    let stamp = File::open(path)
        .and_then(|mut file| {
            let metadata = file.metadata()?;
            if metadata.mode() & 0o077 != 0 {
                log::warn!(
                    "{} can be read by others than its owner: chmod 600 it",
                    path.display()
                );
            }
            file.read_to_string(&mut text)?;
            Ok(stamp(&metadata))
        })
        .with_context(|| {
            format!(
                "cannot read the users file, {} (ftp-server user add FILE NAME makes one)",
                path.display()
            )
        })?;
    let accounts =
        Accounts::parse(&text).map_err(|broken| anyhow!("{}: {broken}", path.display()))?;
    Ok((accounts, stamp))
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

/// Each of the tables here is whole after every statement that touches it, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
