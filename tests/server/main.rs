//! The server by the book: each capability that RFC 959, 1123, 2389, 2428, 2640 and 3659 have, and what real clients do.

mod abort;
mod active;
mod arguments;
mod ascii;
mod attributes;
mod commands;
mod globs;
mod hash;
mod ipv6;
mod links;
mod partials;
mod pipelining;
mod random;
mod rename;
mod resume;
mod rules;
mod unique;

// One crate for all of them: each takes the linker as long as all of them together.
#[path = "../support/mod.rs"]
mod support;
