//! Data connections: what one transfer's bytes go over.

mod lanes;
mod paces;
mod queue;
mod source;

pub(super) use lanes::Lanes;
pub(super) use paces::Paces;
pub(super) use queue::PortQueue;
pub use source::PassivePorts;
pub(super) use source::{DataListener, DataSource};

use lanes::Lane;

use super::root::Upload;
use super::tls::{self, CloseNotify, DataProtection, DataResumption};
use super::watch::{Cut, Watch};
use crate::copy::{CopyError, Pipe, copy};
use crate::stream::Stream;
use cap_std::fs::File;
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many bytes may flow before the control connection is looked at, when the data never has to be waited for.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;
/// As much, in bytes, is a small file: an upload of it is not worth a pipe, and a download of it takes no time that anybody
/// would want to be told of.
pub(super) const FEW: u64 = 64 * 1024;
/// The most that one `sendfile` is asked to move: between two of them the control connection is looked at.
const SENDFILE_CHUNK: usize = 4 * 1024 * 1024;

/// The connection that one transfer's bytes go over.
///
/// Reads and writes wait at most the data time-out, and the control connection is watched meanwhile: when a call fails
/// because of what was seen there, [`DataChannel::cut`] says why.
pub(super) struct DataChannel<'s> {
    stream: Stream,
    watch: Watch<'s>,
    timeout: Duration,
    unwatched: u64,
    cut: Option<Cut>,
    /// The rates that the bytes keep to, and when the next of them may move.
    paces: Option<(Paces, Instant)>,
    /// Whether the end of the connection is the end of an upload even where TLS says nothing of it.
    bare_end: bool,
    /// Whether the client has sent all of an upload, and was told that it is known.
    ended: bool,
}

impl<'s> DataChannel<'s> {
    fn new(socket: TcpStream, watch: Watch<'s>, timeout: Duration) -> Self {
        Self {
            stream: socket.into(),
            watch,
            timeout,
            unwatched: 0,
            cut: None,
            paces: None,
            bare_end: false,
            ended: false,
        }
    }

    /// Holds the bytes to these rates from here on.
    pub(super) fn keep_to(&mut self, paces: Option<Paces>) {
        self.paces = paces.map(|paces| (paces, Instant::now()));
    }

    /// Has the system send full segments only, and the rest with the end of the connection: what waits for them is woken less
    /// often. Bytes that keep to rates go as they come.
    pub(super) fn fill_segments(&self) {
        if self.paces.is_none() {
            // Where it cannot be had, nothing is lost but time.
            let _ = rustix::net::sockopt::set_tcp_cork(self.stream.socket(), true);
        }
    }

