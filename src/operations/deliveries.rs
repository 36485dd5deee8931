//! One object of the history: how it was put, and put again.

use serde::{Deserialize, Serialize};

use super::admin::{Admin, AdminError};
use crate::ledger::{AttemptRow, DeliveryFilter, DeliveryRow, ReplayFilter, ReplayRow};
use auditferry_core::model::account::AccountId;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// Most replays of one object that are shown.
const REPLAYS_SHOWN: u32 = 50;

/// Everything that `deliveries show` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryView {
    /// The object.
    pub delivery: DeliveryRow,
    /// Every attempt to put it, the oldest first.
    pub attempts: Vec<AttemptRow>,
    /// How it was put again, the newest first, at most 50 times.
    pub replays: Vec<ReplayRow>,
}

impl Admin {
    /// One object of an account: by its key, by the name of a file at its end, or by the name that it got when it was
    /// put again.
    ///
    /// # Errors
    /// When the history has no such object, or the ledger fails.
    pub async fn delivery(&self, account: &AccountId, key: &str) -> Result<DeliveryView, AdminError> {
        let filter = ReplayFilter {
            account: Some(account.clone()),
            key: Some(key.to_owned()),
            after: None,
            limit: REPLAYS_SHOWN,
        };
        let replays = self.ledger.replays(&filter).await?;
        let key = replays.first().map_or(key, |replay| replay.key.as_str());
        let filter = DeliveryFilter {
            account: Some(account.clone()),
            key: Some(key.to_owned()),
            limit: 1,
            ..DeliveryFilter::default()
        };
        let Some(delivery) = self.ledger.deliveries(&filter).await?.pop() else {
            let problem = format!("the ledger knows no object {key:?}");
            return Err(Refusal::account(account, RefusalCode::NoSuchObject, problem)
                .fix("`auditferry deliveries ls` shows all")
                .into());
        };
        let attempts = self.ledger.attempts(account, &delivery.key).await?;
        Ok(DeliveryView { delivery, attempts, replays })
    }
}
