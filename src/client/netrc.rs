//! `~/.netrc`: names and passwords of servers, in the format that ftp(1), curl and many others share.

use super::error::Trouble;
use super::places;
use anyhow::Result;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use zeroize::Zeroizing;

/// The longest file that is read.
const MOST: u64 = 1024 * 1024;
/// The permission bits that let somebody else than the owner in.
const OTHERS: u32 = 0o077;

/// What the file says of one server.
#[derive(Default, Clone, PartialEq, Eq)]
struct Machine {
    /// `None` for `default`, which stands for every server.
    name: Option<String>,
    login: Option<String>,
    password: Option<Zeroizing<String>>,
}

/// The user to log in as at `host`.
///
/// # Errors
/// The file is there and cannot be read.
pub fn login(host: &str) -> Result<Option<String>> {
    let Some((text, _)) = read()? else {
        return Ok(None);
    };
    let machines = parse(&text);
    let found = machines.into_iter().find(|machine| machine.is_of(host));
    Ok(found.and_then(|machine| machine.login))
}

/// The password of `user` at `host`.
///
/// # Errors
/// The file cannot be read, or it has that password and others can read it too.
pub fn password(host: &str, user: &str) -> Result<Option<Zeroizing<String>>> {
    let Some((text, mode)) = read()? else {
        return Ok(None);
    };
    let password = parse(&text)
        .into_iter()
        .find(|machine| machine.is_of(host) && machine.lets(user))
        .and_then(|machine| machine.password);
    if password.is_some() && mode & OTHERS != 0 {
        return Err(Trouble::Local(
            "~/.netrc holds the password, and others can read the file: chmod 600 ~/.netrc, and change the password \
             if they may have"
                .to_owned(),
        )
        .into());
    }
    Ok(password)
}

/// The file and its permission bits; `None` if there is none.
fn read() -> Result<Option<(Zeroizing<String>, u32)>, Trouble> {
    let Some(path) = places::home().map(|home| home.join(".netrc")) else {
        return Ok(None);
    };
    let read = || {
        let file = File::open(&path)?;
        let mode = file.metadata()?.permissions().mode();
        let mut text = Zeroizing::new(String::new());
        file.take(MOST).read_to_string(&mut text)?;
        io::Result::Ok((text, mode))
    };
    match read() {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Trouble::Local(format!("cannot read ~/.netrc: {error}"))),
    }
}

impl Machine {
    fn is_of(&self, host: &str) -> bool {
        self.name
            .as_ref()
            .is_none_or(|name| name.eq_ignore_ascii_case(host))
    }

    fn lets(&self, user: &str) -> bool {
        self.login.as_ref().is_none_or(|login| login == user)
    }
}

/// What is not known is passed over, as every reader of this file does.
fn parse(text: &str) -> Vec<Machine> {
    let mut machines: Vec<Machine> = Vec::new();
    let mut rest = text;
    while let Some(token) = next(&mut rest) {
        match token.as_str() {
            "machine" => machines.push(Machine {
                name: Some(next(&mut rest).unwrap_or_default()),
                ..Machine::default()
            }),
            "default" => machines.push(Machine::default()),
            "login" | "password" | "account" => {
                let value = next(&mut rest);
                match (machines.last_mut(), token.as_str()) {
                    (Some(machine), "login") => machine.login = value,
                    (Some(machine), "password") => machine.password = value.map(Zeroizing::new),
                    _ => {}
                }
            }
            // A macro goes on to the next empty line.
            "macdef" => rest = rest.split_once("\n\n").map_or("", |(_, rest)| rest),
            _ => {}
        }
    }
    machines
}

/// The next token; one that begins with a quote ends with one, as curl has it. A `#` where a token may begin makes
/// the rest of its line a comment.
fn next(rest: &mut &str) -> Option<String> {
    *rest = rest.trim_start();
    while rest.starts_with('#') {
        *rest = rest
            .split_once('\n')
            .map_or("", |(_, rest)| rest)
            .trim_start();
    }
    if rest.is_empty() {
        return None;
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (token, left) = rest.split_at(end);
        *rest = left;
        return Some(token.to_owned());
    };
    let mut token = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => token.extend(chars.next()),
            c => token.push(c),
        }
    }
    *rest = chars.as_str();
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_read() {
        let text = "# mine\nmachine a.example\n\tlogin me password p#1\nmacdef init\ncd /\nmachine no\n\n\
                    machine B.example login you account x password \"two \\\"words\\\"\"\ndefault login anonymous";
        let machines = parse(text);
        let of = |host: &str| machines.iter().find(|machine| machine.is_of(host)).unwrap();
        assert_eq!(machines.len(), 3);
        assert_eq!(
            of("A.example").password.as_deref().map(String::as_str),
            Some("p#1")
        );
        assert_eq!(
            of("b.example").password.as_deref().map(String::as_str),
            Some("two \"words\"")
        );
        assert_eq!(of("other").login.as_deref(), Some("anonymous"));
        assert!(of("b.example").lets("you") && !of("b.example").lets("me"));
        assert_eq!(parse("password x machine").len(), 1);
    }
}
