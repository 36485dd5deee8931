//! Log-ins that have begun, and sessions of browsers.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Result, Sha256};
use auditferry_core::model::actor::By;
use auditferry_core::model::session::Session;

/// What a browser's session asks for. What opens one is known by its hash.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// A log-in begins, with where the browser goes after it.
    async fn begin_sign_in(&self, sha256: &Sha256, return_to: &str, ends_at: Timestamp) -> Result<()>;
    /// A log-in comes back: once, and before its end. None: it is not one, or not any more.
    async fn take_sign_in(&self, sha256: &Sha256, now: Timestamp) -> Result<Option<String>>;
    /// Stores a new session.
    async fn add_session(&self, session: &Session, sha256: &Sha256) -> Result<()>;
    /// The session of a hash, also one that has ended. One that a token has opened opens what the token does, and
    /// ends with it.
    async fn session_of(&self, sha256: &Sha256) -> Result<Option<Session>>;
    /// Stores that a session was used, and when it ends now.
    async fn note_session_used(&self, id: &str, at: Timestamp, idle_ends_at: Timestamp) -> Result<()>;
    /// Ends a session; one that has been ended stays so. None: there is no such session.
    async fn revoke_session(&self, by: &By, id: &str, at: Timestamp) -> Result<Option<Session>>;
    /// The sessions that are kept, the newest first.
    async fn sessions(&self) -> Result<Vec<Session>>;
    /// Removes what has ended before.
    async fn forget_sessions(&self, before: Timestamp) -> Result<()>;
}
