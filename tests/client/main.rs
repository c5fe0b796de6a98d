//! The client against servers that nobody should have to meet: scripted ones, each odd in its own way.

mod ahead;
mod download;
mod exit_codes;
#[allow(unreachable_pub)] // a test is nobody's library
mod fake;
mod hostile;
mod interrupt;
mod json;
mod listing;
mod long;
mod mirror;
mod oneshot;
mod progress;
mod resume;
mod retries;
mod script;
mod session;
#[allow(unreachable_pub)]
mod terminal;
mod times;
#[allow(unreachable_pub)]
mod tree;
mod upload;
mod verbs;
