//! The address that 227 tells clients who reach this host under another than its own, as behind NAT.

use super::{Config, metadata};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// Where clients of other networks find this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicAddress {
    /// Where the metadata service of the EC2 instance says.
    Auto,
    /// There.
    Given(Ipv4Addr),
}

impl FromStr for PublicAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text
                .parse()
                .map(Self::Given)
                .map_err(|_| "expected an IPv4 address such as 203.0.113.5, or auto"),
        }
    }
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Given(address) => address.fmt(f),
        }
    }
}

/// What the instance's metadata service has said last.
#[derive(Debug, Default)]
pub(super) struct Public(Mutex<Option<Ipv4Addr>>);

impl Public {
    /// Asks the metadata service, if the configuration wants that. What it said before stays when it says nothing now.
    pub(super) fn ask(&self, config: &Config) {
        match config.public_address {
            Some(PublicAddress::Auto) => {}
            Some(PublicAddress::Given(address)) => {
                return tell(address, "as --public-address has it");
            }
            None => return,
        }
        match metadata::public_address() {
            Ok(address) => {
                tell(address, "as EC2 has it");
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
            }
            Err(error) => log::warn!(
                "--public-address auto: {error:#}; PASV tells clients the address that they reach, and where they need \
                 another, give --public-address ADDR"
            ),
        }
    }

    /// What a client is told who comes from there; `None`: the address that its control connection came in on.
    pub(super) fn told(&self, config: &Config, peer: IpAddr) -> Option<Ipv4Addr> {
        match config.public_address? {
            // It may not even get there from inside, and on EC2 it would pay for the way round.
            _ if is_near(peer) => None,
            PublicAddress::Auto => *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            PublicAddress::Given(address) => Some(address),
        }
    }
}

fn tell(address: Ipv4Addr, why: &str) {
    log::info!("PASV tells clients of other networks {address}, {why}");
}

/// Whether an IPv4 client is of this host's own network: its address is one that nobody has on the Internet (RFC 1918,
/// RFC 3927, RFC 6598), and so it reached this host without NAT.
fn is_near(peer: IpAddr) -> bool {
    /// The addresses of a carrier's own network, 100.64.0.0/10: a VPC may have them too.
    const SHARED: (u32, u32) = (0x6440_0000, 0xffc0_0000);
    let IpAddr::V4(peer) = peer else {
        return false;
    };
    let is_shared = u32::from(peer) & SHARED.1 == SHARED.0;
    peer.is_private() || peer.is_loopback() || peer.is_link_local() || is_shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_near_by_its_address() {
        for near in [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.2",
            "169.254.1.1",
        ] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in [
            "9.255.255.255",
            "172.32.0.1",
            "192.169.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "203.0.113.5",
            "::1",
            "fd00::1",
        ] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["auto", "203.0.113.5"] {
            assert_eq!(text.parse::<PublicAddress>().unwrap().to_string(), text);
        }
        for text in ["Auto", "here", "::1", "203.0.113", ""] {
            assert!(text.parse::<PublicAddress>().is_err(), "{text}");
        }
    }
}
