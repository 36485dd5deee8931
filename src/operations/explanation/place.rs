//! Where a destination is, in the words of its provider.

use serde::{Deserialize, Serialize};

use auditferry_core::model::destination::{Destination, Place};

/// One part of where a destination is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlaceFact {
    /// `region`, `endpoint` or `storage account`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What says where a bucket is, beyond its name.
pub(super) fn place(destination: &Destination) -> Vec<PlaceFact> {
    let fact = |name: &str, value: &str| PlaceFact { name: name.to_owned(), value: value.to_owned() };
    let endpoint = |endpoint: &Option<String>| endpoint.as_deref().map(|url| fact("endpoint", url));
    match &destination.place {
        Place::S3(s3) => {
            [Some(fact("region", &s3.region)), endpoint(&s3.endpoint)].into_iter().flatten().collect()
        }
        Place::Gcs(gcs) => endpoint(&gcs.endpoint).into_iter().collect(),
        Place::Azure(azure) => {
            let account = azure.endpoint.as_deref().and_then(storage_account).map_or_else(
                || fact("storage account", "the one in its connection string"),
                |name| fact("storage account", name),
            );
            [Some(account), endpoint(&azure.endpoint)].into_iter().flatten().collect()
        }
    }
}

/// The account in `https://ACCOUNT.blob.core.windows.net`, or in the path of an emulator's endpoint.
fn storage_account(endpoint: &str) -> Option<&str> {
    let (_, rest) = endpoint.split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match host.split_once(".blob.") {
        Some((account, _)) => Some(account),
        None => Some(path.trim_matches('/')).filter(|account| !account.is_empty()).or(Some(host)),
    }
}
