//! A thread that answers short questions about the server, one caller after the other, none of whom may take long.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long it rests when a caller cannot be let in, as where descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers until it is dropped.
#[derive(Debug)]
pub(super) struct Desk {
    /// Its end tells the thread to end.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Has `answer` accept and answer each caller. The listener must not block.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(super) fn open<L: AsFd + Send + 'static>(
        listener: L,
        mut answer: impl FnMut(&L) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let thread = thread::Builder::new().spawn(move || {
            while is_called(&listener, &stopped) {
                match answer(&listener) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => {
                        log::warn!("cannot answer who asks about the server: {error}");
                        thread::sleep(PAUSE);
                    }
                }
            }
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It panics only if there is a defect in it, which the panic itself has told of.
            let _ = thread.join();
        }
    }
}

/// Waits for a caller; says no when there is to be no other.
fn is_called(listener: &impl AsFd, stopped: &UnixStream) -> bool {
    loop {
        let mut watched = [
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(listener, PollFlags::IN),
        ];
        match rustix::event::poll(&mut watched, None) {
            Ok(_) if !watched[0].revents().is_empty() => return false,
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// A socket that can be told not to block.
pub(super) trait Socket: AsFd {
    /// Tells it so.
    fn stop_blocking(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn stop_blocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }
}

impl Socket for UnixStream {
    fn stop_blocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }
}

/// One who asks. Question and answer have a common deadline.
pub(super) struct Caller<'s, S> {
    socket: &'s S,
    deadline: Instant,
}

impl<'s, S: Socket> Caller<'s, S>
where
    for<'a> &'a S: Read + Write,
{
    pub(super) fn new(socket: &'s S, limit: Duration) -> io::Result<Self> {
        socket.stop_blocking()?;
        Ok(Self {
            socket,
            deadline: Instant::now() + limit,
        })
    }

    /// Reads until the question is whole, or longer than `most`.
    ///
    /// # Errors
    /// The caller is gone before that, or too slow.
    pub(super) fn request(
        &mut self,
        most: usize,
        is_whole: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Vec<u8>> {
        let (mut request, mut chunk) = (Vec::new(), [0; 512]);
        while !is_whole(&request) && request.len() < most {
            let mut socket = self.socket;
            match socket.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => request.extend_from_slice(&chunk[..count]),
                Err(error) => self.recover(error, PollFlags::IN)?,
            }
        }
        Ok(request)
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// The caller is gone, or too slow.
    pub(super) fn answer(&mut self, mut answer: &[u8]) -> io::Result<()> {
        while !answer.is_empty() {
            let mut socket = self.socket;
            match socket.write(answer) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => answer = &answer[count..],
                Err(error) => self.recover(error, PollFlags::OUT)?,
            }
        }
        Ok(())
    }

    /// Waits where that is all that it takes.
    fn recover(&self, error: io::Error, events: PollFlags) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::Interrupted => return Ok(()),
            io::ErrorKind::WouldBlock => {}
            _ => return Err(error),
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut watched = [PollFd::new(self.socket, events)];
        // Whatever it says, the next call tells.
        let _ = rustix::event::poll(&mut watched, Timespec::try_from(left).ok().as_ref());
        Ok(())
    }
}
