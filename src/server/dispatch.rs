//! Which handler a command has.

use super::session::{Session, ok, reply};
use super::{checksum, content, files, info, listing, login, ports, protection};
use crate::protocol::command::{Command, CommandError, Mode, Structure};
use crate::protocol::reply::{Reply, ReplyCode};
use crate::protocol::site::Site;
use std::io;

/// Has a command carried out. `Err` means that the control connection is gone.
pub(super) fn dispatch(session: &mut Session<'_>, command: &Command) -> io::Result<Reply> {
    match command {
        Command::User(name) => login::user(session, name),
        Command::Pass(password) => login::pass(session, password),
        Command::Auth(mechanism) => protection::auth(session, *mechanism),
        Command::Pbsz(_) => protection::pbsz(session),
        Command::Prot(level) => protection::prot(session, *level),
        Command::Ccc => protection::ccc(session),
        Command::Quit => reply(ReplyCode::CLOSING, "Goodbye."),
        Command::Feat => info::feat(session),
        Command::Opts(option) => info::opts(session, option.as_str()),
        Command::Clnt(_) => ok("Noted."),
        Command::Host(_) => reply(ReplyCode::READY, "One host serves all names."),
        Command::Syst => reply(ReplyCode::SYSTEM_TYPE, "UNIX Type: L8"),
        Command::Noop => ok("Done."),
        Command::Help(_) => info::help(),
        Command::Stat(None) => info::stat(session),
        Command::Stat(Some(path)) => listing::stat(session, path),
        Command::Site(Site::Help) => info::site_help(),
        Command::Site(Site::Chmod(mode, path)) => files::site_chmod(session, *mode, path),
        Command::Site(Site::Utime(time, path)) => files::site_utime(session, *time, path),
        Command::Type(to) => {
            session.transfer_type = *to;
            ok(format!("Type is {to}."))
        }
        Command::Mode(Mode::Stream) => ok("Mode is stream."),
        Command::Stru(Structure::File) => ok("Structure is file."),
        Command::Mode(_) | Command::Stru(_) => Ok(CommandError::Unsupported.reply()),
        Command::Allo(_) => reply(ReplyCode::SUPERFLUOUS, "No space needs to be allocated."),
        Command::Pwd => files::pwd(session),
        Command::Cwd(path) => files::cwd(session, path.as_str()),
        Command::Cdup => files::cwd(session, ".."),
        Command::Mkd(path) => files::mkd(session, path),
        Command::Rmd(path) => files::rmd(session, path),
        Command::Dele(path) => files::dele(session, path),
        Command::Rnfr(path) => files::rnfr(session, path),
        Command::Rnto(path) => files::rnto(session, path),
        Command::Size(path) => files::size(session, path),
        Command::Mdtm(path) => files::mdtm(session, path),
        Command::Mfmt(time, path) => files::mfmt(session, *time, path),
        Command::Mlst(path) => files::mlst(session, path.as_ref()),
        Command::Hash(path) => checksum::hash(session, path),
        Command::XHash(algorithm, path) => checksum::xhash(session, *algorithm, path),
        Command::Epsv(on) => ports::epsv(session, *on),
        Command::Pasv => ports::pasv(session),
        Command::Eprt(target) => ports::port(session, target.0),
        Command::Port(target) => ports::port(session, target.0.into()),
        Command::List(path) => listing::list(session, path.as_ref()),
        Command::Nlst(path) => listing::nlst(session, path.as_ref()),
        Command::Mlsd(path) => listing::mlsd(session, path.as_ref()),
        Command::Rest(position) => content::rest(session, *position),
        Command::Retr(path) => content::retr(session, path),
        Command::Stor(path) => content::stor(session, path),
        Command::Appe(path) => content::appe(session, path),
        Command::Stou(path) => content::stou(session, path.as_ref()),
        Command::Abor => ports::abor(session),
    }
}
