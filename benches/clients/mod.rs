//! What the benches of clients share: the clients, where they are measured, and how they take turns.

// Each of the benches uses a part of it.
#![allow(dead_code)]

pub(crate) mod peers;
pub(crate) mod place;
pub(crate) mod turns;
