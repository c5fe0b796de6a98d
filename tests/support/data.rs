//! Bytes that are cheap to make and to compare, and that show every shift, gap and doubling.

use std::io::{self, Read};

/// A prime, so that data that is off by any usual buffer size does not match.
const BLOCK: usize = 65_521;

/// `len` bytes that depend on `seed`, as a stream. Its blocks differ in their first bytes, which count them.
#[derive(Clone)]
pub(crate) struct Pattern {
    block: Vec<u8>,
    at: u64,
    len: u64,
}

impl Pattern {
    pub(crate) fn new(seed: u64, len: u64) -> Self {
        // xorshift64, which needs a start other than 0.
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut block = Vec::with_capacity(BLOCK + 8);
        while block.len() < BLOCK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        block.truncate(BLOCK);
        Self { block, at: 0, len }
    }

    /// All of it at once.
    pub(crate) fn bytes(seed: u64, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        Self::new(seed, len)
            .read_to_end(&mut bytes)
            .expect("a pattern has no errors");
        bytes
    }
}

impl Read for Pattern {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let block = BLOCK as u64;
        let within = usize::try_from(self.at % block).expect("less than a block");
        if within == 0 {
            self.block[..8].copy_from_slice(&(self.at / block).to_le_bytes());
        }
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(BLOCK - within).min(left);
        buffer[..count].copy_from_slice(&self.block[within..within + count]);
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads `from` to its end and compares it with the pattern, byte for byte.
#[track_caller]
pub(crate) fn assert_same(what: &str, mut from: impl Read, mut expected: Pattern) {
    let mut got = vec![0; 128 * 1024];
    let mut want = vec![0; got.len()];
    let mut at = 0;
    loop {
        let count = from.read(&mut got).unwrap_or_else(|error| {
            panic!("{what}: reading at byte {at} of {}: {error}", expected.len)
        });
        if count == 0 {
            break;
        }
        if let Err(error) = expected.read_exact(&mut want[..count]) {
            panic!("{what}: longer than {} bytes: {error}", expected.len);
        }
        assert!(
            got[..count] == want[..count],
            "{what}: differs within the {count} bytes at {at} of {}",
            expected.len
        );
        at += count as u64;
    }
    assert_eq!(at, expected.len, "{what}: length");
}

/// Reads to the end of the connection.
#[track_caller]
pub(crate) fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match from.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(error) => panic!(
            "expected data and then its end, got {error} after {} bytes",
            bytes.len()
        ),
    }
}
