//! Azure Storage connection strings, as the portal shows them.
//!
//! Source: "Configure Azure Storage connection strings", Azure Storage documentation.

use azure_core::http::Url;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::sas::Sas;
use crate::store::OpenError;

/// The account and key that every Azurite knows; published, so not a secret.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// What a connection string says about blobs.
pub(super) struct ConnectionString {
    /// The account's blob endpoint, without query.
    pub(super) endpoint: Url,
    /// How requests are authorised.
    pub(super) access: Access,
}

/// How requests are authorised.
pub(super) enum Access {
    /// The account's key signs each request.
    Key(AccountKey),
    /// A signature that somebody made before; the part after `?`.
    Sas(Sas),
}

/// An account and its key.
pub(super) struct AccountKey {
    /// The account's name.
    pub(super) account: String,
    /// The key's bytes.
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// The parts that matter here; others, such as `QueueEndpoint`, are for other services.
#[derive(Default)]
struct Parts<'a> {
    account: Option<&'a str>,
    key: Option<&'a str>,
    sas: Option<&'a str>,
    endpoint: Option<&'a str>,
    suffix: Option<&'a str>,
    protocol: Option<&'a str>,
    emulator: Option<&'a str>,
    emulator_proxy: Option<&'a str>,
}

impl ConnectionString {
    /// Reads a connection string; a message names the part that is wrong, never its value.
    pub(super) fn parse(text: &str) -> Result<Self, OpenError> {
        let parts = Parts::split(text)?;
        if let Some(value) = parts.emulator {
            return parts.emulator(value);
        }
        Ok(Self { endpoint: parts.blob_endpoint()?, access: parts.access()? })
    }
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, OpenError> {
        let mut parts = Self::default();
        for (index, part) in text.split(';').enumerate() {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let Some((name, value)) = part.split_once('=') else {
                return Err(malformed(
                    format!("part {} has no =", index + 1),
                    "copy the whole string from the portal: NAME=VALUE parts with ; between them",
                ));
            };
            let value = value.trim();
            let (place, name) = match name.trim().to_ascii_lowercase().as_str() {
                "accountname" => (&mut parts.account, "AccountName"),
                "accountkey" => (&mut parts.key, "AccountKey"),
                "sharedaccesssignature" => (&mut parts.sas, "SharedAccessSignature"),
                "blobendpoint" => (&mut parts.endpoint, "BlobEndpoint"),
                "endpointsuffix" => (&mut parts.suffix, "EndpointSuffix"),
                "defaultendpointsprotocol" => (&mut parts.protocol, "DefaultEndpointsProtocol"),
                "usedevelopmentstorage" => (&mut parts.emulator, "UseDevelopmentStorage"),
                "developmentstorageproxyuri" => (&mut parts.emulator_proxy, "DevelopmentStorageProxyUri"),
                _ => continue,
            };
            if value.is_empty() {
                return Err(malformed(format!("{name} is empty"), "copy the whole string from the portal"));
            }
            if place.replace(value).is_some() {
                return Err(malformed(format!("{name} is given twice"), "keep the right one"));
            }
        }
        Ok(parts)
    }

    fn emulator(&self, value: &str) -> Result<ConnectionString, OpenError> {
        if !value.eq_ignore_ascii_case("true") {
            return Err(malformed(
                "UseDevelopmentStorage is not true",
                "write UseDevelopmentStorage=true, or leave it out",
            ));
        }
        let endpoint = match self.emulator_proxy {
            None => EMULATOR_ENDPOINT.to_owned(),
            Some(proxy) => format!("{}:10000/{EMULATOR_ACCOUNT}", proxy.trim_end_matches('/')),
        };
        let endpoint = url("DevelopmentStorageProxyUri", &endpoint)?;
        let key = decode_key(EMULATOR_KEY)?;
        let access = Access::Key(AccountKey { account: EMULATOR_ACCOUNT.to_owned(), key });
        Ok(ConnectionString { endpoint, access })
    }

