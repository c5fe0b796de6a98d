//! Who may log in, and what each may do.

use clap::ValueEnum;

/// What an account may do. Each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Access {
    /// List and download.
    Read,
    /// Upload and make folders as well.
    Write,
    /// Delete and rename as well.
    Full,
}

/// Someone who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// As it stands in the log.
    pub(super) name: String,
    /// What it may do.
    pub(super) access: Access,
}

/// The names that mean a login without a password (RFC 1635).
const PUBLIC_NAMES: [&str; 2] = [ANONYMOUS, "ftp"];
/// How all of them stand in the log.
pub(super) const ANONYMOUS: &str = "anonymous";

/// Whether a name means a login without a password.
#[must_use]
pub(super) fn is_public(name: &str) -> bool {
    PUBLIC_NAMES
        .iter()
        .any(|public| public.eq_ignore_ascii_case(name))
}

/// The account of a user name and password, or `None` if they are not good for a login.
///
/// `anonymous` is what a login without a password may do; `None` lets nobody in that way.
#[must_use]
pub(super) fn authenticate(user: &str, anonymous: Option<Access>) -> Option<Account> {
    let access = anonymous.filter(|_| is_public(user))?;
    Some(Account {
        name: ANONYMOUS.to_owned(),
        access,
    })
}
