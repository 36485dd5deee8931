//! `Jobs` on either database.

use async_trait::async_trait;
use serde_json::Value;

use super::super::{Backend, in_time, jobs};
use crate::ledger::{JobBegun, JobFilter, Jobs, Result};
use auditferry_core::model::actor::By;
use auditferry_core::model::job::{Job, JobResult, NewJob};

#[async_trait]
impl Jobs for Backend {
    async fn begin_job(&self, by: &By, new: &NewJob) -> Result<JobBegun> {
        in_time(async {
            let mut tx = self.begin().await?;
            let begun = jobs::begin(&mut tx, by, new).await?;
            tx.commit().await?;
            Ok(begun)
        })
        .await
    }

    async fn note_job(&self, id: &str, progress: Option<&Value>) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            jobs::note(&mut tx, id, progress).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn end_job(&self, id: &str, result: &JobResult) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            jobs::end(&mut tx, id, result).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn job(&self, id: &str) -> Result<Option<Job>> {
        in_time(async { jobs::one(self.reading().await?.as_mut(), id).await }).await
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>> {
        in_time(async { jobs::list(self.reading().await?.as_mut(), filter).await }).await
    }

    async fn forget_jobs(&self) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            jobs::forget(&mut tx).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