    fn blob_endpoint(&self) -> Result<Url, OpenError> {
        if let Some(endpoint) = self.endpoint {
            return url("BlobEndpoint", endpoint);
        }
        let account = self.account.ok_or_else(|| {
            malformed(
                "it has neither BlobEndpoint nor AccountName",
                "copy the whole string from the portal, under the account's Access keys",
            )
        })?;
        validate_account(account)?;
        let protocol = self.protocol.unwrap_or("https").to_ascii_lowercase();
        if protocol != "https" && protocol != "http" {
            return Err(malformed(
                "DefaultEndpointsProtocol is neither https nor http",
                "write DefaultEndpointsProtocol=https",
            ));
        }
        let suffix = self.suffix.unwrap_or("core.windows.net");
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
        if !suffix.chars().all(plain) {
            return Err(malformed(
                "EndpointSuffix is not a host name",
                "write EndpointSuffix=core.windows.net",
            ));
        }
        url("EndpointSuffix", &format!("{protocol}://{account}.blob.{suffix}"))
    }

    fn access(&self) -> Result<Access, OpenError> {
        match (self.key, self.sas) {
            (Some(_), Some(_)) => Err(malformed(
                "it has both AccountKey and SharedAccessSignature",
                "remove AccountKey: the signature is the narrower permission",
            )),
            (None, Some(text)) => {
                Ok(Access::Sas(Sas::parse(text, "credentials.connection_string", "SharedAccessSignature")?))
            }
            (Some(key), None) => {
                let account = self.account.ok_or_else(|| {
                    malformed(
                        "it has AccountKey and no AccountName",
                        "add AccountName=, the storage account's name",
                    )
                })?;
                validate_account(account)?;
                Ok(Access::Key(AccountKey { account: account.to_owned(), key: decode_key(key)? }))
            }
            (None, None) => Err(malformed(
                "it has neither AccountKey nor SharedAccessSignature",
                "copy the whole string from the portal, under Access keys or Shared access signature",
            )),
        }
    }
}

/// Source: "Storage account name", Azure Storage documentation.
fn validate_account(account: &str) -> Result<(), OpenError> {
    let good = (3..=24).contains(&account.len())
        && account.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if good {
        return Ok(());
    }
    Err(malformed(
        "AccountName is not 3 to 24 lowercase letters and digits",
        "write the storage account's name as the portal shows it",
    ))
}

fn decode_key(key: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    BASE64_STANDARD
        .decode(key)
        .map(Zeroizing::new)
        .map_err(|_| malformed("AccountKey is not base64", "copy the key whole, with the == at its end"))
}

fn url(part: &'static str, text: &str) -> Result<Url, OpenError> {
    let fix = "write it as https://NAME.blob.core.windows.net";
    let url = Url::parse(text).map_err(|_| malformed(format!("{part} does not give a URL"), fix))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(malformed(format!("{part} is not an https URL"), fix));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(malformed(format!("{part} holds more than scheme, host, port and path"), fix));
    }
    Ok(url)
}

