//! Where a customer's endpoint may lead: to the public internet, and to what the
//! operator allows. Anybody who may set a destination could otherwise send requests,
//! with our address, to the metadata service and to neighbours of the worker.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

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

/// Names that lead inside, whatever they resolve to.
const INSIDE: [&str; 4] = ["localhost", "internal", "local", "home.arpa"];

/// Why an entry of the operator's list cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "network.allow: {0:?} is neither an address, a range nor a host name; \
     write 10.1.2.3, 10.0.0.0/8, fd00::/8 or minio.example.com"
)]
pub struct AllowError(String);

/// Why an endpoint is refused. It holds no part of an endpoint that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {fix}")]
pub struct EndpointError {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: &'static str,
}

const ADDRESS_FIX: &str =
    "use a public endpoint, or let the operator add the address or the host to network.allow";
const FORM_FIX: &str = "give scheme and host only, such as https://storage.example.com";

/// What the operator allows beside the public internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    ranges: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Network {
    /// The operator's list: addresses, ranges, and host names, which may resolve to anything.
    ///
    /// # Errors
    /// When an entry is none of the three.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, AllowError> {
        let mut network = Self::default();
        for entry in entries {
            if let Some(range) = range(entry) {
                network.ranges.push(range);
            } else {
                network.hosts.push(host_name(entry).ok_or_else(|| AllowError(entry.to_owned()))?);
            }
        }
        Ok(network)
    }

    /// This machine: for the demo's store and for tests.
    #[must_use]
    pub fn loopback() -> Self {
        let ranges =
            [IpNet::from(IpAddr::from([127, 0, 0, 1])), IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST))];
        Self { ranges: ranges.to_vec(), hosts: Vec::new() }
    }

    /// An endpoint in the one form in which it is dialled, so that nobody reads it otherwise.
    ///
    /// # Errors
    /// When it is more than a scheme, a host, a port and a path, or when its host is an
    /// address or a name that is not public and not allowed. What a name resolves to is for
    /// [`Network::admit`] to judge, when it is dialled.
    pub fn endpoint(&self, text: &str) -> Result<Url, EndpointError> {
        let url = well_formed(text)?;
        match url.host() {
            Some(Host::Ipv4(address)) => self.admit_address(address.into())?,
            Some(Host::Ipv6(address)) => self.admit_address(address.into())?,
            Some(Host::Domain(name)) => self.admit_name(name)?,
            None => return Err(malformed("it has no host")),
        }
        Ok(url)
    }

    /// Whether the operator names this endpoint's host or address, public or not.
    #[must_use]
    pub fn names(&self, endpoint: &Url) -> bool {
        match endpoint.host() {
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(name)) => self.hosts.iter().any(|host| host == name),
            None => false,
        }
    }

    /// Judges what a name has resolved to, before any of it is dialled. One address that
    /// leads inside condemns the name: it is nobody's honest answer.
    ///
    /// # Errors
    /// When the name resolves to nothing, or to an address that is not public and not allowed.
    pub fn admit(&self, name: &str, addresses: &[IpAddr]) -> Result<(), EndpointError> {
        if addresses.is_empty() {
            return Err(EndpointError {
                problem: format!("the host {name} has no address"),
                fix: "correct the endpoint",
            });
        }
        if self.hosts.iter().any(|host| host == name) {
            return Ok(());
        }
        addresses.iter().try_for_each(|address| self.admit_address(*address))
    }

    fn admit_address(&self, address: IpAddr) -> Result<(), EndpointError> {
        match not_public(address) {
            Some(what) if !self.allows(address) => Err(EndpointError {
                problem: format!("the address {address} is not a public one ({what})"),
                fix: ADDRESS_FIX,
            }),
            _ => Ok(()),
        }
    }

    fn admit_name(&self, name: &str) -> Result<(), EndpointError> {
        if self.hosts.iter().any(|host| host == name) {
            return Ok(());
        }
        let inside = INSIDE.into_iter().find(|inside| {
            name.strip_suffix(inside).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        match inside {
            Some(_) => {}
            None if !name.contains('.') => {}
            None => return Ok(()),
        }
        Err(EndpointError { problem: format!("the host {name} is not a public one"), fix: ADDRESS_FIX })
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(&address))
    }
}

