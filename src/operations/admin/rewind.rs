//! Held accounts: let them go on, or begin again from where both sides agree.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Admin, AdminError};
use crate::ledger::{Account, LedgerError};
use crate::source::SourceError;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::instant::span_text;
use auditferry_core::model::start::Start;
use auditferry_core::protocol::{ClockState, Hold, clock_state};
use auditferry_core::refusal::{Refusal, RefusalCode};

/// Most windows that a rewind goes back: half a year of six a day.
pub(super) const REWIND_LIMIT: u32 = 1_100;

/// An account that goes on as a new generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rewound {
    /// Which.
    pub account: AccountId,
    /// The number of its generation, which is in the names of its next objects.
    pub generation: u32,
    /// When the watermark was captured from which it goes on.
    pub watermark_at: Timestamp,
    /// Its next slot.
    pub next_slot: Option<Timestamp>,
    /// That slots to come were taken back, if they were.
    pub set_back: Option<SetBack>,
}

/// Slots to come that a wrong clock had planned, and that were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SetBack {
    /// The newest slot before that.
    pub from: Timestamp,
    /// The newest slot after that.
    pub to: Timestamp,
    /// The prefix of its destination.
    pub prefix: String,
    /// What the marker of a reader is to be set back to.
    #[serde(default)]
    pub marker: String,
}

impl Admin {
    /// Lets a held account go on, once a person has removed the cause. What held it is looked at
    /// again here, or by its next try: an object under its key, content that differs.
    ///
    /// # Errors
    /// When the account is not held, or the cause is still there or cannot be seen to be gone.
    pub async fn release(&self, by: &By, id: &AccountId) -> Result<Account, AdminError> {
        let seen = self.ledger.account(id).await?.held;
        match seen {
            Some(Hold::SourceRewound | Hold::SourceRewritten) => self.check_source(id).await?,
            Some(Hold::BadRecord) => {
                // First: a row that was fixed may no longer be in the window.
                self.check_source(id).await?;
                self.check_records(id).await?;
            }
            _ => {}
        }
        let mut release = |account: &mut Account| {
            match account.held.take() {
                None => return Err(Refusal::account(id, RefusalCode::NotHeld, "it is not held").into()),
                Some(Hold::LedgerRewound) => {
                    let problem = "this ledger lacks what was delivered after its backup, and nothing can show that to \
                                   be over: a release would deliver it again under the same names";
                    return Err(Refusal::account(id, RefusalCode::StillHeld, problem)
                        .fix(format!(
                            "bring the right ledger back, in which the account is not held, or run `auditferry account \
                             rewind {id} --accept`, which goes on under new names"
                        ))
                        .into());
                }
                held if held != seen => return Err(LedgerError::Changed(id.clone())),
                Some(_) => {}
            }
            account.clear_trouble();
            Ok(())
        };
        Ok(self.ledger.edit_account(by, id, &mut release).await?)
    }

