//! `Downloads` on either database.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::super::{Backend, downloads, in_time};
use crate::ledger::Result;
use crate::ledger::downloads::{Downloads, DueMail, Making};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Bound;
use auditferry_core::model::download::{Download, DownloadProblem, MadeFile, MailState, NewDownload};

/// A transaction that ends with its answer.
macro_rules! changing {
    ($backend:ident, $tx:ident => $answer:expr) => {
        in_time(async {
            let mut $tx = $backend.begin().await?;
            let answer = $answer.await?;
            $tx.commit().await?;
            Ok(answer)
        })
        .await
    };
}

#[async_trait]
impl Downloads for Backend {
    async fn add_download(&self, new: &NewDownload, most: u32) -> Result<bool> {
        changing!(self, tx => downloads::add(&mut tx, new, most))
    }

    async fn downloads(&self, account: &AccountId, limit: u32) -> Result<Vec<Download>> {
        in_time(async { downloads::list(self.reading().await?.as_mut(), account, limit).await }).await
    }

    async fn download(&self, account: &AccountId, id: &str) -> Result<Option<Download>> {
        in_time(async { downloads::one(self.reading().await?.as_mut(), account, id).await }).await
    }

    async fn begin_download(&self, per_account: u32) -> Result<Option<Making>> {
        changing!(self, tx => downloads::begin(&mut tx, per_account))
    }

    async fn bind_download(&self, making: &Making, bound: &Bound) -> Result<bool> {
        changing!(self, tx => downloads::bind(&mut tx, making, bound))
    }

    async fn name_download_file(&self, making: &Making, file: &str) -> Result<bool> {
        changing!(self, tx => downloads::name_file(&mut tx, making, file))
    }

    async fn note_download(&self, making: &Making, records: u64, percent: u32) -> Result<bool> {
        changing!(self, tx => downloads::note(&mut tx, making, records, percent))
    }

    async fn complete_download(
        &self,
        making: &Making,
        records: u64,
        made: &MadeFile,
        keep: SignedDuration,
    ) -> Result<bool> {
        changing!(self, tx => downloads::complete(&mut tx, making, records, made, keep))
    }

    async fn return_download(&self, making: &Making) -> Result<()> {
        changing!(self, tx => downloads::give_back(&mut tx, making))
    }

    async fn fail_download(&self, making: &Making, problem: DownloadProblem) -> Result<bool> {
        changing!(self, tx => downloads::fail(&mut tx, making, problem))
    }

    async fn take_download_mail(&self) -> Result<Option<DueMail>> {
        changing!(self, tx => downloads::take_mail(&mut tx))
    }

    async fn end_download_mail(&self, mail: &DueMail, state: MailState, after: SignedDuration) -> Result<()> {
        changing!(self, tx => downloads::end_mail(&mut tx, mail, state, after))
    }

    async fn delete_download(&self, account: &AccountId, id: &str) -> Result<bool> {
        changing!(self, tx => downloads::delete(&mut tx, account, id))
    }

    async fn expire_downloads(&self, before: Timestamp) -> Result<()> {
        changing!(self, tx => downloads::expire(&mut tx, before))
    }

    async fn loose_files(&self, limit: u32) -> Result<Vec<String>> {
        in_time(async { downloads::loose(self.reading().await?.as_mut(), limit).await }).await
    }

    async fn forget_file(&self, file: &str) -> Result<()> {
        changing!(self, tx => downloads::forget_file(&mut tx, file))
    }
}
