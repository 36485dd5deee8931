//! What support does: add accounts, enable add-ons, set destinations. Everything
//! is checked before anything is changed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::clock::Clock;
use crate::base::zones::Zones;
use crate::delivery::capture::{CaptureError, capture};
use crate::ledger::{Account, ExportOptions, Gap, Ledger, LedgerError, Pause};
use crate::secrets::keys::KeyError;
use crate::source::{Source, SourceError};
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Watermark;
use auditferry_core::model::destination::DestinationError;
use auditferry_core::model::schedule::{Calendar, Schedule, ScheduleError, ZoneError};
use auditferry_core::model::start::Start;
use auditferry_core::protocol::may_skip;
use auditferry_core::refusal::{Refusal, RefusalCode};

mod adoption;
mod destination;
mod records;
mod rewind;

pub use adoption::{AdoptedAccount, Adoption};
pub use records::Skipped;
pub use rewind::{Rewound, SetBack};

/// How many accounts are read at once.
const PAGE: u32 = 500;

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
    /// Whether the request or the settings are wrong, rather than a database unreachable.
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
#[derive(Clone)]
pub struct Admin {
    /// The ledger that is changed.
    pub ledger: Arc<dyn Ledger>,
    /// The source, which gives bounds and recognises them.
    pub source: Arc<dyn Source>,
    /// Tells the time.
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
        if let Some(destination) = self.ledger.destination(id).await? {
            destination.admits(&options.format, id)?;
        }
        self.set_options_before_destination(by, id, options).await
    }

    /// [`Admin::set_options`] before a destination is set that takes them.
    ///
    /// # Errors
    /// As [`Admin::add_account`].
    pub async fn set_options_before_destination(
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
                let asked = self.asked_slot(account);
                account.zone.clone_from(&options.zone);
                account.set_schedule(&options.schedule);
                account.format = options.format.clone();
                account.next_slot = asked.or_else(|| self.next_slot(account));
                Ok(())
            })
            .await?)
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
            let asked = self.asked_slot(account);
            account.addon = change.over(&account.addon);
            account.next_slot = asked.or_else(|| self.next_slot(account));
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
                    .fix("write now, or leave it out to continue from the watermark")
                    .into())
            }
        }
    }

    /// Removes an account with its history; `force`: also when its add-on is enabled. The bucket is not
    /// touched. Returns the account as it was.
    ///
    /// # Errors
    /// When its add-on is enabled, or there is no such account.
    pub async fn remove_account(&self, by: &By, id: &AccountId, force: bool) -> Result<Account, AdminError> {
        let account = self.ledger.account(id).await?;
        if account.addon.enabled && !force {
            return Err(Refusal::account(id, RefusalCode::AddOnEnabled, "its add-on is enabled")
                .fix("disable it first, or add --force")
                .into());
        }
        self.ledger.remove_account(by, id).await?;
        Ok(account)
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

    /// Ends a pause or a suspension; the account continues from its watermark, at once.
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

    /// A slot beside the schedule that somebody has asked for and that is not planned yet.
    fn asked_slot(&self, account: &Account) -> Option<Timestamp> {
        let now = self.clock.now();
        account.next_slot.filter(|slot| *slot <= now && self.next_slot(account) != Some(*slot))
    }

    /// The slot after the newest planned one; it may have passed, and then it is due.
    fn next_slot(&self, account: &Account) -> Option<Timestamp> {
        self.slot_after(account, account.last_slot)
    }

    pub(super) fn slot_after(&self, account: &Account, slot: Timestamp) -> Option<Timestamp> {
        let zone = self.zones.find(&account.zone).ok()?;
        let schedule = Schedule::parse(&account.schedule).ok()?;
        let calendar = Calendar { schedule: &schedule, zone: &zone, addon: &account.addon };
        calendar.next_after(slot)
    }
}
