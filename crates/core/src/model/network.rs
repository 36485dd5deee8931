//! Where a customer's endpoint may lead: to the public internet, and to what the
//! operator allows. Anybody who may set a destination could otherwise send requests,
//! with our address, to the metadata service and to neighbours of the worker.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

mod public;

use public::not_public;

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

    /// The same, and one host that the operator names elsewhere, wherever it leads.
    #[must_use]
    pub fn with_host_of(&self, url: &Url) -> Self {
        let mut more = self.clone();
        match url.host() {
            Some(Host::Ipv4(address)) => more.ranges.push(IpNet::from(IpAddr::from(address))),
            Some(Host::Ipv6(address)) => more.ranges.push(IpNet::from(IpAddr::from(address))),
            Some(Host::Domain(name)) => more.hosts.push(name.to_owned()),
            None => {}
        }
        more
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

    /// The address of a webhook, which may have a query. It has TLS, unless the operator names the host.
    ///
    /// # Errors
    /// As [`Network::endpoint`].
    pub fn webhook(&self, text: &str) -> Result<Url, EndpointError> {
        let (place, query) = text.split_once('?').map_or((text, None), |(place, query)| (place, Some(query)));
        let mut url = self.endpoint(place)?;
        if url.scheme() != "https" && !self.names(&url) {
            return Err(EndpointError {
                problem: "it does not start with https://".to_owned(),
                fix: "use https://, or let the operator add the address or the host to network.allow",
            });
        }
        let plain = |c: char| c.is_ascii_graphic() && c != '#';
        if text.len() > MAX_ENDPOINT || query.is_some_and(|query| !query.chars().all(plain)) {
            return Err(malformed("its query is too long, or holds what stands in no URL"));
        }
        url.set_query(query);
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

#[cfg(test)]
mod tests;
