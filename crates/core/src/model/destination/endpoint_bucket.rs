//! An endpoint that names the bucket already: requests would name it twice, and objects lie under
//! another key than the ledger says.

use super::{DestinationError, host};

/// Where an endpoint names a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// As the first label of its host.
    InHost,
    /// As the last part of its path.
    InPath,
}

/// Where an endpoint names a bucket, if it does. A host of one label, or an address, names none.
#[must_use]
pub fn names_bucket(endpoint: &str, bucket: &str) -> Option<Named> {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    if path.trim_end_matches('/').rsplit('/').next() == Some(bucket) {
        return Some(Named::InPath);
    }
    let host = host(endpoint).to_ascii_lowercase();
    // A bucket's name may hold dots.
    let before = host.strip_prefix(&bucket.to_ascii_lowercase())?.strip_prefix('.')?;
    before.contains(|c: char| c.is_ascii_alphabetic()).then_some(Named::InHost)
}

/// Refuses an endpoint that names the bucket. `is_meant`: whether the server itself has that name.
pub(super) fn refuse_bucket(
    endpoint: Option<&str>,
    bucket: &str,
    what: &str,
    is_meant: bool,
    fix: &'static str,
) -> Result<(), DestinationError> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    let place = match names_bucket(endpoint, bucket) {
        None => return Ok(()),
        Some(Named::InHost) if is_meant => return Ok(()),
        Some(Named::InHost) => "at the beginning of its host",
        Some(Named::InPath) => "at the end of its path",
    };
    Err(DestinationError {
        field: "endpoint",
        problem: format!(
            "{endpoint:?} has the {what} {bucket:?} {place} already, and objects would lie under another key"
        ),
        fix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_found_in_host_and_path() {
        for (endpoint, bucket, named) in [
            ("https://acme.s3.eu-central-1.amazonaws.com", "acme", Some(Named::InHost)),
            ("https://Acme.Storage.Googleapis.com", "acme", Some(Named::InHost)),
            ("https://logs.acme.com.s3.example", "logs.acme.com", Some(Named::InHost)),
            ("https://0123.r2.cloudflarestorage.com/acme", "acme", Some(Named::InPath)),
            ("https://x.example/storage/v1/s3/acme/", "acme", Some(Named::InPath)),
            ("https://x.example/acme/s3", "acme", None),
            ("https://acmeco.example", "acme", None),
            ("https://s3.example:9000/", "s3", Some(Named::InHost)),
            ("http://minio:9000", "minio", None),
            ("http://127.0.0.1:9000", "127", None),
            ("https://storage.example.com", "acme", None),
        ] {
            assert_eq!(names_bucket(endpoint, bucket), named, "{endpoint} {bucket}");
        }
    }
}
