//! One client's session: the command loop and the dispatch.

use super::control::Control;
use super::data::DataSource;
use super::entrance::Entrance;
use super::login::Login;
use super::protection::{self, Protection};
use super::proxy::Peer;
use super::root::{PathError, Root, VirtualPath};
use super::users::ANONYMOUS;
use super::{Config, Shared, checksum, content, files, info, listing, login, ports};
use crate::protocol::Line;
use crate::protocol::command::{Command, CommandError, Mechanism, Mode, Structure, TransferType};
use crate::protocol::entry::FactSet;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Reply, ReplyCode};
use crate::protocol::site::Site;
use crate::stream::{Stream, timed_out};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// How many lines before the login may be no commands.
const MAX_FAULTS: u32 = 20;

/// The state of a session.
pub(super) struct Session<'s> {
    pub(super) shared: &'s Shared,
    pub(super) config: Arc<Config>,
    pub(super) control: Control,
    pub(super) peer: SocketAddr,
    /// Whether a balancer is between, which data connections do not go through.
    pub(super) proxied: bool,
    /// The address of this host that the client reached, where data listeners go.
    pub(super) local: IpAddr,
    pub(super) login: Login,
    /// How many logins have failed.
    pub(super) failed_logins: u32,
    /// When it has to be logged in, where it is not.
    login_by: Option<Instant>,
    /// How many lines before the login were no commands.
    faults: u32,
    /// Why the session ends with the next reply, if it does.
    pub(super) over: Option<&'static str>,
    pub(super) protection: Protection,
    pub(super) cwd: VirtualPath,
    pub(super) transfer_type: TransferType,
    /// The data connections that the next transfers will use, in order.
    pub(super) prepared: VecDeque<DataSource>,
    /// How many of them there may be: one that is asked for beyond a single one takes its place (RFC 959 §3.2).
    pub(super) most_prepared: usize,
    /// The data connection of the transfer that was asked for.
    pub(super) data: Option<DataSource>,
    /// What `REST` said, for the next transfer.
    pub(super) restart_at: u64,
    /// What `RNFR` said, for the `RNTO` that has to follow.
    pub(super) rename_from: Option<VirtualPath>,
    /// What `OPTS MLST` chose.
    pub(super) facts: FactSet,
    /// What `OPTS HASH` chose.
    pub(super) hash: HashAlgorithm,
    /// Whether the transfer that was asked for has come so far that it has its line in the log.
    pub(super) transfer_logged: bool,
    /// Whether the client said `EPSV ALL` (RFC 2428 §4).
    pub(super) epsv_all: bool,
}

/// Serves a client until it leaves.
pub(super) fn run(shared: &Shared, socket: Arc<TcpStream>, peer: Peer, entrance: Entrance) {
    let (began, client) = (Instant::now(), peer.address);
    log::info!("{client} connected");
    let (outcome, control) = match Session::new(shared, socket, peer) {
        Ok(mut session) => {
            let served = session.serve(entrance);
            let outcome = served.unwrap_or_else(|error| session.lost(&error));
            // All else that it holds is given back before the end of its connection is waited for.
            (outcome, Some(session.control))
        }
        Err(error) => (error.to_string(), None),
    };
    log::info!(
        "{client} disconnected after {:.3} s: {outcome}",
        began.elapsed().as_secs_f64()
    );
    if let Some(control) = control {
        control.finish();
    }
}

impl<'s> Session<'s> {
    fn new(shared: &'s Shared, socket: Arc<TcpStream>, peer: Peer) -> io::Result<Self> {
        let config = shared.config();
        let local = peer.local(&socket, config.public_address)?;
        Ok(Self {
            shared,
            control: Control::new(Stream::Plain(socket), config.limits.idle)?,
            config,
            peer: peer.address,
            proxied: peer.proxied,
            local,
            login: Login::None,
            failed_logins: 0,
            login_by: None,
            faults: 0,
            over: None,
            protection: Protection::default(),
            cwd: VirtualPath::root(),
            // RFC 959 §5.1. lftp and NcFTP count on it: for a text file they send no TYPE at all.
            transfer_type: TransferType::Ascii,
            prepared: VecDeque::new(),
            most_prepared: 1,
            data: None,
            restart_at: 0,
            rename_from: None,
            facts: FactSet::ALL,
            hash: HashAlgorithm::default(),
            transfer_logged: false,
            epsv_all: false,
        })
    }

