//! What went wrong, as a reply: the one place where errors of the system become codes (RFC 959 §4.2, RFC 1123 §4.1).

use super::root::{PathError, VirtualPath};
use crate::protocol::reply::{Reply, ReplyCode};
use rustix::io::Errno;
use std::io;

/// The reply to a name that cannot be a path here. `writing` is whether something was to be made under it.
pub(super) fn bad_path(error: PathError, writing: bool) -> Reply {
    let code = if writing {
        ReplyCode::NAME_NOT_ALLOWED
    } else {
        ReplyCode::UNAVAILABLE
    };
    Reply::new(code, format!("Name refused: {error}."))
}

/// The reply to an error of the file system. The text tells of the path that the client said, and never more.
pub(super) fn file(error: &io::Error, path: &VirtualPath) -> Reply {
    let (code, text) = match error.kind() {
        io::ErrorKind::NotFound => (ReplyCode::UNAVAILABLE, "no such file or folder"),
        // A link that leads out of the root is not there as far as clients are concerned, and cap-std says both of it.
        io::ErrorKind::PermissionDenied | io::ErrorKind::CrossesDevices => {
            (ReplyCode::UNAVAILABLE, "permission denied")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            (ReplyCode::UNAVAILABLE, "the served folder is read-only")
        }
        io::ErrorKind::AlreadyExists => (ReplyCode::UNAVAILABLE, "it exists already"),
        io::ErrorKind::IsADirectory => (ReplyCode::UNAVAILABLE, "it is a folder"),
        io::ErrorKind::NotADirectory => (ReplyCode::UNAVAILABLE, "it is not a folder"),
        io::ErrorKind::DirectoryNotEmpty => (ReplyCode::UNAVAILABLE, "the folder is not empty"),
        io::ErrorKind::Unsupported => (ReplyCode::UNAVAILABLE, "it is not a regular file"),
        // As of the root, which nothing can take the place of.
        io::ErrorKind::ResourceBusy => (ReplyCode::UNAVAILABLE, "it is in use"),
        io::ErrorKind::InvalidInput => (ReplyCode::UNAVAILABLE, "this cannot be done there"),
        io::ErrorKind::UnexpectedEof => (
            ReplyCode::BAD_RESTART,
            "the restart position is past the end",
        ),
        io::ErrorKind::InvalidFilename => (ReplyCode::UNAVAILABLE, "the name is too long"),
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            (ReplyCode::UNAVAILABLE, "too many links")
        }
        io::ErrorKind::StorageFull => (ReplyCode::NO_SPACE, "no space is left"),
        io::ErrorKind::TimedOut => (ReplyCode::LOCAL_ERROR, "it took too long"),
        io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (ReplyCode::OVER_LIMIT, "over the limit")
        }
        _ => {
            log::warn!("{path}: {error}");
            (
                ReplyCode::LOCAL_ERROR,
                "the server failed to do this, see its log",
            )
        }
    };
    Reply::new(code, format!("{path}: {text}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Outside, root cannot be refused a file, and a full disk needs one to fill.
    #[test]
    fn errors_of_the_system_have_their_codes() {
        for (kind, code) in [
            (io::ErrorKind::NotFound, ReplyCode::UNAVAILABLE),
            (io::ErrorKind::PermissionDenied, ReplyCode::UNAVAILABLE),
            (io::ErrorKind::ReadOnlyFilesystem, ReplyCode::UNAVAILABLE),
            (io::ErrorKind::StorageFull, ReplyCode::NO_SPACE),
            (io::ErrorKind::QuotaExceeded, ReplyCode::OVER_LIMIT),
            (io::ErrorKind::UnexpectedEof, ReplyCode::BAD_RESTART),
            (io::ErrorKind::Other, ReplyCode::LOCAL_ERROR),
        ] {
            let reply = file(&kind.into(), &VirtualPath::root());
            assert_eq!(reply.code(), code, "{kind}");
            assert!(reply.text().starts_with("/: "), "{reply}");
        }
    }
}