    /// Makes the TLS handshake, of which the client is the one that begins it, whoever connected (RFC 4217 §7).
    pub(super) fn protect(
        mut self,
        protection: &DataProtection,
        limit: Duration,
    ) -> Result<Self, Cut> {
        let deadline = Instant::now() + limit;
        let failed = |error: io::Error| {
            log::info!(
                "{} TLS on the data connection failed: {error}",
                protection.peer
            );
            match error.kind() {
                io::ErrorKind::InvalidData => Cut::Handshake,
                _ => Cut::Unreachable,
            }
        };
        let socket = Arc::clone(self.stream.socket());
        let mut tls = tls::over_data(&protection.config, socket).map_err(failed)?;
        loop {
            match tls.handshake_now() {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.watch.wait(tls.socket(), tls.interest(), deadline)?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        if tls.is_resumed() {
            log::debug!("{} data resumes TLS", protection.peer);
        } else if protection.resumption == DataResumption::Require {
            return Err(Cut::NotResumed);
        }
        // An upload's handshake ends with a word of the client's that nobody answers. Most clients' sockets hold a small file
        // back until it is acknowledged, which the system puts off for 40 ms.
        if let Err(error) = rustix::net::sockopt::set_tcp_quickack(tls.socket(), true) {
            return Err(failed(error.into()));
        }
        self.bare_end = protection.close_notify == CloseNotify::Optional;
        self.stream = tls.into();
        Ok(self)
    }

    /// How many bytes have gone over the connection.
    pub(super) const fn moved(&self) -> u64 {
        self.watch.moved
    }

    /// Why the channel refuses to go on, if it does.
    pub(super) const fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Sends a file from byte `start` to byte `end` without a copy through this process.
    ///
    /// # Errors
    /// The data connection failed or was cut; `InvalidData` if the file became shorter meanwhile; `InvalidInput` if its
    /// file system knows no `sendfile`, or the connection is under TLS, and then nothing was sent.
    pub(super) fn send_file(&mut self, file: &File, start: u64, end: u64) -> io::Result<()> {
        let mut at = start;
        let most = self.at_most(SENDFILE_CHUNK);
        while at < end {
            let chunk = usize::try_from(end - at).map_or(most, |left| left.min(most));
            let sent = self.attempt(PollFlags::OUT, |stream| {
                stream.send_file_now(file, &mut at, chunk)
            })?;
            if sent == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }

    /// Writes all that comes to an upload: what is more than a little, and in clear, with no copy through this process, and in
    /// one of the lanes.
    ///
    /// # Errors
    /// The side that failed; the data connection may have been cut.
    pub(super) fn receive(&mut self, upload: &mut Upload, lanes: &Lanes) -> Result<(), CopyError> {
        if copy(&mut Read::by_ref(self).take(FEW), upload, |_| {})? < FEW {
            return Ok(());
        }
        // Nobody is to send all of a large file in vain.
        upload.look_ahead().map_err(CopyError::Write)?;
        let piped = self.stream.tls().is_none().then(Pipe::new);
        let Some(mut pipe) = piped.and_then(Result::ok) else {
            return copy(self, upload, |_| {}).map(drop);
        };
        let most = self.at_most(usize::MAX);
        let (mut lane, is_paced) = (None::<Lane<'_>>, self.paces.is_some());
        loop {
            let filled = self.attempt(PollFlags::IN, |stream| {
                let entered = lane.take().unwrap_or_else(|| lanes.enter());
                // Whoever waits for its client is in nobody's way.
                let filled = pipe.fill(stream.socket(), most)?;
                lane = Some(entered);
                Ok(filled)
            });
            if filled.map_err(CopyError::Read)? == 0 {
                self.ended = true;
                return Ok(());
            }
            upload.take(&mut pipe)?;
            // Nor is one that waits for its rate.
            lane = lane.filter(|lane| !is_paced && !lane.is_over());
        }
    }

    /// Sends the 150 if it is held back, before something is waited for that the channel knows nothing of.
    ///
    /// # Errors
    /// The transfer was cut, see [`DataChannel::cut`].
    pub(super) fn release(&mut self) -> io::Result<()> {
        let told = self.watch.release();
        self.note(told)
    }

    /// Looks at the control connection without waiting.
    ///
    /// A client that dies closes both its connections, and the end of an upload then looks like that of a whole one,
    /// but for the control connection.
    ///
    /// # Errors
    /// The transfer was cut, see [`DataChannel::cut`].
    pub(super) fn look(&mut self) -> io::Result<()> {
        self.unwatched = 0;
        let seen = if self.watch.control.wants_input() {
            self.watch.glance()
        } else {
            // A poll tells of a connection that is gone behind lines for which there is no room.
            let polled = self
                .watch
                .poll(&self.stream, PollFlags::empty(), Duration::ZERO);
            polled.map(drop)
        };
        self.note(seen)
    }

    /// Sends what is still in memory, and under TLS that this was all. An upload needs it not, since its end was answered
    /// when it came.
    ///
    /// # Errors
    /// The data connection failed or was cut.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.attempt(PollFlags::OUT, |stream| stream.finish_now().map(|()| 0))?;
        Ok(())
    }

    /// Tries a call and waits only when the socket is not ready, so that a small file needs no `poll` at all.
    fn attempt(
        &mut self,
        events: PollFlags,
        mut call: impl FnMut(&mut Stream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.unwatched >= LOOK_EVERY {
            self.look()?;
        }
        if let Some((_, next)) = self.paces {
            let waited = self.watch.pass(self.stream.socket(), next);
            self.note(waited)?;
        }
        loop {
            match call(&mut self.stream) {
                Ok(count) => {
                    self.watch.advance(count as u64);
                    self.unwatched += count as u64;
                    if self.moved() > FEW {
                        self.release()?;
                    }
                    if let Some((paces, next)) = &mut self.paces {
                        *next = Instant::now() + paces.pace(count as u64);
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unwatched = 0;
                    let deadline = Instant::now() + self.timeout;
                    let waited = self.watch.wait(&self.stream, events, deadline);
                    self.note(waited)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many bytes of `wanted` to move in one go.
    fn at_most(&self, wanted: usize) -> usize {
        self.paces
            .as_ref()
            .map_or(wanted, |(paces, _)| wanted.min(paces.chunk()))
    }

    fn note(&mut self, seen: Result<(), Cut>) -> io::Result<()> {
        seen.map_err(|cut| {
            self.cut = Some(cut);
            io::ErrorKind::ConnectionAborted.into()
        })
    }
}

impl Read for DataChannel<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.at_most(buffer.len());
        let read = match self.attempt(PollFlags::IN, |stream| stream.read_now(&mut buffer[..most]))
        {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.bare_end => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = "it ended without TLS's close_notify, as one that was cut off";
                Err(io::Error::new(error.kind(), text))
            }
            read => read,
        };
        if let Ok(0) = read {
            // Python's ftplib waits for it before it looks at the reply. Others are gone by now.
            let _ = self.stream.finish_now();
            self.ended = true;
        }
        read
    }
}

impl Write for DataChannel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.at_most(bytes.len());
        self.attempt(PollFlags::OUT, |stream| stream.write_now(&bytes[..most]))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