    /// That the source has, as it was, everything up to the watermark and the open window's end.
    async fn check_source(&self, id: &AccountId) -> Result<(), AdminError> {
        let watermark = self.ledger.account(id).await?.watermark;
        let open = self.ledger.open_window(id).await?;
        let bounds = watermark.bounds().chain(open.iter().flat_map(|open| open.window.set.bounds()));
        for bound in bounds {
            match self.source.recognise(id, bound).await {
                Ok(()) => {}
                Err(error @ (SourceError::Rewound(_) | SourceError::Rewritten(_))) => {
                    return Err(Refusal::account(
                        id,
                        RefusalCode::StillHeld,
                        format!("it stays held: {error}"),
                    )
                    .fix(format!(
                        "bring the right source back, or run `auditferry account rewind {id} --accept`"
                    ))
                    .into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Lets an account go on whose source or ledger has gone back, as a new generation:
    /// from the newest watermark that the source still recognises, or from `from`. When
    /// exported rows were changed, from its watermark, and what changed comes again. One that is
    /// not held and whose newest slot a wrong clock has put into the future goes on from now.
    ///
    /// # Errors
    /// When nothing has gone back, or no earlier watermark is recognised.
    pub async fn rewind(&self, by: &By, id: &AccountId, from: Option<Start>) -> Result<Account, AdminError> {
        let seen = self.ledger.account(id).await?;
        if seen.held.is_none() && seen.clock_was_ahead(self.clock.now()) {
            return self.set_back(by, id, from).await;
        }
        let mut watermark = match from {
            Some(Start::Enabled) => {
                return Err(Refusal::field(
                    "from",
                    RefusalCode::InvalidValue,
                    "enabled is for a new account",
                )
                .fix("write now, beginning or an instant")
                .into());
            }
            Some(start) => self.watermark(id, start).await?,
            None => match self.ledger.account(id).await? {
                Account { held: Some(Hold::SourceRewritten), watermark, .. } => self.forgiven(watermark)?,
                _ => self.newest_recognised(id).await?,
            },
        };
        watermark.at = watermark.at.min(self.clock.now());
        let mut only_when_held = |account: &mut Account| match account.held {
            None => {
                let problem = "it is not held; there is nothing to rewind";
                Err(Refusal::account(id, RefusalCode::NotHeld, problem).into())
            }
            Some(_) => {
                if account.clock_was_ahead(self.clock.now()) {
                    account.last_slot = self.clock.now();
                    account.next_slot = self.next_slot(account);
                }
                Ok(())
            }
        };
        Ok(self.ledger.rewind(by, id, &watermark, &mut only_when_held).await?)
    }

    /// Lets an account go on from now whose newest slot lies in the future, as a new generation. Its
    /// watermark stays, so that nothing is left out or sent twice; so does a window in delivery, which
    /// keeps its names.
    async fn set_back(&self, by: &By, id: &AccountId, from: Option<Start>) -> Result<Account, AdminError> {
        let now = self.clock.now();
        if let Some(from) = from {
            let problem =
                format!("{from} is not possible: account {id} is not held, its slots lie in the future");
            return Err(Refusal::field("from", RefusalCode::InvalidValue, problem)
                .fix("leave --from out, and it continues from its watermark")
                .into());
        }
        // By a clock that is behind, every slot lies in the future.
        let ahead = now.duration_since(self.ledger.now().await?);
        if self.clock.is_real() && clock_state(ahead) == ClockState::Wrong {
            let problem = format!(
                "the clock of this host and the clock of the ledger's database differ by {}",
                span_text(ahead)
            );
            return Err(Refusal::account(id, RefusalCode::ClocksDiffer, problem)
                .fix("set them right first (NTP)")
                .into());
        }
        let mut edit = |account: &mut Account| {
            if account.held.is_some() || !account.clock_was_ahead(now) {
                return Err(LedgerError::Changed(id.clone()));
            }
            account.generation += 1;
            account.last_slot = now;
            account.watermark.at = account.watermark.at.min(now);
            account.served_at = None;
            account.clear_trouble();
            account.next_slot = self.next_slot(account);
            Ok(())
        };
        Ok(self.ledger.edit_account(by, id, &mut edit).await?)
    }

    fn forgiven(&self, mut watermark: Watermark) -> Result<Watermark, AdminError> {
        watermark.bound = self.source.forgive(&watermark.bound)?;
        if let Some(ahead) = &mut watermark.ahead {
            ahead.bound = self.source.forgive(&ahead.bound)?;
        }
        Ok(watermark)
    }

    /// The same, and what the reader of the bucket has to know of it.
    ///
    /// # Errors
    /// As [`Admin::rewind`].
    pub async fn rewound(&self, by: &By, id: &AccountId, from: Option<Start>) -> Result<Rewound, AdminError> {
        let before = self.ledger.account(id).await?;
        let after = self.rewind(by, id, from).await?;
        let set_back = if before.clock_was_ahead(self.clock.now()) {
            let destination = self.ledger.destination(id).await?;
            let path = after.format.path;
            let below = destination.as_ref().map_or_else(String::new, |there| there.key_prefix(path));
            let prefix = destination.map(|there| there.prefix).unwrap_or_default();
            let marker = path.marker(&below, id, after.last_slot);
            Some(SetBack { from: before.last_slot, to: after.last_slot, prefix, marker })
        } else {
            None
        };
        Ok(Rewound {
            account: after.id,
            generation: after.generation,
            watermark_at: after.watermark.at,
            next_slot: after.next_slot,
            set_back,
        })
    }

    /// The accounts that go on with a rewind: because the source or the ledger went back or was changed, or because
    /// a wrong clock has planned slots to come.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn awaiting_rewind(&self) -> Result<Vec<AccountId>, AdminError> {
        let now = self.clock.now();
        let waits = |account: &Account| match account.held {
            Some(hold) => hold.ends_with_rewind(),
            None => account.clock_was_ahead(now),
        };
        Ok(self.all_accounts().await?.into_iter().filter(waits).map(|account| account.id).collect())
    }

    async fn newest_recognised(&self, id: &AccountId) -> Result<Watermark, AdminError> {
        for watermark in self.ledger.watermarks(id, REWIND_LIMIT).await? {
            if self.recognises(id, &watermark).await? {
                return Ok(watermark);
            }
        }
        let problem = format!("the source recognises none of its last {REWIND_LIMIT} watermarks");
        Err(Refusal::account(id, RefusalCode::NoCommonWatermark, problem)
            .fix(
                "say where to continue: --from beginning, --from now (which leaves a gap), or --from INSTANT",
            )
            .into())
    }

    async fn recognises(&self, id: &AccountId, watermark: &Watermark) -> Result<bool, AdminError> {
        for bound in watermark.bounds() {
            match self.source.recognise(id, bound).await {
                Ok(()) => {}
                Err(SourceError::Rewound(_) | SourceError::Rewritten(_)) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
