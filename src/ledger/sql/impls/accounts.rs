//! `Accounts` on either database.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{
    Backend, FOR_UPDATE, access, accounts, changes, in_force, portal, proofs, put_in_force, sealed, sessions,
    skipped, windows,
};
use crate::base::database::in_time;
use crate::ledger::change::{difference, facts};
use crate::ledger::proof::Judged;
use crate::ledger::{
    Account, Accounts, AwaitedProof, BadRecord, Edit, FieldChange, Gap, LedgerError, NewProof, NewSkip,
    Proof, Result, TokenHash,
};
use crate::secrets::keys::SealedSecret;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::destination::Destination;
use auditferry_core::protocol::{self, Hold};
use auditferry_core::refusal::{Refusal, RefusalCode};

#[async_trait]
impl Accounts for Backend {
    async fn add_account(&self, by: &By, account: &Account) -> Result<()> {
        let mut tx = self.begin().await?;
        accounts::insert(&mut tx, account).await?;
        changes::record_edit(&mut tx, by, "account added", &Value::Null, account).await?;
        Ok(tx.commit().await?)
    }

    async fn account(&self, id: &AccountId) -> Result<Account> {
        in_time(async { accounts::read(self.reading().await?.as_mut(), id, "").await }).await
    }

    async fn accounts(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>> {
        accounts::list(self.reading().await?.as_mut(), after, limit).await
    }

    async fn edit_account(&self, by: &By, id: &AccountId, edit: Edit<'_>) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::lock(&mut tx, by, id).await?;
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

    async fn add_slot(&self, by: &By, id: &AccountId, slot: Timestamp, edit: Edit<'_>) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::read(&mut tx, id, FOR_UPDATE).await?;
        let before = facts(&account);
        edit(&mut account)?;
        if !protocol::may_add_slot(account.open_window, &account.last_slot, &slot) {
            return Err(LedgerError::Changed(id.clone()));
        }
        account.next_slot = Some(slot);
        account.retry_at = None;
        accounts::write(&mut tx, &account).await?;
        accounts::count_change(&mut tx, id).await?;
        let mut fields = difference(&before, &facts(&account));
        fields.push(FieldChange { field: "slot".to_owned(), from: Value::Null, to: json!(slot) });
        changes::record(&mut tx, by, id, "slot added", &fields).await?;
        tx.commit().await?;
        Ok(account)
    }

    async fn remove_account(&self, by: &By, id: &AccountId) -> Result<()> {
        let mut tx = self.begin().await?;
        let account = accounts::lock(&mut tx, by, id).await?;
        accounts::delete(&mut tx, id).await?;
        access::forget_account(&mut tx, id).await?;
        sessions::forget_account(&mut tx, id).await?;
        portal::forget_account(&mut tx, id).await?;
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
        let mut account = accounts::lock(&mut tx, by, id).await?;
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
        accounts::lock(&mut tx, by, id).await?;
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
        proofs::awaited(self.reading().await?.as_mut(), id).await
    }

    async fn prove(&self, by: &By, id: &AccountId, token: &TokenHash, now: Timestamp) -> Result<Proof> {
        let mut tx = self.begin().await?;
        let mut account = accounts::lock(&mut tx, by, id).await?;
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
        accounts::lock(&mut tx, by, id).await?;
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

    async fn external_id(&self, id: &AccountId) -> Result<Option<String>> {
        accounts::external_id(self.reading().await?.as_mut(), id, "").await
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

    async fn skip_to(
        &self,
        by: &By,
        id: &AccountId,
        watermark: &Watermark,
        gap: Gap,
        edit: Edit<'_>,
    ) -> Result<Account> {
        let mut tx = self.begin().await?;
        let mut account = accounts::lock(&mut tx, by, id).await?;
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
        let mut account = accounts::lock(&mut tx, by, id).await?;
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
        let mut account = accounts::lock(&mut tx, by, id).await?;
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
}
