//! The copy loop of every transfer, on both sides, the last touches to the file that it has written, and the checksums of what
//! was copied.

mod pace;
mod pipe;

pub use pace::{Pace, parse_rate};
pub use pipe::Pipe;

use crate::protocol::hash::HashAlgorithm;
use rustix::fs::{fsync, syncfs};
use rustix::io::retry_on_intr;
use sha2::Digest as _;
use std::fs::{File, FileTimes};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::SystemTime;

/// How many bytes one turn of the loop moves at the most.
pub const CHUNK: usize = 256 * 1024;
/// How many the first turns move. To clear a large buffer takes longer than all else that a small file needs. With 8 KiB, and
/// 64 next, more of a crowd's memory stays behind: pieces of that size lie between the others.
const FIRST_CHUNK: usize = 16 * 1024;

/// Which side of a copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source could not be read.
    #[error("reading: {0}")]
    Read(#[source] io::Error),
    /// The target could not be written.
    #[error("writing: {0}")]
    Write(#[source] io::Error),
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) | CopyError::Write(error) => error,
        }
    }
}

/// Moves all of `from` to `to` and tells `moved` of every chunk. Returns the number of bytes.
///
/// # Errors
/// The side that failed; what went before has been written.
pub fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    mut moved: impl FnMut(u64),
) -> Result<u64, CopyError> {
    let mut buffer = vec![0; FIRST_CHUNK];
    let mut total = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        to.write_all(&buffer[..count]).map_err(CopyError::Write)?;
        total += count as u64;
        moved(count as u64);
        if count == FIRST_CHUNK && buffer.len() == FIRST_CHUNK {
            buffer = vec![0; CHUNK];
        }
    }
}

/// Notes when a file was changed last, and that it was read now. Some file systems, those over FUSE's older library, take no
/// heed of the one time without the other, and report no error.
///
/// # Errors
/// What the system says.
pub fn set_modified(file: &File, time: SystemTime) -> io::Result<()> {
    let times = FileTimes::new().set_accessed(SystemTime::now());
    file.set_times(times.set_modified(time))
}

/// Waits until the name that `file` has got last is on the disk, with all others of its folder. There is no `folder` where it may
/// not be read: files can be put into a drop box all the same.
///
/// # Errors
/// What the system says.
pub fn sync_name(folder: Option<&impl AsFd>, file: &impl AsFd) -> io::Result<()> {
    let synced = retry_on_intr(|| match folder {
        Some(folder) => fsync(folder),
        // Nothing less than all of the file system can be had by way of a file.
        None => syncfs(file),
    });
    Ok(synced?)
}

/// A checksum that is being made of what is written to it.
pub enum Checksum {
    /// SHA-256, FIPS 180-4.
    Sha256(sha2::Sha256),
    /// SHA-1, FIPS 180-4: good against accidents only.
    Sha1(sha1::Sha1),
    /// MD5, RFC 1321: good against accidents only.
    Md5(md5::Md5),
    /// CRC-32 of ISO 3309, as zip has it.
    Crc32(crc32fast::Hasher),
}

impl Checksum {
    /// A checksum of nothing so far.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            HashAlgorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            HashAlgorithm::Md5 => Self::Md5(md5::Md5::new()),
            HashAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
        }
    }

    /// The checksum in small hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(digest) => hex(&digest.finalize()),
            Self::Sha1(digest) => hex(&digest.finalize()),
            Self::Md5(digest) => hex(&digest.finalize()),
            Self::Crc32(digest) => hex(&digest.finalize().to_be_bytes()),
        }
    }
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Sha256(digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Md5(digest) => digest.update(bytes),
            Self::Crc32(digest) => digest.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes in small hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    // Each upload's hidden name is made of these: formatting would take as long as the hash.
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .map(|digit| DIGITS[usize::from(digit)] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_abc() {
        for (algorithm, expected) in [
            (
                HashAlgorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                HashAlgorithm::Sha1,
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (HashAlgorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (HashAlgorithm::Crc32, "352441c2"),
        ] {
            let mut checksum = Checksum::new(algorithm);
            assert_eq!(copy(&mut &b"abc"[..], &mut checksum, |_| {}).unwrap(), 3);
            assert_eq!(checksum.finish(), expected, "{algorithm}");
        }
    }
}
