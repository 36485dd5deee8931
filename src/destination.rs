//! A destination: the account's one bucket or container. A value of one of
//! three kinds, so that "exactly one" is a type and not a check.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

mod names;
mod reference;

use names::{
    validate_container, validate_endpoint, validate_gcs_bucket, validate_prefix, validate_s3_bucket,
    validate_text,
};

/// Longest prefix, in bytes, so that every key stays under the clouds' 1,024.
pub const MAX_PREFIX_BYTES: usize = 100;

/// What to do about an endpoint without TLS.
pub const HTTPS_ONLY: &str =
    "write https://, or for a store on loopback set allow_http = true (--allow-http) on the destination";

/// Where a secret is read: never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable of the worker.
    Env(String),
    /// A file that the worker can read.
    File(PathBuf),
    /// A secret that the ledger holds sealed.
    Sealed(SealedId),
}

/// The name of a sealed secret: random, so that it tells nothing of the secret, and
/// another one whenever a secret is given again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedId(pub String);

impl fmt::Display for SealedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "{{ env = \"{name}\" }}"),
            Self::File(path) => write!(f, "{{ file = \"{}\" }}", path.display()),
            Self::Sealed(id) => write!(f, "{{ sealed = \"{id}\" }}"),
        }
    }
}

/// One bucket or container, and what stands before `audit/` in its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Empty, or folders that end in `/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether the store may be spoken to without TLS: for loopback and for tests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
    /// The bucket itself.
    #[serde(flatten)]
    pub place: Place,
}

/// The three kinds of store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Place {
    /// Amazon S3 or a compatible store.
    S3(S3),
    /// Google Cloud Storage.
    Gcs(Gcs),
    /// Azure Blob Storage.
    Azure(Azure),
}

/// A bucket of Amazon S3 or of a compatible store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's region; compatible stores mostly take `us-east-1`.
    pub region: String,
    /// Base URL of a compatible store; absent: Amazon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`; absent: only with an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// How the worker proves who it is.
    pub credentials: S3Credentials,
}

/// Credentials for S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum S3Credentials {
    /// An access key that the customer created.
    AccessKey(AccessKey),
    /// The worker's own AWS identity; the operator must allow it for the account.
    Ambient,
}

/// An AWS access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The access key id, which is not a secret.
    pub id: String,
    /// The secret access key.
    pub secret: SecretRef,
    /// The session token of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretRef>,
}

/// A bucket of Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gcs {
    /// The bucket's name.
    pub bucket: String,
    /// Base URL of another server of the same API; absent: Google.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How the worker proves who it is.
    pub credentials: GcsCredentials,
}

/// Credentials for Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GcsCredentials {
    /// The JSON key of a service account.
    ServiceAccount(SecretRef),
}

/// A container of Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Azure {
    /// The container's name.
    pub container: String,
    /// The account's blob endpoint, `https://NAME.blob.core.windows.net`; needed with
    /// `sas`, refused with `connection_string`, which names it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How the worker proves who it is.
    pub credentials: AzureCredentials,
}

/// Credentials for Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AzureCredentials {
    /// A connection string as the portal shows it.
    ConnectionString(SecretRef),
    /// A shared access signature, the part after `?`.
    Sas(SecretRef),
}

