//! A relay between clients and a server that knows FTP well enough to have the data connections go through it too, and that
//! gives each connection the weather that the test wants for it.

mod lane;
mod pair;

pub(crate) use lane::Fault;
pub(crate) use pair::Weather;

use super::{Active, try_connect_from};
use lane::End;
use pair::Pair;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Scope};
use std::time::Duration;

/// How often one looks that waits for a connection, or for what happens on another one.
const GLANCE: Duration = Duration::from_millis(5);

/// A connection through the proxy, counted from 0 in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Control(usize),
    Data(usize),
}

/// Says what weather a connection has.
type Forecast = Box<dyn Fn(Which) -> Weather + Send + Sync>;

/// Takes in clients at one address, and ends with this value, as all that goes through it.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    many: bool,
    forecast: Forecast,
    controls: AtomicUsize,
    data: AtomicUsize,
    /// How many connections had what they were meant to suffer.
    faults: AtomicUsize,
    stop: AtomicBool,
}

impl Proxy {
    /// A proxy before `server`, for one client at a time.
    pub(crate) fn start(
        server: SocketAddr,
        forecast: impl Fn(Which) -> Weather + Send + Sync + 'static,
    ) -> Self {
        Self::begin(server, false, Box::new(forecast))
    }

    /// The same for many clients. The server sees each session come from an address of its own: the proxy may connect to a
    /// data port that its session had and another one has by now, and by one address they would be the same client.
    pub(crate) fn for_many(
        server: SocketAddr,
        forecast: impl Fn(Which) -> Weather + Send + Sync + 'static,
    ) -> Self {
        Self::begin(server, true, Box::new(forecast))
    }

    fn begin(server: SocketAddr, many: bool, forecast: Forecast) -> Self {
        let listener = Active::at(Ipv4Addr::LOCALHOST);
        let address = (Ipv4Addr::LOCALHOST, listener.port()).into();
        let shared = Arc::new(Shared {
            server,
            many,
            forecast,
            controls: AtomicUsize::new(0),
            data: AtomicUsize::new(0),
            faults: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let ours = Arc::clone(&shared);
        let thread = thread::spawn(move || ours.accept(&listener));
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Where clients find it.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were cut, reset, stalled or dripped so far.
    pub(crate) fn faults(&self) -> usize {
        self.shared.faults.load(Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !thread::panicking() {
            panic!("the proxy panicked");
        }
    }
}

/// What the connections of one session know of each other.
#[derive(Debug)]
pub(super) struct Session {
    /// Where the server sees it come from.
    from: Ipv4Addr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The server has got a command that has a data connection, and the client not its last reply.
    commanded: bool,
    /// Data connections that are not over.
    moving: usize,
    /// The session is over, or is to be, and how.
    over: Option<End>,
    /// The control connection is closed.
    gone: bool,
}

impl Session {
    fn new(from: Ipv4Addr) -> Self {
        Self {
            from,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the server gets.
    fn sends(&self, line: &[u8]) {
        let verb = line.split(|byte| !byte.is_ascii_alphabetic()).next();
        let verb = verb.unwrap_or_default().to_ascii_uppercase();
        let moves: [&[u8]; 6] = [b"RETR", b"STOR", b"APPE", b"LIST", b"NLST", b"MLSD"];
        if moves.contains(&&*verb) {
            self.state().commanded = true;
        }
    }

    /// Takes note of what the client gets.
    fn gets(&self, line: &[u8]) {
        if ends_transfer(line) {
            self.state().commanded = false;
        }
    }
}

impl Shared {
    fn accept(&self, listener: &Active) {
        thread::scope(|scope| {
            while !self.stop.load(Relaxed) {
                match listener.try_accept() {
                    Some(client) => drop(scope.spawn(|| self.session(client))),
                    None => thread::sleep(GLANCE),
                }
            }
        });
    }

    /// Carries one session, to its end.
    fn session(&self, client: TcpStream) {
        let number = self.controls.fetch_add(1, Relaxed);
        let weather = (self.forecast)(Which::Control(number));
        let byte = |of: usize| u8::try_from(of % 250 + 1).expect("a byte");
        let session = Session::new(match self.many {
            true => Ipv4Addr::new(127, 100, byte(number / 250), byte(number)),
            false => Ipv4Addr::LOCALHOST,
        });
        // The server may be full, or gone.
        let Ok(server) = try_connect_from(session.from, self.server) else {
            return;
        };
        thread::scope(|scope| {
            let opens = |line: &[u8]| self.opens(scope, &session, line);
            let pair = Pair::new(client, server, weather, &session, &self.stop);
            let end = pair.with_lines(&opens).run(&self.faults);
            let mut state = session.state();
            state.over = state.over.or(Some(end));
            state.gone = true;
        });
    }

    /// Takes the data port of a 229 to one of the proxy's own, and gives the reply that says so.
    fn opens<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        session: &'s Session,
        line: &[u8],
    ) -> Option<Vec<u8>> {
        let server = SocketAddr::new(self.server.ip(), prepared_port(line)?);
        let number = self.data.fetch_add(1, Relaxed);
        let weather = (self.forecast)(Which::Data(number));
        let listener = Active::at(Ipv4Addr::LOCALHOST);
        let ours = listener.port();
        session.state().moving += 1;
        scope.spawn(move || {
            self.data(session, &listener, server, weather);
            session.state().moving -= 1;
        });
        Some(prepared(ours))
    }

    fn data(&self, session: &Session, listener: &Active, server: SocketAddr, weather: Weather) {
        let goes_on = || !self.stop.load(Relaxed) && session.state().over.is_none();
        let connect = || try_connect_from(session.from, server);
        // Before the client can, it knowing nothing of the port yet.
        let mut early = weather.opens_early.then(connect);
        let client = loop {
            if let Some(client) = listener.try_accept() {
                break client;
            }
            if !goes_on() {
                return;
            }
            thread::sleep(GLANCE);
        };
        while weather.opens_late && goes_on() && !session.state().commanded {
            thread::sleep(GLANCE);
        }
        let server = early.take().unwrap_or_else(connect);
        // The server may have given up by now, which its next word tells of.
        if let Ok(server) = server {
            let _ = Pair::new(client, server, weather, session, &self.stop).run(&self.faults);
        }
    }
}

/// The port of a 229 (RFC 2428 §3).
pub(crate) fn prepared_port(line: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(line.strip_prefix(b"229 ")?).ok()?;
    text.split('|').nth(3)?.parse().ok()
}

/// A 229 with another port.
pub(crate) fn prepared(port: u16) -> Vec<u8> {
    format!("229 by the relay (|||{port}|)\r\n").into_bytes()
}

/// Whether a transfer is over with this reply.
fn ends_transfer(line: &[u8]) -> bool {
    [b"226 ", b"425 ", b"426 ", b"451 ", b"550 "]
        .iter()
        .any(|code| line.starts_with(*code))
}
