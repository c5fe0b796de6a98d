//! Commands: a verb and its argument (RFC 959 §5.3, and the RFCs named at each verb).

use super::address::{AddressError, ExtendedHostPort, HostPort};
pub use super::argument::{
    Arg, Epsv, Mechanism, Mode, Password, Protection, Structure, TransferType,
};
use super::hash::HashAlgorithm;
use super::reply::{Reply, ReplyCode};
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

/// Why a line is no command. Each has its reply: [`CommandError::reply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The verb is of no RFC that this module knows: 500.
    #[error("unknown command")]
    Unknown,
    /// The verb is of an RFC, and nothing here serves it: 502.
    #[error("command not implemented")]
    NotImplemented,
    /// The verb needs an argument: 501.
    #[error("this command needs an argument")]
    MissingArgument,
    /// The verb takes no argument: 501.
    #[error("this command takes no argument")]
    UnexpectedArgument,
    /// The argument does not have the form that the verb needs: 501.
    #[error("the argument of this command is malformed")]
    BadArgument,
    /// The argument is one of the RFC's that nothing here serves: 504.
    #[error("command not implemented for that parameter")]
    Unsupported,
    /// `EPRT` or `EPSV` with an unknown network protocol: 522.
    #[error("network protocol not supported, use (1,2)")]
    UnsupportedNetwork,
    /// The line is not UTF-8 (RFC 2640): 501.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The line is longer than [`super::MAX_LINE`]: 500.
    #[error("command line too long")]
    TooLong,
}

impl CommandError {
    /// The reply that tells the client.
    #[must_use]
    pub fn reply(self) -> Reply {
        let code = match self {
            Self::Unknown | Self::TooLong => ReplyCode::UNKNOWN_COMMAND,
            Self::NotImplemented => ReplyCode::NOT_IMPLEMENTED,
            Self::MissingArgument
            | Self::UnexpectedArgument
            | Self::BadArgument
            | Self::NotUtf8 => ReplyCode::BAD_ARGUMENT,
            Self::Unsupported => ReplyCode::NOT_FOR_PARAMETER,
            Self::UnsupportedNetwork => ReplyCode::UNSUPPORTED_NETWORK,
        };
        let text = self.to_string();
        Reply::new(code, text[..1].to_uppercase() + &text[1..] + ".")
    }
}

impl From<AddressError> for CommandError {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Malformed => Self::BadArgument,
            AddressError::UnsupportedNetwork => Self::UnsupportedNetwork,
        }
    }
}

/// What stands behind the verb of a line that is being parsed.
struct Rest<'l>(Option<&'l str>);