/// Why a destination cannot be right; each names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("destination.{field}: {problem}; {fix}")]
pub struct DestinationError {
    /// The field's name, as in the exports file.
    pub field: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl Destination {
    /// Who answers its puts, as a name by which accounts are counted: the server of an
    /// endpoint that is given; in the large clouds, where one bucket says nothing of
    /// another, the bucket. Holds no secret.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match &self.place {
            Place::S3(S3 { endpoint: Some(url), .. })
            | Place::Gcs(Gcs { endpoint: Some(url), .. })
            | Place::Azure(Azure { endpoint: Some(url), .. }) => host(url).to_ascii_lowercase(),
            Place::S3(s3) => format!("{}.s3.{}.amazonaws.com", s3.bucket, s3.region),
            Place::Gcs(gcs) => format!("storage.googleapis.com/{}", gcs.bucket),
            // The server stands in the connection string, which is a secret.
            Place::Azure(Azure { container, credentials, .. }) => match credentials {
                AzureCredentials::ConnectionString(secret) | AzureCredentials::Sas(secret) => {
                    format!("{container} of {secret}")
                }
            },
        }
    }

    /// Checks everything that can be known without asking the cloud.
    ///
    /// # Errors
    /// The first field that the cloud would refuse.
    pub fn validate(&self) -> Result<(), DestinationError> {
        validate_prefix(&self.prefix)?;
        match &self.place {
            Place::S3(s3) => {
                validate_s3_bucket(&s3.bucket)?;
                validate_text("region", &s3.region, "name the bucket's region, such as eu-central-1")?;
                validate_endpoint(s3.endpoint.as_deref(), self.allow_http)?;
                if let S3Credentials::AccessKey(key) = &s3.credentials {
                    validate_text("credentials.access_key.id", &key.id, "give the access key id")?;
                }
                Ok(())
            }
            Place::Gcs(gcs) => {
                validate_gcs_bucket(&gcs.bucket)?;
                validate_endpoint(gcs.endpoint.as_deref(), self.allow_http)
            }
            Place::Azure(azure) => {
                validate_container(&azure.container)?;
                validate_endpoint(azure.endpoint.as_deref(), self.allow_http)?;
                match (&azure.credentials, &azure.endpoint) {
                    (AzureCredentials::Sas(_), None) => Err(DestinationError {
                        field: "endpoint",
                        problem: "it is missing".into(),
                        fix: "a SAS needs the account's blob endpoint, https://NAME.blob.core.windows.net",
                    }),
                    (AzureCredentials::ConnectionString(_), Some(_)) => Err(DestinationError {
                        field: "endpoint",
                        problem: "it is given beside a connection string".into(),
                        fix: "remove it: the connection string names the endpoint (BlobEndpoint)",
                    }),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Whether an object under a key of `other` may be the one under the same key here.
    /// A connection string hides its endpoint, so there the container's name decides.
    #[must_use]
    pub fn may_share_objects(&self, other: &Self) -> bool {
        let same_place = match (&self.place, &other.place) {
            (Place::S3(a), Place::S3(b)) => a.bucket == b.bucket && a.endpoint == b.endpoint,
            (Place::Gcs(a), Place::Gcs(b)) => a.bucket == b.bucket && a.endpoint == b.endpoint,
            (Place::Azure(a), Place::Azure(b)) => {
                let known = a.endpoint.is_some() && b.endpoint.is_some();
                a.container == b.container && (!known || a.endpoint == b.endpoint)
            }
            _ => false,
        };
        same_place && self.prefix == other.prefix
    }

    /// Its secrets, each with the name of its field.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.place {
            Place::S3(s3) => match &s3.credentials {
                S3Credentials::AccessKey(key) => {
                    let token = key.session_token.iter().map(|token| ("access_key.session_token", token));
                    std::iter::once(("access_key.secret", &key.secret)).chain(token).collect()
                }
                S3Credentials::Ambient => Vec::new(),
            },
            Place::Gcs(gcs) => {
                let GcsCredentials::ServiceAccount(key) = &gcs.credentials;
                vec![("service_account", key)]
            }
            Place::Azure(azure) => match &azure.credentials {
                AzureCredentials::ConnectionString(text) => vec![("connection_string", text)],
                AzureCredentials::Sas(sas) => vec![("sas", sas)],
            },
        }
    }

    /// Where a secret of this destination may be used, and for whom: a sealed secret is
    /// bound to all of it. A prefix is not part of it, as it does not change who gets to
    /// see the secret's signature.
    #[must_use]
    pub fn identity(&self) -> Vec<(&'static str, String)> {
        let (region, endpoint, principal) = match &self.place {
            Place::S3(s3) => {
                let principal = match &s3.credentials {
                    S3Credentials::AccessKey(key) => Some(&key.id),
                    S3Credentials::Ambient => None,
                };
                (Some(&s3.region), s3.endpoint.as_ref(), principal)
            }
            Place::Gcs(gcs) => (None, gcs.endpoint.as_ref(), None),
            Place::Azure(azure) => (None, azure.endpoint.as_ref(), None),
        };
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        vec![
            ("kind", self.kind().to_owned()),
            ("bucket", self.bucket().to_owned()),
            ("region", text(region)),
            ("endpoint", text(endpoint)),
            ("tls", if self.allow_http { "optional" } else { "required" }.to_owned()),
            ("principal", text(principal)),
        ]
    }

    /// The kind's name as in the exports file: `s3`, `gcs` or `azure`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.place {
            Place::S3(_) => "s3",
            Place::Gcs(_) => "gcs",
            Place::Azure(_) => "azure",
        }
    }

    /// The bucket's or container's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        match &self.place {
            Place::S3(s3) => &s3.bucket,
            Place::Gcs(gcs) => &gcs.bucket,
            Place::Azure(azure) => &azure.container,
        }
    }
}

