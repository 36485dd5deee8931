//! A model of the customers' buckets, and of the network before them: a request may
//! land long after its sender has given up, and more than once.

use auditferry_core::store::PutErrorKind;

use super::source::Content;
use super::time::Time;

/// An object's name in the bucket of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) account: u8,
    pub(crate) slot: Time,
    pub(crate) ordinal: u32,
}

/// Who put an object, and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// We did.
    Us,
    /// We did, but the window went to another bucket without our knowing.
    GivenUp,
    /// Somebody else.
    Stranger,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    pub(crate) key: Key,
    pub(crate) bucket: u8,
    pub(crate) content: Content,
    pub(crate) owner: Owner,
}

/// A put on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) id: u32,
    pub(crate) key: Key,
    pub(crate) bucket: u8,
    /// The destination's version, whose credentials it carries.
    pub(crate) version: usize,
    pub(crate) content: Content,
    /// Whether the answer of this landing is what the sender sees.
    pub(crate) answered: bool,
}

/// What a sender learns of its put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Created,
    Failed(PutErrorKind),
    /// It exists; the truth about whose it is is for the checker only.
    Exists {
        strangers: bool,
    },
}

impl Reply {
    /// A failure by its HTTP status, sorted as the real stores sort it.
    pub(crate) fn status(status: u16, code: &str) -> Self {
        Self::Failed(PutErrorKind::from_status(status, code))
    }
}

/// All buckets.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) objects: Vec<Object>,
    pub(crate) requests: Vec<Request>,
    /// Destinations that refuse: (account, version).
    pub(crate) denied: Vec<(u8, usize)>,
    next: u32,
}

impl Store {
    pub(crate) fn send(&mut self, key: Key, bucket: u8, version: usize, content: Content) -> u32 {
        self.next += 1;
        self.requests.push(Request { id: self.next, key, bucket, version, content, answered: true });
        self.next
    }

    pub(crate) fn find(&self, key: Key, bucket: u8) -> Option<usize> {
        self.objects.iter().position(|object| object.key == key && object.bucket == bucket)
    }

    /// Create-only, unless `overwrite`. Whether it created is told by the reply.
    pub(crate) fn put(&mut self, request: &Request, owner: Owner, overwrite: bool) -> Reply {
        let object = Object { key: request.key, bucket: request.bucket, content: request.content, owner };
        match self.find(request.key, request.bucket) {
            Some(at) if !overwrite => Reply::Exists { strangers: self.objects[at].owner == Owner::Stranger },
            _ => {
                self.objects.push(object);
                Reply::Created
            }
        }
    }
}
