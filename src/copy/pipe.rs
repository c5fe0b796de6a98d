//! From a socket into a file by way of the kernel alone.

use super::CopyError;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};

/// How much a pipe is to hold: as much as a system lets anybody have.
const ROOM: usize = 1024 * 1024;

/// What leads bytes from a socket into a file with no copy through this process (`splice`): two thirds of the processor's
/// time that a buffer takes.
#[derive(Debug)]
pub struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    /// How many bytes are on their way.
    held: usize,
}

impl Pipe {
    /// A pipe.
    ///
    /// # Errors
    /// The system has no more descriptors, or none of these, or no room in them, as for a user who has many pipes already:
    /// through a small one a buffer is faster.
    pub fn new() -> io::Result<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setpipe_size(&into, ROOM)?;
        Ok(Self { out, into, held: 0 })
    }

    /// How many bytes are on their way.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Takes what has come over a socket that does not block, but no more than `most`. Returns how much that was, 0 at the
    /// end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has come.
    pub fn fill(&mut self, socket: &TcpStream, most: usize) -> io::Result<usize> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let count = splice(socket, None, &self.into, None, most.min(ROOM), flags)?;
        self.held += count;
        Ok(count)
    }

    /// Writes all that is held to where the file stands, and tells `moved` of every piece.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn empty(
        &mut self,
        file: &mut (impl AsFd + Write),
        mut moved: impl FnMut(u64),
    ) -> Result<(), CopyError> {
        while self.held > 0 {
            let count = match splice(&self.out, None, &*file, None, self.held, SpliceFlags::MOVE) {
                Ok(0) => return Err(CopyError::Write(io::ErrorKind::WriteZero.into())),
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                // A file system that does not know this takes the same bytes out of a buffer.
                Err(Errno::INVAL) => self.carry(file)?,
                Err(error) => return Err(CopyError::Write(error.into())),
            };
            self.held -= count;
            moved(count as u64);
        }
        Ok(())
    }

    fn carry(&self, file: &mut impl Write) -> Result<usize, CopyError> {
        let mut buffer = vec![0; self.held.min(super::CHUNK)];
        let count = rustix::io::read(&self.out, &mut buffer)
            .map_err(|error| CopyError::Read(error.into()))?;
        file.write_all(&buffer[..count]).map_err(CopyError::Write)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::{Seek, SeekFrom};
    use std::net::{Ipv4Addr, TcpListener};

    /// What lands in a file opened this way, of bytes that are sent behind two that are there.
    fn landed(options: &OpenOptions) -> Vec<u8> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "ab").unwrap();
        let mut file = options.open(&path).unwrap();
        file.seek(SeekFrom::Start(2)).unwrap();
        sender.write_all(b"cdefg").unwrap();
        drop(sender);
        let (mut pipe, mut told) = (Pipe::new().unwrap(), 0);
        while pipe.fill(&receiver, 3).unwrap() > 0 {
            pipe.empty(&mut file, |count| told += count).unwrap();
        }
        assert_eq!(told, 5);
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn bytes_go_behind_what_is_there() {
        assert_eq!(landed(OpenOptions::new().write(true)), b"abcdefg");
    }

    #[test]
    fn a_file_that_takes_no_splice_gets_them_all_the_same() {
        // To the end of a file the system does not splice.
        assert_eq!(landed(OpenOptions::new().append(true)), b"abcdefg");
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (mut pipe, mut full) = (Pipe::new().unwrap(), full);
        rustix::io::write(&pipe.into, b"abc").unwrap();
        pipe.held = 3;
        assert!(matches!(
            pipe.empty(&mut full, |_| {}),
            Err(CopyError::Write(_))
        ));
    }
}