/// `s3://bucket/prefix`: what a person calls the place. Holds no secret.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.kind(), self.bucket(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_server_or_in_the_large_clouds_a_bucket() {
        let mut destination = s3("siem");
        assert_eq!(destination.endpoint(), "siem.s3.eu-central-1.amazonaws.com");
        if let Place::S3(place) = &mut destination.place {
            place.endpoint = Some("https://MinIO.example:9000/base".into());
        }
        assert_eq!(destination.endpoint(), "minio.example:9000");
        let secret = SecretRef::Env("AZURE".into());
        destination.place = Place::Azure(Azure {
            container: "logs".into(),
            endpoint: None,
            credentials: AzureCredentials::ConnectionString(secret),
        });
        assert_eq!(destination.endpoint(), r#"logs of { env = "AZURE" }"#);
    }

    fn s3(bucket: &str) -> Destination {
        Destination {
            prefix: String::new(),
            allow_http: true,
            place: Place::S3(S3 {
                bucket: bucket.into(),
                region: "eu-central-1".into(),
                endpoint: None,
                path_style: None,
                credentials: S3Credentials::Ambient,
            }),
        }
    }

    #[test]
    fn bucket_names_that_s3_would_refuse_are_refused() {
        assert_eq!(s3("acme-siem.logs").validate(), Ok(()));
        for bad in ["ab", "Acme", "a_b_c", "-abc", "abc.", "a..b", "192.168.1.1", "xn--abc", &"x".repeat(64)]
        {
            assert_eq!(s3(bad).validate().map_err(|e| e.field), Err("bucket"), "{bad}");
        }
    }

    #[test]
    fn bucket_names_that_google_or_azure_would_refuse_are_refused() {
        assert!(validate_gcs_bucket("acme_siem").is_ok());
        for bad in ["goog-x", "my-google-x", "a..b", "Abc", "ab"] {
            assert!(validate_gcs_bucket(bad).is_err(), "{bad}");
        }
        assert!(validate_container("acme-siem").is_ok());
        for bad in ["acme--siem", "acme_siem", "Acme", "-acme", "ab"] {
            assert!(validate_container(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_stays_inside_the_bucket() {
        for good in ["", "siem/", "a/b=c/"] {
            assert_eq!(validate_prefix(good), Ok(()), "{good}");
        }
        for bad in ["siem", "/siem/", "a//b/", "../", "a/./", "a b/", "ä/"] {
            assert!(validate_prefix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_must_be_allowed() {
        let with = |endpoint: &str, allow_http| {
            let mut destination = Destination { allow_http, ..s3("acme-siem") };
            if let Place::S3(place) = &mut destination.place {
                place.endpoint = Some(endpoint.to_owned());
            }
            destination.validate().map_err(|error| error.problem)
        };
        assert_eq!(with("http://localhost:9000", true), Ok(()));
        assert_eq!(with("https://localhost:9000", false), Ok(()));
        assert!(with("http://localhost:9000", false).is_err_and(|problem| problem.contains("without TLS")));
    }

    #[test]
    fn an_azure_endpoint_goes_with_a_sas_only() {
        let azure = |endpoint: Option<&str>, credentials| Destination {
            prefix: String::new(),
            allow_http: true,
            place: Place::Azure(Azure {
                container: "acme".into(),
                endpoint: endpoint.map(str::to_owned),
                credentials,
            }),
        };
        let secret = || SecretRef::Env("X".into());
        assert!(azure(None, AzureCredentials::Sas(secret())).validate().is_err());
        assert!(
            azure(Some("https://a.blob.core.windows.net"), AzureCredentials::Sas(secret()))
                .validate()
                .is_ok()
        );
        assert!(azure(Some("https://a.x"), AzureCredentials::ConnectionString(secret())).validate().is_err());
    }

    #[test]
    fn a_destination_reads_as_it_is_written() {
        let toml = r#"
            kind = "s3"
            bucket = "acme-siem"
            region = "eu-central-1"
            prefix = "siem/"
            credentials = { access_key = { id = "AKIA", secret = { env = "ACME" } } }
        "#;
        let destination: Destination = toml::from_str(toml).expect("reads");
        assert_eq!(destination.to_string(), "s3://acme-siem/siem/");
        let json = serde_json::to_string(&destination).expect("writes");
        assert_eq!(serde_json::from_str::<Destination>(&json).expect("reads"), destination);
    }
}
