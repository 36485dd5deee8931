//! A destination on Google Cloud Storage.

use serde::{Deserialize, Serialize};

use super::endpoint_bucket::refuse_bucket;
use super::names::{validate_endpoint, validate_gcs_bucket};
use super::{DestinationError, SecretRef, Target};

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
    /// A service account of the customer's, as which the worker's own Google identity may act; the operator
    /// must allow it for the account.
    Impersonate(Impersonate),
    /// The worker's own Google identity; the operator must allow it for the account.
    Ambient,
}

impl GcsCredentials {
    /// Whether it is the worker's own identity that gets in, itself or as somebody who lets any account of
    /// the worker's in: Google's service accounts know whom they trust, and nothing like an external id.
    #[must_use]
    pub fn are_the_workers(&self) -> bool {
        matches!(self, Self::Impersonate(_) | Self::Ambient)
    }
}

/// A service account as which the worker acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impersonate {
    /// Its e-mail address.
    pub service_account: String,
}

/// Longest e-mail address of a service account: a name of 30, a project of 30 in a domain of 253.
const MAX_EMAIL_BYTES: usize = 350;

/// Checks the e-mail address of a service account, which becomes a part of a URL.
///
/// Source: "Service accounts overview", IAM documentation.
#[must_use]
pub fn is_service_account(email: &str) -> bool {
    let plain = |text: &str, marks: &str| {
        text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || marks.contains(c))
    };
    let Some((name, domain)) = email.split_once('@') else { return false };
    email.len() <= MAX_EMAIL_BYTES
        && !name.is_empty()
        && plain(name, "-")
        && plain(domain, "-.")
        && domain.ends_with(".gserviceaccount.com")
        && !domain.starts_with('.')
        && !domain.contains("..")
}

impl Gcs {
    /// The name by which a bucket of Google's own is counted.
    pub(super) fn server(&self) -> String {
        format!("storage.googleapis.com/{}", self.bucket)
    }

    pub(super) fn validate(&self, allow_http: bool) -> Result<(), DestinationError> {
        validate_gcs_bucket(&self.bucket)?;
        validate_endpoint(self.endpoint.as_deref(), allow_http)?;
        refuse_bucket(
            self.endpoint.as_deref(),
            &self.bucket,
            "bucket",
            false,
            "write the endpoint without the bucket, or leave it out for https://storage.googleapis.com",
        )?;
        match &self.credentials {
            GcsCredentials::Impersonate(Impersonate { service_account })
                if !is_service_account(service_account) =>
            {
                Err(DestinationError {
                    field: "credentials.impersonate.service_account",
                    problem: format!("{service_account:?} is not the e-mail address of a service account"),
                    fix: "copy it from IAM: NAME@PROJECT.iam.gserviceaccount.com",
                })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn needs_proof(&self) -> bool {
        self.credentials.are_the_workers()
    }

    /// Whether both are the same bucket.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.bucket == other.bucket && self.endpoint == other.endpoint
    }

    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.credentials {
            GcsCredentials::ServiceAccount(key) => vec![("service_account", key)],
            GcsCredentials::Impersonate(_) | GcsCredentials::Ambient => Vec::new(),
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        let principal = match &self.credentials {
            GcsCredentials::Impersonate(Impersonate { service_account }) => {
                Some(service_account.as_str().into())
            }
            GcsCredentials::ServiceAccount(_) | GcsCredentials::Ambient => None,
        };
        Target { region: None, endpoint: self.endpoint.as_deref(), principal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_one_segment_of_a_url() {
        for good in [
            "auditferry@acme-siem.iam.gserviceaccount.com",
            "123456789012-compute@developer.gserviceaccount.com",
            "auditferry@acme.example.com.iam.gserviceaccount.com",
        ] {
            assert!(is_service_account(good), "{good}");
        }
        for bad in [
            "",
            "auditferry",
            "@acme.iam.gserviceaccount.com",
            "a@gserviceaccount.com",
            "a@evil.example",
            "a@acme.iam.gserviceaccount.com.evil.example",
            "a/b@acme.iam.gserviceaccount.com",
            "a@b@acme.iam.gserviceaccount.com",
            "a:generateIdToken@acme.iam.gserviceaccount.com",
            "a%2f@acme.iam.gserviceaccount.com",
            "a@..gserviceaccount.com",
            "a@acme.iam.gserviceaccount.com\n",
            &format!("{}@acme.iam.gserviceaccount.com", "x".repeat(400)),
        ] {
            assert!(!is_service_account(bad), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_that_names_the_bucket_is_refused() {
        let problem = |endpoint: &str| {
            let endpoint = Some(endpoint.to_owned());
            let place = Gcs { bucket: "acme".into(), endpoint, credentials: GcsCredentials::Ambient };
            place.validate(true).err().map(|error| error.to_string())
        };
        for bad in ["https://acme.storage.googleapis.com", "https://storage.googleapis.com/acme"] {
            let error = problem(bad).unwrap_or_else(|| panic!("accepted {bad}"));
            assert!(
                error.starts_with("destination.endpoint: ") && error.contains("without the bucket"),
                "{error}"
            );
        }
        assert_eq!(problem("https://gateway.example/gcs/"), None);
    }
}
