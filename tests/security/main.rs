//! What `SECURITY.md` says of the server, shown from outside: where its process can get, and what strangers can make it do.

mod checksums;
mod document;
mod limits;
mod listings;
mod races;
mod sandbox;

// One crate for all of them: each takes the linker as long as all of them together.
#[path = "../support/mod.rs"]
mod support;
