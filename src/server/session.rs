//! One client's session: the command loop, the guard of who may do what, and the dispatch.

use super::control::Control;
use super::data::DataListener;
use super::login::Login;
use super::root::{PathError, VirtualPath};
use super::users::{Access, Account};
use super::{Shared, files, login, transfer};
use crate::protocol::Line;
use crate::protocol::command::{Command, CommandError, Mode, Structure, TransferType};
use crate::protocol::reply::{Reply, ReplyCode};
use crate::stream::{Stream, timed_out};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// The state of a session.
pub(super) struct Session<'s> {
    pub(super) shared: &'s Shared,
    pub(super) control: Control,
    pub(super) peer: SocketAddr,
    /// The address of this host that the client reached, where data listeners go.
    pub(super) local: IpAddr,
    pub(super) login: Login,
    pub(super) cwd: VirtualPath,
    pub(super) transfer_type: TransferType,
    pub(super) listener: Option<DataListener>,
    /// Whether the client said `EPSV ALL` (RFC 2428 §4).
    pub(super) epsv_all: bool,
}

/// Serves a client until it leaves.
pub(super) fn run(shared: &Shared, socket: Arc<TcpStream>, peer: SocketAddr) {
    let began = Instant::now();
    log::info!("{peer} connected");
    let outcome = match Session::new(shared, socket, peer) {
        Ok(mut session) => session.serve().unwrap_or_else(|error| session.lost(&error)),
        Err(error) => error.to_string(),
    };
    log::info!(
        "{peer} disconnected after {:.3} s: {outcome}",
        began.elapsed().as_secs_f64()
    );
}

impl<'s> Session<'s> {
    fn new(shared: &'s Shared, socket: Arc<TcpStream>, peer: SocketAddr) -> io::Result<Self> {
        let local = socket.local_addr()?.ip().to_canonical();
        Ok(Self {
            shared,
            control: Control::new(Stream::Plain(socket), shared.config.limits.idle)?,
            peer,
            local,
            login: Login::None,
            cwd: VirtualPath::root(),
            // RFC 959 §5.1 would have ASCII. No client counts on it, and many forget to ask for bytes as they are.
            transfer_type: TransferType::Image,
            listener: None,
            epsv_all: false,
        })
    }

    /// The command loop. Returns how the session ended.
    fn serve(&mut self) -> io::Result<String> {
        self.control
            .send(&Reply::new(ReplyCode::READY, "multi-client-ftp ready."))?;
        loop {
            if self.shared.phase.is_draining() {
                return self.close("The server is shutting down.");
            }
            let line = match self.control.line() {
                Ok(Some(line)) => line,
                Ok(None) if self.shared.phase.is_draining() => continue,
                Ok(None) => return Ok("closed by the client".to_owned()),
                Err(error) if timed_out(&error) => {
                    let idle = self.shared.config.limits.idle.as_secs();
                    return self.close(&format!("No command for {idle} seconds."));
                }
                Err(error) => return Err(error),
            };
            match parse(&line) {
                Ok(Command::Quit) => {
                    self.control
                        .send(&Reply::new(ReplyCode::CLOSING, "Goodbye."))?;
                    return Ok("QUIT".to_owned());
                }
                Ok(command) => {
                    log::debug!("{} {}", self.peer, printable(&command.to_string()));
                    let reply = self.answer(&command)?;
                    log::debug!("{} {}", self.peer, printable(reply.to_string().trim_end()));
                    self.control.send(&reply)?;
                }
                Err(error) => self.control.send(&error.reply())?,
            }
        }
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
        if let Err(refusal) = self.permit(command) {
            return Ok(refusal);
        }
        match command {
            Command::User(name) => login::user(self, name),
            Command::Pass(password) => login::pass(self, password),
            Command::Feat => feat(),
            Command::Opts(option) => opts(option.as_str()),
            Command::Clnt(_) => ok("Noted."),
            Command::Syst => reply(ReplyCode::SYSTEM_TYPE, "UNIX Type: L8"),
            Command::Noop => ok("Done."),
            Command::Help(_) => help(),
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
            Command::Size(path) => files::size(self, path),
            Command::Mdtm(path) => files::mdtm(self, path),
            Command::Mlst(path) => files::mlst(self, path.as_ref()),
            Command::Epsv(on) => transfer::epsv(self, *on),
            Command::Pasv => transfer::pasv(self),
            Command::List(path) => transfer::list(self, path.as_ref()),
            Command::Nlst(path) => transfer::nlst(self, path.as_ref()),
            Command::Mlsd(path) => transfer::mlsd(self, path.as_ref()),
            Command::Retr(path) => transfer::retr(self, path),
            Command::Stor(path) => transfer::stor(self, path),
            _ => Ok(CommandError::NotImplemented.reply()),
        }
    }

