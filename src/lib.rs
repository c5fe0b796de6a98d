//! An FTP server for many clients at once, and an `ftp>` prompt client: one crate, two binaries, one protocol.
//!
//! - [`protocol`]: FTP as it stands on the wire, parsed and formatted for both sides.
//! - [`stream`], [`copy`]: the bytes of a connection, and moving them.
//! - [`server`]: from the accepted connection to the reply; [`server::Server`] is where it begins.
//! - [`client`]: the prompt, from the typed line to the file in its place.
//! - [`shown`], [`json`]: text and numbers as people read them, and as programs do.
//! - [`places`]: where both keep what lasts.
//! - [`pages`]: shell completions and man pages of both binaries.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod client;
pub mod copy;
pub mod json;
pub mod pages;
pub mod places;
pub mod protocol;
pub mod server;
pub mod shown;
pub mod stream;
