//! Many clients put and get the same few files at once, over one server and over three: what each of them saw has to be what
//! atomic files allow.

mod register;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::time::Duration;
use support::Server;
use watch::watch;

const TIME: Duration = Duration::from_secs(2);

#[test]
fn one_server_keeps_files_atomic() {
    let server = Server::with(&["--anonymous", "full"]);
    watch(&[&server], TIME, 200);
}

#[test]
fn three_servers_over_one_folder_keep_files_atomic() {
    let one = Server::with(&["--anonymous", "full"]);
    let (two, three) = (
        one.beside(&["--anonymous", "full"]),
        one.beside(&["--anonymous", "full"]),
    );
    watch(&[&one, &two, &three], TIME, 200);
}
