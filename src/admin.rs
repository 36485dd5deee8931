//! What support does: add accounts, enable add-ons, set destinations. Everything
//! is checked before anything is changed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::account::{AccountId, AddOn};
use crate::capture::{CaptureError, capture};
use crate::clock::Clock;
use crate::destination::{self, Destination, DestinationError};
use crate::keys::{KeyError, SealedSecret, random};
use crate::ledger::{Account, ExportOptions, Ledger, LedgerError, NewProof, Pause, Proof};
use crate::proof::token_hash;
use crate::protocol::{Hold, may_skip};
use crate::schedule::{Calendar, Schedule, ScheduleError, ZoneError};
use crate::secrets::Secret;
use crate::settings::validate_format;
use crate::source::{Source, SourceError};
use crate::window::{Start, Watermark};
use crate::zones::Zones;

mod adoption;

pub use adoption::{AdoptedAccount, Adoption};

/// Most windows that a rewind goes back: half a year of six a day.
const REWIND_LIMIT: u32 = 1_100;

/// Why a change was refused or failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A value cannot be right.
    #[error("{0}")]
    Invalid(String),
    /// The zone is not known.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The schedule does not parse.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The destination cannot be right.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The ledger refused or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The system gives no random numbers.
    #[error(transparent)]
    Random(#[from] KeyError),
    /// The ledger has gone back.
    #[error("{0}")]
    LedgerRewound(String),
}

impl From<CaptureError> for AdminError {
    fn from(error: CaptureError) -> Self {
        match error {
            CaptureError::Ledger(error) => Self::Ledger(error),
            CaptureError::Source(error) => Self::Source(error),
            CaptureError::LedgerRewound => Self::LedgerRewound(error.to_string()),
        }
    }
}

impl AdminError {
    /// Whether the request was wrong, rather than a database away.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Source(SourceError::Account { .. } | SourceError::Table(_) | SourceError::Unfit(_))
        ) || !matches!(
            self,
            Self::Source(_)
                | Self::LedgerRewound(_)
                | Self::Random(_)
                | Self::Ledger(
                    LedgerError::Database(_) | LedgerError::Migrate(_) | LedgerError::LeaseLost(_)
                )
        )
    }
}

/// The operations of support, on one ledger and one source.
pub struct Admin {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The source.
    pub source: Arc<dyn Source>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Time zones.
    pub zones: Zones,
}

impl Admin {
    /// Checks an export's options, and gives its zone the name that IANA gives it.
    ///
    /// # Errors
    /// The first value that cannot be right.
    pub fn checked(&self, options: &ExportOptions) -> Result<ExportOptions, AdminError> {
        let zone = self.zones.find(&options.zone)?.name().to_owned();
        Schedule::parse(&options.schedule)?;
        validate_format(&options.format).map_err(AdminError::Invalid)?;
        Ok(ExportOptions { zone, ..options.clone() })
    }

    /// Adds an account, without a destination and with the add-on disabled.
    ///
    /// # Errors
    /// When a value cannot be right, the account exists, or a database is away.
    pub async fn add_account(
        &self,
        id: &AccountId,
        options: &ExportOptions,
        start: Start,
    ) -> Result<Account, AdminError> {
        id.check_new().map_err(|error| AdminError::Invalid(error.to_string()))?;
        let options = self.checked(options)?;
        let watermark = self.watermark(id, start).await?;
        let account = Account::new(id.clone(), options, self.clock.now(), watermark);
        self.ledger.add_account(&account).await?;
        Ok(account)
    }

    /// The watermark from which an export begins.
    async fn watermark(&self, id: &AccountId, start: Start) -> Result<Watermark, AdminError> {
        Ok(match start {
            Start::Now => {
                let captured = capture(&*self.ledger, &*self.source, &*self.clock).await?;
                let bound = self.source.pin(id, None, &captured.bound).await?;
                Watermark { bound, at: captured.at, ahead: None, since: None }
            }
            Start::Beginning => Watermark {
                bound: self.source.beginning(),
                at: Timestamp::UNIX_EPOCH,
                ahead: None,
                since: None,
            },
            Start::At(since) => {
                Watermark { bound: self.source.beginning(), at: since, ahead: None, since: Some(since) }
            }
        })
    }

