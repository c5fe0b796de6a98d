//! Two connections of which each gets what the other sends, later, a byte at a time, or not at all.

use super::lane::{End, Fault, Lane, Turn};
use super::{GLANCE, Session, ends_transfer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The longest line of a control connection.
const LINE: usize = 16 * 1024;

/// What a connection has to go through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// From the client to the server.
    pub(crate) up: Fault,
    /// From the server to the client.
    pub(crate) down: Fault,
    /// The server sees a data connection before the client knows of the port.
    pub(crate) opens_early: bool,
    /// The server sees a data connection only when it has the command that needs it.
    pub(crate) opens_late: bool,
    /// The client sees the end of a data connection only when it has the last reply.
    pub(crate) closes_late: bool,
    /// The client gets the last reply only when the data connection is over. On a control connection.
    pub(crate) answers_late: bool,
}

/// What is done with a line before it is passed on: `Some` is another line in its place.
type Change<'s> = &'s dyn Fn(&[u8]) -> Option<Vec<u8>>;

pub(super) struct Pair<'s> {
    /// The client and the server.
    sockets: [TcpStream; 2],
    lanes: [Lane; 2],
    weather: Weather,
    session: &'s Session,
    stop: &'s AtomicBool,
    /// On a control connection.
    change: Option<Change<'s>>,
}

impl<'s> Pair<'s> {
    pub(super) fn new(
        client: TcpStream,
        server: TcpStream,
        weather: Weather,
        session: &'s Session,
        stop: &'s AtomicBool,
    ) -> Self {
        for socket in [&client, &server] {
            socket.set_nonblocking(true).expect("the option is set");
            let _ = socket.set_nodelay(true);
        }
        Self {
            sockets: [client, server],
            lanes: [Lane::new(weather.up), Lane::new(weather.down)],
            weather,
            session,
            stop,
            change: None,
        }
    }

    /// The pair is a control connection.
    pub(super) const fn with_lines(mut self, change: Change<'s>) -> Self {
        self.change = Some(change);
        self
    }

