//! Names that lead to another file at the moment: on a file system that other machines write to as well, whoever opens a name
//! that is being replaced may find the old file gone and the new one not looked up yet, and whoever was asked may have gone
//! down since, so that another has to be asked.

use rustix::io::Errno;
use std::io;
use std::thread;
use std::time::Duration;

/// How often it is tried again, and after what time.
const LOOKS: u32 = 50;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Does something by a name, and does it again where the file that had the name is gone from under it (`ESTALE`, and of
/// GlusterFS `ENODATA`: the file has lost what it is known by), or the machine that it was asked of (`ENOTCONN`).
///
/// # Errors
/// What `act` says in the end.
pub(super) fn again<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..LOOKS {
        match act() {
            Err(error) if is_passing(&error) => thread::sleep(LOOK_EVERY),
            outcome => return outcome,
        }
    }
    act()
}

fn is_passing(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::STALE | Errno::NOTCONN | Errno::NODATA))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_name_is_looked_up_again_and_nothing_else_is() {
        for (error, most, tries) in [
            (Errno::STALE, 3, 4),
            (Errno::NOTCONN, 3, 4),
            (Errno::NODATA, 3, 4),
            (Errno::STALE, u32::MAX, LOOKS + 1),
            (Errno::NOENT, u32::MAX, 1),
        ] {
            let mut tried = 0;
            let outcome = again(|| {
                tried += 1;
                match tried > most {
                    true => Ok(()),
                    false => Err(io::Error::from(error)),
                }
            });
            assert_eq!((outcome.is_ok(), tried), (most == 3, tries), "{error}");
        }
    }
}
