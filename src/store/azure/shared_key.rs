//! Signs requests to Azure Storage with the account's key, which Microsoft's own
//! crate does not know.
//!
//! Source: "Authorize with Shared Key", Azure Storage REST API, version 2015-02-21 and later.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::connection_string::AccountKey;

/// Headers whose values are signed by position, in this order.
const SIGNED_BY_POSITION: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// The last step before the transport: dates the request and signs it.
pub(super) struct SharedKeyPolicy(AccountKey);

impl SharedKeyPolicy {
    pub(super) fn new(key: AccountKey) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for SharedKeyPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedKeyPolicy").field("account", &self.0.account).finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for SharedKeyPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        let text =
            string_to_sign(&self.0.account, request.method().as_ref(), request.url(), request.headers());
        let signature = sign(&self.0.key, &text)?;
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.0.account));
        match next {
            [following, rest @ ..] => following.send(ctx, request, rest).await,
            [] => Err(other("no transport follows the signing")),
        }
    }
}

fn sign(key: &[u8], text: &str) -> azure_core::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| other("the account key cannot sign"))?;
    mac.update(text.as_bytes());
    Ok(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn other(message: &'static str) -> azure_core::Error {
    azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, message)
}

fn string_to_sign(account: &str, method: &str, url: &Url, headers: &Headers) -> String {
    let mut text = format!("{method}\n");
    for name in SIGNED_BY_POSITION {
        let value = headers.get_optional_str(&HeaderName::from_static(name)).unwrap_or_default();
        // A length of zero is signed as if it were not there.
        if !(name == "content-length" && value == "0") {
            text.push_str(value);
        }
        text.push('\n');
    }
    text.push_str(&canonicalized_headers(headers));
    text.push_str(&canonicalized_resource(account, url));
    text
}

fn canonicalized_headers(headers: &Headers) -> String {
    let sorted: BTreeMap<String, &str> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str().trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    sorted.iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
}

fn canonicalized_resource(account: &str, url: &Url) -> String {
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        query.entry(name.to_ascii_lowercase()).or_default().push(value.into_owned());
    }
    let mut resource = format!("/{account}{}", url.path());
    for (name, mut values) in query {
        values.sort_unstable();
        resource.push_str(&format!("\n{name}:{}", values.join(",")));
    }
    resource
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("url")
    }

    /// The example of "Authorize with Shared Key" (Get Container Metadata).
    #[test]
    fn the_documented_example_gives_the_documented_text() {
        let text = string_to_sign(
            "myaccount",
            "GET",
            &url(
                "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20",
            ),
            &headers(&[("x-ms-version", "2015-02-21"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT")]),
        );
        assert_eq!(
            text,
            "GET\n\n\n\n\n\n\n\n\n\n\n\n\
             x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
             /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        );
    }

    /// The list example of the same page: repeated and mixed-case parameters.
    #[test]
    fn repeated_parameters_are_sorted_and_joined() {
        let resource = canonicalized_resource(
            "myaccount",
            &url(
                "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=list&include=snapshots&include=metadata&INCLUDE=uncommittedblobs",
            ),
        );
        assert_eq!(
            resource,
            "/myaccount/mycontainer\ncomp:list\ninclude:metadata,snapshots,uncommittedblobs\nrestype:container"
        );
    }

    #[test]
    fn a_put_signs_its_length_unless_it_is_zero() {
        let put = |length| {
            string_to_sign(
                "a",
                "PUT",
                &url("http://127.0.0.1:10000/a/c/audit/k.zip"),
                &headers(&[
                    ("content-length", length),
                    ("content-type", "application/octet-stream"),
                    ("if-none-match", "*"),
                    ("x-ms-meta-b", " 2 "),
                    ("x-ms-blob-type", "BlockBlob"),
                ]),
            )
        };
        assert_eq!(
            put("11"),
            "PUT\n\n\n11\n\napplication/octet-stream\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\nx-ms-meta-b:2\n/a/a/c/audit/k.zip"
        );
        assert!(put("0").starts_with("PUT\n\n\n\n\napplication"));
    }

    /// RFC 4231, test case 2, in base64.
    #[test]
    fn the_signature_is_hmac_sha256() {
        let signature = sign(b"Jefe", "what do ya want for nothing?").expect("signs");
        assert_eq!(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }

    #[test]
    fn the_key_is_not_shown() {
        let policy =
            SharedKeyPolicy::new(AccountKey { account: "acme".into(), key: b"HUSH".to_vec().into() });
        let shown = format!("{policy:?}");
        assert!(shown.contains("acme") && !shown.contains("72"), "{shown}");
    }
}
