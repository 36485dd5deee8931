//! The operator's own bucket in which the files of downloads are, each in parts. A part is put create-only by the one
//! who makes the file, in the order of the parts; a file is whole once the ledger says so.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::secrets::Opened;
use crate::store::{Dialer, OpenError, open};
use auditferry_core::archive::CONTENT_SHA256;
use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::OwnKey;
use auditferry_core::protocol::Attempt;
use auditferry_core::store::{Object, Outcome, PutError, PutErrorKind, Store, deliver};
use auditferry_core::text::hex::hex;

/// How many bytes a part has, but the last one. So much of a file is in memory when it is made, and when it is fetched.
pub(super) const PART_BYTES: usize = 8 << 20;

/// How often a part is put before the file is begun anew.
const TRIES: u32 = 4;

/// A bucket, and where in it.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Bucket {
    /// Opens it; sends nothing. `text`: TOML with the fields of a destination.
    ///
    /// # Errors
    /// A sentence with the field and the fix.
    pub async fn open(text: &str, dialer: Dialer) -> Result<Self, String> {
        let destination: Destination = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        destination.validate().map_err(|error| error.to_string())?;
        if let Some((field, _)) = destination.secrets().iter().find(|(_, secret)| secret.sealed().is_some()) {
            return Err(format!("{field}: it is sealed for an account; name a file or a variable"));
        }
        // The operator's own identity in the operator's own bucket needs no further leave.
        let store = open(&destination, &Opened::default(), true, &dialer.reading(2 * PART_BYTES)).await;
        let store = store.map_err(|error: OpenError| error.to_string())?;
        Ok(Self { store, prefix: destination.prefix })
    }

    /// One that is open already.
    #[cfg(test)]
    pub(super) fn of(store: Arc<dyn Store>, prefix: &str) -> Self {
        Self { store, prefix: prefix.to_owned() }
    }

    fn key(&self, file: &str, number: u32) -> OwnKey {
        OwnKey::part(&self.prefix, file, number)
    }

    /// Puts a part, and says whether it is there.
    pub(super) async fn put(&self, file: &str, number: u32, body: Bytes) -> Result<(), PutError> {
        let object = Object {
            key: self.key(file, number).object().clone(),
            metadata: vec![(CONTENT_SHA256, hex(&Sha256::digest(&body)))],
            body,
            content_type: "application/octet-stream",
        };
        let mut attempt = Attempt { window: 0, ordinal: number, number: 1, doubtful: false };
        loop {
            let (tried, error) = match deliver(&*self.store, attempt, &object).await {
                Outcome::Delivered(_) => return Ok(()),
                Outcome::Foreign(_, error) => return Err(error),
                Outcome::Failed(tried, error) => (tried, error),
            };
            if tried.number >= TRIES || error.kind.needs_customer() {
                return Err(error);
            }
            attempt = Attempt { number: tried.number + 1, doubtful: true, ..tried };
        }
    }

    /// What a part holds.
    pub(super) async fn get(&self, file: &str, number: u32) -> Result<Bytes, PutError> {
        self.store.get(&self.key(file, number)).await
    }

    /// Removes all parts of a file, the last one first: what is left after an interruption is found by the first ones.
    pub(super) async fn remove(&self, file: &str) -> Result<(), PutError> {
        let mut parts = 0;
        while self.is_there(file, parts + 1).await? {
            parts += 1;
        }
        for number in (1..=parts).rev() {
            self.remove_part(file, number).await?;
        }
        Ok(())
    }

    pub(super) async fn remove_part(&self, file: &str, number: u32) -> Result<(), PutError> {
        self.store.remove(&self.key(file, number)).await
    }

    async fn is_there(&self, file: &str, number: u32) -> Result<bool, PutError> {
        match self.store.head(self.key(file, number).object()).await {
            Ok(_) => Ok(true),
            // Of an object a 404 says that: parts are put before, so the bucket is there.
            Err(error) if error.kind == PutErrorKind::NoSuchBucket => Ok(false),
            Err(error) => Err(error),
        }
    }
}
