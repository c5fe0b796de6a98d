//! Names of the checksums that `HASH` knows (draft-bryan-ftpext-hash).

use std::fmt;
use std::str::FromStr;

/// A checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum HashAlgorithm {
    #[default]
    Sha256,
    Sha1,
    Md5,
    Crc32,
}

impl HashAlgorithm {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Sha256, Self::Sha1, Self::Md5, Self::Crc32];
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SHA-256",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
        })
    }
}

impl FromStr for HashAlgorithm {
    /// There is no such name, or none that is known here.
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.to_string().eq_ignore_ascii_case(text.trim()))
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for algorithm in HashAlgorithm::ALL {
            assert_eq!(algorithm.to_string().to_lowercase().parse(), Ok(algorithm));
        }
        assert_eq!("SHA-3".parse::<HashAlgorithm>(), Err(()));
    }
}