    /// The command loop. Returns how the session ended.
    fn serve(&mut self, entrance: Entrance) -> io::Result<String> {
        if entrance == Entrance::Tls {
            // Whoever comes this way means all of it to be private, and some of them do not say so.
            protection::begin(self, true)?;
        }
        self.control
            .send(&Reply::new(ReplyCode::READY, "multi-client-ftp ready."))?;
        loop {
            if self.shared.phase.is_draining() {
                return self.close("The server is shutting down.");
            }
            let login_by = self.login_by();
            let mut line = match self.control.line(login_by) {
                Ok(Some(line)) => line,
                Ok(None) if self.shared.phase.is_draining() => continue,
                Ok(None) => return Ok("closed by the client".to_owned()),
                Err(error)
                    if timed_out(&error) && login_by.is_some_and(|by| by <= Instant::now()) =>
                {
                    let limit = self.config.limits.login.as_secs();
                    return self.close(&format!("Not logged in within {limit} seconds."));
                }
                Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
                    return self.close("Too much was said before a login.");
                }
                Err(error) if timed_out(&error) => {
                    let idle = self.config.limits.idle.as_secs();
                    return self.close(&format!("No command for {idle} seconds."));
                }
                Err(error) => return Err(error),
            };
            match parse(&line) {
                Ok(command) => {
                    line.wipe();
                    log::debug!("{} {}", self.peer, printable(&command.to_string()));
                    let reply = self.answer(&command)?;
                    log::trace!("{} {}", self.peer, printable(reply.to_string().trim_end()));
                    self.control.send(&reply)?;
                    match command {
                        Command::Quit => return Ok("QUIT".to_owned()),
                        Command::Auth(mechanism) if reply.code() == ReplyCode::SECURITY_DONE => {
                            protection::begin(self, mechanism == Mechanism::Ssl)?;
                        }
                        _ => {}
                    }
                    if let Some(why) = self.over {
                        return Ok(why.to_owned());
                    }
                }
                Err(CommandError::Unknown) if is_http(&line) => {
                    return self.close("This is FTP and not HTTP.");
                }
                Err(error) => {
                    line.wipe();
                    // Malformed or not, it came between RNFR and RNTO (RFC 959 §4.1.3).
                    self.rename_from = None;
                    self.control.send(&error.reply())?;
                    self.faults += u32::from(login_by.is_some());
                    if self.faults >= MAX_FAULTS {
                        return self.close("Too many lines before a login were no commands.");
                    }
                }
            }
        }
    }

    /// When this session has to be logged in, if it is not. The time of one that was and gives another name begins anew.
    fn login_by(&mut self) -> Option<Instant> {
        if let Login::Done(..) = self.login {
            self.login_by = None;
            return None;
        }
        let limit = self.config.limits.login;
        Some(*self.login_by.get_or_insert_with(|| Instant::now() + limit))
    }

    fn close(&mut self, why: &str) -> io::Result<String> {
        self.control
            .send(&Reply::new(ReplyCode::NOT_AVAILABLE, why))?;
        Ok(why.to_owned())
    }

    /// How a session whose control connection failed is logged.
    fn lost(&self, error: &io::Error) -> String {
        if self.shared.phase.is_cutting() {
            "cut at shutdown".to_owned()
        } else {
            format!("lost: {error}")
        }
    }

    /// The guard and the dispatch. `Err` means that the control connection is gone.
    fn answer(&mut self, command: &Command) -> io::Result<Reply> {
        if !matches!(command, Command::Rnto(_)) {
            self.rename_from = None;
        }
        if is_transfer(command) {
            self.data = self.prepared.pop_front();
        }
        let reply = match self.permit(command) {
            Ok(()) => self.dispatch(command)?,
            Err(refusal) => refusal,
        };
        if is_transfer(command) {
            if !std::mem::take(&mut self.transfer_logged) {
                let (peer, user, command) = (
                    self.peer,
                    self.login.name(),
                    printable(&command.to_string()),
                );
                log::info!(
                    "{peer} {user} {command} 0 bytes 0.000 s: {} {}",
                    reply.code(),
                    reply.text()
                );
            }
            // Done or refused, what was prepared for it is used up, and a client that waits at the port is told.
            self.data = None;
            self.restart_at = 0;
        }
        Ok(reply)
    }

    fn dispatch(&mut self, command: &Command) -> io::Result<Reply> {
        match command {
            Command::User(name) => login::user(self, name),
            Command::Pass(password) => login::pass(self, password),
            Command::Auth(mechanism) => protection::auth(self, *mechanism),
            Command::Pbsz(_) => protection::pbsz(self),
            Command::Prot(level) => protection::prot(self, *level),
            Command::Ccc => protection::ccc(self),
            Command::Quit => reply(ReplyCode::CLOSING, "Goodbye."),
            Command::Feat => info::feat(self),
            Command::Opts(option) => info::opts(self, option.as_str()),
            Command::Clnt(_) => ok("Noted."),
            Command::Host(_) => reply(ReplyCode::READY, "One host serves all names."),
            Command::Syst => reply(ReplyCode::SYSTEM_TYPE, "UNIX Type: L8"),
            Command::Noop => ok("Done."),
            Command::Help(_) => info::help(),
            Command::Stat(None) => info::stat(self),
            Command::Stat(Some(path)) => listing::stat(self, path),
            Command::Site(Site::Help) => info::site_help(),
            Command::Site(Site::Chmod(mode, path)) => files::site_chmod(self, *mode, path),
            Command::Site(Site::Utime(time, path)) => files::site_utime(self, *time, path),
            Command::Type(to) => {
                self.transfer_type = *to;
                ok(format!("Type is {to}."))
            }
            Command::Mode(Mode::Stream) => ok("Mode is stream."),
            Command::Stru(Structure::File) => ok("Structure is file."),
            Command::Mode(_) | Command::Stru(_) => Ok(CommandError::Unsupported.reply()),
            Command::Allo(_) => reply(ReplyCode::SUPERFLUOUS, "No space needs to be allocated."),
            Command::Pwd => files::pwd(self),
            Command::Cwd(path) => files::cwd(self, path.as_str()),
            Command::Cdup => files::cwd(self, ".."),
            Command::Mkd(path) => files::mkd(self, path),
            Command::Rmd(path) => files::rmd(self, path),
            Command::Dele(path) => files::dele(self, path),
            Command::Rnfr(path) => files::rnfr(self, path),
            Command::Rnto(path) => files::rnto(self, path),
            Command::Size(path) => files::size(self, path),
            Command::Mdtm(path) => files::mdtm(self, path),
            Command::Mfmt(time, path) => files::mfmt(self, *time, path),
            Command::Mlst(path) => files::mlst(self, path.as_ref()),
            Command::Hash(path) => checksum::hash(self, path),
            Command::XHash(algorithm, path) => checksum::xhash(self, *algorithm, path),
            Command::Epsv(on) => ports::epsv(self, *on),
            Command::Pasv => ports::pasv(self),
            Command::Eprt(target) => ports::port(self, target.0),
            Command::Port(target) => ports::port(self, target.0.into()),
            Command::List(path) => listing::list(self, path.as_ref()),
            Command::Nlst(path) => listing::nlst(self, path.as_ref()),
            Command::Mlsd(path) => listing::mlsd(self, path.as_ref()),
            Command::Rest(position) => {
                self.restart_at = *position;
                reply(
                    ReplyCode::NEED_MORE,
                    format!("The next transfer begins at byte {position}."),
                )
            }
            Command::Retr(path) => content::retr(self, path),
            Command::Stor(path) => content::stor(self, path),
            Command::Appe(path) => content::appe(self, path),
            Command::Stou(path) => content::stou(self, path.as_ref()),
            Command::Abor => {
                self.prepared.clear();
                reply(ReplyCode::TRANSFER_DONE, "No transfer is under way.")
            }
        }
    }

    /// The folder that is served, or what of it is the account's.
    pub(super) fn root(&self) -> &Root {
        match &self.login {
            Login::Done(_, root) => root,
            Login::None | Login::Named(_) => &self.shared.root,
        }
    }

    /// Whose cut uploads this session can go on from. Anonymous clients are told apart by their address.
    pub(super) fn owner(&self) -> String {
        match &self.login {
            Login::Done(member, _) if member.account.name != ANONYMOUS => {
                member.account.name.clone()
            }
            _ => format!("{ANONYMOUS}@{}", self.peer.ip()),
        }
    }

    /// The path that a client's word means.
    pub(super) fn path(&self, name: &str) -> Result<VirtualPath, PathError> {
        self.root().resolve(&self.cwd, name)
    }
}

