//! A store in memory, for tests of what stands above the providers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Created, Object, ObjectHead, PutError, PutErrorKind, Store};
use crate::archive::CONTENT_SHA256;
use crate::model::object_key::{ObjectKey, OwnKey};

/// Objects by key, and a script of failures that the next puts give.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    faults: std::collections::VecDeque<Fault>,
    requests: u32,
}

impl State {
    fn next_request(&mut self) -> String {
        self.requests += 1;
        format!("request {}", self.requests)
    }
}

/// How a put goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The store answers with this and creates nothing.
    Refuse(PutErrorKind),
    /// The store creates the object, and the answer is lost.
    LoseAnswer,
    /// The next look, not the next put, is answered with this.
    RefuseHead(PutErrorKind),
}

impl MemoryStore {
    /// The next put goes wrong in this way; several queue up.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Places an object as somebody else would.
    pub fn place(&self, object: Object) {
        self.lock().objects.insert(object.key.as_str().to_owned(), object);
    }

    /// Everything in the store, in the order of keys.
    #[must_use]
    pub fn objects(&self) -> Vec<Object> {
        self.lock().objects.values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        let mut state = self.lock();
        let fault = state.faults.pop_front_if(|fault| !matches!(fault, Fault::RefuseHead(_)));
        if let Some(Fault::Refuse(kind)) = fault {
            return Err(PutError::new(kind, "scripted failure"));
        }
        if state.objects.contains_key(object.key.as_str()) {
            let exists = PutError::new(PutErrorKind::Exists, "an object of this key exists");
            return Err(exists.with_request_id(Some(&state.next_request())));
        }
        state.objects.insert(object.key.as_str().to_owned(), object.clone());
        match fault {
            Some(Fault::LoseAnswer) => Err(PutError::new(PutErrorKind::Unknown, "the answer was lost")),
            _ => Ok(Created::in_memory().with_request_id(Some(&state.next_request()))),
        }
    }
    async fn head(&self, key: &ObjectKey) -> Result<ObjectHead, PutError> {
        let mut state = self.lock();
        if let Some(Fault::RefuseHead(kind)) =
            state.faults.pop_front_if(|fault| matches!(fault, Fault::RefuseHead(_)))
        {
            return Err(PutError::new(kind, "scripted failure"));
        }
        let object = state
            .objects
            .get(key.as_str())
            .ok_or_else(|| PutError::new(PutErrorKind::NoSuchBucket, "there is no object of this key"))?;
        let hash = object.metadata.iter().find(|(name, _)| *name == CONTENT_SHA256);
        Ok(ObjectHead {
            content_sha256: hash.map(|(_, value)| value.clone()),
            bytes: u64::try_from(object.body.len()).unwrap_or(u64::MAX),
        })
    }

    async fn get(&self, key: &OwnKey) -> Result<Bytes, PutError> {
        let state = self.lock();
        let object = state.objects.get(key.object().as_str());
        let body = object.map(|object| object.body.clone());
        body.ok_or_else(|| PutError::new(PutErrorKind::NoSuchBucket, "there is no object of this key"))
    }

    async fn remove(&self, key: &OwnKey) -> Result<(), PutError> {
        self.lock().objects.remove(key.object().as_str());
        Ok(())
    }
}
