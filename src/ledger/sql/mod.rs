//! The ledger's statements, written once and compiled for each database:
//! `postgres.rs` and `sqlite.rs` include this folder as a module of their own and
//! give it their types, their lock and their lease statements. Both databases
//! understand `$1`, `ON CONFLICT` and `RETURNING`.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::change::{difference, facts};
use super::super::proof::Judged;
use super::super::{
    Account, AttemptRow, AwaitedProof, BadRecord, Change, ChangeFilter, Claim, CredentialsEnd,
    DeliveryFilter, DeliveryRow, Edit, Failure, FieldChange, Gap, Gauges, HeldSecret, KeyUse, Lease, Ledger,
    LedgerError, NewProof, NewReplay, NewSkip, NewWindow, OpenWindow, PastWindow, Pause, Proof, Replay,
    ReplayRow, ReplayedObject, Result, SealOutcome, Signs, SkippedRecord, TokenHash, Trouble, Wait,
    WindowRow,
};
use super::{Backend, CLAIM, Connection, FOR_UPDATE, IS_IN_1, LEASE_END, NOT_IN_1, NOW, Row};
use crate::base::database::in_time;
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use crate::secrets::keys::{SealedSecret, Wrapped};
use crate::store::Receipt;
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, SealedId};
use auditferry_core::model::window::{Mark, Watermark};
use auditferry_core::protocol::{Attempt, Denied, Hold};
use auditferry_core::refusal::{Refusal, RefusalCode};

mod accounts;
mod batch;
mod changes;
mod expiry;
mod history;
mod identity;
mod leases;
mod proofs;
mod replays;
mod rows;
mod sealed;
mod skipped;
mod steps;
mod windows;

pub(super) use steps::Steps;

/// A statement for several rows: its text grows with them.
type Sql = sqlx::QueryBuilder<<Connection as sqlx::Connection>::Database>;

/// A count as a column's value.
fn int(count: u64) -> SqlCount {
    SqlCount(count)
}

/// A count from a column.
fn count(SqlCount(count): SqlCount) -> u64 {
    count
}

/// A small count from a column.
fn small(SqlCount(count): SqlCount<u32>) -> u32 {
    count
}

fn time(at: Option<Timestamp>) -> Option<SqlTime> {
    at.map(SqlTime)
}

/// The account's destination and its version.
async fn in_force(connection: &mut Connection, account: &Account) -> Result<Option<(u64, Destination)>> {
    match account.destination_version {
        Some(version) => Ok(Some((version, accounts::destination(connection, &account.id, version).await?))),
        None => Ok(None),
    }
}

/// Makes a stored version the account's destination; nothing is awaited any more.
async fn put_in_force(
    connection: &mut Connection,
    account: &mut Account,
    version: u64,
    destination: &Destination,
) -> Result<()> {
    account.destination_version = Some(version);
    account.endpoint = destination.endpoint();
    account.clear_trouble();
    accounts::write(connection, account).await?;
    accounts::count_change(connection, &account.id).await?;
    proofs::forget(connection, &account.id).await?;
    sealed::forget_replaced(connection, &account.id).await
}

#[async_trait]
impl Ledger for Backend {
    async fn migrate(&self) -> Result<()> {
        self.run_migrations().await
    }

    async fn check(&self) -> Result<()> {
        self.check_schema().await
    }

    async fn add_account(&self, by: &By, account: &Account) -> Result<()> {
        let mut tx = self.begin().await?;
        accounts::insert(&mut tx, account).await?;
        changes::record_edit(&mut tx, by, "account added", &Value::Null, account).await?;
        Ok(tx.commit().await?)
    }

    async fn account(&self, id: &AccountId) -> Result<Account> {
        in_time(async { accounts::read(&mut *self.reading().await?, id, "").await }).await
    }

