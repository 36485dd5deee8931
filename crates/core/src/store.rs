//! A store: a bucket that creates an object under a key once. Providers do nothing else; time limits are
//! added in `src/store.rs`, and retries are the protocol's.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::archive::CONTENT_SHA256;
use crate::model::object_key::{ObjectKey, OwnKey};
use crate::protocol::{Attempt, HeadResult, Verdict, judge, judge_head};
use crate::refusal::Refusal;

mod created;
mod error;
mod ids;
pub mod memory;

pub use created::{Created, GcsObject, S3Facts, crc32c_text, unproved};
pub use error::{PutError, PutErrorKind};
pub use ids::{StoreIds, with_request_id};

/// An object as it is put: everything in memory, so that one request carries it.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its key in the bucket, with the prefix.
    pub key: ObjectKey,
    /// Its bytes.
    pub body: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Names in kebab-case and values; a provider that knows no `-` in names writes `_`.
    pub metadata: Vec<(&'static str, String)>,
}

/// What the store shows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// What stands in its metadata under [`CONTENT_SHA256`].
    pub content_sha256: Option<String>,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A bucket that creates objects and never replaces one.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates the object, once, with a single request and no retry.
    ///
    /// # Errors
    /// [`PutErrorKind`] says what the caller can do.
    async fn put(&self, object: &Object) -> Result<Created, PutError>;

    /// Reads the metadata of the object under a key (HEAD). Called only after a doubtful attempt; a
    /// destination need not permit it.
    ///
    /// # Errors
    /// [`PutErrorKind`], as for a put; [`PutErrorKind::NoSuchBucket`] when there is no
    /// object either, and [`PutErrorKind::Denied`] when it may not be seen.
    async fn head(&self, key: &ObjectKey) -> Result<ObjectHead, PutError>;

    /// Gets an access token, where the credentials have to be exchanged for one; does nothing elsewhere.
    async fn sign_in(&self) -> Option<Result<(), PutError>> {
        None
    }

    /// Host and port of the store, so that a trial can test name resolution and connecting by themselves.
    fn address(&self) -> Option<(String, u16)> {
        None
    }

    /// When its credentials end, where they say so themselves.
    fn credentials_end(&self) -> Option<Timestamp> {
        None
    }

    /// How far the worker's clock was ahead of the store's at its last answer; none before the first.
    fn clock_ahead(&self) -> Option<SignedDuration> {
        None
    }

    /// Why objects would get other keys than the ledger says, if they would: something that only the secrets
    /// show.
    fn misplaced(&self) -> Option<Refusal> {
        None
    }

    /// What an object of ours holds. Only of the operator's own bucket: a customer's is never read.
    ///
    /// # Errors
    /// When it is not there, may not be read, or is longer than the dialer lets answers be.
    async fn get(&self, _key: &OwnKey) -> Result<Bytes, PutError> {
        Err(PutError::new(PutErrorKind::Rejected, "the client for this kind of store reads nothing"))
    }

    /// Removes the object of a probe, if that is allowed and this kind of store can.
    ///
    /// # Errors
    /// When it stays.
    async fn remove(&self, _key: &OwnKey) -> Result<(), PutError> {
        Err(PutError::new(PutErrorKind::Rejected, "the client for this kind of store removes nothing"))
    }
}

/// The proof that an object is in its bucket and that it is ours: what a commit
/// consumes. Only [`deliver`] makes one.
#[derive(Debug)]
pub struct Receipt {
    attempt: Attempt,
    ids: StoreIds,
}

impl Receipt {
    /// The attempt that it answers.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// What the store called the object and the request.
    #[must_use]
    pub fn ids(&self) -> &StoreIds {
        &self.ids
    }
}

/// What became of a journalled attempt.
#[derive(Debug)]
pub enum Outcome {
    /// The object is there and ours.
    Delivered(Receipt),
    /// Somebody else's object stands under the key.
    Foreign(Attempt, PutError),
    /// The object is not there, or nobody knows.
    Failed(Attempt, PutError),
}

/// Makes a journalled attempt: puts create-only, once, and judges the answer.
pub async fn deliver(store: &dyn Store, attempt: Attempt, object: &Object) -> Outcome {
    let (answer, error) = match store.put(object).await {
        Ok(created) => return Outcome::Delivered(Receipt { attempt, ids: created.into_ids() }),
        Err(error) => (error.kind.answer(), error),
    };
    let (verdict, error) = match judge(answer, attempt.doubtful) {
        Verdict::Head => {
            let (sight, unseen) = sight(store.head(&object.key).await, object);
            (judge_head(sight, attempt.number), unseen.unwrap_or(error))
        }
        verdict => (verdict, error),
    };
    match verdict {
        Verdict::Delivered => {
            // An earlier request created it, whose answer was lost: this one's id is all that is known.
            let ids = StoreIds { version: None, request_id: error.request_id };
            Outcome::Delivered(Receipt { attempt, ids })
        }
        Verdict::Foreign => Outcome::Foreign(attempt, error),
        Verdict::Open | Verdict::Head => Outcome::Failed(attempt, error),
    }
}

