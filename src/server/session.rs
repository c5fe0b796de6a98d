//! One client's session: the command loop and the dispatch.

use super::control::Control;
use super::data::{DataSource, Paces};
use super::entrance::Entrance;
use super::login::Login;
use super::protection::{self, Protection};
use super::proxy;
use super::record;
use super::root::{PathError, Root, VirtualPath};
use super::sessions::Live;
use super::users::ANONYMOUS;
use super::{Config, Shared, dispatch, guard};
use crate::copy::Pace;
use crate::protocol::Line;
use crate::protocol::command::{Command, CommandError, Mechanism, TransferType};
use crate::protocol::entry::FactSet;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::reply::{Reply, ReplyCode};
use crate::shown::counted;
use crate::stream::{Stream, timed_out};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// How many lines before the login may be no commands.
const MAX_FAULTS: u32 = 20;

/// What a client is told whose session was ended by `ftp-server kick`.
pub(super) const KICKED: &str = "Ended by whoever runs this server.";

/// The state of a session.
pub(super) struct Session<'s> {
    pub(super) shared: &'s Shared,
    /// What others see of it.
    pub(super) live: &'s Live,
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
    /// What its transfers keep to, if each client has a rate.
    pace: Option<Arc<Pace>>,
}

/// Serves a client until it leaves.
pub(super) fn run(
    shared: &Shared,
    live: &Live,
    socket: Arc<TcpStream>,
    proxied: bool,
    entrance: Entrance,
) {
    record::connected(live);
    let (outcome, control) = match Session::new(shared, live, socket, proxied) {
        Ok(mut session) => {
            let served = session.serve(entrance);
            let outcome = served.unwrap_or_else(|error| session.lost(&error));
            // All else that it holds is given back before the end of its connection is waited for.
            let Session { control, .. } = *session;
            (outcome, Some(control))
        }
        Err(error) => (error.to_string(), None),
    };
    record::disconnected(live, &outcome);
    if let Some(control) = control {
        control.finish();
    }
}

impl<'s> Session<'s> {
    /// On the heap, where it is no longer than it has to be: an idle session keeps each page of the stack that it has touched.
    /// For the same reason what is seldom called, or needs much room, has a frame of its own (`inline(never)`).
    #[inline(never)]
    fn new(
        shared: &'s Shared,
        live: &'s Live,
        socket: Arc<TcpStream>,
        proxied: bool,
    ) -> io::Result<Box<Self>> {
        let config = shared.config();
        let public = shared.public.told(&config, live.peer.ip(), proxied);
        let local = proxy::local(&socket, public.filter(|_| proxied))?;
        Ok(Box::new(Self {
            shared,
            live,
            pace: config
                .limits
                .client_rate
                .map(|rate| Arc::new(Pace::new(rate))),
            control: Control::new(Stream::Plain(socket), config.limits.idle)?,
            config,
            peer: live.peer,
            proxied,
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
        }))
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
            if let Some(why) = self.told_to_end() {
                return self.close(why);
            }
            let login_by = self.login_by();
            let mut line = match self.control.line(login_by) {
                Ok(Some(line)) => line,
                Ok(None) if self.told_to_end().is_some() => continue,
                Ok(None) => return Ok("closed by the client".to_owned()),
                Err(error) => return self.close_unheard(error, login_by),
            };
            match parse(&line) {
                Ok(command) => {
                    line.wipe();
                    record::command(self, &command);
                    let reply = self.answer(&command)?;
                    record::reply(self, &reply);
                    self.control.send(&reply)?;
                    match command {
                        Command::Quit => {
                            self.control.quit();
                            return Ok("QUIT".to_owned());
                        }
                        Command::Auth(mechanism) if reply.code() == ReplyCode::SECURITY_DONE => {
                            protection::begin(self, mechanism == Mechanism::Ssl)?;
                        }
                        _ => {}
                    }
                    if let Some(why) = self.over {
                        return Ok(why.to_owned());
                    }
                }
                Err(CommandError::Unknown) if guard::is_http(&line) => {
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

    /// Ends the session of a client that was silent for too long, or said too much. `Err` if its connection is gone.
    fn close_unheard(&mut self, error: io::Error, login_by: Option<Instant>) -> io::Result<String> {
        let limits = &self.config.limits;
        if timed_out(&error) && login_by.is_some_and(|by| by <= Instant::now()) {
            let limit = counted(limits.login.as_secs(), "second");
            self.close(&format!("Not logged in within {limit}."))
        } else if error.kind() == io::ErrorKind::QuotaExceeded {
            self.close("Too much was said before a login.")
        } else if timed_out(&error) {
            let idle = counted(limits.idle.as_secs(), "second");
            self.close(&format!("No command for {idle}."))
        } else {
            Err(error)
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

    /// Why the session is to end for reasons of the server's, if it is.
    fn told_to_end(&self) -> Option<&'static str> {
        if self.shared.phase.is_draining() {
            Some("The server is shutting down.")
        } else if self.live.is_kicked() {
            Some(KICKED)
        } else {
            None
        }
    }

    fn close(&mut self, why: &str) -> io::Result<String> {
        self.control
            .send(&Reply::new(ReplyCode::NOT_AVAILABLE, why.to_owned()))?;
        Ok(why.to_owned())
    }

    /// How a session whose control connection failed is logged.
    fn lost(&self, error: &io::Error) -> String {
        if self.shared.phase.is_cutting() {
            "cut at shutdown".to_owned()
        } else if self.live.is_kicked() {
            KICKED.to_owned()
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
            Ok(()) => dispatch::dispatch(self, command)?,
            Err(refusal) => refusal,
        };
        if is_transfer(command) {
            if !std::mem::take(&mut self.transfer_logged) {
                record::refused(self, command, &reply);
            }
            // Done or refused, what was prepared for it is used up, and a client that waits at the port is told.
            self.data = None;
            self.restart_at = 0;
        }
        Ok(reply)
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

    /// The rates that its next transfer keeps to, if there are any.
    pub(super) fn paces(&self) -> Option<Paces> {
        Paces::new(&self.shared.pace, [self.login.pace(), self.pace.clone()])
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

fn parse(line: &Line) -> Result<Command, CommandError> {
    match line {
        Line::TooLong => Err(CommandError::TooLong),
        Line::Text(bytes) => std::str::from_utf8(bytes)
            .map_err(|_| CommandError::NotUtf8)?
            .parse(),
    }
}

/// A handler's result where nothing can go wrong.
pub(super) fn reply(code: ReplyCode, text: impl Into<Cow<'static, str>>) -> io::Result<Reply> {
    Ok(Reply::new(code, text))
}

pub(super) fn ok(text: impl Into<Cow<'static, str>>) -> io::Result<Reply> {
    reply(ReplyCode::OK, text)
}
