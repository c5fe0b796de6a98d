//! Password hashes: argon2id as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use std::fmt;

/// The least memory, in KiB, and the least of it times the passes, that a stolen users file withstands a search with: what
/// OWASP's weakest profile for argon2id has.
const LEAST_MEMORY: u32 = 7 * 1024;
const LEAST_WORK: u64 = 5 * LEAST_MEMORY as u64;
/// The most memory, in KiB, that one hash of a users file may ask for: a slip there must not bring down the server.
const MAX_MEMORY: u32 = 256 * 1024;
/// The most passes over it.
const MAX_PASSES: u32 = 32;
/// The most lanes.
const MAX_LANES: u32 = 16;
/// The shortest hash, in bytes, that no other password meets by chance.
const LEAST_OUTPUT: usize = 16;
/// What is asked of the allocator for a hash at the least, in blocks of 1 KiB; what is not needed of it is never touched.
/// glibc keeps what is smaller than 32 MiB for next time, for each of its arenas, and a flood of logins would leave all of
/// them full for good.
const LEAST_ALLOCATION: usize = 33 * 1024;

/// The hash of a password, in a form that can be checked.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    params: Params,
    salt: Vec<u8>,
    output: argon2::password_hash::phc::Output,
}

/// The system has no room for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMemory;

impl Hash {
    /// Takes a PHC string, such as `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
    ///
    /// # Errors
    /// What is wrong with it, as a clause without a subject.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let no_hash = "is no argon2id hash (PHC string)";
        let parsed = PasswordHash::new(text).map_err(|_| no_hash)?;
        if Algorithm::new(parsed.algorithm.as_str()) != Ok(Algorithm::Argon2id) {
            return Err(no_hash);
        }
        if parsed.version != Some(Version::V0x13.into()) {
            return Err("is not of argon2's version 19");
        }
        let params = Params::try_from(&parsed).map_err(|_| "has parameters that do not fit")?;
        if params.m_cost() > MAX_MEMORY
            || params.t_cost() > MAX_PASSES
            || params.p_cost() > MAX_LANES
        {
            return Err("asks for too much: m is at most 262144, t 32, p 16");
        }
        let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() < LEAST_MEMORY || work < LEAST_WORK {
            return Err("is too weak: m is at least 7168, and m times t 35840");
        }
        match (parsed.salt, parsed.hash) {
            (Some(salt), Some(output)) if output.len() >= LEAST_OUTPUT => Ok(Self {
                params,
                salt: salt.as_ref().to_vec(),
                output,
            }),
            (Some(_), Some(_)) => Err("is too short"),
            _ => Err("lacks its salt or its hash"),
        }
    }

    /// The PHC string of a password, with a fresh salt and OWASP's parameters: 19 MiB, two passes, one lane.
    ///
    /// # Errors
    /// The system gives no random bytes or no memory.
    pub(super) fn make(password: &str) -> Result<String, argon2::password_hash::Error> {
        let hash = Argon2::default().hash_password(password.as_bytes())?;
        Ok(hash.to_string())
    }

    /// Whether this is the password's. It takes the same time and memory whether it is or not.
    pub(super) fn matches(&self, password: &str) -> Result<bool, NoMemory> {
        let count = self.params.block_count();
        let mut memory: Vec<Block> = Vec::new();
        memory
            .try_reserve_exact(count.max(LEAST_ALLOCATION))
            .map_err(|_| NoMemory)?;
        memory.resize(count, Block::default());
        let mut output = vec![0; self.output.len()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let made = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            &self.salt,
            &mut output,
            &mut memory,
        );
        // The comparison of two outputs takes the same time wherever they differ.
        Ok(made.is_ok()
            && argon2::password_hash::phc::Output::new(&output)
                .is_ok_and(|output| output == self.output))
    }
}

/// Never the hash itself.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_one_password_and_asks_for_what_owasp_says() {
        let text = Hash::make("s3cret").unwrap();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        assert_ne!(text, Hash::make("s3cret").unwrap());
        let hash = Hash::parse(&text).unwrap();
        assert_eq!(hash.matches("s3cret"), Ok(true));
        assert_eq!(hash.matches("s3cret "), Ok(false));
        assert_eq!(hash.matches(""), Ok(false));
    }

    #[test]
    fn a_hash_of_another_program_is_understood() {
        // By the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -e
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(Hash::parse(text).unwrap().matches("password"), Ok(true));
    }

    #[test]
    fn what_is_no_good_hash_is_refused() {
        let salted = |front: &str| {
            format!("{front}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
        };
        for text in [
            String::new(),
            "s3cret".to_owned(),
            salted("$argon2i$v=19$m=65536,t=2,p=1"),
            salted("$argon2id$v=16$m=65536,t=2,p=1"),
            salted("$argon2id$v=19$m=1048576,t=2,p=1"),
            salted("$argon2id$v=19$m=65536,t=100,p=1"),
            salted("$argon2id$v=19$m=1,t=2,p=1"),
            salted("$argon2id$v=19$m=7167,t=32,p=1"),
            salted("$argon2id$v=19$m=7168,t=4,p=1"),
            salted("$argon2id$v=19$m=35839,t=1,p=1"),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".to_owned(),
        ] {
            assert!(Hash::parse(&text).is_err(), "{text}");
        }
        // Each of those that OWASP has.
        for profile in [
            "m=47104,t=1",
            "m=19456,t=2",
            "m=12288,t=3",
            "m=9216,t=4",
            "m=7168,t=5",
        ] {
            let text = salted(&format!("$argon2id$v=19${profile},p=1"));
            assert!(Hash::parse(&text).is_ok(), "{text}");
        }
    }
}
