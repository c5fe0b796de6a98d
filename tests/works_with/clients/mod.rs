//! The foreign clients, and how each does the operations.

mod curl;
mod ftplib;
mod lftp;
mod ncftp;
mod rclone;
mod suppaftp;
mod tnftp;
mod wget;

use crate::operations::Operation;
use crate::place::Place;
use crate::programs::Outcome;
use crate::{Case, Side};

/// How a client does an operation.
pub(crate) type Act = fn(&Place) -> Outcome;

/// A client, in the order of the table's columns.
struct Client {
    name: &'static str,
    /// The programs that it takes.
    needs: &'static [&'static str],
    acts: &'static [(&'static Operation, Act)],
}

pub(crate) fn cases() -> Vec<Case> {
    let clients = [
        curl::PROGRAM,
        curl::LIBRARY,
        suppaftp::CLIENT,
        ftplib::CLIENT,
        lftp::CLIENT,
        tnftp::CLIENT,
        ncftp::CLIENT,
        wget::CLIENT,
        rclone::CLIENT,
    ];
    let cases = |client: &Client| {
        let case = |&(operation, act): &(&'static Operation, Act)| Case {
            side: Side::Clients,
            program: client.name,
            operation,
            needs: client.needs,
            test: |case| case.operation.run(&Place::with_our_server(), case.act),
            act,
        };
        client.acts.iter().map(case).collect::<Vec<_>>()
    };
    clients.iter().flat_map(cases).collect()
}
