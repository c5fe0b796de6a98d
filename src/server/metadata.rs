//! The metadata service of an EC2 instance (IMDSv2), which knows the address that the instance has on the Internet: HTTP, as
//! much as that takes.

use anyhow::{Context, Result, anyhow, bail, ensure};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use url::Url;

/// The variable by which the AWS SDKs are told where the service is.
const VARIABLE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// Where it is on each instance.
const ENDPOINT: &str = "http://169.254.169.254";
/// How long all of it may take. The service is on the machine itself, and elsewhere there is no answer to be waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer, in bytes. A token has 56.
const LONGEST: usize = 8 * 1024;

/// The instance's public IPv4 address.
///
/// # Errors
/// There is no such service, or it says something else; the text says what to do.
pub(super) fn public_address() -> Result<Ipv4Addr> {
    let endpoint = std::env::var(VARIABLE).unwrap_or_else(|_| ENDPOINT.to_owned());
    let address =
        resolve(&endpoint).with_context(|| format!("{VARIABLE} has no address: {endpoint:?}"))?;
    let service = Service {
        address,
        deadline: Instant::now() + PATIENCE,
    };
    service
        .public_address()
        .with_context(|| format!("EC2's metadata service at {address} does not help"))
}

fn resolve(endpoint: &str) -> Result<SocketAddr> {
    let url = Url::parse(endpoint)?;
    ensure!(url.scheme() == "http", "it has to begin with http://");
    let addresses = url.socket_addrs(|| None)?;
    addresses.into_iter().next().context("no such host")
}

struct Service {
    address: SocketAddr,
    deadline: Instant,
}

impl Service {
    fn public_address(&self) -> Result<Ipv4Addr> {
        let lifetime = "X-aws-ec2-metadata-token-ttl-seconds: 60";
        let token = self.ask("PUT", "/latest/api/token", lifetime)?;
        let token = token.body.context(
            "it gives out no token (is it switched on for this instance, and its hop limit 2 where this is a container?)",
        )?;
        ensure!(
            token.bytes().all(|byte| byte.is_ascii_graphic()),
            "its token is none: {token:?}"
        );
        let token = format!("X-aws-ec2-metadata-token: {token}");
        let address = self.ask("GET", "/latest/meta-data/public-ipv4", &token)?;
        let address = address
            .body
            .context("the instance has no public IPv4 address")?;
        address
            .trim()
            .parse()
            .map_err(|_| anyhow!("that is no IPv4 address: {address:?}"))
    }

    /// Asks one question, over a connection of its own.
    fn ask(&self, method: &str, path: &str, header: &str) -> Result<Answer> {
        let said = self.exchange(method, path, header).map_err(|error| {
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) {
                return anyhow!("it does not answer in time (is this an EC2 instance?)");
            }
            anyhow!("it cannot be asked: {error} (is this an EC2 instance?)")
        })?;
        Answer::parse(&said)
    }

    fn exchange(&self, method: &str, path: &str, header: &str) -> io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect_timeout(&self.address, self.left()?)?;
        socket.set_write_timeout(Some(self.left()?))?;
        let host = self.address;
        // A token is asked for with no body, and of that the length has to be said.
        let question = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(question.as_bytes())?;
        let mut said = Vec::new();
        let mut chunk = [0; 1024];
        while said.len() < LONGEST && !Answer::is_whole(&said) {
            socket.set_read_timeout(Some(self.left()?))?;
            match socket.read(&mut chunk)? {
                0 => break,
                count => said.extend_from_slice(&chunk[..count]),
            }
        }
        Ok(said)
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

/// An answer of HTTP.
#[derive(Debug)]
struct Answer {
    /// `None` is for what is not there, or not for this host.
    body: Option<String>,
}

impl Answer {
    fn parse(said: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(said);
        let (head, body) = split(&text).context("what it says is no answer of HTTP")?;
        let status = head.lines().next().unwrap_or_default();
        let code = status
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .context("what it says is no answer of HTTP")?;
        let body = match code {
            "200" => body,
            "401" | "403" | "404" => return Ok(Self { body: None }),
            _ => bail!("it answers {status:?}"),
        };
        match length(head) {
            Some(length) if body.len() < length => bail!("its answer was cut off"),
            Some(length) => Ok(Self {
                body: body.get(..length).map(str::to_owned),
            }),
            None => Ok(Self {
                body: Some(body.to_owned()),
            }),
        }
    }

    /// Whether nothing more is to come. Where no length is said, the end of the connection tells.
    fn is_whole(said: &[u8]) -> bool {
        let text = String::from_utf8_lossy(said);
        let Some((head, body)) = split(&text) else {
            return false;
        };
        length(head).is_some_and(|length| body.len() >= length)
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once("\r\n\r\n")
}

fn length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok()).flatten()
    })
}
