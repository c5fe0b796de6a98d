//! The arguments of commands, each parsed once and in a type that can hold nothing else.

use super::address::Network;
use super::command::CommandError;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The argument of a command: not empty, and without CR, LF and NUL, so that it can neither end its line nor hide
/// a second command behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arg(pub(super) String);

impl Arg {
    /// The argument as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Arg {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        match text {
            "" => Err(CommandError::MissingArgument),
            _ if text.contains(['\r', '\n', '\0']) => Err(CommandError::BadArgument),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password. It prints as `***` wherever it is printed; only [`super::command::Command::write_to`] sends it. Its memory is
/// zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub(super) Zeroizing<String>);

impl Password {
    /// The password itself, to check it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        if text.contains(['\r', '\n', '\0']) {
            return Err(CommandError::BadArgument);
        }
        Ok(Self(text.to_owned().into()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How `TYPE` says that bytes are to be read (RFC 959 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferType {
    /// `A`: text, its lines end in CRLF on the wire.
    Ascii,
    /// `I`: bytes as they are.
    Image,
    /// `L 8`: bytes as they are, by another name.
    Local8,
}

/// How `MODE` says that the end of a file is marked (RFC 959 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mode {
    Stream,
    Block,
    Compressed,
}

/// What `STRU` says a file is made of (RFC 959 §3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Structure {
    File,
    Record,
    Page,
}

/// The argument of `EPSV` (RFC 2428 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epsv {
    /// No argument: the network of the control connection.
    Same,
    /// `1` or `2`.
    On(Network),
    /// `ALL`: from now on only `EPSV` will be used.
    All,
}

/// What `AUTH` asks for (RFC 4217 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS`, or `TLS-C`: data connections stay in clear until `PROT`.
    Tls,
    /// `SSL`, or `TLS-P`, from before the RFC: data connections are private from the start.
    Ssl,
}

/// What `PROT` asks for the data connections (RFC 2228 §3). TLS has only the first and the last of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Protection {
    Clear,
    Safe,
    Confidential,
    Private,
}

impl fmt::Display for TransferType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ascii => "A",
            Self::Image => "I",
            Self::Local8 => "L 8",
        })
    }
}

impl FromStr for TransferType {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        let mut words = text.split_ascii_whitespace().map(str::to_ascii_uppercase);
        let (kind, form) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() {
            return Err(CommandError::BadArgument);
        }
        match (kind.as_str(), form.as_deref()) {
            ("A", None | Some("N")) => Ok(Self::Ascii),
            ("I", None) => Ok(Self::Image),
            ("L", Some("8")) | ("L8", None) => Ok(Self::Local8),
            ("A" | "E", Some("T" | "C")) | ("E", None | Some("N")) => {
                Err(CommandError::Unsupported)
            }
            ("L", Some(size)) if size.parse::<u8>().is_ok() => Err(CommandError::Unsupported),
            _ => Err(CommandError::BadArgument),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "S",
            Self::Block => "B",
            Self::Compressed => "C",
        })
    }
}

impl FromStr for Mode {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        match text {
            "S" | "s" => Ok(Self::Stream),
            "B" | "b" => Ok(Self::Block),
            "C" | "c" => Ok(Self::Compressed),
            _ => Err(CommandError::BadArgument),
        }
    }
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "F",
            Self::Record => "R",
            Self::Page => "P",
        })
    }
}

impl FromStr for Structure {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        match text {
            "F" | "f" => Ok(Self::File),
            "R" | "r" => Ok(Self::Record),
            "P" | "p" => Ok(Self::Page),
            _ => Err(CommandError::BadArgument),
        }
    }
}

impl FromStr for Epsv {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        match text.trim() {
            "" => Ok(Self::Same),
            all if all.eq_ignore_ascii_case("ALL") => Ok(Self::All),
            network => Ok(Self::On(network.parse()?)),
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::Ssl => "SSL",
        })
    }
}

impl FromStr for Mechanism {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        match text.to_ascii_uppercase().as_str() {
            "TLS" | "TLS-C" => Ok(Self::Tls),
            "SSL" | "TLS-P" => Ok(Self::Ssl),
            _ => Err(CommandError::Unsupported),
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "C",
            Self::Safe => "S",
            Self::Confidential => "E",
            Self::Private => "P",
        })
    }
}

impl FromStr for Protection {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        match text.to_ascii_uppercase().as_str() {
            "C" => Ok(Self::Clear),
            "S" => Ok(Self::Safe),
            "E" => Ok(Self::Confidential),
            "P" => Ok(Self::Private),
            _ => Err(CommandError::Unsupported),
        }
    }
}
