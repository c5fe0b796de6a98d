//! What the files hold: pieces of which each tells who wrote it, its number, its length, and a hash of all that.

use crate::support::Pattern;
use sha2::{Digest, Sha256};

/// What stands before a piece.
const HEAD: usize = 3 * 8;
const HASH: usize = 32;

/// A piece, by its writer and its number.
pub(crate) type Mark = (u64, u64);

/// A piece of `length` bytes and what stands before them.
pub(crate) fn piece((writer, number): Mark, length: u64) -> Vec<u8> {
    let head = [writer, number, length].map(u64::to_be_bytes).concat();
    let body = Pattern::bytes(writer << 32 | number, length);
    let hash = hash(&head, &body);
    [&head[..], &hash[..], &body].concat()
}

/// The pieces of a file, all of which must be whole.
pub(crate) fn marks(mut bytes: &[u8]) -> Result<Vec<Mark>, String> {
    let mut marks = Vec::new();
    while !bytes.is_empty() {
        let torn = || {
            format!(
                "torn behind {marks:?}, {} bytes before its end",
                bytes.len()
            )
        };
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(torn)?;
        let (told, rest) = rest.split_at_checked(HASH).ok_or_else(torn)?;
        let number = |at: usize| {
            let bytes = head[8 * at..][..8].try_into().expect("eight bytes");
            u64::from_be_bytes(bytes)
        };
        let length = usize::try_from(number(2)).map_err(|_| torn())?;
        let (body, rest) = rest.split_at_checked(length).ok_or_else(torn)?;
        if hash(head, body) != told {
            return Err(format!("mixed behind {marks:?}"));
        }
        marks.push((number(0), number(1)));
        bytes = rest;
    }
    Ok(marks)
}

fn hash(head: &[u8], body: &[u8]) -> Vec<u8> {
    let hash = Sha256::new().chain_update(head).chain_update(body);
    hash.finalize().to_vec()
}
