//! `Workers` on either database.

use async_trait::async_trait;

use super::super::{Backend, in_time, workers};
use crate::ledger::{Result, Workers};
use auditferry_core::model::worker::{KnownWorker, SignOfLife};

#[async_trait]
impl Workers for Backend {
    async fn sign_of_life(&self, sign: &SignOfLife) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            workers::sign(&mut tx, sign).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn sign_off(&self, id: &str) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            workers::sign_off(&mut tx, id).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn workers(&self) -> Result<Vec<KnownWorker>> {
        in_time(async { workers::all(self.reading().await?.as_mut()).await }).await
    }

    async fn forget_workers(&self) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            workers::forget(&mut tx).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
