//! An FTP server for many clients at once, and an `ftp>` prompt client: one crate, two binaries, one protocol.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod copy;
pub mod protocol;
pub mod server;
pub mod stream;
