//! Records that cannot be exported as they are, such as one whose time is infinity.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Admin, AdminError};
use crate::ledger::{BadRecord, NewSkip, OpenWindow};
use crate::source::{SourceError, Taken, Taker};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::RecordSet;
use auditferry_core::model::record::RecordRef;
use auditferry_core::protocol::Hold;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// Records that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Skipped {
    /// Of which window.
    pub window: u64,
    /// The records that no object will hold.
    pub records: Vec<BadRecord>,
    /// Another record of the window that cannot be exported.
    pub next: Option<BadRecord>,
}

impl Admin {
    /// Leaves records out of the window in delivery, for good, and lets the account go on, which is held
    /// because of them. Only what cannot be exported can be left out.
    ///
    /// # Errors
    /// When the account is not held because of a record, or one of the keys is not of such a record.
    pub async fn skip_records(
        &self,
        by: &By,
        id: &AccountId,
        keys: &[String],
    ) -> Result<Skipped, AdminError> {
        let Some(reason) = by.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty()) else {
            return Err(Refusal::field("reason", RefusalCode::InvalidValue, "it is empty")
                .fix("say why the record may be left out")
                .into());
        };
        let held = self.ledger.account(id).await?.held == Some(Hold::BadRecord);
        let Some(open) = self.ledger.open_window(id).await?.filter(|_| held) else {
            let problem = "it is not held because of a record that cannot be exported; nothing is skipped";
            return Err(Refusal::account(id, RefusalCode::NotHeldForRecord, problem).into());
        };
        let mut set = open.window.set.clone();
        let mut records = Vec::new();
        let next = loop {
            match self.first_bad(id, &open, &set).await? {
                Some(bad) if keys.contains(&bad.key) => {
                    set.skipped.push(bad.key.clone());
                    records.push(bad);
                }
                other => break other,
            }
        };
        if let Some(key) = keys.iter().find(|key| records.iter().all(|bad| bad.key != **key)) {
            let refuse = |problem: String| Refusal::field("key", RefusalCode::ExportableRecord, problem);
            return Err(match next {
                Some(BadRecord { key: bad, problem }) => {
                    refuse(format!("{key:?} is not the record that cannot be exported; that is {bad:?}: {problem}"))
                }
                None => refuse(format!(
                    "{key:?} is not a record of window {} that cannot be exported, and only such a one is skipped",
                    open.window.number
                ))
                .fix(format!("once it is fixed, run `auditferry account release {id}`")),
            }
            .into());
        }
        let window = open.window.number;
        let skip = NewSkip { window, records, reason: reason.to_owned() };
        self.ledger.skip_records(by, id, &skip).await?;
        Ok(Skipped { window, records: skip.records, next })
    }

    /// That no record of the open window is left that cannot be exported.
    pub(super) async fn check_records(&self, id: &AccountId) -> Result<(), AdminError> {
        let Some(open) = self.ledger.open_window(id).await? else { return Ok(()) };
        match self.first_bad(id, &open, &open.window.set).await? {
            None => Ok(()),
            Some(BadRecord { key, problem }) => {
                let problem = format!("it stays held: record {key} of the source: {problem}");
                Err(Refusal::account(id, RefusalCode::StillHeld, problem)
                    .fix(format!(
                        "fix it there, or leave it out with `auditferry records skip {id} --key {key} --reason WHY`"
                    ))
                    .into())
            }
        }
    }

    /// The first record of a window that is not delivered and cannot be exported.
    async fn first_bad(
        &self,
        id: &AccountId,
        open: &OpenWindow,
        set: &RecordSet,
    ) -> Result<Option<BadRecord>, AdminError> {
        let mut cursor = open.cursor.clone();
        loop {
            match self.source.hand_over(id, set, cursor.as_ref(), u32::MAX, &mut Nobody).await {
                Ok(progress) if progress.exhausted => return Ok(None),
                Ok(progress) => cursor = progress.cursor,
                Err(SourceError::BadRecord { key, problem }) => return Ok(Some(BadRecord { key, problem })),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Reads records and keeps none.
struct Nobody;

#[async_trait]
impl Taker for Nobody {
    fn take(&mut self, _: &RecordRef<'_>) -> Taken {
        Taken::Yes
    }

    async fn pause(&mut self) {}
}