/// Most characters of an endpoint.
const MAX_ENDPOINT: usize = 1_000;
/// Most characters of a name in the DNS (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// An endpoint's form, wherever it leads.
///
/// # Errors
/// When it is more than a scheme, a host, a port and a path.
pub fn well_formed(text: &str) -> Result<Url, EndpointError> {
    // Found by fuzzing: what is refused is quoted.
    if text.len() > MAX_ENDPOINT {
        return Err(malformed("it is longer than 1000 characters"));
    }
    // URL parsers drop line breaks, map other alphabets' digits and read \ as /.
    if text.chars().any(|c| !c.is_ascii_graphic() || c == '\\') {
        return Err(malformed("it holds a blank, a control character, a \\ or a character outside ASCII"));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(malformed("it does not start with https:// or http://"));
    };
    if !["https", "http"].contains(&scheme) {
        return Err(malformed("it does not start with https:// or http://"));
    }
    if rest.contains(['@', '?', '#', '%']) {
        return Err(malformed("it holds more than scheme, host, port and path"));
    }
    if rest.is_empty() || rest.starts_with(['/', ':']) {
        return Err(malformed("it has no host"));
    }
    let url =
        Url::parse(text).map_err(|error| malformed(&format!("its host or port cannot be read ({error})")))?;
    if url.host_str().is_some_and(|host| host.len() > MAX_HOST) {
        return Err(malformed("its host is longer than 253 characters"));
    }
    if url.host_str().is_some_and(|host| host.ends_with('.')) {
        return Err(malformed("its host ends in a dot"));
    }
    // Found by fuzzing: the parser escapes what stands in no URL, so that it reads otherwise than it was written.
    if url.as_str().contains('%') {
        return Err(malformed("it holds a character that does not stand in a URL"));
    }
    if url.port() == Some(0) {
        return Err(malformed("its port is 0"));
    }
    Ok(url)
}

fn malformed(problem: &str) -> EndpointError {
    EndpointError { problem: problem.to_owned(), fix: FORM_FIX }
}

fn range(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A host name in the form that endpoints have.
fn host_name(text: &str) -> Option<String> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) if !name.is_empty() && !name.ends_with('.') => Some(name),
        _ => None,
    }
}

