//! The byte stream under a connection, and its time limits.

mod tls;

pub use tls::{CONTROL_AHEAD, DATA_AHEAD, Tls, fingerprint};

use anyhow::{Context, Result, bail};
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection's bytes.
///
/// The socket is shared, so that whoever keeps a list of the connections can shut one down without a descriptor of
/// its own.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(Arc<TcpStream>),
    /// Under TLS. Boxed, so that a connection in clear does not pay for it.
    Tls(Box<Tls>),
}

impl Stream {
    /// Connects to the first address of `host` that answers, each within what is left of `limit`.
    ///
    /// # Errors
    /// The name cannot be resolved, or no address answered; the text says which and why.
    pub fn connect(host: &str, port: u16, limit: Duration) -> Result<Self> {
        let deadline = Instant::now() + limit;
        let addresses: Vec<SocketAddr> = (host, port)
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve the host name {host:?}"))?
            .collect();
        let Some((last, others)) = addresses.split_last() else {
            bail!("the host name {host:?} has no address");
        };
        let within = |address: &SocketAddr| {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            TcpStream::connect_timeout(address, left)
        };
        let socket = others
            .iter()
            .find_map(|address| within(address).ok())
            .map_or_else(|| within(last), Ok)
            .with_context(|| format!("cannot connect to {host} port {port}"))?;
        Ok(Self::from(socket))
    }

    /// The socket below.
    #[must_use]
    pub fn socket(&self) -> &Arc<TcpStream> {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }

    /// The TLS of the connection, unless it is in clear.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls),
        }
    }

    /// Whether something that was read from the socket has not been given out yet, which no poll of the socket shows.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        self.tls().is_some_and(Tls::has_unread)
    }

    /// Reads what has arrived, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => Ok(rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?.0),
            Self::Tls(tls) => tls.read_now(buffer),
        }
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                Ok(rustix::net::send(socket, bytes, flags)?)
            }
            Self::Tls(tls) => tls.write_now(bytes),
        }
    }

    /// Hands what was written and is still in memory to the socket, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room for all of it.
    pub fn flush_now(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush_now(),
        }
    }

    /// Sends a file from byte `at` on, which moves with it, without waiting and without a copy through this process. Returns
    /// how many bytes went, `most` at the most, and 0 at the file's end. The socket must not block.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; `InvalidInput` under TLS, and where the file is on a system that cannot do this:
    /// then nothing was sent.
    pub fn send_file_now(&self, file: &impl AsFd, at: &mut u64, most: usize) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => Ok(rustix::fs::sendfile(socket, file, Some(at), most)?),
            Self::Tls(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Whether there is something to read, or the connection has ended, as can be told without waiting.
    pub fn has_news(&mut self) -> bool {
        match self {
            Self::Plain(socket) => {
                let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                let peeked = rustix::net::recv(socket, &mut [0; 1], flags);
                peeked.map(drop) != Err(rustix::io::Errno::WOULDBLOCK)
            }
            Self::Tls(tls) => tls.has_news(),
        }
    }

    /// Tells the peer under TLS, without waiting, that all has been written, and in clear does nothing.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room for it yet.
    pub fn finish_now(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.finish_now(),
        }
    }

    /// How long one read and one write may block.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn set_timeouts(&self, read: Duration, write: Duration) -> io::Result<()> {
        self.socket().set_read_timeout(Some(read))?;
        self.socket().set_write_timeout(Some(write))
    }

    /// Whether closing the stream resets the connection instead of ending it.
    ///
    /// In FTP the end of an upload's data connection *is* the end of the file. A sender that is killed must not look
    /// like one that is done, so it sends with this on and turns it off when the last byte is written.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn set_reset_on_close(&self, on: bool) -> io::Result<()> {
        SockRef::from(self.socket()).set_linger(on.then_some(Duration::ZERO))
    }
}

impl From<Tls> for Stream {
    fn from(tls: Tls) -> Self {
        Self::Tls(Box::new(tls))
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(Arc::new(socket))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => (&**socket).read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => (&**socket).write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

/// Whether a call failed only because its time limit passed. Unix says `WouldBlock` where others say `TimedOut`.
#[must_use]
pub fn timed_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
