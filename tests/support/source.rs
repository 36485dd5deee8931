//! A source that a test can watch and hold up.

use std::sync::Arc;

use async_trait::async_trait;
use auditferry::source::{Import, Result, Source, Waiting};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor, Mark, RecordSet, Watermark};
use auditferry_core::model::record::Record;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// A source that does something before each page is read.
pub struct Watched<F> {
    pub source: Arc<dyn Source>,
    pub before_page: F,
    /// Whether it panics, as a defect of ours would, when a window is taken up.
    pub broken: bool,
}

#[async_trait]
impl<F: Fn() -> BoxFuture<'static, ()> + Send + Sync> Source for Watched<F> {
    async fn migrate(&self) -> Result<()> {
        self.source.migrate().await
    }
    async fn check(&self) -> Result<()> {
        self.source.check().await
    }
    fn beginning(&self) -> Bound {
        self.source.beginning()
    }
    fn shares_bounds(&self) -> bool {
        self.source.shares_bounds()
    }
    async fn capture(&self, mark: &Mark) -> Result<Bound> {
        self.source.capture(mark).await
    }
    fn keeps_marks(&self) -> bool {
        self.source.keeps_marks()
    }
    async fn leave_mark(&self, mark: &Mark) -> Result<()> {
        self.source.leave_mark(mark).await
    }
    async fn newest_mark(&self, ledger: &str) -> Result<u64> {
        self.source.newest_mark(ledger).await
    }
    async fn pin(&self, account: &AccountId, after: Option<&Watermark>, hi: &Bound) -> Result<Bound> {
        self.source.pin(account, after, hi).await
    }
    async fn recognise(&self, account: &AccountId, bound: &Bound) -> Result<()> {
        self.source.recognise(account, bound).await
    }
    async fn recognise_set(&self, account: &AccountId, set: &RecordSet) -> Result<()> {
        assert!(!self.broken, "a defect");
        self.source.recognise_set(account, set).await
    }
    async fn forget_marks(&self, ledger: &str, before: Timestamp, kept: SignedDuration) -> Result<()> {
        self.source.forget_marks(ledger, before, kept).await
    }
    fn check_order(&self, lo: &Bound, hi: &Bound) -> Result<()> {
        self.source.check_order(lo, hi)
    }
    async fn read(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Record)>> {
        (self.before_page)().await;
        self.source.read(account, set, after, limit).await
    }
    async fn waiting(&self, account: &AccountId, watermark: &Watermark) -> Result<Waiting> {
        self.source.waiting(account, watermark).await
    }
    async fn publish_change(
        &self,
        ledger: &str,
        number: u64,
        account: &AccountId,
        record: &Record,
    ) -> Result<()> {
        self.source.publish_change(ledger, number, account, record).await
    }
    async fn import(&self, account: &AccountId) -> Result<Box<dyn Import>> {
        self.source.import(account).await
    }
}