impl<'l> Rest<'l> {
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
        let (verb, rest) = match line.split_once(' ') {
            Some((verb, rest)) => (verb, Rest(Some(rest))),
            None => (line, Rest(None)),
        };
        Ok(match verb.to_ascii_uppercase().as_str() {
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
            "ACCT" | "SMNT" | "REIN" | "ADAT" | "CONF" | "ENC" | "LANG" | "MIC" | "LPRT"
            | "LPSV" | "MLFL" | "MAIL" | "MSND" | "MSOM" | "MSAM" | "MRSQ" | "MRCP" | "RANG" => {
                return Err(CommandError::NotImplemented);
            }
            _ => return Err(CommandError::Unknown),
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::address::Network;
    use proptest::prelude::*;
    use std::net::{SocketAddr, SocketAddrV4};

    fn parse(line: &str) -> Result<Command, CommandError> {
        line.parse()
    }

    #[test]
    fn verbs_take_any_case_and_names_keep_their_blanks() {
        assert_eq!(parse("noop"), Ok(Command::Noop));
        assert_eq!(parse("Retr  a b "), Ok(Command::Retr(Arg(" a b ".into()))));
        assert_eq!(parse("XPWD "), Ok(Command::Pwd));
        assert_eq!(parse("epsv all"), Ok(Command::Epsv(Epsv::All)));
        assert_eq!(parse("ALLO 10 R 3"), Ok(Command::Allo(10)));
    }

    #[test]
    fn each_fault_has_its_error() {
        for (line, error) in [
            ("", CommandError::Unknown),
            ("FOO", CommandError::Unknown),
            ("ACCT x", CommandError::NotImplemented),
            ("RETR", CommandError::MissingArgument),
            ("RETR ", CommandError::MissingArgument),
            ("PWD x", CommandError::UnexpectedArgument),
            ("RETR a\0b", CommandError::BadArgument),
            ("RETR a\rb", CommandError::BadArgument),
            ("REST -1", CommandError::BadArgument),
            ("REST +1", CommandError::BadArgument),
            ("REST 18446744073709551616", CommandError::BadArgument),
            ("TYPE X", CommandError::BadArgument),
            ("TYPE E", CommandError::Unsupported),
            ("TYPE L 7", CommandError::Unsupported),
            ("PORT 1,2,3,4,5,999", CommandError::BadArgument),
            ("EPRT |3|x|1|", CommandError::UnsupportedNetwork),
            ("EPSV 3", CommandError::UnsupportedNetwork),
            ("EPSV x", CommandError::BadArgument),
            ("AUTH GSSAPI", CommandError::Unsupported),
            ("PROT X", CommandError::Unsupported),
            ("PBSZ x", CommandError::BadArgument),
            ("MFMT 20261122000000", CommandError::MissingArgument),
            ("MFMT yesterday x", CommandError::BadArgument),
        ] {
            assert_eq!(parse(line), Err(error), "{line}");
            assert!((500..600).contains(&error.reply().code().0));
        }
    }

    #[test]
    fn a_password_never_prints() {
        let command = parse("PASS s3cret").unwrap();
        assert_eq!(format!("{command} {command:?}"), "PASS *** Pass(***)");
        let mut sent = Vec::new();
        command.write_to(&mut sent).unwrap();
        assert_eq!(sent, b"PASS s3cret\r\n");
    }

    fn arg() -> impl Strategy<Value = Arg> {
        "[^\r\n\0]{1,40}".prop_map(Arg)
    }

    fn command() -> impl Strategy<Value = Command> {
        let time = (0_i64..4_000_000_000).prop_map(|s| Timestamp::from_second(s).unwrap());
        let plain = [
            Command::Quit,
            Command::Feat,
            Command::Syst,
            Command::Noop,
            Command::Pwd,
            Command::Cdup,
            Command::Pasv,
            Command::Abor,
            Command::Epsv(Epsv::Same),
            Command::Epsv(Epsv::All),
            Command::Epsv(Epsv::On(Network::V6)),
            Command::Type(TransferType::Ascii),
            Command::Type(TransferType::Image),
            Command::Type(TransferType::Local8),
            Command::Auth(Mechanism::Tls),
            Command::Pbsz(0),
            Command::Prot(Protection::Private),
            Command::Ccc,
            Command::Mode(Mode::Block),
            Command::Stru(Structure::File),
            Command::List(None),
            Command::Mlsd(None),
        ];
        let with_arg: [fn(Arg) -> Command; 16] = [
            Command::User,
            Command::Opts,
            Command::Clnt,
            Command::Host,
            Command::Cwd,
            Command::Mkd,
            Command::Rmd,
            Command::Dele,
            Command::Rnfr,
            Command::Rnto,
            Command::Size,
            Command::Mdtm,
            Command::Retr,
            Command::Stor,
            Command::Appe,
            Command::Hash,
        ];
        let with_option: [fn(Option<Arg>) -> Command; 7] = [
            Command::Help,
            Command::Stat,
            Command::List,
            Command::Nlst,
            Command::Mlsd,
            Command::Mlst,
            Command::Stou,
        ];
        prop_oneof![
            proptest::sample::select(plain.to_vec()),
            (proptest::sample::select(with_arg.to_vec()), arg()).prop_map(|(of, arg)| of(arg)),
            (proptest::sample::select(with_option.to_vec()), arg())
                .prop_map(|(of, arg)| of(Some(arg))),
            "[^\r\n\0]{0,20}".prop_map(|text| Command::Pass(Password(text.into()))),
            any::<u64>().prop_map(Command::Rest),
            any::<u64>().prop_map(Command::Allo),
            any::<SocketAddrV4>().prop_map(|address| Command::Port(HostPort(address))),
            any::<SocketAddr>().prop_map(|address| {
                Command::Eprt(ExtendedHostPort(SocketAddr::new(
                    address.ip(),
                    address.port(),
                )))
            }),
            (time, arg()).prop_map(|(time, path)| Command::Mfmt(time, path)),
            arg().prop_map(|path| Command::Site(Site::Chmod(0o640, path))),
            arg().prop_map(|path| Command::XHash(HashAlgorithm::Crc32, path)),
        ]
    }

    proptest! {
        #[test]
        fn round_trip(command in command()) {
            let mut sent = Vec::new();
            command.write_to(&mut sent).unwrap();
            let line = String::from_utf8(sent).unwrap();
            prop_assert_eq!(parse(line.strip_suffix("\r\n").unwrap()), Ok(command));
        }

        #[test]
        fn nothing_panics(line in "[A-Za-z]{3,4} \\PC{0,40}") {
            let _ = parse(&line);
        }
    }
}
