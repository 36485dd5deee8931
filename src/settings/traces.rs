//! `[traces]`: the collector that gets traces.

use serde::Deserialize;
use url::Url;

use super::oidc::is_here;
use super::{PasswordRef, SettingsError};
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::network::well_formed;

/// See `config/default.toml`, `[traces]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct TraceSettings {
    pub endpoint: String,
    pub sample: f64,
    pub headers: Vec<TraceHeader>,
}

/// A header that a collector wants, and where its value is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TraceHeader {
    /// Its name.
    pub name: String,
    /// Where its value is.
    pub value: SecretRef,
}

impl TryFrom<String> for TraceHeader {
    type Error = &'static str;

    // Without what was written: it may be the value.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let form = "it is no reference; write NAME=file:PATH or NAME=env:NAME, never the value";
        let (name, value) = text.split_once('=').ok_or(form)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let value = PasswordRef::try_from(value.to_owned()).map_err(|_| form)?.0.ok_or(form)?;
        match !name.is_empty() && name.chars().all(plain) {
            true => Ok(Self { name: name.to_ascii_lowercase(), value }),
            false => Err(form),
        }
    }
}

impl TraceSettings {
    /// Where traces go; none: nowhere.
    #[must_use]
    pub fn url(&self) -> Option<Url> {
        if self.endpoint.is_empty() { None } else { well_formed(&self.endpoint).ok() }
    }

    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: String| Err(SettingsError::Invalid { key, problem });
        let form = "write the collector's URL for traces, such as http://127.0.0.1:4318/v1/traces";
        if !(0.0..=1.0).contains(&self.sample) {
            return invalid(
                "traces.sample",
                format!("it is {}; write a share from 0 to 1, such as 0.1", self.sample),
            );
        }
        if self.endpoint.is_empty() {
            return Ok(());
        }
        match well_formed(&self.endpoint) {
            Err(error) => invalid("traces.endpoint", format!("{}; {form}", error.problem)),
            Ok(url) if url.path() == "/" => invalid("traces.endpoint", format!("it has no path; {form}")),
            Ok(url) if url.scheme() != "https" && !is_here(&url) && !self.headers.is_empty() => invalid(
                "traces.endpoint",
                "it is without TLS, and traces.headers would go there in the clear; write https://".into(),
            ),
            Ok(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_named_and_never_quoted() {
        let header = |text: &str| TraceHeader::try_from(text.to_owned());
        assert!(header("Authorization=env:X").is_ok_and(|header| header.name == "authorization"));
        for bad in ["HUSH", "x=HUSH", "=env:X", "a b=env:X", "x=", "x=env:"] {
            assert!(header(bad).is_err_and(|problem| !problem.contains("HUSH")), "{bad}");
        }
    }

    #[test]
    fn a_header_never_goes_in_the_clear() {
        let of = |endpoint: &str, headers: &[&str]| {
            let headers =
                headers.iter().map(|text| TraceHeader::try_from((*text).to_owned()).expect("header"));
            TraceSettings { endpoint: endpoint.to_owned(), sample: 1.0, headers: headers.collect() }
                .validate()
        };
        assert!(of("", &[]).is_ok() && of("http://collector:4318/v1/traces", &[]).is_ok());
        assert!(of("http://collector:4318/v1/traces", &["x=env:X"]).is_err());
        assert!(of("https://collector:4318/v1/traces", &["x=env:X"]).is_ok());
        assert!(of("http://127.0.0.1:4318/v1/traces", &["x=env:X"]).is_ok());
        assert!(of("http://127.0.0.1:4318", &[]).is_err() && of("collector", &[]).is_err());
    }
}
