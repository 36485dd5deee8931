//! What support does: add accounts, enable add-ons, set destinations. Everything
//! is checked before anything is changed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::clock::Clock;
use crate::base::zones::Zones;
use crate::delivery::capture::{CaptureError, capture};
use crate::destinations::proof::token_hash;
use crate::ledger::{Account, ExportOptions, Gap, Ledger, LedgerError, NewProof, Pause, Proof};
use crate::secrets::Secret;
use crate::secrets::keys::{KeyError, SealedSecret, random};
use crate::source::{Source, SourceError};
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::destination::{self, Destination, DestinationError};
use auditferry_core::model::instant::span_text;
use auditferry_core::model::schedule::{Calendar, Schedule, ScheduleError, ZoneError};
use auditferry_core::model::start::Start;
use auditferry_core::protocol::{ClockState, Hold, clock_state, may_skip};
use auditferry_core::refusal::{Refusal, RefusalCode};

mod records;

pub use records::Skipped;

mod adoption;

pub use adoption::{AdoptedAccount, Adoption};

/// How many accounts are read at once.
const PAGE: u32 = 500;

/// Most windows that a rewind goes back: half a year of six a day.
const REWIND_LIMIT: u32 = 1_100;

/// Why a change was refused or failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A value cannot be right, or the account's state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
    /// Whether the request or the settings are wrong, rather than a database away.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Zone(_) | Self::Schedule(_) | Self::Destination(_) => true,
            Self::Ledger(error) => error.is_usage(),
            Self::Source(error) => error.is_usage(),
            Self::Random(_) | Self::LedgerRewound(_) => false,
        }
    }

    /// A stable word for a program.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::Zone(_) => "unknown_zone",
            Self::Schedule(_) => "invalid_schedule",
            Self::Destination(_) => "invalid_destination",
            Self::Ledger(error) => error.code(),
            Self::Source(error) => error.code(),
            Self::Random(_) => "no_random_numbers",
            Self::LedgerRewound(_) => "ledger_rewound",
        }
    }
}

/// The operations of support, on one ledger and one source.
pub struct Admin {
    /// What is changed.
    pub ledger: Arc<dyn Ledger>,
    /// Asked for bounds, and whether it recognises them.
    pub source: Arc<dyn Source>,
    /// What "now" is.
    pub clock: Arc<dyn Clock>,
    /// The time zones that accounts can have.
    pub zones: Zones,
}

