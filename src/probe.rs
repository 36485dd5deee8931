//! The probe of a destination: one zero-byte object outside `audit/`, create-only.

use bytes::Bytes;

use crate::account::AccountId;
use crate::destination::Destination;
use crate::store::{Object, PutErrorKind};
use crate::store_cache::StoreCache;
use crate::window::ObjectKey;

/// Why a destination does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFailure {
    /// The error's kind, as in the metrics.
    pub kind: PutErrorKind,
    /// What the store said, without secrets.
    pub message: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// The key of the object that was created, or why none was.
pub type ProbeReport = Result<ObjectKey, ProbeFailure>;

/// Tries a destination as an export would use it, and as no export would name it.
pub async fn probe(stores: &StoreCache, account: &AccountId, destination: &Destination) -> ProbeReport {
    let failure = |kind: PutErrorKind, message: String| ProbeFailure { kind, message, fix: kind.fix() };
    let store = stores
        .open_new(account, destination)
        .await
        .map_err(|error| failure(PutErrorKind::Misconfigured, error.to_string()))?;
    let key = ObjectKey::probe(&destination.prefix, &uuid::Uuid::new_v4().to_string());
    let object = Object {
        key: key.clone(),
        body: Bytes::new(),
        content_type: "application/octet-stream",
        metadata: Vec::new(),
    };
    match store.put(&object).await {
        Ok(_) => Ok(key),
        Err(error) => Err(failure(error.kind, error.to_string())),
    }
}
