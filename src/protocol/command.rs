//! Commands: a verb and its argument (RFC 959 §5.3, and the RFCs named at each verb).

mod error;
#[cfg(test)]
mod tests;

pub use error::CommandError;

use super::address::{ExtendedHostPort, HostPort};
pub use super::argument::{
    Arg, Epsv, Mechanism, Mode, Password, Protection, Structure, TransferType,
};
use super::hash::HashAlgorithm;
use super::site::Site;
use super::time;
use jiff::Timestamp;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use zeroize::Zeroizing;

/// One command, as the client sends it and the server reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each is the verb of the RFC
pub enum Command {
    User(Arg),
    Pass(Password),
    /// RFC 4217 §4, like the three behind it.
    Auth(Mechanism),
    Pbsz(u64),
    Prot(Protection),
    Ccc,
    Quit,
    Feat,
    Opts(Arg),
    Clnt(Arg),
    Host(Arg),
    Syst,
    Noop,
    Help(Option<Arg>),
    Stat(Option<Arg>),
    Site(Site),
    Type(TransferType),
    Mode(Mode),
    Stru(Structure),
    Allo(u64),
    Pwd,
    Cwd(Arg),
    Cdup,
    Mkd(Arg),
    Rmd(Arg),
    Dele(Arg),
    Rnfr(Arg),
    Rnto(Arg),
    Size(Arg),
    Mdtm(Arg),
    /// RFC draft-somers-ftp-mfxx: sets the modification time.
    Mfmt(Timestamp, Arg),
    Epsv(Epsv),
    Pasv,
    Eprt(ExtendedHostPort),
    Port(HostPort),
    List(Option<Arg>),
    Nlst(Option<Arg>),
    Mlsd(Option<Arg>),
    Mlst(Option<Arg>),
    Retr(Arg),
    Stor(Arg),
    Appe(Arg),
    Stou(Option<Arg>),
    Rest(u64),
    Abor,
    /// draft-bryan-ftpext-hash.
    Hash(Arg),
    /// `XSHA256`, `XSHA1`, `XMD5` and `XCRC`: what clients said before there was `HASH`.
    XHash(HashAlgorithm, Arg),
}

/// In bytes: `XSHA256`.
const LONGEST_VERB: usize = 7;

/// What stands behind the verb of a line that is being parsed.
struct Rest<'l>(Option<&'l str>);

impl<'l> Rest<'l> {
    /// The verb, and what stands behind it.
    fn split(line: &'l str) -> (&'l str, Self) {
        match line.split_once(' ') {
            Some((verb, rest)) => (verb, Self(Some(rest))),
            None => (line, Self(None)),
        }
    }

    fn none(self, command: Command) -> Result<Command, CommandError> {
        match self.0.map(str::trim_ascii) {
            None | Some("") => Ok(command),
            Some(_) => Err(CommandError::UnexpectedArgument),
        }
    }

    fn text(self) -> Result<&'l str, CommandError> {
        self.0
            .filter(|text| !text.is_empty())
            .ok_or(CommandError::MissingArgument)
    }

    fn arg(self) -> Result<Arg, CommandError> {
        self.text()?.parse()
    }

    fn optional(self) -> Result<Option<Arg>, CommandError> {
        self.0
            .filter(|text| !text.is_empty())
            .map(str::parse)
            .transpose()
    }

    fn value<T>(self) -> Result<T, CommandError>
    where
        T: FromStr,
        CommandError: From<T::Err>,
    {
        Ok(self.text()?.trim_ascii().parse()?)
    }

    fn number(self) -> Result<u64, CommandError> {
        // The second half of `ALLO 100 R 20` is the size of a record, which no file here has.
        let digits = self.text()?.trim_ascii();
        let digits = digits.split_once(' ').map_or(digits, |(size, _)| size);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CommandError::BadArgument);
        }
        digits.parse().map_err(|_| CommandError::BadArgument)
    }

    fn time_and_path(self) -> Result<(Timestamp, Arg), CommandError> {
        let (time, path) = self
            .text()?
            .split_once(' ')
            .ok_or(CommandError::MissingArgument)?;
        let time = time::parse_time(time).ok_or(CommandError::BadArgument)?;
        Ok((time, path.parse()?))
    }
}

/// Parses a line without its line end.
impl FromStr for Command {
    type Err = CommandError;

