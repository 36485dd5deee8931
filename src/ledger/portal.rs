//! Sessions of the portal.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Result, Sha256};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::Destination;
use auditferry_core::model::portal::PortalSession;

/// What the portal asks for. What opens a link or a session is known by its hash.
#[async_trait]
pub trait Portal: Send + Sync {
    /// Stores a new link, and who has made it for whom.
    async fn add_portal_link(&self, by: &By, session: &PortalSession, link: &Sha256) -> Result<()>;
    /// The session of a link, whatever has become of it.
    async fn portal_link(&self, link: &Sha256) -> Result<Option<PortalSession>>;
    /// Opens a session with its link: once, before the link's end, and unless it is revoked. `secret`: what the browser
    /// holds from now on. None: it is not one, or not any more.
    async fn open_portal_session(
        &self,
        link: &Sha256,
        secret: &Sha256,
        at: Timestamp,
    ) -> Result<Option<PortalSession>>;
    /// The session of what a browser holds, also one that has ended.
    async fn portal_session_of(&self, secret: &Sha256) -> Result<Option<PortalSession>>;
    /// Ends a session for the person whose it is.
    async fn end_portal_session(&self, id: &str, at: Timestamp) -> Result<()>;
    /// Revokes a link or a session; one that is revoked stays so. None: the account has no such session.
    async fn revoke_portal_session(
        &self,
        by: &By,
        account: &AccountId,
        id: &str,
        at: Timestamp,
    ) -> Result<Option<PortalSession>>;
    /// The sessions of an account that are kept, the newest first.
    async fn portal_sessions(&self, account: &AccountId, limit: u32) -> Result<Vec<PortalSession>>;
    /// The newest destinations that the account ever had, with their versions, the newest first.
    async fn past_destinations(&self, account: &AccountId, limit: u32) -> Result<Vec<(u64, Destination)>>;
    /// Removes what has ended before.
    async fn forget_portal_sessions(&self, before: Timestamp) -> Result<()>;
}