/// Whether a command uses the data connection that was prepared.
pub(super) fn is_transfer(command: &Command) -> bool {
    matches!(
        command,
        Command::Retr(_)
            | Command::Stor(_)
            | Command::Appe(_)
            | Command::Stou(_)
            | Command::List(_)
            | Command::Nlst(_)
            | Command::Mlsd(_)
    )
}

/// The verbs that a browser may be made to send here, and that are none of FTP's. An answer to what follows them could be
/// read as a page of this host's (ALPACA), so there is none.
const HTTP_VERBS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

fn is_http(line: &Line) -> bool {
    let Line::Text(text) = line else { return false };
    let verb = text.split(|&byte| byte == b' ').next().unwrap_or_default();
    HTTP_VERBS
        .iter()
        .any(|http| verb.eq_ignore_ascii_case(http.as_bytes()))
}

fn parse(line: &Line) -> Result<Command, CommandError> {
    match line {
        Line::TooLong => Err(CommandError::TooLong),
        Line::Text(bytes) => std::str::from_utf8(bytes)
            .map_err(|_| CommandError::NotUtf8)?
            .parse(),
    }
}

/// Text of a client as it may stand in the log: control characters are escaped.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

/// A handler's result where nothing can go wrong.
pub(super) fn reply(code: ReplyCode, text: impl Into<String>) -> io::Result<Reply> {
    Ok(Reply::new(code, text))
}

pub(super) fn ok(text: impl Into<String>) -> io::Result<Reply> {
    reply(ReplyCode::OK, text)
}
