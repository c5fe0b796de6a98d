//! The metrics over HTTP/1.1 (RFC 9112), as much of it as it takes: one request on each connection.

use super::page;
use crate::server::Shared;
use crate::server::control::part;
use crate::server::desk::{Caller, Desk};
use anyhow::{Context, Result};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// How long a request and its answer may take together.
const LIMIT: Duration = Duration::from_secs(2);
/// How long the end of a connection may wait for the client's own.
const PARTING: Duration = Duration::from_millis(200);
/// How long a request may be, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// What answers those who watch, until it is dropped.
#[derive(Debug)]
pub(in crate::server) struct Exporter {
    _desk: Desk,
}

impl Exporter {
    /// Listens, but answers nobody yet.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(in crate::server) fn listen(address: SocketAddr) -> Result<TcpListener> {
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>(listener)
        };
        listen().with_context(|| {
            format!("cannot listen on {address} for metrics; --metrics takes another address")
        })
    }

    /// Begins to answer.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(in crate::server) fn start(
        listener: TcpListener,
        shared: &Arc<Shared>,
    ) -> io::Result<Self> {
        let shared = Arc::clone(shared);
        let answer = move |listener: &TcpListener| {
            let (socket, peer) = listener.accept()?;
            let mut caller = Caller::new(&socket, LIMIT)?;
            let answered = caller
                .request(MAX_REQUEST, is_whole)
                .and_then(|request| caller.answer(&response(&shared, &request)));
            if let Err(error) = answered {
                log::debug!("{peer} asked for metrics: {error}");
            }
            part(&socket, PARTING);
            Ok(())
        };
        Ok(Self {
            _desk: Desk::open(listener, answer)?,
        })
    }
}

/// Whether all of its head is there. A body is for methods that are refused.
fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|bytes| bytes == b"\r\n\r\n")
}

fn response(shared: &Shared, request: &[u8]) -> Vec<u8> {
    let plain = "text/plain; charset=utf-8";
    let (status, kind, body) = if is_whole(request) {
        let line = request.split(|&byte| byte == b'\r').next();
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        let mut words = line.split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        let path = target.map(|target| target.split('?').next().unwrap_or_default());
        match (method, path, version) {
            (Some("GET"), Some(path), Some("HTTP/1.0" | "HTTP/1.1")) => found(shared, path),
            (Some(_), Some(_), Some("HTTP/1.0" | "HTTP/1.1")) => {
                ("405 Method Not Allowed", plain, "only GET\n".to_owned())
            }
            _ => ("400 Bad Request", plain, "this is no HTTP/1.1\n".to_owned()),
        }
    } else {
        let status = "431 Request Header Fields Too Large";
        (status, plain, "the request is too long\n".to_owned())
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nAllow: GET\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn found(shared: &Shared, path: &str) -> (&'static str, &'static str, String) {
    let plain = "text/plain; charset=utf-8";
    match path {
        "/metrics" => match page(shared) {
            Ok(page) => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", page),
            Err(error) => ("500 Internal Server Error", plain, format!("{error}\n")),
        },
        "/healthz" => ("200 OK", plain, "alive\n".to_owned()),
        "/readyz" if shared.phase.is_draining() => (
            "503 Service Unavailable",
            plain,
            "shutting down\n".to_owned(),
        ),
        "/readyz" => ("200 OK", plain, "ready\n".to_owned()),
        _ => (
            "404 Not Found",
            plain,
            "there are /metrics, /healthz and /readyz\n".to_owned(),
        ),
    }
}