/// What a HEAD request says, and why it failed.
///
/// The content's hash tells, not the object's: the wrapping may come from another
/// version of the compressor. A store that keeps no metadata is judged by the length.
fn sight(shown: Result<ObjectHead, PutError>, object: &Object) -> (HeadResult, Option<PutError>) {
    let ours = match shown {
        Ok(ObjectHead { content_sha256: Some(hash), .. }) => {
            object.metadata.iter().any(|(name, value)| *name == CONTENT_SHA256 && *value == hash)
        }
        Ok(ObjectHead { content_sha256: None, bytes }) => u64::try_from(object.body.len()) == Ok(bytes),
        // The object is gone again, or it never was there: the next put says which.
        Err(error) if error.kind == PutErrorKind::NoSuchBucket => return (HeadResult::Failed, Some(error)),
        // The put before it was answered, so its credentials and its bucket are right.
        Err(error) if error.kind.needs_customer() => return (HeadResult::Hidden, None),
        Err(error) => return (HeadResult::Failed, Some(error)),
    };
    (if ours { HeadResult::Ours } else { HeadResult::Foreign }, None)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::memory::{Fault, MemoryStore};
    use super::*;

    fn object(body: &str, hash: &str) -> Object {
        Object {
            key: ObjectKey::stored("audit/a/audit_a_20261121T040000Z.zip".to_owned()),
            body: Bytes::copy_from_slice(body.as_bytes()),
            content_type: "application/zip",
            metadata: vec![(CONTENT_SHA256, hash.to_owned())],
        }
    }

    fn doubtful(store: &MemoryStore, object: &Object) -> Outcome {
        let attempt = Attempt { window: 1, ordinal: 1, number: 2, doubtful: true };
        let mut delivery = pin!(deliver(store, attempt, object));
        // A store in memory answers at once.
        match delivery.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn after_a_doubtful_attempt_the_content_tells_whose_an_object_is() {
        let store = MemoryStore::default();
        store.place(object("wrapped by another version", "aa"));
        assert!(matches!(doubtful(&store, &object("wrapped", "aa")), Outcome::Delivered(_)));
        let outcome = doubtful(&store, &object("wrapped", "bb"));
        assert!(matches!(outcome, Outcome::Foreign(_, error) if error.kind == PutErrorKind::Exists));
    }

    #[test]
    fn what_the_store_called_object_and_request_comes_with_the_receipt() {
        let (store, ours) = (MemoryStore::default(), object("ours", "aa"));
        let receipt =
            |outcome| if let Outcome::Delivered(receipt) = outcome { receipt } else { panic!("{outcome:?}") };
        let ids = receipt(doubtful(&store, &ours)).ids().clone();
        assert_eq!(
            (ids.version.as_deref(), ids.request_id.as_deref()),
            (Some("in memory"), Some("request 1"))
        );
        // Ours from an earlier request: of this one there is nothing but its id.
        let ids = receipt(doubtful(&store, &ours)).ids().clone();
        assert_eq!((ids.version, ids.request_id.as_deref()), (None, Some("request 2")));
    }

    #[test]
    fn without_a_hash_the_length_tells() {
        let store = MemoryStore::default();
        store.place(Object { metadata: Vec::new(), ..object("12345", "") });
        assert!(matches!(doubtful(&store, &object("54321", "aa")), Outcome::Delivered(_)));
        assert!(matches!(doubtful(&store, &object("longer", "aa")), Outcome::Foreign(..)));
    }

    #[test]
    fn what_may_not_be_seen_is_ours_and_what_could_not_be_is_asked_again() {
        let store = MemoryStore::default();
        store.place(object("theirs", "aa"));
        store.fail_next(Fault::RefuseHead(PutErrorKind::Denied));
        assert!(matches!(doubtful(&store, &object("ours", "bb")), Outcome::Delivered(_)));
        store.fail_next(Fault::RefuseHead(PutErrorKind::Unavailable));
        let outcome = doubtful(&store, &object("ours", "bb"));
        assert!(matches!(outcome, Outcome::Failed(_, error) if error.kind == PutErrorKind::Unavailable));
        assert!(matches!(doubtful(&store, &object("ours", "bb")), Outcome::Foreign(..)));
    }
}
