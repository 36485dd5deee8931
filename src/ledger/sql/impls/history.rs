//! `History` on either database.

use async_trait::async_trait;
use jiff::Timestamp;

use super::super::{Backend, FOR_UPDATE, accounts, changes, health, history, replays, slots};
use crate::base::database::in_time;
use crate::ledger::{
    AccountFilter, AccountPage, AttemptRow, Change, ChangeFilter, Circumstances, DeliveryFilter, DeliveryRow,
    Gauges, Health, History, JudgedAccount, NewReplay, PastWindow, Replay, ReplayFilter, ReplayRow,
    ReplayedObject, Result, Signs, SlotRange, SlotWindow, WindowRow,
};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;

#[async_trait]
impl History for Backend {
    async fn newest_watermark(&self) -> Result<Option<Timestamp>> {
        in_time(async { history::newest_watermark(self.reading().await?.as_mut()).await }).await
    }

    async fn signs(&self, account: &AccountId, changed_since: Timestamp) -> Result<Signs> {
        history::signs(self.reading().await?.as_mut(), account, changed_since).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>> {
        history::deliveries(self.reading().await?.as_mut(), filter).await
    }

    async fn windows(&self, account: &AccountId, before: Option<u64>, limit: u32) -> Result<Vec<WindowRow>> {
        let mut connection = self.reading().await?;
        accounts::read(&mut connection, account, "").await?;
        history::windows(&mut connection, account, before, limit).await
    }

    async fn slot_windows(&self, range: &SlotRange) -> Result<Vec<SlotWindow>> {
        in_time(async { slots::windows(self.reading().await?.as_mut(), range).await }).await
    }

    async fn attempts(&self, account: &AccountId, key: &str) -> Result<Vec<AttemptRow>> {
        history::attempts(self.reading().await?.as_mut(), account, key).await
    }

    async fn past_windows(
        &self,
        account: &AccountId,
        slots: (Timestamp, Timestamp),
        after: u64,
        limit: u32,
    ) -> Result<Vec<PastWindow>> {
        replays::past_windows(self.reading().await?.as_mut(), account, slots, after, limit).await
    }

    async fn begin_replay(&self, by: &By, account: &AccountId, new: &NewReplay) -> Result<Replay> {
        let mut tx = self.begin().await?;
        accounts::read(&mut tx, account, FOR_UPDATE).await?;
        let replay = replays::begin(&mut tx, account, new, &by.actor.name).await?;
        let action = if replay.earlier.is_empty() { "replay begun" } else { "replay gone on with" };
        changes::record(&mut tx, by, account, action, &new.facts(replay.number)).await?;
        tx.commit().await?;
        Ok(replay)
    }

    async fn journal_replayed(&self, replay: &Replay, object: &ReplayedObject, at: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        replays::journal(&mut tx, replay, object, at).await?;
        Ok(tx.commit().await?)
    }

    async fn finish_replayed(
        &self,
        replay: &Replay,
        object: &ReplayedObject,
        message: Option<&str>,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        replays::finish_object(&mut tx, replay, object, message, at).await?;
        Ok(tx.commit().await?)
    }

    async fn finish_replay(&self, replay: &Replay, at: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        replays::finish(&mut tx, replay, at).await?;
        Ok(tx.commit().await?)
    }

    async fn replays(&self, filter: &ReplayFilter) -> Result<Vec<ReplayRow>> {
        replays::list(self.reading().await?.as_mut(), filter).await
    }

    async fn changes(&self, filter: &ChangeFilter) -> Result<Vec<Change>> {
        changes::list(self.reading().await?.as_mut(), filter).await
    }

    async fn pending_changes(&self, limit: u32) -> Result<Vec<Change>> {
        in_time(async { changes::pending(self.reading().await?.as_mut(), limit).await }).await
    }

    async fn mark_published(&self, numbers: &[u64]) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            changes::mark_published(&mut tx, numbers).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn discard_outbox(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        changes::discard_outbox(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn judged_accounts(&self, around: Circumstances, page: &AccountPage) -> Result<Vec<JudgedAccount>> {
        in_time(async { health::page(self.reading().await?.as_mut(), around, page).await }).await
    }

    async fn count_accounts(&self, around: Circumstances, filter: &AccountFilter) -> Result<u64> {
        in_time(async { health::number(self.reading().await?.as_mut(), around, filter).await }).await
    }

    async fn health_counts(&self, around: Circumstances) -> Result<Vec<(Health, u64)>> {
        in_time(async { health::counts(self.reading().await?.as_mut(), around).await }).await
    }

    async fn next_slots(&self, after: Timestamp, limit: u32) -> Result<Vec<(Timestamp, u64)>> {
        in_time(async { health::next_slots(self.reading().await?.as_mut(), after, limit).await }).await
    }

    async fn oldest_undelivered(&self, now: Timestamp) -> Result<Option<(AccountId, Timestamp)>> {
        in_time(async { health::oldest_undelivered(self.reading().await?.as_mut(), now).await }).await
    }

    async fn leases(&self) -> Result<Vec<(String, u64)>> {
        in_time(async { health::leases(self.reading().await?.as_mut()).await }).await
    }

    async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        history::gauges(self.reading().await?.as_mut(), now).await
    }
}
