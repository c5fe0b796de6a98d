//! What the benches of clients share: the clients, where they are measured, and how they take turns.

// Each of the benches uses a part of it.
#![allow(dead_code)]

pub(crate) mod peers;
pub(crate) mod place;
pub(crate) mod turns;

use crate::support::Namespace;

/// Does it in a network of its own, where no other connection is, and none that lingers.
pub(crate) fn by_itself<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let space = Namespace::new().and_then(|space| space.use_cubic().map(|()| space));
    match space {
        Ok(space) => space.inside(act),
        Err(why) => {
            println!("no network of its own: {why}");
            act()
        }
    }
}
