//! Addresses of data connections: `PORT`, `EPRT`, and the replies 227 and 229 (RFC 959 §4.1.2, RFC 2428).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::str::FromStr;

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text does not have the form that the RFC gives.
    #[error("not an address of the form that FTP uses")]
    Malformed,
    /// `EPRT` or `EPSV` with a network protocol other than 1 (IPv4) and 2 (IPv6): the reply is 522 (RFC 2428 §2).
    #[error("network protocol not supported, use (1,2)")]
    UnsupportedNetwork,
}

/// `h1,h2,h3,h4,p1,p2`: the argument of `PORT` and the core of a 227 reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPort(pub SocketAddrV4);

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0.ip().octets();
        let [high, low] = self.0.port().to_be_bytes();
        write!(f, "{a},{b},{c},{d},{high},{low}")
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut numbers = [0_u8; 6];
        let mut fields = text.split(',');
        for number in &mut numbers {
            *number = fields
                .next()
                .and_then(decimal)
                .ok_or(AddressError::Malformed)?;
        }
        let [a, b, c, d, high, low] = numbers;
        match fields.next() {
            Some(_) => Err(AddressError::Malformed),
            None => Ok(Self(SocketAddrV4::new(
                Ipv4Addr::new(a, b, c, d),
                u16::from_be_bytes([high, low]),
            ))),
        }
    }
}

/// `|1|132.235.1.2|6275|` or `|2|1080::8:800:200C:417A|5282|`: the argument of `EPRT` (RFC 2428 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedHostPort(pub SocketAddr);

impl fmt::Display for ExtendedHostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = Network::of(self.0.ip());
        write!(f, "|{network}|{}|{}|", self.0.ip(), self.0.port())
    }
}

impl FromStr for ExtendedHostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let [network, address, port] = delimited(text)?;
        let address: IpAddr = match network.parse()? {
            Network::V4 => address.parse::<Ipv4Addr>().map(IpAddr::from),
            Network::V6 => address.parse::<Ipv6Addr>().map(IpAddr::from),
        }
        .map_err(|_| AddressError::Malformed)?;
        let port = decimal(port).ok_or(AddressError::Malformed)?;
        Ok(Self(SocketAddr::new(address, port)))
    }
}

/// A network protocol number of `EPRT` and `EPSV` (RFC 2428 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// 1
    V4,
    /// 2
    V6,
}

impl Network {
    /// The network that an address belongs to.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "1",
            Self::V6 => "2",
        })
    }
}

impl FromStr for Network {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "1" => Ok(Self::V4),
            "2" => Ok(Self::V6),
            _ if decimal::<u32>(text).is_some() => Err(AddressError::UnsupportedNetwork),
            _ => Err(AddressError::Malformed),
        }
    }
}

/// The text of a 227 reply: `Entering Passive Mode (h1,h2,h3,h4,p1,p2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassiveText(pub HostPort);

impl fmt::Display for PassiveText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entering Passive Mode ({}).", self.0)
    }
}

impl FromStr for PassiveText {
    type Err = AddressError;

    /// Finds the six numbers wherever they stand: RFC 1123 §4.1.2.6 says that the parentheses may be missing.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.split(|c: char| !c.is_ascii_digit() && c != ',')
            .find_map(|part| part.trim_matches(',').parse().ok())
            .map(Self)
            .ok_or(AddressError::Malformed)
    }
}

/// The text of a 229 reply: `Entering Extended Passive Mode (|||port|)` (RFC 2428 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedPassiveText(pub u16);

impl fmt::Display for ExtendedPassiveText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entering Extended Passive Mode (|||{}|).", self.0)
    }
}

impl FromStr for ExtendedPassiveText {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (_, inner) = text.rsplit_once('(').ok_or(AddressError::Malformed)?;
        let (inner, _) = inner.split_once(')').ok_or(AddressError::Malformed)?;
        let [network, address, port] = delimited(inner)?;
        match (network, address, decimal(port)) {
            ("", "", Some(port)) if port != 0 => Ok(Self(port)),
            _ => Err(AddressError::Malformed),
        }
    }
}

/// The three fields of `<d>one<d>two<d>three<d>`, where the text's first character is the delimiter.
fn delimited(text: &str) -> Result<[&str; 3], AddressError> {
    let delimiter = text
        .chars()
        .next()
        .filter(char::is_ascii_graphic)
        .ok_or(AddressError::Malformed)?;
    let fields: Vec<&str> = text.split(delimiter).collect();
    match fields[..] {
        ["", one, two, three, ""] => Ok([one, two, three]),
        _ => Err(AddressError::Malformed),
    }
}

/// A decimal number without sign or blanks, which `parse` alone would take.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_servers_write() {
        let expected = HostPort("10.1.2.3:5001".parse().unwrap());
        for text in [
            "Entering Passive Mode (10,1,2,3,19,137).",
            "=10,1,2,3,19,137",
            "ok 10,1,2,3,19,137",
        ] {
            assert_eq!(text.parse(), Ok(PassiveText(expected)), "{text}");
        }
        assert_eq!(
            "Entering Extended Passive Mode (|||6446|)".parse(),
            Ok(ExtendedPassiveText(6446))
        );
        assert_eq!("ok (!!!6446!)".parse(), Ok(ExtendedPassiveText(6446)));
    }

    #[test]
    fn refuses_bad_addresses() {
        for text in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "256,0,0,1,1,1",
            "+1,2,3,4,5,6",
            " 1,2,3,4,5,6",
            "1,2,3,4,,6",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
        for text in [
            "",
            "|1|::1|21|",
            "|2|1.2.3.4|21|",
            "|1|1.2.3.4|65536|",
            "|1|1.2.3.4|+1|",
            "|1|1.2.3.4|21",
            "é",
        ] {
            assert_eq!(
                text.parse::<ExtendedHostPort>(),
                Err(AddressError::Malformed),
                "{text}"
            );
        }
        assert_eq!(
            "|3|x|1|".parse::<ExtendedHostPort>(),
            Err(AddressError::UnsupportedNetwork)
        );
        for text in ["(|||0|)", "(|||70000|)", "(|1||5|)", "|||5|", "(5)"] {
            assert!(text.parse::<ExtendedPassiveText>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(address in any::<SocketAddr>(), v4 in any::<SocketAddrV4>(), port in 1_u16..) {
            let address = SocketAddr::new(address.ip(), address.port()); // a flow or scope is not on the wire
            prop_assert_eq!(ExtendedHostPort(address).to_string().parse(), Ok(ExtendedHostPort(address)));
            prop_assert_eq!(HostPort(v4).to_string().parse(), Ok(HostPort(v4)));
            prop_assert_eq!(PassiveText(HostPort(v4)).to_string().parse(), Ok(PassiveText(HostPort(v4))));
            prop_assert_eq!(ExtendedPassiveText(port).to_string().parse(), Ok(ExtendedPassiveText(port)));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<HostPort>();
            let _ = text.parse::<ExtendedHostPort>();
            let _ = text.parse::<PassiveText>();
            let _ = text.parse::<ExtendedPassiveText>();
        }
    }
}
