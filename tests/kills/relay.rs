//! A relay between the client and the server. At a point that the test has chosen it passes nothing more on, until it is
//! told how the story ends.

use crate::support::{Active, PATIENCE, prepared, prepared_port, reset, try_connect, wait_for};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Which way the file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Down,
    Up,
}

/// Where the relay stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// Within the client's command of this number, counted from 1.
    Command(usize),
    /// Within the last line of the server's reply of this number, counted from 1.
    Reply(usize),
    /// Behind so many bytes of the file. Where those are all, the end of the data is what is not passed on.
    Data(u64),
}

/// What was passed on so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) commands: usize,
    pub(crate) replies: usize,
    /// Bytes of the file.
    pub(crate) data: u64,
    /// The end of the file.
    pub(crate) end: bool,
    /// The server's word that the transfer is done.
    pub(crate) done: bool,
}

/// Takes in clients, one after the other, at one address.
pub(crate) struct Relay {
    listener: Active,
    pub(crate) server: SocketAddr,
    way: Way,
}

impl Relay {
    pub(crate) fn new(server: SocketAddr, way: Way) -> Self {
        Self {
            listener: Active::at(Ipv4Addr::LOCALHOST),
            server,
            way,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.listener.port()).into()
    }

    /// Waits for the client that was started, and relays its session as far as `point`.
    pub(crate) fn play(&self, point: Option<Point>) -> Play {
        let client = self.listener.accept();
        let server = try_connect(self.server).expect("the server takes the relay in");
        let copy = |socket: &TcpStream| socket.try_clone().expect("a descriptor");
        let (tell, news) = channel();
        let line = Arc::new(Line {
            way: self.way,
            server: self.server,
            point,
            state: Mutex::new(State {
                tell: Some(tell),
                sockets: vec![copy(&client), copy(&server)],
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        let commands = {
            let (line, client, server) = (line.clone(), copy(&client), copy(&server));
            thread::spawn(move || line.commands(client, server))
        };
        let replies = {
            let line = line.clone();
            thread::spawn(move || line.replies(server, client))
        };
        Play {
            line,
            news,
            threads: vec![commands, replies],
        }
    }
}

/// One session through the relay.
pub(crate) struct Play {
    line: Arc<Line>,
    news: Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Play {
    /// Waits for the point; `false` if the session is over and did not come to it.
    pub(crate) fn reaches_its_point(&self) -> bool {
        match self.news.recv_timeout(PATIENCE) {
            Ok(()) => true,
            Err(error) => {
                let over = error == std::sync::mpsc::RecvTimeoutError::Disconnected;
                assert!(over, "neither the point nor the end of the session came");
                false
            }
        }
    }

    pub(crate) fn passed(&self) -> Passed {
        self.line.state().passed
    }

    /// Passes on what was held back.
    pub(crate) fn go_on(&self) {
        self.line.hold(Held::Nothing);
    }

    /// Passes on what was held back of commands and replies, and nothing of the file.
    pub(crate) fn go_on_without_data(&self) {
        self.line.hold(Held::Data);
    }

    /// Breaks all connections, as a network does that went down. What was held back is lost.
    pub(crate) fn cut(self) -> Passed {
        let mut state = self.line.state();
        state.cut = true;
        for socket in state.sockets.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        self.line.changed.notify_all();
        self.end()
    }

    /// Waits for the end of the session.
    pub(crate) fn end(self) -> Passed {
        let mut threads = self.threads;
        while let Some(thread) = threads.pop() {
            assert!(thread.join().is_ok(), "the relay failed");
            threads.extend(self.line.state().threads.pop());
        }
        self.line.state().passed
    }
}

/// What both directions of a session share.
struct Line {
    way: Way,
    server: SocketAddr,
    point: Option<Point>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    passed: Passed,
    held: Held,
    cut: bool,
    /// The server's word that the transfer begins was passed on.
    begun: bool,
    /// A data connection is there.
    moving: bool,
    /// The client has closed its control connection.
    gone: bool,
    /// The server has closed its one.
    over: bool,
    /// Tells of the point, and by its end of the session's.
    tell: Option<Sender<()>>,
    /// All but the server's end of a data connection, which must never seem to have come to its end.
    sockets: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Nothing,
    Data,
    All,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, held: Held) {
        self.state().held = held;
        self.changed.notify_all();
    }

    fn news<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_timeout(state, PATIENCE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Stops here if this is the point.
    fn comes_to(&self, at: Point) {
        if self.point == Some(at) {
            let mut state = self.state();
            if let Some(tell) = state.tell.take() {
                state.held = Held::All;
                let _ = tell.send(());
            }
        }
    }

    /// Waits as long as this is held back. Whether it is to be passed on.
    fn may_pass(&self, is_data: bool) -> bool {
        let mut state = self.state();
        while !state.cut && (state.held == Held::All || is_data && state.held == Held::Data) {
            state = self.news(state);
        }
        !state.cut
    }

    fn commands(&self, client: TcpStream, mut server: TcpStream) {
        let mut client = BufReader::new(client);
        while let Some(line) = line_of(&mut client) {
            let number = self.state().passed.commands + 1;
            if !self.pass(&line, Point::Command(number), &mut server) {
                break;
            }
            self.state().passed.commands = number;
        }
        let mut state = self.state();
        state.gone = true;
        // The server is not to learn by this that the data was cut: it might as well come later.
        while state.moving && !state.cut {
            state = self.news(state);
        }
        let _ = server.shutdown(Shutdown::Write);
    }

    fn replies(self: &Arc<Self>, server: TcpStream, mut client: TcpStream) {
        let mut server = BufReader::new(server);
        while let Some(mut line) = line_of(&mut server) {
            // Of a reply in many lines only the last one counts.
            let last = line[0].is_ascii_digit() && line.get(3) == Some(&b' ');
            let number = self.state().passed.replies + usize::from(last);
            let point = Point::Reply(if last { number } else { 0 });
            if let Some(port) = prepared_port(&line) {
                line = self.open_data(port);
            }
            let done = line.starts_with(b"226 ");
            // Before it is so: the client may be quick.
            self.state().passed.done |= done && self.point != Some(point);
            if !self.pass(&line, point, &mut client) {
                break;
            }
            let mut state = self.state();
            state.passed.replies = number;
            state.passed.done |= done;
            state.begun |= line.starts_with(b"150 ");
            drop(state);
            self.changed.notify_all();
        }
        let _ = client.shutdown(Shutdown::Write);
        let mut state = self.state();
        state.tell = None;
        state.over = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Passes a line on; one half of it only, as long as this is the point.
    fn pass(&self, line: &[u8], at: Point, to: &mut TcpStream) -> bool {
        if !self.may_pass(false) {
            return false;
        }
        let half = match self.point == Some(at) {
            true => line.len() / 2,
            false => line.len(),
        };
        let _ = to.write_all(&line[..half]);
        self.comes_to(at);
        half == line.len() || (self.may_pass(false) && to.write_all(&line[half..]).is_ok())
    }

    /// Waits for the transfer to begin: otherwise it would be chance whether a client that gets the file's first bytes
    /// knows yet that they are to come.
    fn begins(&self) -> bool {
        let mut state = self.state();
        while !state.begun && !state.cut && !state.over {
            state = self.news(state);
        }
        state.begun
    }

    /// Takes the data port of a 229 to one of its own, and gives the reply that says so.
    fn open_data(self: &Arc<Self>, port: u16) -> Vec<u8> {
        let server = SocketAddr::new(self.server.ip(), port);
        // A client that has not got rid of its whole file is killed in the midst of it.
        let listener = Active::narrow(Ipv4Addr::LOCALHOST, 16 * 1024);
        let ours = listener.port();
        let line = Arc::clone(self);
        let thread = thread::spawn(move || line.data(&listener, server));
        self.state().threads.push(thread);
        prepared(ours)
    }

    fn data(&self, listener: &Active, server: SocketAddr) {
        let accepted = wait_for("a data connection, or the client's end", || {
            let accepted = listener.try_accept();
            let state = self.state();
            (accepted.is_some() || state.cut || state.gone).then_some(accepted)
        });
        let Some(client) = accepted else {
            return;
        };
        // The server may have given up by now.
        let Ok(server) = try_connect(server) else {
            return;
        };
        client
            .set_nonblocking(false)
            .and_then(|()| client.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| client.set_write_timeout(Some(PATIENCE)))
            .expect("the options are set");
        let copy = client.try_clone().expect("a descriptor");
        let mut state = self.state();
        state.sockets.push(copy);
        state.moving = true;
        drop(state);
        self.move_file(server, &client);
        self.state().moving = false;
        self.changed.notify_all();
    }

    fn move_file(&self, server: TcpStream, client: &TcpStream) {
        let (from, mut to) = match self.way {
            Way::Down => (&server, client),
            Way::Up => (client, &server),
        };
        if self.begins() && self.pump(from, &mut to) {
            self.state().passed.end = true;
            let _ = to.shutdown(Shutdown::Write);
            // Whoever has read it all closes in turn.
            let _ = io::copy(&mut to, &mut io::sink());
        } else {
            reset(server);
        }
    }

    /// Passes the file on, up to its end. Whether that may be passed on too.
    fn pump(&self, mut from: &TcpStream, to: &mut &TcpStream) -> bool {
        let mut chunk = [0; 16 * 1024];
        loop {
            let Ok(count) = from.read(&mut chunk) else {
                return false;
            };
            let mut left = &chunk[..count];
            let passed = self.state().passed.data;
            if let Some(Point::Data(stop)) = self.point
                && passed <= stop
                && (stop - passed < count as u64 || stop == passed && count == 0)
            {
                let room = usize::try_from(stop - passed).expect("less than a chunk");
                if !self.send(&left[..room], to) {
                    return false;
                }
                left = &left[room..];
                self.comes_to(Point::Data(stop));
            }
            if !self.may_pass(true) || !self.send(left, to) {
                return false;
            }
            if count == 0 {
                return true;
            }
        }
    }

    fn send(&self, bytes: &[u8], to: &mut &TcpStream) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if !self.may_pass(true) || to.write_all(bytes).is_err() {
            return false;
        }
        self.state().passed.data += bytes.len() as u64;
        true
    }
}

/// The next line with its line end; `None` at the end of the connection, however it came.
fn line_of(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = from.read_until(b'\n', &mut line);
    (read.is_ok() && line.ends_with(b"\n")).then_some(line)
}
