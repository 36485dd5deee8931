//! Which addresses are those of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Ranges of IPv4 that are not the public internet.
///
/// Source: IANA IPv4 Special-Purpose Address Registry, and the addresses at which the
/// clouds keep their metadata outside of it.
const NOT_PUBLIC_V4: [(&str, &str); 19] = [
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "Azure's metadata"),
    ("169.254.0.0/16", "link-local, where clouds keep metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "for documentation"),
    ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
];

/// Ranges within `2000::/3` that are not the public internet. Everything outside of
/// `2000::/3` is refused as it is.
///
/// Source: IANA IPv6 Special-Purpose Address Registry. 6to4 and Teredo carry an IPv4
/// address of anybody's choice.
const NOT_PUBLIC_V6: [(&str, &str); 4] = [
    ("2001::/23", "reserved, and Teredo"),
    ("2001:db8::/32", "for documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "for documentation"),
];

/// What an address is, if it is not one of the public internet.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    within(&NOT_PUBLIC_V4, address.into())
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    // ::ffff:0:0/96 (mapped), 64:ff9b::/96 (NAT64) and all other ways to write an IPv4
    // address lie outside of 2000::/3, but for 6to4 and Teredo.
    if address.segments()[0] & 0xe000 != 0x2000 {
        return Some("not global unicast");
    }
    within(&NOT_PUBLIC_V6, address.into())
}

fn within(ranges: &[(&str, &'static str)], address: IpAddr) -> Option<&'static str> {
    let holds = |text: &str| text.parse::<IpNet>().is_ok_and(|range| range.contains(&address));
    ranges.iter().find(|(range, _)| holds(range)).map(|(_, what)| *what)
}