    /// Whether this session may give this command at all.
    fn permit(&self, command: &Command) -> Result<(), Reply> {
        let Some(needed) = needed(command) else {
            return Ok(());
        };
        match &self.login {
            Login::Done(account) if account.access >= needed => Ok(()),
            Login::Done(account) => {
                let text = format!(
                    "Permission denied: {} may not {}.",
                    account.name,
                    command.verb()
                );
                Err(Reply::new(ReplyCode::UNAVAILABLE, text))
            }
            Login::None | Login::Named(_) => Err(Reply::new(
                ReplyCode::NOT_LOGGED_IN,
                "Log in with USER and PASS first.",
            )),
        }
    }

    /// What the account that is logged in may do.
    pub(super) fn access(&self) -> Access {
        match &self.login {
            Login::Done(Account { access, .. }) => *access,
            Login::None | Login::Named(_) => Access::Read,
        }
    }

    /// The path that a client's word means.
    pub(super) fn path(&self, name: &str) -> Result<VirtualPath, PathError> {
        self.shared.root.resolve(&self.cwd, name)
    }
}

/// What an account needs for a command; `None` where no login is needed.
fn needed(command: &Command) -> Option<Access> {
    match command {
        Command::User(_)
        | Command::Pass(_)
        | Command::Quit
        | Command::Feat
        | Command::Opts(_)
        | Command::Clnt(_)
        | Command::Host(_)
        | Command::Syst
        | Command::Noop
        | Command::Help(_) => None,
        Command::Stor(_) | Command::Appe(_) | Command::Stou(_) | Command::Mkd(_) => {
            Some(Access::Write)
        }
        Command::Dele(_) | Command::Rmd(_) | Command::Rnfr(_) | Command::Rnto(_) => {
            Some(Access::Full)
        }
        _ => Some(Access::Read),
    }
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

/// RFC 2389 §3.
fn feat() -> io::Result<Reply> {
    let features = [
        "CLNT",
        "EPSV",
        "MDTM",
        "MLST type*;size*;modify*;perm*;unique*;UNIX.mode*;",
        "PASV",
        "SIZE",
        "TVFS",
        "UTF8",
    ];
    Ok(Reply::multi(
        ReplyCode::SYSTEM_STATUS,
        "Extensions supported:",
        features.map(str::to_owned),
        "End",
    ))
}

/// RFC 2389 §4. Windows' clients say `utf8 on`, others `UTF-8`.
fn opts(option: &str) -> io::Result<Reply> {
    let words: Vec<String> = option
        .split_whitespace()
        .map(str::to_ascii_uppercase)
        .collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["UTF8" | "UTF-8"] | ["UTF8" | "UTF-8", "ON"] => ok("Names are UTF-8, always."),
        ["UTF8" | "UTF-8", "OFF"] => {
            reply(ReplyCode::NOT_FOR_PARAMETER, "Names are UTF-8, always.")
        }
        _ => reply(ReplyCode::BAD_ARGUMENT, "No such option."),
    }
}

fn help() -> io::Result<Reply> {
    let verbs = "USER PASS QUIT FEAT OPTS CLNT SYST NOOP HELP TYPE MODE STRU ALLO PWD CWD CDUP MKD\n\
                 SIZE MDTM EPSV PASV LIST NLST MLSD MLST RETR STOR";
    let lines = verbs.lines().map(str::to_owned);
    Ok(Reply::multi(
        ReplyCode::HELP,
        "These commands are understood:",
        lines,
        "End",
    ))
}
