//! What happened at one slot of an account: "why did they get no file at 08:00?"

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::words::Telling;
use super::admin::{Admin, AdminError};
use super::timeline::{SlotFate, SlotState};
use crate::ledger::{Account, AttemptRow, Change, ChangeFilter, DeliveryFilter, SlotRange, SlotWindow};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::when::{Moment, When};
use auditferry_core::refusal::{Refusal, RefusalCode};

mod words;

/// Most windows that are read after a slot: the first that counts is among them, unless many were given up.
const MOST_WINDOWS: u32 = 50;

/// Most objects of a window, attempts of an object, and changes that are told.
const MOST_TOLD: u32 = 20;

/// How many changes before a slot are looked through for the one that explains it.
const LOOKED_THROUGH: u32 = 200;

/// A moment that is named to the minute means all of it.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// What happened at a slot.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Story {
    /// Whose.
    pub account: AccountId,
    /// The account's zone.
    pub zone: String,
    /// The moment that was asked for.
    pub at: Timestamp,
    /// What to know about that moment, when clocks were changed then.
    pub note: Option<String>,
    /// Whether there is a slot at that moment; otherwise the nearest one is told.
    pub exact: bool,
    /// The newest slot before the moment, when there is none at it.
    pub slot_before: Option<Timestamp>,
    /// The first slot after the moment, when there is none at it.
    pub slot_after: Option<Timestamp>,
    /// The slot, and what became of it.
    pub slot: SlotFate,
    /// Its window, or the one that its records went into.
    pub window: Option<SlotWindow>,
    /// The objects of that window, at most 20.
    pub objects: Vec<ToldObject>,
    /// The change that made the account what it was at that slot, if that explains it.
    pub cause: Option<Change>,
    /// What people changed between the slot and its delivery, the oldest first, at most 20.
    pub changes: Vec<Change>,
    /// What happened, in sentences.
    pub told: Vec<String>,
    /// What that means for the customer.
    pub meaning: String,
    /// What to do, if anything.
    pub to_do: String,
}

/// An object, and how it was put.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToldObject {
    /// Its key in the bucket.
    pub key: String,
    /// Records in it.
    pub records: u64,
    /// Its size.
    pub object_bytes: u64,
    /// When its receipt was stored.
    pub delivered_at: Option<Timestamp>,
    /// How often it was put.
    pub attempts_made: u32,
    /// The attempts, the newest 20 of them, the oldest first.
    pub attempts: Vec<AttemptRow>,
}

/// Where a moment is among the slots.
struct Place {
    slot: Timestamp,
    scheduled: bool,
    exact: bool,
    around: (Option<Timestamp>, Option<Timestamp>),
}

impl Admin {
    /// What happened at the slot that a person names, or at the nearest one.
    ///
    /// # Errors
    /// When there is no such account, the moment has not come, or the ledger fails.
    pub async fn story(&self, id: &AccountId, when: When) -> Result<Story, AdminError> {
        let account = self.ledger.account(id).await?;
        let moment = self.moment(&account, when)?;
        let place = self.place(&account, moment.at).await?;
        let range = SlotRange {
            account: id.clone(),
            from: place.slot,
            to: place.slot.max(self.clock.now()),
            newest_first: false,
            limit: MOST_WINDOWS,
        };
        let read = self.read_past(&account, &range).await?;
        let fate = read.fate(&account, place.slot, place.scheduled);
        let window = read.windows.iter().find(|window| Some(window.window) == fate.window).cloned();
        let objects = match &window {
            Some(window) => self.objects(id, window.window).await?,
            None => Vec::new(),
        };
        let over = window.as_ref().and_then(|window| window.closed_at);
        let gap = window.as_ref().filter(|_| fate.state == SlotState::Skipped).map(|gap| gap.slot + MINUTE);
        let end = over.or(gap).unwrap_or(Timestamp::MAX);
        let between = read.changes.iter().rev().filter(|change| change.at > place.slot && change.at <= end);
        let changes: Vec<Change> = between.take(MOST_TOLD as usize).cloned().collect();
        let cause = self.cause(id, &fate, gap.unwrap_or(place.slot)).await?;
        // What is to be done now says the account as it is now.
        let advice = match fate.state {
            SlotState::Delivered | SlotState::Late | SlotState::Empty | SlotState::Skipped => None,
            _ if over.is_some() => None,
            _ => Some(self.advice(id).await?),
        };
        let zone = self.zones.find(&account.zone)?;
        let telling = Telling {
            zone: zone.rules(),
            account: &account,
            place: (place.exact, moment.at, place.around),
            fate: &fate,
            window: window.as_ref(),
            objects: &objects,
            cause: cause.as_ref(),
            changes: &changes,
            advice: advice.as_deref(),
        };
        let (told, meaning, to_do) = (telling.told(), telling.meaning(), telling.to_do());
        let (slot_before, slot_after) = if place.exact { (None, None) } else { place.around };
        Ok(Story {
            account: account.id,
            zone: account.zone,
            at: moment.at,
            note: moment.note,
            exact: place.exact,
            slot_before,
            slot_after,
            slot: fate,
            window,
            objects,
            cause,
            changes,
            told,
            meaning,
            to_do,
        })
    }

