//! The server under TLS (RFC 4217), by a client of rustls.

#[path = "../support/mod.rs"]
mod support;

mod certificate;
#[path = "../client/fake.rs"]
#[allow(dead_code, unreachable_pub)] // a test is nobody's library, and this one uses a part of it
mod fake;

mod client;
mod control;
mod data;
mod policy;
mod resumption;
