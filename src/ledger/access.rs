//! Tokens of the API, and writes that may come twice.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::Result;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{By, RequestKey};
use auditferry_core::model::token::ApiToken;

/// For how long a write of the API may come again with its key.
pub const REQUESTS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The SHA-256 of a token or a request.
pub type Sha256 = [u8; 32];

/// What is known of a write when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is new, or the try before came to nothing: make it, then store the answer.
    New,
    /// It is made at this moment.
    Running,
    /// It was made, and nobody knows what was answered: answer with what there is now.
    Applied,
    /// It was made and answered.
    Answered(StoredAnswer),
    /// The key came with another request before.
    Other,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Headers that belong to the answer, such as `ETag`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the API asks for.
#[async_trait]
pub trait Access: Send + Sync {
    /// Stores a new token, known by its hash.
    async fn add_token(&self, by: &By, token: &ApiToken, sha256: &Sha256) -> Result<()>;
    /// All tokens, the newest first.
    async fn tokens(&self) -> Result<Vec<ApiToken>>;
    /// The token of a hash, revoked and expired ones too.
    async fn token_of(&self, sha256: &Sha256) -> Result<Option<ApiToken>>;
    /// Revokes a token; one that is revoked stays as it is. None: there is no such token.
    async fn revoke_token(&self, by: &By, id: &str, at: Timestamp) -> Result<Option<ApiToken>>;
    /// Stores that a token was used.
    async fn note_token_used(&self, id: &str, at: Timestamp) -> Result<()>;
    /// A write with a key begins, by the database's clock, on which all replicas agree. One that has begun longer
    /// than `stale` ago and came to nothing since is made anew; one of before [`REQUESTS_KEPT`] is not known.
    async fn begin_request(&self, key: &RequestKey, sha256: &Sha256, stale: SignedDuration) -> Result<Begun>;
    /// Stores what was answered. None: nothing was changed, and the key may come again.
    async fn finish_request(&self, key: &RequestKey, answer: Option<&StoredAnswer>) -> Result<()>;
    /// Removes writes that are not known any more.
    async fn forget_requests(&self) -> Result<()>;
    /// The revision of an account: it grows with each change that a person makes.
    async fn revision(&self, id: &AccountId) -> Result<u64>;
}
