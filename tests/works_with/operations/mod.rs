//! What people do with FTP: what is there before, and what has to be there after, whoever does it with whichever program.

mod content;
mod rows;

use crate::place::Place;
use crate::programs::Outcome;
pub(crate) use content::{ODD_NAME, PART, RANGE};
pub(crate) use rows::*;

/// One row of the table.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// What is there before.
    pub(crate) prepare: fn(&Place),
    /// Looks at what the program wrote, and at what is there now.
    pub(crate) check: fn(&Place, &str),
    /// Whether the program has to say that it did not work.
    pub(crate) fails: bool,
}

impl Operation {
    /// Prepares, lets somebody do it, and checks.
    #[track_caller]
    pub(crate) fn run(&self, place: &Place, act: impl FnOnce(&Place) -> Outcome) {
        (self.prepare)(place);
        let output = match (act(place), self.fails) {
            (Ok(output), false) | (Err(output), true) => output,
            (Ok(output), true) => panic!("no word of a failure:\n{output}"),
            (Err(output), false) => panic!("{output}"),
        };
        (self.check)(place, &output);
    }
}

const fn operation(name: &'static str, prepare: fn(&Place), check: fn(&Place, &str)) -> Operation {
    Operation {
        name,
        prepare,
        check,
        fails: false,
    }
}

const fn failure(name: &'static str, prepare: fn(&Place), check: fn(&Place, &str)) -> Operation {
    let mut operation = operation(name, prepare, check);
    operation.fails = true;
    operation
}

/// The rows of the table, in its order.
pub(crate) const OPERATIONS: &[&Operation] = &[
    &LIST,
    &MLSD,
    &CD,
    &DOWNLOAD,
    &UPLOAD,
    &MISSING,
    &ODD_NAME_DOWN,
    &ODD_NAME_UP,
    &QUOTES,
    &WILDCARD,
    &EPSV_DOWN,
    &PASV_DOWN,
    &ACTIVE_DOWN,
    &ACTIVE_UP,
    &RESUME_DOWNLOAD,
    &RESUME_UPLOAD,
    &CUT_UPLOAD,
    &APPEND,
    &PART_OF_FILE,
    &SEGMENTS,
    &UNIQUE,
    &TEXT_DOWN,
    &TEXT_UP,
    &ABORT,
    &MKDIR,
    &RMDIR,
    &DELETE,
    &RENAME,
    &FILE_SIZE,
    &FILE_DATE,
    &DATE_DOWN,
    &DATE_UP,
    &CHMOD,
    &CREATE_DIRS,
    &TREE_DOWN,
    &TREE_UP,
    &PIPELINED,
    &SYNC,
    &MIRROR_DOWN,
    &MIRROR_UP,
    &COMPARE,
    &STATUS,
    &FEATURES,
    &TLS_DOWN,
    &TLS,
    &TLS_1_2,
    &TLS_IMPLICIT,
    &TLS_RESUMED,
    &TLS_MANY,
];
