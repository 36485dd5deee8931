//! Where a request comes from: the other end of its connection, or what a named proxy says of it.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// The header in which proxies say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client of a request. The last address that no proxy of ours has: what stands before it anybody may
/// have written.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> ClientAddress {
    let trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(&address.to_canonical()));
    let mut client = peer;
    if !trusted(peer) {
        return ClientAddress(client);
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    for hop in hops.into_iter().rev() {
        // Some gateways write the port too.
        let with_port = || hop.parse::<std::net::SocketAddr>().map(|address| address.ip());
        let Ok(address) = hop.parse::<IpAddr>().or_else(|_| with_port()) else { break };
        client = address;
        if !trusted(address) {
            break;
        }
    }
    ClientAddress(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_named_proxy_speaks_for_others() {
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        let proxies = ["10.0.0.0/8".parse().expect("network")];
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, "6.6.6.6, 192.0.2.7, 10.0.0.3".parse().expect("header"));
        let of = |peer| client(address(peer), &headers, &proxies).0;
        assert_eq!(of("10.0.0.2"), address("192.0.2.7"), "what stands before it is anybody's word");
        assert_eq!(of("203.0.113.9"), address("203.0.113.9"), "a stranger speaks for nobody");
        assert_eq!(client(address("10.0.0.2"), &HeaderMap::new(), &proxies).0, address("10.0.0.2"));
    }
}
