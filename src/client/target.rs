//! Where to connect to: what a URL, a bookmark or `open` says.

use super::error::Trouble;
use super::hosts::{Host, Hosts};
use super::words::Word;
use super::{ANONYMOUS, Options, PASSWORD_VARIABLE, bookmarks, netrc};
use anyhow::{Result, bail};
use percent_encoding::percent_decode_str;
use url::Url;

/// FTP's own port, which a URL without one means.
pub const FTP_PORT: u16 = 21;
/// The port of `ftps://`, where connections begin with TLS.
pub const FTPS_PORT: u16 = 990;

/// A server, and perhaps a user and a folder there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The server, or several over one folder.
    pub hosts: Hosts,
    /// Whether connections begin with TLS there.
    pub implicit_tls: bool,
    /// Who logs in.
    pub user: Option<String>,
    /// The folder to begin in.
    pub folder: Option<String>,
}

/// What a one-shot command is about: a server, and a file or folder there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The server, with no folder to begin in.
    pub server: Target,
    /// The path as seen from where a login leads; empty if there is none. A `*` or `[` in it makes it a glob, unless it
    /// was written as `%2A` or `%5B`.
    pub path: Word,
}

impl Place {
    /// Reads `ftp://user@host:port/path`, the same with `ftps`, or `@name/path` for what is below a bookmark's folder.
    ///
    /// # Errors
    /// See [`Target::parse`].
    pub fn parse(text: &str) -> Result<Self> {
        let Some(bookmark) = text.strip_prefix('@') else {
            return Self::from_url(text);
        };
        let (name, path) = bookmark.split_once('/').unwrap_or((bookmark, ""));
        let mut server = bookmarks::find(name)?;
        let mut folder = server.folder.take().unwrap_or_default();
        if path.starts_with('/') {
            folder.clear();
        } else if !path.is_empty() && !folder.is_empty() && !folder.ends_with('/') {
            folder.push('/');
        }
        let folder = folder.chars().map(|c| (c, true));
        let path = Word::pattern(folder.chain(path.chars().map(|c| (c, false))));
        Ok(Self { server, path })
    }

    fn from_url(text: &str) -> Result<Self> {
        let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        if url.password().is_some() {
            bail!(Trouble::Usage(format!(
                "a password does not belong where others can read it: put it into ~/.netrc or {PASSWORD_VARIABLE}, or \
                 leave it out to be asked"
            )));
        }
        // As curl has it: `ftps` is TLS from the first byte. TLS that is asked for has `ftp`.
        let (implicit_tls, port) = match url.scheme() {
            "ftp" => (false, FTP_PORT),
            "ftps" => (true, FTPS_PORT),
            _ => bail!(refuse("not an ftp URL")),
        };
        if url.query().is_some() || url.fragment().is_some() {
            bail!(refuse("a ? or # of a name is written %3F or %23"));
        }
        let host = match url.host() {
            Some(url::Host::Ipv6(address)) => address.to_string(),
            Some(host) => decode(&host.to_string())?,
            None => bail!(refuse("it names no host")),
        };
        let user = decode(url.username())?;
        Ok(Self {
            server: Target {
                implicit_tls,
                hosts: Hosts::one(host, url.port().unwrap_or(port)),
                user: Some(user).filter(|user| !user.is_empty()),
                folder: None,
            },
            path: path(url.path().strip_prefix('/').unwrap_or_default())?,
        })
    }
}

impl Target {
    /// Reads `ftp://user@host:port/folder`, or `@name` or `@name/folder` for a bookmark.
    ///
    /// # Errors
    /// [`Trouble::Usage`] mostly, which says what is wrong and never shows a password.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Place::parse(text)?.into())
    }

    /// Reads host, port, user and folder from a URL (RFC 1738 §3.2).
    ///
    /// # Errors
    /// See [`Self::parse`]; the URL may hold a password, so its text is never shown.
    pub fn from_url(text: &str) -> Result<Self> {
        Ok(Place::from_url(text)?.into())
    }

    /// The target as a URL that [`Self::from_url`] reads. `None` if it cannot be one, as with an odd host name or several
    /// of them.
    #[must_use]
    pub fn to_url(&self) -> Option<String> {
        let Host { name, port } = self.hosts.current();
        let host = if name.contains(':') {
            format!("[{name}]")
        } else {
            name.clone()
        };
        let scheme = if self.implicit_tls { "ftps" } else { "ftp" };
        let mut url = Url::parse(&format!("{scheme}://{host}")).ok()?;
        url.set_port(Some(*port)).ok()?;
        url.set_username(self.user.as_deref().unwrap_or_default())
            .ok()?;
        if let Some(folder) = &self.folder {
            // The slash of an absolute folder belongs to its first part, as %2F (RFC 1738 §3.2.2).
            let root = folder.len() - folder.trim_start_matches('/').len();
            let first = folder[root..]
                .find('/')
                .map_or(folder.len(), |at| root + at);
            let rest = folder[first..].strip_prefix('/');
            url.path_segments_mut()
                .ok()?
                .clear()
                .push(&folder[..first])
                .extend(rest.into_iter().flat_map(|rest| rest.split('/')));
        }
        let url = String::from(url);
        (Self::from_url(&url).ok().as_ref() == Some(self)).then_some(url)
    }
}