impl Admin {
    /// All accounts, read page by page.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn all_accounts(&self) -> Result<Vec<Account>, LedgerError> {
        let mut all: Vec<Account> = Vec::new();
        loop {
            let page = self.ledger.accounts(all.last().map(|account| &account.id), PAGE).await?;
            let more = page.len() == PAGE as usize;
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Checks an export's options, and gives its zone the name that IANA gives it.
    ///
    /// # Errors
    /// The first value that cannot be right.
    pub fn checked(&self, options: &ExportOptions) -> Result<ExportOptions, AdminError> {
        let zone = self.zones.find(&options.zone)?.name().to_owned();
        let schedule = Schedule::parse(&options.schedule)?;
        if schedule.next_after(&jiff::tz::TimeZone::UTC, self.clock.now()).is_none() {
            let problem = format!("{:?} never fires any more: its years have passed", options.schedule);
            return Err(Refusal::field("schedule", RefusalCode::NeverFires, problem).into());
        }
        options.format.check()?;
        Ok(ExportOptions { zone, ..options.clone() })
    }

    /// Adds an account, without a destination and with the add-on disabled.
    ///
    /// # Errors
    /// When a value cannot be right, the account exists, or a database is away.
    pub async fn add_account(
        &self,
        by: &By,
        id: &AccountId,
        options: &ExportOptions,
        start: Start,
    ) -> Result<Account, AdminError> {
        id.check_new().map_err(|error| Refusal::new(RefusalCode::InvalidAccountId, error.to_string()))?;
        let options = self.checked(options)?;
        let watermark = self.watermark(id, start).await?;
        let mut account = Account::new(id.clone(), options, self.clock.now(), watermark);
        account.starts_when_enabled = start == Start::Enabled;
        self.ledger.add_account(by, &account).await?;
        Ok(account)
    }

    /// The watermark from which an export begins.
    async fn watermark(&self, id: &AccountId, start: Start) -> Result<Watermark, AdminError> {
        Ok(match start {
            // Until the enablement, that of the account: nothing is exported before.
            Start::Now | Start::Enabled => {
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

    /// That a schedule is not the account's own as it was written before days of the week were counted as
    /// in cron: nobody can tell which days are meant.
    ///
    /// # Errors
    /// When it is.
    pub fn check_schedule(&self, account: &Account, schedule: &str) -> Result<(), AdminError> {
        match &account.schedule_before {
            Some(before) if before == schedule => {
                let problem = format!(
                    "{before:?} has two meanings. When it was set, 1 was Sunday and 7 was Saturday, and a day of the \
                     month and one of the week were both asked for: the account keeps that as {:?}. Today 0 and 7 are \
                     Sunday, and either is enough",
                    account.schedule
                );
                let refusal = Refusal::account(&account.id, RefusalCode::AmbiguousSchedule, problem)
                    .fix(format!("write {:?} to keep it, or name the days that you want", account.schedule));
                Err(Refusal { field: Some("schedule"), ..refusal }.into())
            }
            _ => Ok(()),
        }
    }

    /// The next slots of an account, at most `count`.
    #[must_use]
    pub fn upcoming(&self, account: &Account, count: usize) -> Vec<Timestamp> {
        let mut next = account.next_slot;
        let mut slots = Vec::new();
        while let Some(slot) = next.filter(|_| slots.len() < count) {
            slots.push(slot);
            next = self.slot_after(account, slot);
        }
        slots
    }

    /// Changes an account's options, from its next window on.
    ///
    /// # Errors
    /// As [`Admin::add_account`].
    pub async fn set_options(
        &self,
        by: &By,
        id: &AccountId,
        options: &ExportOptions,
    ) -> Result<Account, AdminError> {
        let options = self.checked(options)?;
        self.check_schedule(&self.ledger.account(id).await?, &options.schedule)?;
        Ok(self
            .ledger
            .edit_account(by, id, &mut |account| {
                account.zone.clone_from(&options.zone);
                account.set_schedule(&options.schedule);
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
            Some(current) if !replace => {
                let problem = format!("it has a destination already, {current}, and an account has one");
                Err(Refusal::account(id, RefusalCode::DestinationExists, problem)
                    .fix("add --replace to put this one in its place (the watermark stays)")
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// That the credentials of a destination have not ended, as far as it says.
    ///
    /// # Errors
    /// When they have.
    pub fn check_end(&self, destination: &Destination) -> Result<(), AdminError> {
        match destination.expires {
            Some(end) if end <= self.clock.now() => {
                Err(Refusal::field("expires", RefusalCode::HasPassed, format!("{end} has passed"))
                    .fix("give credentials that are in force, with the date on which they end")
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// The external id of the account's roles, made now if there is none.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn external_id(&self, by: &By, id: &AccountId) -> Result<String, AdminError> {
        let new = destination::external_id(&random()?);
        Ok(self.ledger.make_external_id(by, id, &new).await?)
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
        by: &By,
        id: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
        replace: bool,
    ) -> Result<u64, AdminError> {
        let destination = self.completed(id, destination.clone()).await?;
        destination.validate()?;
        self.check_end(&destination)?;
        self.check_destination(id, self.ledger.destination(id).await?.as_ref(), replace)?;
        Ok(self.ledger.set_destination(by, id, &destination, sealed).await?)
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
        by: &By,
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
        Ok(self.ledger.await_proof(by, id, &destination, sealed, proof).await?)
    }

    /// Puts the destination that waits in force, if this is its token.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn prove(&self, by: &By, id: &AccountId, token: &Secret) -> Result<Proof, AdminError> {
        Ok(self.ledger.prove(by, id, &token_hash(token), self.clock.now()).await?)
    }

    /// Takes the destination away, and one that waits for a proof; returns whether one did. The
    /// watermark stays.
    ///
    /// # Errors
    /// When there is no such account, or neither of them.
    pub async fn remove_destination(&self, by: &By, id: &AccountId) -> Result<bool, AdminError> {
        let withdrawn = self.ledger.withdraw_proof(by, id).await?;
        self.ledger
            .edit_account(by, id, &mut |account| {
                if account.destination_version.take().is_none() && !withdrawn {
                    return Err(
                        Refusal::account(id, RefusalCode::NoDestination, "it has no destination").into()
                    );
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
            let problem = format!("{until} has parts of a second");
            return Err(Refusal::field("until", RefusalCode::InvalidValue, problem)
                .fix("leave them out")
                .into());
        }
        if until <= self.clock.now() {
            return Err(Refusal::field("until", RefusalCode::HasPassed, format!("{until} has passed"))
                .fix("give a later instant (on the command line --until, or --no-end), or disable the add-on")
                .into());
        }
        Ok(())
    }

    /// Enables or disables the add-on; with the first enablement, an account begins that starts with it.
    /// `from`: skip what has not been delivered and go on from there, which is recorded as a gap; only `now`
    /// can be skipped to.
    ///
    /// # Errors
    /// When the end cannot be right, or a gap is asked for while a window is open.
    pub async fn set_addon(
        &self,
        by: &By,
        id: &AccountId,
        change: &AddOnChange,
        from: Option<Start>,
    ) -> Result<Account, AdminError> {
        let before = self.ledger.account(id).await?;
        let addon = change.over(&before.addon);
        self.check_addon(&addon)?;
        let now = self.clock.now();
        let edit = |account: &mut Account| {
            account.addon = change.over(&account.addon);
            account.next_slot = self.next_slot(account);
            Ok(())
        };
        match from {
            None if addon.enabled && before.starts_when_enabled => {
                let watermark = self.watermark(id, Start::Now).await?;
                let mut begin = |account: &mut Account| {
                    if std::mem::take(&mut account.starts_when_enabled) {
                        account.watermark = watermark.clone();
                        account.last_slot = account.last_slot.max(now);
                    }
                    edit(account)
                };
                Ok(self.ledger.edit_account(by, id, &mut begin).await?)
            }
            None => Ok(self.ledger.edit_account(by, id, &mut { edit }).await?),
            Some(Start::Now) => {
                let seen = before.windows;
                // Before the bound is captured, so that it is never more than what is skipped.
                let left_out = if before.starts_when_enabled {
                    Some(0)
                } else {
                    self.source.waiting(id, &before.watermark).await.ok().map(|waiting| waiting.records)
                };
                let watermark = self.watermark(id, Start::Now).await?;
                let gap = Gap { slot: now, left_out };
                let mut skip = |account: &mut Account| {
                    // The skip itself has been counted.
                    if !may_skip(account.open_window, seen + 1, account.windows) {
                        let problem = "a window was planned meanwhile";
                        return Err(Refusal::account(id, RefusalCode::ChangedMeanwhile, problem)
                            .fix("run the command again")
                            .into());
                    }
                    account.starts_when_enabled = false;
                    edit(account)
                };
                Ok(self.ledger.skip_to(by, id, &watermark, gap, &mut skip).await?)
            }
            Some(other) => {
                let problem = format!("{other} is not possible, because what is delivered is not sent twice");
                Err(Refusal::field("from", RefusalCode::InvalidValue, problem)
                    .fix("write now, or leave it out to go on from the watermark")
                    .into())
            }
        }
    }

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
                // First: a row that was mended may be none of the window any more.
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

    /// Lets nothing of an account start until it is resumed. What is in flight may finish; an
    /// account that is paused already keeps its instant, and its reason unless there is a new one.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn pause(&self, by: &By, id: &AccountId) -> Result<Account, AdminError> {
        let at = self.clock.now();
        let mut edit = |account: &mut Account| {
            let pause = account.paused.get_or_insert(Pause { at, reason: None });
            if by.reason.is_some() {
                pause.reason.clone_from(&by.reason);
            }
            Ok(())
        };
        Ok(self.ledger.edit_account(by, id, &mut edit).await?)
    }

    /// Ends a pause or a suspension; the account goes on from its watermark, at once.
    /// Returns the account as it was, and does nothing when it was neither.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn resume(&self, by: &By, id: &AccountId) -> Result<Account, AdminError> {
        let mut before = None;
        let mut edit = |account: &mut Account| {
            before = Some(account.clone());
            account.paused = None;
            if account.is_suspended() {
                account.clear_trouble();
            }
            Ok(())
        };
        let after = self.ledger.edit_account(by, id, &mut edit).await?;
        Ok(before.unwrap_or(after))
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
                .fix("leave --from out, and it goes on from its watermark")
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

    async fn newest_recognised(&self, id: &AccountId) -> Result<Watermark, AdminError> {
        for watermark in self.ledger.watermarks(id, REWIND_LIMIT).await? {
            if self.recognises(id, &watermark).await? {
                return Ok(watermark);
            }
        }
        let problem = format!("the source recognises none of its last {REWIND_LIMIT} watermarks");
        Err(Refusal::account(id, RefusalCode::NoCommonWatermark, problem)
            .fix("say from where to go on: --from beginning, --from now (which leaves a gap), or --from INSTANT")
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

    /// The slot after the newest planned one; it may have passed, and then it is due.
    fn next_slot(&self, account: &Account) -> Option<Timestamp> {
        self.slot_after(account, account.last_slot)
    }

    fn slot_after(&self, account: &Account, slot: Timestamp) -> Option<Timestamp> {
        let zone = self.zones.find(&account.zone).ok()?;
        let schedule = Schedule::parse(&account.schedule).ok()?;
        let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &account.addon };
        calendar.next_after(slot)
    }
}