    fn from_str(line: &str) -> Result<Self, CommandError> {
        let (verb, rest) = Rest::split(line);
        Ok(match capitals(verb, &mut [0; LONGEST_VERB]) {
            "USER" => Self::User(rest.arg()?),
            "PASS" => Self::Pass(rest.0.unwrap_or_default().parse()?),
            "AUTH" => Self::Auth(rest.value()?),
            "PBSZ" => Self::Pbsz(rest.number()?),
            "PROT" => Self::Prot(rest.value()?),
            "CCC" => rest.none(Self::Ccc)?,
            "QUIT" => rest.none(Self::Quit)?,
            "FEAT" => rest.none(Self::Feat)?,
            "OPTS" => Self::Opts(rest.arg()?),
            "CLNT" => Self::Clnt(rest.arg()?),
            "HOST" => Self::Host(rest.arg()?),
            "SYST" => rest.none(Self::Syst)?,
            "NOOP" => rest.none(Self::Noop)?,
            "HELP" => Self::Help(rest.optional()?),
            "STAT" => Self::Stat(rest.optional()?),
            "SITE" => Self::Site(rest.text()?.parse()?),
            "TYPE" => Self::Type(rest.value()?),
            "MODE" => Self::Mode(rest.value()?),
            "STRU" => Self::Stru(rest.value()?),
            "ALLO" => Self::Allo(rest.number()?),
            "PWD" | "XPWD" => rest.none(Self::Pwd)?,
            "CWD" | "XCWD" => Self::Cwd(rest.arg()?),
            "CDUP" | "XCUP" => rest.none(Self::Cdup)?,
            "MKD" | "XMKD" => Self::Mkd(rest.arg()?),
            "RMD" | "XRMD" => Self::Rmd(rest.arg()?),
            "DELE" => Self::Dele(rest.arg()?),
            "RNFR" => Self::Rnfr(rest.arg()?),
            "RNTO" => Self::Rnto(rest.arg()?),
            "SIZE" => Self::Size(rest.arg()?),
            "MDTM" => Self::Mdtm(rest.arg()?),
            "MFMT" => rest
                .time_and_path()
                .map(|(time, path)| Self::Mfmt(time, path))?,
            "EPSV" => Self::Epsv(rest.0.unwrap_or_default().parse()?),
            "PASV" => rest.none(Self::Pasv)?,
            "EPRT" => Self::Eprt(rest.value()?),
            "PORT" => Self::Port(rest.value()?),
            "LIST" => Self::List(rest.optional()?),
            "NLST" => Self::Nlst(rest.optional()?),
            "MLSD" => Self::Mlsd(rest.optional()?),
            "MLST" => Self::Mlst(rest.optional()?),
            "RETR" => Self::Retr(rest.arg()?),
            "STOR" => Self::Stor(rest.arg()?),
            "APPE" => Self::Appe(rest.arg()?),
            "STOU" => Self::Stou(rest.optional()?),
            "REST" => Self::Rest(rest.number()?),
            "ABOR" => rest.none(Self::Abor)?,
            "HASH" => Self::Hash(rest.arg()?),
            "XSHA256" => Self::XHash(HashAlgorithm::Sha256, rest.arg()?),
            "XSHA1" | "XSHA" => Self::XHash(HashAlgorithm::Sha1, rest.arg()?),
            "XMD5" => Self::XHash(HashAlgorithm::Md5, rest.arg()?),
            "XCRC" => Self::XHash(HashAlgorithm::Crc32, rest.arg()?),
            other => return Err(unknown(other)),
        })
    }
}

/// Of RFCs this verb may be, and then it says so that there is none of it here.
fn unknown(verb: &str) -> CommandError {
    match verb {
        "ACCT" | "SMNT" | "REIN" | "ADAT" | "CONF" | "ENC" | "LANG" | "MIC" | "LPRT" | "LPSV"
        | "MLFL" | "MAIL" | "MSND" | "MSOM" | "MSAM" | "MRSQ" | "MRCP" | "RANG" => {
            CommandError::NotImplemented
        }
        _ => CommandError::Unknown,
    }
}

/// A verb in capitals, in this memory. Of one that is too long for a verb nothing is left.
fn capitals<'m>(verb: &str, memory: &'m mut [u8; LONGEST_VERB]) -> &'m str {
    let Some(memory) = memory.get_mut(..verb.len()) else {
        return "";
    };
    memory.copy_from_slice(verb.as_bytes());
    memory.make_ascii_uppercase();
    str::from_utf8(memory).unwrap_or_default()
}