fn malformed(problem: impl Into<String>, fix: &'static str) -> OpenError {
    OpenError::Malformed { field: "credentials.connection_string", problem: problem.into(), fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAS: &str = "sv=2024-11-04&ss=b&srt=o&sp=c&se=2030-01-01T00:00:00Z&sig=HU%2FSH%3D";

    fn parse(text: &str) -> ConnectionString {
        ConnectionString::parse(text).unwrap_or_else(|e| panic!("{e}"))
    }

    fn refused(text: &str) -> String {
        let error = ConnectionString::parse(text).err().unwrap_or_else(|| panic!("accepted {text}"));
        error.to_string()
    }

    fn key(parsed: &ConnectionString) -> (&str, &[u8]) {
        match &parsed.access {
            Access::Key(key) => (&key.account, &key.key),
            Access::Sas(_) => panic!("a SAS"),
        }
    }

    #[test]
    fn the_portals_string_is_read() {
        let parsed = parse(
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=SFVTSA==;EndpointSuffix=core.windows.net",
        );
        assert_eq!(parsed.endpoint.as_str(), "https://acme.blob.core.windows.net/");
        assert_eq!(key(&parsed), ("acme", b"HUSH".as_slice()));
    }

    #[test]
    fn order_case_blanks_and_parts_of_other_services_do_not_matter() {
        let parsed = parse(
            " accountkey=SFVTSA== ;QueueEndpoint=https://q.example/;ACCOUNTNAME=acme;endpointsuffix=core.chinacloudapi.cn;Whatever=1;",
        );
        assert_eq!(parsed.endpoint.as_str(), "https://acme.blob.core.chinacloudapi.cn/");
        assert_eq!(key(&parsed).1, b"HUSH");
    }

    #[test]
    fn a_signature_keeps_its_equal_signs() {
        let parsed =
            parse(&format!("BlobEndpoint=https://blobs.acme.example/x;SharedAccessSignature=?{SAS}"));
        assert_eq!(parsed.endpoint.as_str(), "https://blobs.acme.example/x");
        match parsed.access {
            Access::Sas(sas) => assert_eq!(sas.query.expose(), SAS),
            Access::Key(_) => panic!("a key"),
        }
    }

    #[test]
    fn development_storage_is_azurite() {
        let parsed = parse("UseDevelopmentStorage=true");
        assert_eq!(parsed.endpoint.as_str(), "http://127.0.0.1:10000/devstoreaccount1");
        assert_eq!(key(&parsed).0, "devstoreaccount1");
        let proxied = parse("UseDevelopmentStorage=TRUE;DevelopmentStorageProxyUri=http://azurite");
        assert_eq!(proxied.endpoint.as_str(), "http://azurite:10000/devstoreaccount1");
    }

    #[test]
    fn each_refusal_names_the_part_and_shows_no_secret() {
        let cases = [
            ("HUSH", "part 1 has no ="),
            ("AccountName=acme;HUSH", "part 2 has no ="),
            ("AccountName=acme", "neither AccountKey nor SharedAccessSignature"),
            ("AccountKey=SFVTSA==", "neither BlobEndpoint nor AccountName"),
            ("AccountKey=SFVTSA==;BlobEndpoint=https://a.example", "no AccountName"),
            ("AccountName=acme;AccountKey=HUSH!", "AccountKey is not base64"),
            ("AccountName=acme;AccountKey=", "AccountKey is empty"),
            ("AccountName=acme;AccountKey=SFVTSA==;AccountKey=HUSH", "AccountKey is given twice"),
            ("AccountName=Acme.Corp;AccountKey=SFVTSA==", "AccountName is not"),
            ("AccountName=acme;AccountKey=SFVTSA==;DefaultEndpointsProtocol=ftp", "DefaultEndpointsProtocol"),
            ("AccountName=acme;AccountKey=SFVTSA==;EndpointSuffix=a/b", "EndpointSuffix"),
            ("AccountName=acme;AccountKey=SFVTSA==;BlobEndpoint=acme", "BlobEndpoint does not give a URL"),
            (
                "AccountName=acme;AccountKey=SFVTSA==;BlobEndpoint=https://a/?sig=HUSH",
                "BlobEndpoint holds more",
            ),
            (
                "BlobEndpoint=https://a;SharedAccessSignature=sv=1&se=HUSH",
                "SharedAccessSignature has no sig=",
            ),
            (
                "BlobEndpoint=https://a;SharedAccessSignature=https://a/?sv=1&sig=HUSH",
                "SharedAccessSignature is not the query of a URL",
            ),
            ("AccountName=acme;AccountKey=SFVTSA==;SharedAccessSignature=sv=1&sig=HUSH", "has both"),
            ("UseDevelopmentStorage=false", "UseDevelopmentStorage is not true"),
        ];
        for (text, expected) in cases {
            let message = refused(text);
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("HUSH") && !message.contains("SFVTSA"), "{message}");
            assert!(message.starts_with("destination.credentials.connection_string: "), "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_or_is_echoed(text in "([A-Za-z]{0,21}=?[a-zA-Z0-9+/=&?:; ]{0,40}){0,5}") {
            let _ = ConnectionString::parse(&text);
            let _ = ConnectionString::parse(&format!("AccountName=acme;AccountKey=QUJD;{text}"));
        }
    }
}
