//! What the network has to do with it: ports that others have, and who can reach the server.

use super::Finding;
use crate::server::public::is_public;
use crate::server::{Access, Config, PassivePorts, PublicAddress, entrance};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

/// Addresses that no machine has (RFC 5737, RFC 3849), beyond every router: which of its own addresses this machine would
/// send from says how the world sees it. Nothing is sent.
const FAR: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];
/// Any port will do where nothing is sent.
const DISCARD: u16 = 9;

/// Whether the ports for control connections are free.
pub(super) fn listeners(config: &Config) -> Vec<Finding> {
    let plain = (config.address, "--port");
    let tls = config
        .tls_address
        .map(|address| (address, "--implicit-tls-port"));
    std::iter::once(plain)
        .chain(tls)
        .map(|(address, flag)| match entrance::probe(address, flag) {
            Ok(()) => Finding::fine("port", format!("{address} is free")),
            Err(error) => Finding::error("port", format!("{error:#}")),
        })
        .collect()
}

/// Whether the system takes ports of the passive range for connections of its own.
pub(super) fn passive_ports(ports: PassivePorts) -> Finding {
    const ABOUT: &str = "passive ports";
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
    let outgoing = read("ip_local_port_range").ok();
    let outgoing = outgoing.as_deref().and_then(outgoing_range);
    let reserved = read("ip_local_reserved_ports").unwrap_or_default();
    match outgoing.filter(|outgoing| overlap(ports, outgoing, &reserved)) {
        None => Finding::fine(ABOUT, format!("{ports}, none of which the system takes")),
        Some(outgoing) => Finding::warning(
            ABOUT,
            format!(
                "{ports} overlap {}-{}, which the system takes for connections of its own; sysctl \
                 net.ipv4.ip_local_reserved_ports={ports}, or another range by --passive-ports",
                outgoing.start(),
                outgoing.end()
            ),
        ),
    }
}

/// The numbers of `ip_local_port_range`.
fn outgoing_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(low)), Some(Ok(high))) => Some(low..=high),
        _ => None,
    }
}

/// Whether a port is in both ranges and not among the reserved ones, which are written `8080,61000-62000`.
fn overlap(ports: PassivePorts, outgoing: &RangeInclusive<u16>, reserved: &str) -> bool {
    let reserved: Vec<RangeInclusive<u16>> = reserved
        .trim()
        .split(',')
        .filter_map(|part| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            Some(low.parse().ok()?..=high.parse().ok()?)
        })
        .collect();
    ports
        .range()
        .any(|port| outgoing.contains(&port) && !reserved.iter().any(|range| range.contains(&port)))
}

/// Whether everybody in the world may put files here.
pub(super) fn exposure(config: &Config) -> Finding {
    const ABOUT: &str = "anonymous";
    let access = match config.anonymous {
        None => return Finding::fine(ABOUT, "nobody without a password"),
        Some(Access::Read) => return Finding::fine(ABOUT, "may only read"),
        Some(Access::Write) => "write",
        Some(Access::Full) => "full",
    };
    match public_address(config) {
        None => Finding::fine(ABOUT, format!("{access}, on no public address")),
        Some(address) => Finding::warning(
            ABOUT,
            format!(
                "anybody on the internet may upload (--anonymous {access} on the public address {address}); --anonymous read \
                 or off, --users FILE for accounts, or --host with a private address"
            ),
        ),
    }
}

/// The public address that clients reach the server at, as far as this machine knows.
fn public_address(config: &Config) -> Option<String> {
    let told = match config.public_address {
        Some(PublicAddress::Auto) => return Some("that EC2 has given it".to_owned()),
        Some(PublicAddress::Given(address)) => Some(address.into()),
        None => None,
    };
    let host = config.address.ip();
    let own = FAR
        .iter()
        // `::` takes clients of IPv4 too.
        .filter(|far| host.is_unspecified() && (host.is_ipv6() || far.is_ipv4()))
        .filter_map(|&far| source_towards(far));
    let mut all = told.into_iter().chain([host]).chain(own);
    all.find(|&address| is_public(address))
        .map(|address| address.to_string())
}

fn source_towards(far: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match far {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(far, DISCARD)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_are_not_the_systems() {
        let ports: PassivePorts = "40000-40009".parse().unwrap();
        let outgoing = outgoing_range("32768\t60999\n").unwrap();
        for (reserved, overlaps) in [
            ("\n", true),
            ("8080,40000-40008\n", true),
            ("40009,40000-40008\n", false),
            ("1-65535", false),
        ] {
            assert_eq!(
                overlap(ports, &outgoing, reserved),
                overlaps,
                "{reserved:?}"
            );
        }
        assert!(!overlap("61000-65535".parse().unwrap(), &outgoing, ""));
        assert!(outgoing_range("x").is_none());
    }
}