    /// Changes an account's options, from its next window on.
    ///
    /// # Errors
    /// As [`Admin::add_account`].
    pub async fn set_options(&self, id: &AccountId, options: &ExportOptions) -> Result<Account, AdminError> {
        let options = self.checked(options)?;
        Ok(self
            .ledger
            .edit_account(id, &mut |account| {
                account.zone.clone_from(&options.zone);
                account.schedule.clone_from(&options.schedule);
                account.format = options.format.clone();
                account.next_slot = self.next_slot(account);
                Ok(())
            })
            .await?)
    }

    /// That a destination may be set in the place of what there is.
    ///
    /// # Errors
    /// When there is one, and it is not to be replaced.
    pub fn check_destination(
        &self,
        id: &AccountId,
        current: Option<&Destination>,
        replace: bool,
    ) -> Result<(), AdminError> {
        match current {
            Some(current) if !replace => Err(AdminError::Invalid(format!(
                "account {id}: it has a destination already, {current}, and an account has one; \
                 add --replace to put this one in its place (the watermark stays)"
            ))),
            _ => Ok(()),
        }
    }

    /// That the credentials of a destination have not ended, as far as it says.
    ///
    /// # Errors
    /// When they have.
    pub fn check_end(&self, destination: &Destination) -> Result<(), AdminError> {
        match destination.expires {
            Some(end) if end <= self.clock.now() => Err(AdminError::Invalid(format!(
                "expires: {end} has passed; give credentials that are in force, with the date on which they end"
            ))),
            _ => Ok(()),
        }
    }