impl From<Place> for Target {
    /// The place as a folder to begin in.
    fn from(place: Place) -> Self {
        Self {
            folder: Some(place.path.text).filter(|folder| !folder.is_empty()),
            ..place.server
        }
    }
}

fn refuse(why: &str) -> Trouble {
    Trouble::Usage(format!(
        "the URL is no good: {why}; a server is written ftp://user@host:port/folder"
    ))
}

/// A part of a URL without its `%XX`.
fn decode(part: &str) -> Result<String, Trouble> {
    let decoded = percent_decode_str(part).decode_utf8();
    match decoded {
        Ok(text) if !text.contains(char::is_control) => Ok(text.into_owned()),
        _ => Err(refuse("it holds control characters, or is not UTF-8")),
    }
}

/// The path of a URL, in which `%XX` is as good as quotes.
fn path(written: &str) -> Result<Word, Trouble> {
    let mut chars = Vec::new();
    let mut rest = written;
    while !rest.is_empty() {
        let plain = rest.find('%').unwrap_or(rest.len());
        chars.extend(rest[..plain].chars().map(|c| (c, false)));
        rest = &rest[plain..];
        // A character of several bytes is several of these.
        let escapes = rest.split_inclusive('%').skip(1);
        let whole = escapes.take_while(|escape| escape.len() == 3).count();
        let end = rest.len().min(3 * (whole + 1));
        chars.extend(decode(&rest[..end])?.chars().map(|c| (c, true)));
        rest = &rest[end..];
    }
    Ok(Word::pattern(chars))
}

impl Options {
    /// Points the client at `target`. A user who is not named is the one of `~/.netrc`, or anonymous.
    ///
    /// # Errors
    /// `~/.netrc` is there and cannot be read.
    pub fn aim(&mut self, target: Target) -> Result<()> {
        self.user = match target.user {
            Some(user) => user,
            None => {
                netrc::login(&target.hosts.current().name)?.unwrap_or_else(|| ANONYMOUS.to_owned())
            }
        };
        self.hosts = target.hosts;
        self.implicit_tls = target.implicit_tls;
        self.folder = target.folder;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_round_trip() {
        for url in [
            "ftp://127.0.0.1:8080/",
            "ftp://a%20b@h.example:21/in%20here/%23%3F/x",
            "ftp://h.example/%2Fabs/folder",
            "ftp://[::1]:2121/ü",
            "ftps://a@h.example:990/x",
        ] {
            let target = Target::from_url(url).unwrap();
            let written = target.to_url().unwrap();
            assert_eq!(Target::from_url(&written).unwrap(), target, "{url}");
        }
        let target = Target::from_url("ftp://h.example/%2Fabs").unwrap();
        assert_eq!(target.folder.as_deref(), Some("/abs"));
        assert_eq!((target.hosts.current().port, target.user), (21, None));
        let target = Target::from_url("ftps://h.example/").unwrap();
        assert_eq!(
            (target.hosts.current().port, target.implicit_tls),
            (990, true)
        );
    }

    #[test]
    fn what_a_path_stands_for() {
        for (url, text, glob) in [
            ("ftp://h", "", None),
            ("ftp://h/", "", None),
            ("ftp://h/a/b%20c", "a/b c", None),
            ("ftp://h/%2Fetc/x", "/etc/x", None),
            ("ftp://h//etc/x", "/etc/x", None),
            ("ftp://h/gr%C3%BC%C3%9Fe-ü", "grüße-ü", None),
            ("ftp://h/d/*.log", "d/*.log", Some("d/*.log")),
            ("ftp://h/d/%2A.log", "d/*.log", None),
            ("ftp://h/%2A%5B/*", "*[/*", Some("\\*\\[/*")),
            ("ftp://h/100%", "100%", None),
            ("ftp://h/%zz%4", "%zz%4", None),
            ("ftp://h/%41%42C%2a*%", "ABC**%", Some("ABC\\**%")),
        ] {
            let path = Place::from_url(url).unwrap().path;
            assert_eq!((&*path.text, path.glob.as_deref()), (text, glob), "{url}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for url in ["ftp://me:s3cret@h/", "ftp://me:s3cret@h:99999/"] {
            let error = Target::from_url(url).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