    /// Carries all that comes.
    pub(super) fn run(mut self, faults: &AtomicUsize) -> End {
        let end = self.carry();
        let suffered = self.lanes.iter().any(|lane| lane.suffered);
        faults.fetch_add(usize::from(suffered), Relaxed);
        if end == End::Reset {
            for socket in &self.sockets {
                let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
            }
        }
        if end == End::Cut {
            if self.change.is_none() {
                self.wait_for_session();
            }
            for socket in &self.sockets {
                // At once: while a child is being started, it has copies of all descriptors.
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
        end
    }

    /// By the end of its data alone nobody could tell that an upload was cut, FTP having no other end: where one is, its
    /// session is too, and before it.
    fn wait_for_session(&self) {
        if self.lanes[0].suffered {
            self.session.state().over = Some(End::Cut);
        }
        let is_over = || {
            let state = self.session.state();
            state.over.is_none() || state.gone
        };
        while !self.stop.load(Relaxed) && !is_over() {
            std::thread::sleep(GLANCE);
        }
    }

    fn carry(&mut self) -> End {
        let mut chunk = vec![0; 16 * 1024];
        while !self.lanes.iter().all(|lane| lane.closed) {
            if self.stop.load(Relaxed) {
                return End::Reset;
            }
            match self.ended_with_session() {
                Some(end) => return end,
                None => self.wait(),
            }
            for way in 0..2 {
                if let Err(end) = self.take(way, &mut chunk).and_then(|()| self.give(way)) {
                    return end;
                }
            }
        }
        End::Natural
    }

    /// A session breaks as a whole.
    fn ended_with_session(&self) -> Option<End> {
        self.session.state().over.filter(|end| *end != End::Natural)
    }

    fn wait(&mut self) {
        let mut longest = Duration::from_millis(50);
        let mut wanted = [PollFlags::empty(); 2];
        for way in 0..2 {
            if self.lanes[way].has_room() {
                wanted[way] |= PollFlags::IN;
            }
            match self.turn(way) {
                Turn::Pass(_) => wanted[1 - way] |= PollFlags::OUT,
                Turn::Wait(until) => {
                    longest = longest.min(until.saturating_duration_since(Instant::now()));
                }
                Turn::Break(_) => longest = Duration::ZERO,
                Turn::Rest => {}
            }
        }
        let mut fds = [0, 1].map(|side| PollFd::new(&self.sockets[side], wanted[side]));
        let longest = Timespec::try_from(longest).expect("a short time");
        match poll(&mut fds, Some(&longest)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("the connections cannot be polled: {error}"),
        }
        let seen = fds[0].revents() | fds[1].revents();
        if !seen.is_empty() && !seen.intersects(PollFlags::IN | PollFlags::OUT) {
            // Of what is over it tells again and again.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reads what there is.
    fn take(&mut self, way: usize, chunk: &mut [u8]) -> Result<(), End> {
        let lane = &mut self.lanes[way];
        let stalled = matches!(lane.fault, Fault::Stall(_)) && lane.suffered;
        if stalled && self.sockets.iter().any(hung_up) {
            // Who has enough of it goes.
            return Err(End::Reset);
        }
        if !lane.has_room() {
            return Ok(());
        }
        match self.sockets[way].read(chunk) {
            Ok(0) => {
                lane.ended = true;
                let rest = std::mem::take(&mut lane.line);
                lane.push(rest);
            }
            Ok(count) if self.change.is_some() => self.take_lines(way, &chunk[..count]),
            Ok(count) => lane.push(chunk[..count].to_vec()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(End::Reset),
        }
        Ok(())
    }

    fn take_lines(&mut self, way: usize, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.lanes[way].line.extend_from_slice(part);
            if !part.ends_with(b"\n") && self.lanes[way].line.len() < LINE {
                continue;
            }
            let line = std::mem::take(&mut self.lanes[way].line);
            let other = self
                .change
                .filter(|_| way == 1)
                .and_then(|change| change(&line));
            self.lanes[way].push(other.unwrap_or(line));
        }
    }

    /// Passes on what may be passed on now.
    fn give(&mut self, way: usize) -> Result<(), End> {
        loop {
            let count = match self.turn(way) {
                Turn::Pass(count) => count,
                Turn::Break(end) => return Err(end),
                Turn::Wait(_) | Turn::Rest => break,
            };
            let lane = &mut self.lanes[way];
            let piece = lane.waiting.front_mut().expect("it has its turn");
            // Before it is so: who gets it may be quick.
            if self.change.is_some() && way == 0 && piece.sent == 0 {
                self.session.sends(&piece.bytes);
            }
            let bytes = &piece.bytes[piece.sent..][..count];
            let sent = match (&self.sockets[1 - way]).write(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(_) => return Err(End::Reset),
            };
            piece.sent += sent;
            lane.passed += sent as u64;
            lane.last = Some(Instant::now());
            if piece.sent == piece.bytes.len() {
                let piece = lane.waiting.pop_front().expect("it is there");
                if self.change.is_some() && way == 1 {
                    self.session.gets(&piece.bytes);
                }
            }
            if sent < count {
                break;
            }
        }
        let lane = &mut self.lanes[way];
        if lane.ended && !lane.closed && lane.waiting.is_empty() && !self.holds_end(way) {
            self.lanes[way].closed = true;
            let _ = self.sockets[1 - way].shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Whether the end that has come waits for another connection.
    fn holds_end(&self, way: usize) -> bool {
        let state = self.session.state();
        let late = self.weather.closes_late && way == 1 && self.change.is_none();
        late && state.commanded && state.over.is_none()
    }

    fn turn(&mut self, way: usize) -> Turn {
        let Some(piece) = self.lanes[way].waiting.front() else {
            return self.lanes[way].at_its_end();
        };
        let late = self.weather.answers_late && way == 1 && ends_transfer(&piece.bytes);
        if late && self.session.state().moving > 0 {
            return Turn::Wait(Instant::now() + GLANCE);
        }
        let (due, count) = (piece.due, piece.bytes.len() - piece.sent);
        self.lanes[way].next(due, count)
    }
}

/// Whether the other end of a connection has sent its end, whatever waits before that.
fn hung_up(socket: &TcpStream) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec::try_from(Duration::ZERO).expect("no time");
    poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().is_empty()
}
