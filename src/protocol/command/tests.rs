//! Commands are read as they are written, and each fault has its error.

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

/// Commands that say no more than themselves.
fn plain() -> Vec<Command> {
    vec![
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
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let time = (0_i64..4_000_000_000).prop_map(|s| Timestamp::from_second(s).unwrap());
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
        proptest::sample::select(plain()),
        (proptest::sample::select(with_arg.to_vec()), arg()).prop_map(|(of, arg)| of(arg)),
        (proptest::sample::select(with_option.to_vec()), arg()).prop_map(|(of, arg)| of(Some(arg))),
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