/// What an address is, if it is not one of the public internet.
fn not_public(address: IpAddr) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ways to say "inside" that have worked elsewhere. Each is refused while nothing is allowed.
    const TRICKS: [&str; 84] = [
        // Loopback, in all the forms that inet_aton takes.
        "https://127.0.0.1",
        "https://127.0.0.1:8443",
        "https://127.1",
        "https://127.0.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.0.0.1",
        "https://0x7f.1",
        "https://0177.0.0.1",
        "https://0177.0.0.01",
        "https://017700000001",
        "https://127.0.0.1.",
        "https://127.255.255.254",
        "https://0",
        "https://0.0.0.0",
        "https://0x0",
        // Metadata services.
        "http://169.254.169.254",
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://0251.0376.0251.0376",
        "https://169.254.43518",
        "https://169.254.170.2",
        "https://168.63.129.16",
        "https://100.100.100.200",
        "https://192.0.0.192",
        "https://metadata.google.internal",
        "https://metadata.google.internal.",
        "https://METADATA.google.INTERNAL",
        "https://metadata",
        // Private, shared and reserved ranges.
        "https://10.0.0.1",
        "https://012.0.0.1",
        "https://0x0a000001",
        "https://172.16.0.1",
        "https://172.31.255.255",
        "https://192.168.1.1",
        "https://3232235777",
        "https://100.64.0.1",
        "https://198.18.0.1",
        "https://192.0.2.1",
        "https://224.0.0.1",
        "https://240.0.0.1",
        "https://255.255.255.255",
        // IPv6.
        "https://[::1]",
        "https://[0:0:0:0:0:0:0:1]",
        "https://[::]",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:7f00:1]",
        "https://[::ffff:a9fe:a9fe]",
        "https://[0:0:0:0:0:ffff:10.0.0.1]",
        "https://[::127.0.0.1]",
        "https://[::ffff:0:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[64:ff9b:1::a00:1]",
        "https://[2002:7f00:1::]",
        "https://[2001:0:53aa:64c:0:0:80ff:fffe]",
        "https://[fe80::1]",
        "https://[fe80::1%25eth0]",
        "https://[fec0::1]",
        "https://[fc00::1]",
        "https://[fd00:ec2::254]",
        "https://[ff02::1]",
        "https://[2001:db8::1]",
        // Names.
        "https://localhost",
        "https://localhost.",
        "https://LOCALHOST:9000",
        "https://acme.localhost",
        "https://kubernetes.default.svc.cluster.local",
        "https://kubernetes",
        "https://router.home.arpa",
        // Two readings of one text.
        "https://storage.example.com@127.0.0.1",
        "https://user:password@storage.example.com",
        "https://127.0.0.1#@storage.example.com",
        "https://127.0.0.1?.storage.example.com",
        "https://storage.example.com\\@127.0.0.1",
        "https://127.0.0.1\\.storage.example.com",
        "https://127.0.0.1%2f.storage.example.com",
        "https://%31%32%37.0.0.1",
        "https://127.0.0\t.1",
        "https://127.0.0.1\r\n.storage.example.com",
        "https://①②⑦.⓪.⓪.①",
        "https://127。0。0。1",
        "https:///127.0.0.1",
        "https://:443",
    ];

    /// No endpoint of a store, wherever it leads.
    const MALFORMED: [&str; 12] = [
        "",
        "https://",
        "https:127.0.0.1",
        "//storage.example.com",
        "storage.example.com",
        "ftp://storage.example.com",
        "file:///etc/passwd",
        "gopher://storage.example.com",
        "HTTPS://storage.example.com",
        " https://storage.example.com",
        "https://storage.example.com:0",
        "https://storage.example.com:65536",
    ];

    #[test]
    fn no_trick_leads_inside() {
        let closed = Network::default();
        for trick in TRICKS.into_iter().chain(MALFORMED) {
            let refused = closed.endpoint(trick);
            assert!(refused.is_err(), "{trick:?} is dialled as {refused:?}");
        }
    }

    #[test]
    fn public_endpoints_pass_and_are_normal() {
        let closed = Network::default();
        for (endpoint, dialled) in [
            ("https://s3.eu-central-1.amazonaws.com", "https://s3.eu-central-1.amazonaws.com/"),
            ("https://Acme.Blob.Core.Windows.Net", "https://acme.blob.core.windows.net/"),
            ("https://storage.example.com:9000/s3", "https://storage.example.com:9000/s3"),
            ("https://8.8.8.8", "https://8.8.8.8/"),
            ("https://[2600:1f18::1]:443", "https://[2600:1f18::1]/"),
            ("https://localhost.example.com", "https://localhost.example.com/"),
        ] {
            assert_eq!(closed.endpoint(endpoint).map(String::from), Ok(dialled.to_owned()));
        }
    }

    #[test]
    fn an_endless_endpoint_is_refused_and_not_quoted() {
        let name = |labels: usize| format!("https://{}example.com", "a.".repeat(labels));
        assert!(Network::default().endpoint(&name(121)).is_ok());
        for (endpoint, says) in [(name(122), "253 characters"), (name(600), "1000 characters")] {
            let refused = Network::default().endpoint(&endpoint).expect_err("too long").to_string();
            assert!(refused.contains(says) && !refused.contains("a.a."), "{refused}");
        }
    }

    #[test]
    fn what_the_operator_names_is_allowed_and_nothing_beside_it() {
        let network =
            Network::parse(["10.1.0.0/16", "127.0.0.1", "fd00::/8", "minio.internal"]).expect("entries");
        for allowed in
            ["https://10.1.2.3", "http://127.0.0.1:9000", "https://[fd00::1]", "https://minio.internal"]
        {
            assert!(network.endpoint(allowed).is_ok_and(|url| network.names(&url)), "{allowed}");
        }
        for refused in
            ["https://10.2.0.1", "https://127.0.0.2", "https://[fe80::1]", "https://a.minio.internal"]
        {
            assert!(network.endpoint(refused).is_err(), "{refused}");
        }
        assert!(!network.names(&network.endpoint("https://8.8.8.8").expect("public")));
    }

    #[test]
    fn a_name_is_judged_by_all_its_addresses() {
        let (public, inside): (IpAddr, IpAddr) = ([8, 8, 8, 8].into(), [10, 0, 0, 1].into());
        let closed = Network::default();
        assert_eq!(closed.admit("a.example.com", &[public]), Ok(()));
        let error =
            closed.admit("a.example.com", &[public, inside]).expect_err("one leads inside").to_string();
        assert!(error.starts_with("the address 10.0.0.1 is not a public one (private)"), "{error}");
        assert!(closed.admit("a.example.com", &[]).is_err());
        let open = Network::parse(["a.example.com"]).expect("a host");
        assert_eq!(open.admit("a.example.com", &[inside]), Ok(()));
        assert!(open.admit("b.example.com", &[inside]).is_err());
    }

    #[test]
    fn entries_that_are_nothing_are_named() {
        for entry in ["", "10.0.0.0/33", "http://minio", "a b", "minio.internal."] {
            let error = Network::parse([entry]).expect_err(entry).to_string();
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
    }

    proptest! {
        /// However an address is written, what is dialled is what was judged.
        #[test]
        fn no_way_to_write_an_address_changes_the_verdict(address in any::<[u8; 4]>()) {
            let [a, b, c, d] = address;
            let number = u32::from_be_bytes(address);
            let closed = Network::default();
            let public = not_public(address.into()).is_none();
            for text in [
                format!("https://{a}.{b}.{c}.{d}"),
                format!("https://{number}"),
                format!("https://0x{number:x}"),
                format!("https://0{a:o}.0x{b:x}.{c}.0{d:o}"),
                format!("https://{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
            ] {
                prop_assert_eq!(closed.endpoint(&text).is_ok(), public, "{}", text);
            }
            let mapped = format!("https://[::ffff:{a}.{b}.{c}.{d}]");
            prop_assert!(closed.endpoint(&mapped).is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = Network::default().endpoint(&text);
        }
    }
}