impl Command {
    /// The verb in capitals.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Auth(_) => "AUTH",
            Self::Pbsz(_) => "PBSZ",
            Self::Prot(_) => "PROT",
            Self::Ccc => "CCC",
            Self::Quit => "QUIT",
            Self::Feat => "FEAT",
            Self::Opts(_) => "OPTS",
            Self::Clnt(_) => "CLNT",
            Self::Host(_) => "HOST",
            Self::Syst => "SYST",
            Self::Noop => "NOOP",
            Self::Help(_) => "HELP",
            Self::Stat(_) => "STAT",
            Self::Site(_) => "SITE",
            Self::Type(_) => "TYPE",
            Self::Mode(_) => "MODE",
            Self::Stru(_) => "STRU",
            Self::Allo(_) => "ALLO",
            Self::Pwd => "PWD",
            Self::Cwd(_) => "CWD",
            Self::Cdup => "CDUP",
            Self::Mkd(_) => "MKD",
            Self::Rmd(_) => "RMD",
            Self::Dele(_) => "DELE",
            Self::Rnfr(_) => "RNFR",
            Self::Rnto(_) => "RNTO",
            Self::Size(_) => "SIZE",
            Self::Mdtm(_) => "MDTM",
            Self::Mfmt(..) => "MFMT",
            Self::Epsv(_) => "EPSV",
            Self::Pasv => "PASV",
            Self::Eprt(_) => "EPRT",
            Self::Port(_) => "PORT",
            Self::List(_) => "LIST",
            Self::Nlst(_) => "NLST",
            Self::Mlsd(_) => "MLSD",
            Self::Mlst(_) => "MLST",
            Self::Retr(_) => "RETR",
            Self::Stor(_) => "STOR",
            Self::Appe(_) => "APPE",
            Self::Stou(_) => "STOU",
            Self::Rest(_) => "REST",
            Self::Abor => "ABOR",
            Self::Hash(_) => "HASH",
            Self::XHash(HashAlgorithm::Sha256, _) => "XSHA256",
            Self::XHash(HashAlgorithm::Sha1, _) => "XSHA1",
            Self::XHash(HashAlgorithm::Md5, _) => "XMD5",
            Self::XHash(HashAlgorithm::Crc32, _) => "XCRC",
        }
    }

    /// Sends the command with its `CRLF` in a single `write`, a password in clear.
    ///
    /// # Errors
    /// Whatever `output` says.
    pub fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        let line = Zeroizing::new(match self {
            Self::Pass(password) => format!("PASS {}\r\n", password.reveal()),
            other => format!("{other}\r\n"),
        });
        output.write_all(line.as_bytes())
    }
}

/// The line without its line end, fit for a log: a password shows as `***`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        match self {
            Self::User(arg)
            | Self::Opts(arg)
            | Self::Clnt(arg)
            | Self::Host(arg)
            | Self::Cwd(arg)
            | Self::Mkd(arg)
            | Self::Rmd(arg)
            | Self::Dele(arg)
            | Self::Rnfr(arg)
            | Self::Rnto(arg)
            | Self::Size(arg)
            | Self::Mdtm(arg)
            | Self::Retr(arg)
            | Self::Stor(arg)
            | Self::Appe(arg)
            | Self::Hash(arg)
            | Self::XHash(_, arg) => write!(f, " {arg}"),
            Self::Help(arg)
            | Self::Stat(arg)
            | Self::List(arg)
            | Self::Nlst(arg)
            | Self::Mlsd(arg)
            | Self::Mlst(arg)
            | Self::Stou(arg) => arg.iter().try_for_each(|arg| write!(f, " {arg}")),
            Self::Pass(password) => write!(f, " {password}"),
            Self::Auth(value) => write!(f, " {value}"),
            Self::Prot(value) => write!(f, " {value}"),
            Self::Type(value) => write!(f, " {value}"),
            Self::Mode(value) => write!(f, " {value}"),
            Self::Stru(value) => write!(f, " {value}"),
            Self::Allo(number) | Self::Rest(number) | Self::Pbsz(number) => write!(f, " {number}"),
            Self::Mfmt(time, path) => write!(f, " {} {path}", time::format_time(*time)),
            Self::Site(site) => write!(f, " {site}"),
            Self::Eprt(address) => write!(f, " {address}"),
            Self::Port(address) => write!(f, " {address}"),
            Self::Epsv(Epsv::On(network)) => write!(f, " {network}"),
            Self::Epsv(Epsv::All) => f.write_str(" ALL"),
            Self::Epsv(Epsv::Same)
            | Self::Ccc
            | Self::Quit
            | Self::Feat
            | Self::Syst
            | Self::Noop
            | Self::Pwd
            | Self::Cdup
            | Self::Pasv
            | Self::Abor => Ok(()),
        }
    }
}
