//! Workers, as the ledger has heard of them.

use async_trait::async_trait;

use super::Result;
use auditferry_core::model::worker::{KnownWorker, SignOfLife};

/// What workers say of themselves, and who asks for it.
#[async_trait]
pub trait Workers: Send + Sync {
    /// Stores a sign of life; the database's clock says when it came.
    async fn sign_of_life(&self, sign: &SignOfLife) -> Result<()>;
    /// Stores that a worker has ended as it should.
    async fn sign_off(&self, id: &str) -> Result<()>;
    /// Every worker that is remembered, the one that was heard of last first.
    async fn workers(&self) -> Result<Vec<KnownWorker>>;
    /// Removes workers that were not heard of for long; the last one stays.
    async fn forget_workers(&self) -> Result<()>;
}
