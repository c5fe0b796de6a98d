//! The PROXY protocol, versions 1 and 2: what a load balancer says in front of a connection that it passes on, so that the
//! server knows whose it is (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>).

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header of version 2 begins with. Nothing else that is spoken here does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, with its line end, in bytes (§2.1).
const MAX_TEXT: usize = 107;
/// The longest header of version 2 behind its first 16 bytes. It may have up to 65,535, of which no balancer needs more than
/// these few.
const MAX_BINARY: usize = 2048;

/// Version 2, passed on for a client.
const PROXIED: u8 = 0x21;
/// Version 2, the balancer's own.
const LOCAL: u8 = 0x20;
/// TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// Whose the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// It was passed on for this client, which had connected to that address of the balancer's.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// Where it connected to.
        destination: SocketAddr,
    },
    /// It is the balancer's own, as a look at whether the server is well, or of somebody of whom it can say nothing.
    Own,
}

/// Which form a header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    One,
    /// Binary.
    Two,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// What came is none.
    #[error("{0}")]
    Malformed(&'static str),
    /// It did not come.
    #[error("it did not come: {0}")]
    Io(#[from] io::Error),
}

impl Header {
    /// Reads a header, and not a byte that stands behind it.
    ///
    /// # Errors
    /// [`HeaderError`]. As much as came is read then.
    pub fn read(input: &mut impl Read) -> Result<Self, HeaderError> {
        // Every header of either kind has so many.
        let mut begin = [0; SIGNATURE.len()];
        input.read_exact(&mut begin)?;
        if begin == SIGNATURE {
            return read_binary(input);
        }
        if !begin.starts_with(b"PROXY ") {
            return Err(HeaderError::Malformed("what came is no PROXY header"));
        }
        let mut line = begin.to_vec();
        while !line.ends_with(b"\r\n") {
            if line.len() == MAX_TEXT {
                return Err(HeaderError::Malformed("the line is too long"));
            }
            let mut byte = [0];
            input.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        std::str::from_utf8(&line)
            .ok()
            .and_then(parse_line)
            .ok_or(HeaderError::Malformed("the line makes no sense"))
    }

    /// Writes the header as this version has it.
    ///
    /// # Errors
    /// What the output says; `InvalidInput` for a client of one kind of address at a balancer's of the other.
    pub fn write_to(&self, version: Version, output: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        match (version, self) {
            (Version::One, Self::Own) => bytes.extend_from_slice(b"PROXY UNKNOWN\r\n"),
            (Version::Two, Self::Own) => {
                bytes.extend_from_slice(&SIGNATURE);
                bytes.extend_from_slice(&[LOCAL, 0, 0, 0]);
            }
            (
                _,
                Self::Proxied {
                    source,
                    destination,
                },
            ) if source.is_ipv4() != destination.is_ipv4() => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            (
                Version::One,
                Self::Proxied {
                    source,
                    destination,
                },
            ) => {
                let family = if source.is_ipv4() { 4 } else { 6 };
                let (from, to) = (source.ip(), destination.ip());
                let (from_port, to_port) = (source.port(), destination.port());
                write!(
                    bytes,
                    "PROXY TCP{family} {from} {to} {from_port} {to_port}\r\n"
                )?;
            }
            (
                Version::Two,
                Self::Proxied {
                    source,
                    destination,
                },
            ) => {
                bytes.extend_from_slice(&SIGNATURE);
                let (family, length) = if source.is_ipv4() {
                    (TCP4, 12)
                } else {
                    (TCP6, 36)
                };
                bytes.extend_from_slice(&[PROXIED, family, 0, length]);
                for address in [source, destination] {
                    match address.ip() {
                        IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
                        IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
                    }
                }
                bytes.extend_from_slice(&source.port().to_be_bytes());
                bytes.extend_from_slice(&destination.port().to_be_bytes());
            }
        }
        output.write_all(&bytes)
    }
}

/// A line of version 1, with its end (§2.1).
fn parse_line(line: &str) -> Option<Header> {
    let mut words = line.strip_suffix("\r\n")?.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        // Whatever follows is to be passed over.
        return Some(Header::Own);
    }
    let mut address = || match family {
        "TCP4" => words.next()?.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => words.next()?.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => None,
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse::<u16>().ok().filter(|_| is_number)
    };
    let (source, destination) = ((source, port()?), (destination, port()?));
    words.next().is_none().then(|| Header::Proxied {
        source: source.into(),
        destination: destination.into(),
    })
}

/// What follows the signature of version 2 (§2.2).
fn read_binary(input: &mut impl Read) -> Result<Header, HeaderError> {
    let mut head = [0; 4];
    input.read_exact(&mut head)?;
    let [command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_BINARY {
        return Err(HeaderError::Malformed("the header is too long"));
    }
    let mut rest = vec![0; length];
    input.read_exact(&mut rest)?;
    match (command, family) {
        // What it says of addresses is to be passed over.
        (LOCAL, _) => return Ok(Header::Own),
        (PROXIED, TCP4) => addresses::<4>(&rest),
        (PROXIED, TCP6) => addresses::<16>(&rest),
        // Neither IPv4 nor IPv6, or no TCP.
        (PROXIED, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => return Ok(Header::Own),
        _ => None,
    }
    .ok_or(HeaderError::Malformed("the header makes no sense"))
}

/// Two addresses of so many bytes and their ports. What stands behind them are extensions.
fn addresses<const SIZE: usize>(bytes: &[u8]) -> Option<Header>
where
    [u8; SIZE]: Into<IpAddr>,
{
    let (source, bytes) = bytes.split_first_chunk::<SIZE>()?;
    let (destination, bytes) = bytes.split_first_chunk::<SIZE>()?;
    let (source_port, bytes) = bytes.split_first_chunk()?;
    let (destination_port, _) = bytes.split_first_chunk()?;
    let address = |address: [u8; SIZE], port| (address.into(), u16::from_be_bytes(port));
    Some(Header::Proxied {
        source: address(*source, *source_port).into(),
        destination: address(*destination, *destination_port).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Header, usize), HeaderError> {
        let mut rest = bytes;
        let header = Header::read(&mut rest)?;
        Ok((header, bytes.len() - rest.len()))
    }

    fn proxied(source: &str, destination: &str) -> Header {
        Header::Proxied {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn headers_round_trip_and_nothing_behind_them_is_read() {
        for header in [
            Header::Own,
            proxied("192.0.2.1:1", "198.51.100.255:65535"),
            proxied("[2001:db8::1]:40000", "[::1]:21"),
        ] {
            for version in [Version::One, Version::Two] {
                let mut bytes = Vec::new();
                header.write_to(version, &mut bytes).unwrap();
                let length = bytes.len();
                bytes.extend_from_slice(b"USER me\r\n");
                assert_eq!(read(&bytes).unwrap(), (header, length), "{version:?}");
            }
        }
    }

    #[test]
    fn what_is_written_of_nobody_in_particular_is_passed_over() {
        for bytes in [
            &b"PROXY UNKNOWN ffff::1 whatever 99999 -\r\n"[..],
            &binary(LOCAL, TCP4, &[1; 12]),
            &binary(LOCAL, 0, &[0; 100]),
            &binary(PROXIED, 0, &[]),
            &binary(PROXIED, 0x31, &[0; 216]),
        ] {
            assert_eq!(read(bytes).unwrap(), (Header::Own, bytes.len()));
        }
    }

    #[test]
    fn extensions_are_passed_over() {
        let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 0, 21];
        let bytes = binary(PROXIED, TCP4, &[&addresses[..], &[4, 0, 1, 0]].concat());
        let header = proxied("192.0.2.1:80", "192.0.2.2:21");
        assert_eq!(read(&bytes).unwrap(), (header, bytes.len()));
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_TEXT));
        for bytes in [
            &b"USER anonymous\r\n"[..],
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n",
            b"PROXY \xff\xff\xff\xff\xff\xff\r\n",
            long.as_bytes(),
            &binary(0x11, TCP4, &[0; 12]),
            &binary(0x22, TCP4, &[0; 12]),
            &binary(PROXIED, TCP4, &[0; 11]),
            &binary(PROXIED, TCP6, &[0; 35]),
            &binary(PROXIED, 0x41, &[0; 36]),
            &binary(PROXIED, TCP4, &[0; MAX_BINARY + 1]),
        ] {
            let error = read(bytes).unwrap_err();
            let shown = bytes.escape_ascii();
            assert!(
                matches!(error, HeaderError::Malformed(_)),
                "{shown}: {error}"
            );
        }
        let mut whole = Vec::new();
        let header = proxied("192.0.2.1:1", "192.0.2.2:2");
        for version in [Version::One, Version::Two] {
            whole.clear();
            header.write_to(version, &mut whole).unwrap();
            for end in 0..whole.len() {
                let error = read(&whole[..end]).unwrap_err();
                assert!(matches!(error, HeaderError::Io(_)), "{error}");
            }
        }
    }
}