    async fn accounts(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>> {
        accounts::list(&mut *self.reading().await?, after, limit).await
    }

    async fn edit_account(&self, by: &By, id: &AccountId, edit: Edit<'_>) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let (before, version) = (facts(&account), account.destination_version);
        edit(&mut account)?;
        accounts::write(&mut tx, &account).await?;
        accounts::count_change(&mut tx, id).await?;
        changes::record_edit(&mut tx, by, "account changed", &before, &account).await?;
        if account.destination_version != version {
            sealed::forget_replaced(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(account)
    }

    async fn remove_account(&self, by: &By, id: &AccountId) -> Result<()> {
        let mut tx = self.begin().await?;
        let account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        accounts::delete(&mut tx, id).await?;
        let fields = difference(&facts(&account), &Value::Null);
        changes::record(&mut tx, by, id, "account removed", &fields).await?;
        Ok(tx.commit().await?)
    }

    async fn set_destination(
        &self,
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let before = in_force(&mut tx, &account).await?;
        let proved_at = match &before {
            Some((version, before)) if destination.is_same_place(before) => {
                proofs::proved_at(&mut tx, id, *version).await?
            }
            _ => None,
        };
        if destination.needs_proof() && proved_at.is_none() {
            let problem =
                format!("{destination} is used as the worker itself, and its owner has not proved it theirs");
            return Err(Refusal::account(id, RefusalCode::ProofNeeded, problem).into());
        }
        let version = accounts::insert_destination(&mut tx, id, destination).await?;
        for secret in sealed {
            sealed::insert(&mut tx, id, version, secret).await?;
        }
        if let Some(at) = proved_at {
            proofs::set_proved(&mut tx, id, version, at).await?;
        }
        put_in_force(&mut tx, &mut account, version, destination).await?;
        let before = before.map_or(Value::Null, |(_, before)| json!(before));
        let fields = difference(&before, &json!(destination));
        changes::record(&mut tx, by, id, "destination set", &fields).await?;
        tx.commit().await?;
        Ok(version)
    }

    async fn proved_at(&self, id: &AccountId) -> Result<Option<Timestamp>> {
        let mut connection = self.reading().await?;
        match accounts::read(&mut connection, id, "").await?.destination_version {
            Some(version) => proofs::proved_at(&mut connection, id, version).await,
            None => Ok(None),
        }
    }

    async fn await_proof(
        &self,
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        proof: &NewProof,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let version = accounts::insert_destination(&mut tx, id, destination).await?;
        for secret in sealed {
            sealed::insert(&mut tx, id, version, secret).await?;
        }
        proofs::insert(&mut tx, id, version, proof).await?;
        sealed::forget_replaced(&mut tx, id).await?;
        let asked = json!({ "proof": { "key": proof.key, "expires_at": proof.expires_at } });
        let mut fields = difference(&Value::Null, &json!(destination));
        fields.extend(difference(&Value::Null, &asked));
        changes::record(&mut tx, by, id, "proof awaited", &fields).await?;
        tx.commit().await?;
        Ok(version)
    }

    async fn awaited_proof(&self, id: &AccountId) -> Result<Option<AwaitedProof>> {
        proofs::awaited(&mut *self.reading().await?, id).await
    }

    async fn prove(&self, by: &By, id: &AccountId, token: &TokenHash, now: Timestamp) -> Result<Proof> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let Some(awaited) = proofs::awaited(&mut tx, id).await? else { return Ok(Proof::NotAwaited) };
        let AwaitedProof { version, destination, tries_left, .. } = &awaited;
        let proof = match awaited.judge(token, now) {
            Judged::Late => return Ok(Proof::Late),
            Judged::Wrong => {
                let left = tries_left.saturating_sub(1);
                if left == 0 {
                    proofs::forget(&mut tx, id).await?;
                    sealed::forget_replaced(&mut tx, id).await?;
                } else {
                    proofs::set_tries(&mut tx, id, left).await?;
                }
                let tries = FieldChange {
                    field: "proof.tries_left".to_owned(),
                    from: json!(tries_left),
                    to: json!(left),
                };
                changes::record(&mut tx, by, id, "proof refused", &[tries]).await?;
                Proof::Wrong { left }
            }
            Judged::Right => {
                let before = in_force(&mut tx, &account).await?;
                proofs::set_proved(&mut tx, id, *version, now).await?;
                put_in_force(&mut tx, &mut account, *version, destination).await?;
                let before = before.map_or(Value::Null, |(_, before)| json!(before));
                let fields = difference(&before, &json!(destination));
                changes::record(&mut tx, by, id, "destination proved", &fields).await?;
                Proof::Given { destination: Box::new(destination.clone()), version: *version }
            }
        };
        tx.commit().await?;
        Ok(proof)
    }

    async fn withdraw_proof(&self, by: &By, id: &AccountId) -> Result<bool> {
        let mut tx = self.begin().await?;
        accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let withdrawn = proofs::forget(&mut tx, id).await?;
        if withdrawn {
            sealed::forget_replaced(&mut tx, id).await?;
            changes::record(&mut tx, by, id, "proof withdrawn", &[]).await?;
        }
        tx.commit().await?;
        Ok(withdrawn)
    }

    async fn destination(&self, id: &AccountId) -> Result<Option<Destination>> {
        let mut connection = self.reading().await?;
        match accounts::read(&mut connection, id, "").await?.destination_version {
            Some(version) => accounts::destination(&mut connection, id, version).await.map(Some),
            None => Ok(None),
        }
    }

    async fn credentials_end(&self, id: &AccountId) -> Result<Option<Timestamp>> {
        expiry::end(&mut *self.reading().await?, id).await
    }

    async fn note_credentials_end(&self, id: &AccountId, version: u64, end: Option<Timestamp>) -> Result<()> {
        let mut tx = self.begin().await?;
        expiry::note(&mut tx, id, version, end).await?;
        Ok(tx.commit().await?)
    }

    async fn credentials_ending(
        &self,
        before: Timestamp,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<CredentialsEnd>> {
        expiry::ending(&mut *self.reading().await?, before, after, limit).await
    }

    async fn note_warned(&self, ending: &CredentialsEnd, days: u32) -> Result<bool> {
        let mut tx = self.begin().await?;
        let first = expiry::warned(&mut tx, ending, days).await?;
        tx.commit().await?;
        Ok(first)
    }

    async fn external_id(&self, id: &AccountId) -> Result<Option<String>> {
        accounts::external_id(&mut *self.reading().await?, id, "").await
    }

    async fn make_external_id(&self, by: &By, id: &AccountId, new: &str) -> Result<String> {
        let mut tx = self.begin().await?;
        if let Some(known) = accounts::external_id(&mut tx, id, FOR_UPDATE).await? {
            return Ok(known);
        }
        accounts::set_external_id(&mut tx, id, new).await?;
        let change = FieldChange { field: "external_id".to_owned(), from: Value::Null, to: Value::from(new) };
        changes::record(&mut tx, by, id, "external id made", &[change]).await?;
        tx.commit().await?;
        Ok(new.to_owned())
    }

    async fn sealed_secret(&self, account: &AccountId, id: &SealedId) -> Result<Option<SealedSecret>> {
        sealed::one(&mut *self.reading().await?, account, id).await
    }

    async fn sealed_secrets(
        &self,
        after: Option<&(AccountId, SealedId)>,
        not_with: Option<&str>,
        limit: u32,
    ) -> Result<Vec<HeldSecret>> {
        sealed::page(&mut *self.reading().await?, after, not_with, limit).await
    }

    async fn rewrap(
        &self,
        by: &By,
        account: &AccountId,
        id: &SealedId,
        from: &Wrapped,
        to: &Wrapped,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sealed::rewrap(&mut tx, account, id, from, to).await?;
        if done {
            let field = format!("secret {id}");
            let change = FieldChange { field, from: json!(from.key), to: json!(to.key) };
            changes::record(&mut tx, by, account, "key rotated", &[change]).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>> {
        sealed::key_uses(&mut *self.reading().await?).await
    }

    async fn skip_to(
        &self,
        by: &By,
        id: &AccountId,
        watermark: &Watermark,
        gap: Gap,
        edit: Edit<'_>,
    ) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let before = facts(&account);
        windows::skip(&mut tx, &mut account, watermark, gap).await?;
        edit(&mut account)?;
        accounts::write(&mut tx, &account).await?;
        accounts::count_change(&mut tx, id).await?;
        changes::record_edit(&mut tx, by, "records skipped", &before, &account).await?;
        tx.commit().await?;
        Ok(account)
    }

    async fn skip_records(&self, by: &By, id: &AccountId, skip: &NewSkip) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        if account.held != Some(Hold::BadRecord) || account.open_window != Some(skip.window) {
            return Err(LedgerError::Changed(id.clone()));
        }
        let before = facts(&account);
        skipped::insert(&mut tx, id, skip, by).await?;
        account.held = None;
        account.clear_trouble();
        accounts::write(&mut tx, &account).await?;
        accounts::count_change(&mut tx, id).await?;
        for BadRecord { key, problem } in &skip.records {
            let fields = [("record.key", key), ("record.problem", problem), ("reason", &skip.reason)];
            let fields = fields.map(|(field, to)| FieldChange {
                field: field.to_owned(),
                from: Value::Null,
                to: Value::from(to.as_str()),
            });
            changes::record(&mut tx, by, id, "record skipped", &fields).await?;
        }
        changes::record_edit(&mut tx, by, "account changed", &before, &account).await?;
        tx.commit().await?;
        Ok(account)
    }

    async fn watermarks(&self, id: &AccountId, limit: u32) -> Result<Vec<Watermark>> {
        let mut connection = self.reading().await?;
        let mut watermarks = vec![accounts::read(&mut connection, id, "").await?.watermark];
        watermarks.extend(windows::earlier_watermarks(&mut connection, id, limit).await?);
        Ok(watermarks)
    }

    async fn rewind(
        &self,
        by: &By,
        id: &AccountId,
        watermark: &Watermark,
        edit: Edit<'_>,
    ) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let before = facts(&account);
        edit(&mut account)?;
        windows::rewind(&mut tx, &mut account, watermark).await?;
        accounts::write(&mut tx, &account).await?;
        sealed::forget_replaced(&mut tx, id).await?;
        accounts::count_change(&mut tx, id).await?;
        changes::record_edit(&mut tx, by, "account rewound", &before, &account).await?;
        tx.commit().await?;
        Ok(account)
    }

    async fn now(&self) -> Result<Timestamp> {
        in_time(async { identity::now(&mut *self.reading().await?).await }).await
    }

    async fn id(&self) -> Result<String> {
        in_time(async { identity::id(&mut *self.reading().await?).await }).await
    }

    async fn next_mark(&self) -> Result<Mark> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mark = identity::next_mark(&mut tx).await?;
            tx.commit().await?;
            Ok(mark)
        })
        .await
    }

    async fn went_back(&self, newest: u64, trouble: &Trouble) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            identity::went_back(&mut tx, newest, trouble).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
        full: &[String],
    ) -> Result<Vec<Claim>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let claims = leases::claim(&mut tx, owner, now, ttl, limit, full).await?;
            tx.commit().await?;
            Ok(claims)
        })
        .await
    }

    async fn claim_unplanned(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<Claim>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let claims = leases::claim_unplanned(&mut tx, owner, now, ttl, limit).await?;
            tx.commit().await?;
            Ok(claims)
        })
        .await
    }

    async fn next_due(&self, full: &[String]) -> Result<Option<Timestamp>> {
        in_time(async { leases::next_due(&mut *self.reading().await?, full).await }).await
    }

    async fn retry_now(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        leases::retry_now(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let lost = leases::renew(&mut tx, leases).await?;
            tx.commit().await?;
            Ok(lost)
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.steps.ask(steps::Release { lease: lease.clone() }).await
    }

    async fn release_all(&self, leases: &[Lease]) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            leases::release(&mut tx, leases).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn set_next_slot(&self, lease: &Lease, next_slot: Option<Timestamp>) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            // A person may have set another slot since this one was computed.
            if !leases::is_changed(&mut tx, lease).await? {
                account.next_slot = next_slot;
            }
            accounts::write(&mut tx, &account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn postpone(&self, lease: &Lease, wait: Wait) -> Result<Option<Denied<Timestamp>>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            let Wait { trouble, retry_at, blame } = wait;
            // A person may have set another destination since this one failed.
            if !leases::is_changed(&mut tx, lease).await? {
                account.blame(blame, trouble.at);
            }
            account.failures = account.failures.saturating_add(1);
            account.trouble = Some(trouble);
            account.retry_at = Some(retry_at);
            accounts::write(&mut tx, &account).await?;
            tx.commit().await?;
            Ok(account.denied)
        })
        .await
    }

    async fn end_suspension(&self, lease: &Lease) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            account.clear_trouble();
            accounts::write(&mut tx, &account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn plan(&self, lease: &Lease, new: &NewWindow) -> Result<()> {
        self.steps.ask(steps::Plan::new(lease, new)).await
    }

    async fn plan_all(&self, plans: &[(Lease, NewWindow)]) -> Result<Vec<Result<()>>> {
        let plans: Vec<_> = plans.iter().map(|(lease, new)| steps::Plan::new(lease, new)).collect();
        let mut tx = self.begin().await?;
        let planned = steps::plan_all(&mut tx, &plans).await?;
        tx.commit().await?;
        Ok(planned)
    }

    async fn open_window(&self, id: &AccountId) -> Result<Option<OpenWindow>> {
        self.steps.look(id).await
    }

    async fn repoint(&self, lease: &Lease, window: u64) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let account = leases::fenced(&mut tx, lease).await?;
            windows::repoint(&mut tx, &account, window).await?;
            sealed::forget_replaced(&mut tx, &lease.account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn seal(
        &self,
        lease: &Lease,
        window: u64,
        facts: &SealedFacts,
        at: Timestamp,
    ) -> Result<SealOutcome> {
        let facts = facts.clone();
        self.steps.ask(steps::Seal { lease: lease.clone(), window, facts, at }).await
    }

    async fn journal(
        &self,
        lease: &Lease,
        window: u64,
        facts: &SealedFacts,
        owner: &str,
        at: Timestamp,
    ) -> Result<Attempt> {
        let (facts, owner) = (facts.clone(), owner.to_owned());
        self.steps.ask(steps::Journal { lease: lease.clone(), window, facts, owner, at }).await
    }

    async fn fail(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        failure: &Failure,
    ) -> Result<Option<Denied<Timestamp>>> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            windows::fail(&mut tx, &lease.account, attempt, failure).await?;
            account.failures = account.failures.saturating_add(1);
            // The next try counts at once when the destination was replaced meanwhile.
            let version = windows::destination_version(&mut tx, &lease.account, attempt.window).await?;
            let newest = account.destination_version == Some(version);
            account.retry_at = newest.then_some(failure.retry_at);
            if newest {
                account.blame(failure.blame, failure.at);
            }
            account.trouble = Some(Trouble {
                kind: failure.kind.clone(),
                message: failure.message.clone(),
                at: failure.at,
            });
            accounts::write(&mut tx, &account).await?;
            tx.commit().await?;
            Ok(account.denied)
        })
        .await
    }

    async fn commit(&self, lease: &Lease, receipt: Receipt, at: Timestamp) -> Result<bool> {
        let attempt = receipt.attempt().clone();
        let window = attempt.window;
        self.steps.ask(steps::Ending { lease: lease.clone(), window, delivered: Some(attempt), at }).await
    }

    async fn close(&self, lease: &Lease, window: u64, at: Timestamp) -> Result<()> {
        self.steps.ask(steps::Ending { lease: lease.clone(), window, delivered: None, at }).await?;
        Ok(())
    }

    async fn hold(&self, lease: &Lease, hold: Hold, trouble: Trouble) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mut account = leases::fenced(&mut tx, lease).await?;
            account.held = Some(hold);
            account.trouble = Some(trouble);
            accounts::write(&mut tx, &account).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn newest_watermark(&self) -> Result<Option<Timestamp>> {
        in_time(async { history::newest_watermark(&mut *self.reading().await?).await }).await
    }

    async fn signs(&self, account: &AccountId, changed_since: Timestamp) -> Result<Signs> {
        history::signs(&mut *self.reading().await?, account, changed_since).await
    }

    async fn attended(&self, changed_since: Timestamp) -> Result<HashSet<AccountId>> {
        history::attended(&mut *self.reading().await?, changed_since).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>> {
        history::deliveries(&mut *self.reading().await?, filter).await
    }

    async fn windows(&self, account: &AccountId, limit: u32) -> Result<Vec<WindowRow>> {
        let mut connection = self.reading().await?;
        accounts::read(&mut connection, account, "").await?;
        history::windows(&mut connection, account, limit).await
    }

    async fn attempts(&self, account: &AccountId, key: &str) -> Result<Vec<AttemptRow>> {
        history::attempts(&mut *self.reading().await?, account, key).await
    }

    async fn past_windows(
        &self,
        account: &AccountId,
        slots: (Timestamp, Timestamp),
        after: u64,
        limit: u32,
    ) -> Result<Vec<PastWindow>> {
        replays::past_windows(&mut *self.reading().await?, account, slots, after, limit).await
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

    async fn replays(
        &self,
        account: Option<&AccountId>,
        key: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ReplayRow>> {
        replays::list(&mut *self.reading().await?, account, key, limit).await
    }

    async fn changes(&self, filter: &ChangeFilter) -> Result<Vec<Change>> {
        changes::list(&mut *self.reading().await?, filter).await
    }

    async fn untold_changes(&self, limit: u32) -> Result<Vec<Change>> {
        in_time(async { changes::untold(&mut *self.reading().await?, limit).await }).await
    }

    async fn changes_told(&self, numbers: &[u64]) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            changes::told(&mut tx, numbers).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn leave_changes_untold(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        changes::leave_untold(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        history::gauges(&mut *self.reading().await?, now).await
    }
}
