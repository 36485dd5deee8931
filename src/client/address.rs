//! The address of a server: its origin, and nothing that a token would have to be careful of.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::ClientError;

/// Where an API is served: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress(Url);

impl ServerAddress {
    /// Reads an address. `clear`: it may be one without TLS, wherever it leads.
    ///
    /// # Errors
    /// What is wrong with it, and the fix. Nothing of it is quoted before it is known to hold no password.
    pub fn parse(text: &str, clear: bool) -> Result<Self, String> {
        const FORM: &str = "write it as https://audit.example.com or http://127.0.0.1:9465";
        let mut url: Url = text.parse().map_err(|error| format!("it is no URL ({error}); {FORM}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!(
                "it holds a name or a password; {FORM}, and keep the token with `auditferry login`"
            ));
        }
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(format!("it is no address of a web server; {FORM}"));
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !matches!(url.path(), "" | "/" | "/api/v1" | "/api/v1/")
        {
            return Err(format!("something stands behind the host and the port; {FORM}"));
        }
        url.set_path("/");
        let address = Self(url);
        if address.is_clear() && !clear && !address.is_loopback() {
            return Err(format!(
                "a token would go to {address} in the clear; write https://, or add --insecure-http if the network \
                 between is trusted"
            ));
        }
        Ok(address)
    }

    /// Whether it is without TLS.
    pub(super) fn is_clear(&self) -> bool {
        self.0.scheme() == "http"
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
            Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
            None => false,
        }
    }

    /// The address of a request. Each part of the path is one, whatever stands in it.
    pub(super) fn url(&self, path: &[&str], query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.clear().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// No connection was made.
    pub(super) fn out_of_reach(&self, cause: &str) -> ClientError {
        let fix = if cause.contains("certificate") {
            "if a CA of your own has signed its certificate, name that CA's certificate with --ca-file"
        } else {
            "check the address, and whether `auditferry serve`, or `auditferry run` with api.listen, runs there"
        };
        ClientError::Failed(format!("{self} cannot be reached: {cause}; {fix}"))
    }

    /// A request was sent, and no answer came. `changes`: it was to change something.
    pub(super) fn silent(&self, cause: &str, changes: bool) -> ClientError {
        let known = if changes {
            "whether the change was made is not known: see `auditferry changes ls` before it is given again"
        } else {
            "try again"
        };
        ClientError::Failed(format!("{self} has not answered: {cause}; {known}"))
    }

    /// The server leads to another address.
    pub(super) fn leads_elsewhere(&self, to: Option<&str>) -> ClientError {
        let whole = to.and_then(|to| self.0.join(to).ok()).filter(|to| to.host().is_some());
        let to = whole.map_or_else(|| "another address".to_owned(), |to| to.origin().ascii_serialization());
        ClientError::Failed(format!(
            "{self} leads to {to}, and a token is sent to no other address than it is for; if that one is right, give it \
             with --server, and keep a token for it with `auditferry login`"
        ))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_travel_in_the_clear() {
        for loopback in ["http://127.0.0.1:9465", "http://localhost", "http://[::1]:80/", "http://127.9.9.9"]
        {
            assert!(ServerAddress::parse(loopback, false).is_ok(), "{loopback}");
        }
        for far in [
            "http://audit.example.com",
            "http://10.0.0.1:9465",
            "http://localhost.example.com",
            "http://0.0.0.0",
        ] {
            let refused = ServerAddress::parse(far, false).expect_err(far);
            assert!(refused.contains("in the clear") && refused.contains("--insecure-http"), "{refused}");
            assert!(ServerAddress::parse(far, true).is_ok(), "{far}");
        }
        for wrong in [
            "audit.example.com",
            "ftp://a.example",
            "https://a.example/x",
            "https://a.example?x=1",
            "file:///x",
        ] {
            assert!(ServerAddress::parse(wrong, true).is_err(), "{wrong}");
        }
        let refused = ServerAddress::parse("https://ana:HUSH@a.example", false).expect_err("a password");
        assert!(!refused.contains("HUSH"), "{refused}");
    }

    #[test]
    fn an_origin_has_one_name() {
        let name = |text| ServerAddress::parse(text, false).expect(text).to_string();
        for same in [
            "https://Audit.Example.com",
            "https://audit.example.com:443/",
            "https://audit.example.com/api/v1",
        ] {
            assert_eq!(name(same), "https://audit.example.com");
        }
        assert_eq!(name("http://127.0.0.1:9465/"), "http://127.0.0.1:9465");
    }

    #[test]
    fn a_part_of_a_path_stays_one() {
        let server = ServerAddress::parse("https://a.example", false).expect("address");
        let url = server.url(&["accounts", "a/b?c %é", "destination"], &[("key", "x&y=z".to_owned())]);
        assert_eq!(
            url.as_str(),
            "https://a.example/api/v1/accounts/a%2Fb%3Fc%20%25%C3%A9/destination?key=x%26y%3Dz"
        );
    }

    #[test]
    fn where_a_server_leads_is_named() {
        let server = ServerAddress::parse("https://a.example", false).expect("address");
        for (to, named) in [
            (Some("https://evil.example/login?next=x"), "https://evil.example"),
            (Some("/login"), "https://a.example"),
            (None, "another address"),
        ] {
            let ClientError::Failed(told) = server.leads_elsewhere(to) else { panic!("it fails") };
            assert!(told.contains(&format!("leads to {named},")), "{told}");
        }
    }
}
