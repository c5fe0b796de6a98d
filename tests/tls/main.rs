//! The server under TLS (RFC 4217), by a client of rustls.

#[path = "../support/mod.rs"]
mod support;

mod certificate;
mod control;
mod data;
mod policy;
mod resumption;
