//! Events as programs read them.

use super::{Event, Failure};
use crate::client::hosts::Host;
use crate::client::transfer::Moved;
use crate::json::Object;
use std::path::Path;

impl Event {
    /// The event for programs: its name as `event`, and what belongs to it.
    pub(super) fn object(&self) -> Object {
        let event = |name: &str| Object::default().with("event", name);
        match self {
            Self::Connected {
                host,
                port,
                user,
                again,
            } => event("connected")
                .with("host", host.as_str())
                .with("port", u64::from(*port))
                .with("user", user.as_str())
                .with("again", *again),
            Self::HostFailed(host, failure) => {
                with_failure(with_host(event("host_failed"), host), failure)
            }
            Self::Using(host) => with_host(event("using"), host),
            Self::Entered(remote) => event("entered").with("remote", remote.as_str()),
            Self::Got {
                remote,
                local,
                moved,
            } => with_moved(event("got"), remote, local.as_deref(), moved),
            Self::Sent {
                remote,
                local,
                moved,
            } => with_moved(event("sent"), remote, local.as_deref(), moved),
            Self::Added {
                remote,
                local,
                moved,
            } => with_moved(event("added"), remote, Some(local), moved),
            Self::Total(total) => total.object(event("total")),
            Self::Removed(remote) => event("removed").with("remote", remote.as_str()),
            Self::RemovedHere(path) => event("removed").with("local", path.display().to_string()),
            Self::Mirrored(mirrored) => mirrored.object(event("mirrored")),
            Self::Made(remote) => event("made").with("remote", remote.as_str()),
            Self::Renamed { from, to } => event("renamed")
                .with("from", from.as_str())
                .with("to", to.as_str()),
            Self::ModeSet { remote, mode } => event("mode")
                .with("remote", remote.as_str())
                .with("mode", format!("{mode:04o}")),
            Self::Retry {
                remote,
                failure,
                wait,
                attempt,
                of,
            } => with_failure(event("retry").with("remote", remote.as_str()), failure)
                .with("wait", *wait)
                .with("attempt", u64::from(*attempt))
                .with("of", u64::from(*of)),
            Self::Failed(failure) => with_failure(event("error"), failure).with("final", false),
            Self::Ended(failure) => with_failure(event("error"), failure).with("final", true),
            Self::Message(text) => event("message").with("text", text.as_str()),
        }
    }
}

fn with_moved(object: Object, remote: &str, local: Option<&Path>, moved: &Moved) -> Object {
    object
        .with("remote", remote)
        .with("local", local.map(|path| path.display().to_string()))
        .with("bytes", moved.bytes)
        .with("seconds", moved.took)
        .with("resumed_at", moved.resumed_at)
}

fn with_host(object: Object, host: &Host) -> Object {
    let object = object.with("host", host.name.as_str());
    object.with("port", u64::from(host.port))
}

fn with_failure(object: Object, failure: &Failure) -> Object {
    object
        .with("error", failure.text.as_str())
        .with("exit_code", u64::from(failure.exit_code))
        .with("reply", failure.reply.map(u64::from))
}