    /// What to do about the account as it is now, and about what went wrong last.
    async fn advice(&self, id: &AccountId) -> Result<String, AdminError> {
        let explained = self.explain(id).await?;
        let fix = explained.error.map(|error| error.fix).filter(|fix| !explained.advice.contains(fix));
        Ok(match fix {
            Some(fix) => format!("{}; {fix}", explained.advice),
            None => explained.advice,
        })
    }

    fn moment(&self, account: &Account, when: When) -> Result<Moment, AdminError> {
        let zone = self.zones.find(&account.zone)?;
        let now = self.clock.now();
        let refuse = |problem: String, fix: &str| {
            Err(Refusal::field("at", RefusalCode::InvalidValue, problem).fix(fix).into())
        };
        let Some(moment) = when.moment(zone.rules(), now) else {
            return refuse("the calendar has no such moment".to_owned(), "name one that has passed");
        };
        let local = moment.at.to_zoned(zone.rules().clone()).strftime("%Y-%m-%d %H:%M").to_string();
        if moment.at > now {
            let next = account.next_slot.map_or_else(
                || "there is no next slot".to_owned(),
                |next| format!("the next slot is {}", next.strftime("%Y-%m-%d %H:%M:%SZ")),
            );
            return refuse(
                format!("{local} in {} has not come yet; {next}", account.zone),
                "name a moment that has passed",
            );
        }
        if moment.at + MINUTE <= account.created_at {
            let added = account.created_at.strftime("%Y-%m-%d %H:%M:%SZ");
            return refuse(
                format!("{local} in {} is before account {} was added, at {added}", account.zone, account.id),
                "name a later moment",
            );
        }
        Ok(moment)
    }

    /// The slot at a moment, or the nearest one that has come.
    async fn place(&self, account: &Account, at: Timestamp) -> Result<Place, AdminError> {
        // A moment without seconds is a whole minute.
        let whole = at.as_second() % 60 == 0 && at.subsec_nanosecond() == 0;
        let last = if whole { at + MINUTE - SignedDuration::from_nanos(1) } else { at };
        let range = SlotRange {
            account: account.id.clone(),
            from: at,
            to: last,
            newest_first: false,
            limit: MOST_WINDOWS,
        };
        let read = self.read_past(account, &range).await?;
        let around = read.past.around(at);
        let within = |slot: &Timestamp| (at..=last).contains(slot);
        let exact = [around.0, around.1].into_iter().flatten().find(within);
        if let Some(slot) = exact {
            return Ok(Place { slot, scheduled: true, exact: true, around });
        }
        if let Some(window) = read.windows.first() {
            return Ok(Place { slot: window.slot, scheduled: false, exact: true, around });
        }
        let now = self.clock.now();
        let come = |slot: &Timestamp| *slot <= now && *slot > account.created_at;
        let far = |slot: &Timestamp| slot.duration_since(at).abs();
        let nearest = [around.0, around.1].into_iter().flatten().filter(come).min_by_key(far);
        let Some(slot) = nearest else {
            let next = account.next_slot.map_or_else(String::new, |next| {
                format!("; the next one is {}", next.strftime("%Y-%m-%d %H:%M:%SZ"))
            });
            let problem = format!("no slot of account {} has come yet{next}", account.id);
            return Err(Refusal::field("at", RefusalCode::InvalidValue, problem)
                .fix("see `auditferry account show` for what it waits for")
                .into());
        };
        Ok(Place { slot, scheduled: true, exact: false, around })
    }

    async fn objects(&self, id: &AccountId, window: u64) -> Result<Vec<ToldObject>, AdminError> {
        let filter = DeliveryFilter {
            account: Some(id.clone()),
            window: Some(window),
            limit: MOST_TOLD,
            ..DeliveryFilter::default()
        };
        let mut objects = Vec::new();
        for row in self.ledger.deliveries(&filter).await?.into_iter().rev() {
            let mut attempts = self.ledger.attempts(id, &row.key).await?;
            let older = attempts.len().saturating_sub(MOST_TOLD as usize);
            objects.push(ToldObject {
                attempts: attempts.split_off(older),
                key: row.key,
                records: row.records,
                object_bytes: row.object_bytes,
                delivered_at: row.delivered_at,
                attempts_made: row.attempts,
            });
        }
        Ok(objects)
    }

    /// The change that made the account what it was.
    async fn cause(
        &self,
        id: &AccountId,
        fate: &SlotFate,
        until: Timestamp,
    ) -> Result<Option<Change>, AdminError> {
        let field = match fate.state {
            SlotState::Paused => "paused.at",
            SlotState::Disabled => "addon.enabled",
            SlotState::Expired => "addon.until",
            SlotState::NoDestination => "destination_version",
            SlotState::Skipped => "watermark_at",
            _ => return Ok(None),
        };
        let filter = ChangeFilter {
            account: Some(id.clone()),
            until: Some(until),
            limit: LOOKED_THROUGH,
            ..ChangeFilter::default()
        };
        let changes = self.ledger.changes(&filter).await?;
        Ok(changes.into_iter().find(|change| change.fields.iter().any(|changed| changed.field == field)))
    }
}