    /// The external id of the account's roles, made now if there is none.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn external_id(&self, id: &AccountId) -> Result<String, AdminError> {
        let new = destination::external_id(&random()?);
        Ok(self.ledger.make_external_id(id, &new).await?)
    }

    /// A destination with what auditferry itself adds to it.
    ///
    /// # Errors
    /// When it says otherwise, or the account has no external id yet and needs one.
    pub async fn completed(
        &self,
        id: &AccountId,
        destination: Destination,
    ) -> Result<Destination, AdminError> {
        if !destination.needs_external_id() {
            return Ok(destination);
        }
        let external_id = match self.ledger.external_id(id).await {
            Err(LedgerError::NoAccount(_)) => None,
            known => known?,
        };
        Ok(destination.completed(id, external_id.as_deref())?)
    }

    /// Sets the account's one destination, with its sealed secrets. A second one is refused unless `replace`.
    ///
    /// # Errors
    /// When the destination cannot be right, or there is one already.
    pub async fn set_destination(
        &self,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        replace: bool,
    ) -> Result<u64, AdminError> {
        let destination = self.completed(id, destination.clone()).await?;
        destination.validate()?;
        self.check_end(&destination)?;
        self.check_destination(id, self.ledger.destination(id).await?.as_ref(), replace)?;
        Ok(self.ledger.set_destination(id, &destination, sealed).await?)
    }

    /// Whether the owner of a destination has to prove it theirs before it is in force.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn asks_for_proof(
        &self,
        id: &AccountId,
        destination: &Destination,
    ) -> Result<bool, AdminError> {
        if !destination.needs_proof() {
            return Ok(false);
        }
        let current = match self.ledger.destination(id).await {
            Err(LedgerError::NoAccount(_)) => None,
            known => known?,
        };
        let same = current.is_some_and(|current| destination.is_same_place(&current));
        Ok(!same || self.ledger.proved_at(id).await?.is_none())
    }

    /// Lets a destination wait for the proof of its owner; the one in force stays.
    ///
    /// # Errors
    /// As [`Admin::set_destination`].
    pub async fn await_proof(
        &self,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        replace: bool,
        proof: &NewProof,
    ) -> Result<u64, AdminError> {
        let destination = self.completed(id, destination.clone()).await?;
        destination.validate()?;
        self.check_end(&destination)?;
        self.check_destination(id, self.ledger.destination(id).await?.as_ref(), replace)?;
        Ok(self.ledger.await_proof(id, &destination, sealed, proof).await?)
    }

    /// Puts the destination that waits in force, if this is its token.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn prove(&self, id: &AccountId, token: &Secret) -> Result<Proof, AdminError> {
        Ok(self.ledger.prove(id, &token_hash(token), self.clock.now()).await?)
    }

    /// Takes the destination away, and one that waits for a proof; returns whether one did. The
    /// watermark stays.
    ///
    /// # Errors
    /// When there is no such account, or neither of them.
    pub async fn remove_destination(&self, id: &AccountId) -> Result<bool, AdminError> {
        let withdrawn = self.ledger.withdraw_proof(id).await?;
        self.ledger
            .edit_account(id, &mut |account| {
                if account.destination_version.take().is_none() && !withdrawn {
                    return Err(LedgerError::Refused(format!("account {id}: it has no destination")));
                }
                Ok(())
            })
            .await?;
        Ok(withdrawn)
    }

    /// That an add-on's end can be right.
    ///
    /// # Errors
    /// When it has passed or is not in whole seconds.
    pub fn check_addon(&self, addon: &AddOn) -> Result<(), AdminError> {
        let Some(until) = addon.until.filter(|_| addon.enabled) else { return Ok(()) };
        if until.subsec_nanosecond() != 0 {
            return Err(AdminError::Invalid(format!("until: {until} has parts of a second; leave them out")));
        }
        if until <= self.clock.now() {
            return Err(AdminError::Invalid(format!(
                "until: {until} has passed; give a later instant, or disable the add-on"
            )));
        }
        Ok(())
    }

    /// Enables or disables the add-on. `from`: skip what has not been delivered and go
    /// on from there, which is recorded as a gap; only `now` can be skipped to.
    ///
    /// # Errors
    /// When the end cannot be right, or a gap is asked for while a window is open.
    pub async fn set_addon(
        &self,
        id: &AccountId,
        addon: &AddOn,
        from: Option<Start>,
    ) -> Result<Account, AdminError> {
        self.check_addon(addon)?;
        let now = self.clock.now();
        let edit = |account: &mut Account| {
            account.addon = addon.clone();
            account.next_slot = self.next_slot(account);
            Ok(())
        };
        match from {
            None => Ok(self.ledger.edit_account(id, &mut { edit }).await?),
            Some(Start::Now) => {
                let seen = self.ledger.account(id).await?.windows;
                let watermark = self.watermark(id, Start::Now).await?;
                let mut skip = |account: &mut Account| {
                    // The skip itself has been counted.
                    if !may_skip(account.open_window, seen + 1, account.windows) {
                        return Err(LedgerError::Refused(format!(
                            "account {id}: a window was planned meanwhile; run the command again"
                        )));
                    }
                    edit(account)
                };
                Ok(self.ledger.skip_to(id, &watermark, now, &mut skip).await?)
            }
            Some(other) => Err(AdminError::Invalid(format!(
                "from: {other} is not possible, because what is delivered is not sent twice; \
                 write now, or leave it out to go on from the watermark"
            ))),
        }
    }

    /// Lets a held account go on, once a person has removed the cause. What held it is looked at
    /// again here, or by its next try: an object under its key, content that differs.
    ///
    /// # Errors
    /// When the account is not held, or the cause is still there or cannot be seen to be gone.
    pub async fn release(&self, id: &AccountId) -> Result<Account, AdminError> {
        let seen = self.ledger.account(id).await?.held;
        if let Some(Hold::SourceRewound | Hold::SourceRewritten) = seen {
            self.check_source(id).await?;
        }
        let mut release = |account: &mut Account| {
            match account.held.take() {
                None => return Err(LedgerError::Refused(format!("account {id}: it is not held"))),
                Some(Hold::LedgerRewound) => {
                    return Err(LedgerError::Refused(format!(
                        "account {id}: this ledger lacks what was delivered after its backup, and nothing can show \
                         that to be over: a release would deliver it again under the same names. Bring the right \
                         ledger back, in which the account is not held, or run `auditferry account rewind {id} \
                         --accept`, which goes on under new names"
                    )));
                }
                held if held != seen => return Err(LedgerError::Changed(id.clone())),
                Some(_) => {}
            }
            account.clear_trouble();
            Ok(())
        };
        Ok(self.ledger.edit_account(id, &mut release).await?)
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
                    return Err(AdminError::Invalid(format!(
                        "account {id}: it stays held: {error}. Bring the right source back, or run `auditferry \
                         account rewind {id} --accept`"
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Lets nothing of an account start until it is resumed. What is in flight may finish; an
    /// account that is paused already keeps its instant, and its reason unless there is a new one.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn pause(&self, id: &AccountId, reason: Option<&str>) -> Result<Account, AdminError> {
        let at = self.clock.now();
        let mut edit = |account: &mut Account| {
            let pause = account.paused.get_or_insert(Pause { at, reason: None });
            if let Some(reason) = reason {
                pause.reason = Some(reason.to_owned());
            }
            Ok(())
        };
        Ok(self.ledger.edit_account(id, &mut edit).await?)
    }

    /// Ends a pause or a suspension; the account goes on from its watermark, at once.
    /// Returns the account as it was, and does nothing when it was neither.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn resume(&self, id: &AccountId) -> Result<Account, AdminError> {
        let mut before = None;
        let mut edit = |account: &mut Account| {
            before = Some(account.clone());
            account.paused = None;
            if account.is_suspended() {
                account.clear_trouble();
            }
            Ok(())
        };
        let after = self.ledger.edit_account(id, &mut edit).await?;
        Ok(before.unwrap_or(after))
    }

    /// Lets an account go on whose source or ledger has gone back, as a new generation:
    /// from the newest watermark that the source still recognises, or from `from`. When
    /// exported rows were changed, from its watermark, and what changed comes again.
    ///
    /// # Errors
    /// When nothing has gone back, or no earlier watermark is recognised.
    pub async fn rewind(&self, id: &AccountId, from: Option<Start>) -> Result<Account, AdminError> {
        let watermark = match from {
            Some(start) => self.watermark(id, start).await?,
            None => match self.ledger.account(id).await? {
                Account { held: Some(Hold::SourceRewritten), watermark, .. } => self.forgiven(watermark)?,
                _ => self.newest_recognised(id).await?,
            },
        };
        let mut only_when_held = |account: &mut Account| match account.held {
            None => {
                Err(LedgerError::Refused(format!("account {id}: it is not held; there is nothing to rewind")))
            }
            Some(_) => Ok(()),
        };
        Ok(self.ledger.rewind(id, &watermark, &mut only_when_held).await?)
    }

    fn forgiven(&self, mut watermark: Watermark) -> Result<Watermark, AdminError> {
        watermark.bound = self.source.forgive(&watermark.bound)?;
        if let Some(ahead) = &mut watermark.ahead {
            ahead.bound = self.source.forgive(&ahead.bound)?;
        }
        Ok(watermark)
    }

    async fn newest_recognised(&self, id: &AccountId) -> Result<Watermark, AdminError> {
        for watermark in self.ledger.watermarks(id, REWIND_LIMIT).await? {
            if self.recognises(id, &watermark).await? {
                return Ok(watermark);
            }
        }
        Err(AdminError::Invalid(format!(
            "account {id}: the source recognises none of its last {REWIND_LIMIT} watermarks; \
             say from where to go on: --from beginning, --from now (which leaves a gap), or --from INSTANT"
        )))
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

    /// The slot after the newest planned one; it may have passed, and then it is due.
    fn next_slot(&self, account: &Account) -> Option<Timestamp> {
        let zone = self.zones.find(&account.zone).ok()?;
        let schedule = Schedule::parse(&account.schedule).ok()?;
        let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &account.addon };
        calendar.next_after(account.last_slot)
    }
}
