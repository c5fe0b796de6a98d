//! The client against servers that nobody should have to meet: scripted ones, each odd in its own way.

mod ahead;
mod download;
#[allow(unreachable_pub)] // a test is nobody's library
mod fake;
mod interrupt;
mod listing;
mod long;
mod progress;
mod resume;
mod retries;
mod script;
mod session;
#[allow(unreachable_pub)]
mod terminal;
mod tree;
mod upload;
mod verbs;
