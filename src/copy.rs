//! The copy loop of every transfer, on both sides.

use std::io::{self, Read, Write};

/// How many bytes one turn of the loop moves at the most.
pub const CHUNK: usize = 256 * 1024;

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

/// Moves all of `from` to `to` through `buffer` and tells `moved` of every chunk. Returns the number of bytes.
///
/// # Errors
/// The side that failed; what went before has been written.
pub fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    buffer: &mut [u8],
    mut moved: impl FnMut(u64),
) -> Result<u64, CopyError> {
    let mut total = 0;
    loop {
        let count = match from.read(buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        to.write_all(&buffer[..count]).map_err(CopyError::Write)?;
        total += count as u64;
        moved(count as u64);
    }
}
