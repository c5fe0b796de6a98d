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

    /// What a client is told who comes from there; `None`: the address that its control connection came in on, which behind a
    /// load balancer is none for clients.
    pub(super) fn told(&self, config: &Config, peer: IpAddr, proxied: bool) -> Option<Ipv4Addr> {
        let is_near = !proxied && peer.is_ipv4() && !is_public(peer);
        match config.public_address? {
            // It may not even get there from inside, and on EC2 it would pay for the way round.
            _ if is_near => None,
            PublicAddress::Auto => *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            PublicAddress::Given(address) => Some(address),
        }
    }
}

fn tell(address: Ipv4Addr, why: &str) {
    log::info!("PASV tells clients of other networks {address}, {why}");
}

/// Whether an address can be reached from everywhere: it is none of this machine, of a link, of a private network (RFC 1918,
/// RFC 4193) or of a provider's own one (RFC 6598).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && second & 0xC0 == 64;
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_is_what_is_not_kept_for_less() {
        for (address, public) in [
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("10.255.0.1", false),
            ("172.15.0.1", true),
            ("172.16.0.1", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.168.3.4", false),
            ("169.254.1.1", false),
            ("100.63.0.1", true),
            ("100.64.0.1", false),
            ("100.127.0.1", false),
            ("100.128.0.1", true),
            ("8.8.8.8", true),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("2a00::1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
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
