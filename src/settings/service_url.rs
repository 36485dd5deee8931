//! Where a service of a cloud is, when it is not the cloud's own: for tests.

use serde::Deserialize;
use url::{Host, Url};

use auditferry_core::model::network::well_formed;

/// A service's URL; none: the cloud's own. What is sent there are secrets, so it has TLS
/// or is on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServiceUrl(pub Option<Url>);

impl TryFrom<String> for ServiceUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let form = "write https://HOST, or http://127.0.0.1:PORT for a test, or \"\" for the cloud's own";
        let url = well_formed(&text).map_err(|error| format!("{}; {form}", error.problem))?;
        let here = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        if url.scheme() != "https" && !here {
            return Err(format!("it is without TLS and leads to another machine; {form}"));
        }
        if url.path() != "/" {
            return Err(format!("it has a path; {form}"));
        }
        Ok(Self(Some(url)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_machine() {
        let url = |text: &str| ServiceUrl::try_from(text.to_owned());
        assert_eq!(url(""), Ok(ServiceUrl(None)));
        for good in ["https://login.example.com", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in
            ["http://login.example.com", "http://10.0.0.1", "http://localhost", "https://a.example/x", "x"]
        {
            assert!(url(bad).is_err_and(|problem| problem.contains("write https://HOST")), "{bad}");
        }
    }
}
