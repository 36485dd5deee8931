//! Why an account's export runs or does not, for support to see in one look.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::advice::{advice, clock_ahead, proof_advice, unattended};
use self::place::place;
use super::admin::{Admin, AdminError};
use super::workers::presence_words;
use crate::destinations::fix::fix_for;
use crate::ledger::{
    Account, AwaitedProof, Circumstances, DeliveryFilter, DeliveryRow, Health, Pause, Signs, health,
};
use crate::source::{Holder, Waiting};
use auditferry_core::model::account::{AccountId, AddOnState};
use auditferry_core::model::destination::Destination;
use auditferry_core::model::expiry::Ending;
use auditferry_core::model::object_key::{MAX_NAME_BYTES, longest_name};
use auditferry_core::model::worker::Presence;
use auditferry_core::protocol::UNATTENDED_AFTER;
use auditferry_core::text::shell::shell_word;

mod advice;
mod place;

pub use self::place::PlaceFact;

/// How many of the newest objects are looked through for one that is delivered.
const NEWEST: u32 = 20;

/// Why an account's export runs or does not, as `account show` tells it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The account's id.
    pub account: String,
    /// Whether it runs, and if not, why.
    pub health: Health,
    /// That no worker runs, if that is so, and since when.
    pub no_worker: Option<String>,
    /// What to do, if anything.
    pub advice: String,
    /// The IANA name of its zone.
    pub zone: String,
    /// Its cron expression.
    pub schedule: String,
    /// How it was written before days of the week were counted as in cron, if it was.
    pub schedule_before: Option<String>,
    /// How its objects are made.
    pub format: auditferry_core::model::format::Format,
    /// The add-on's state.
    pub addon: AddOnState,
    /// The add-on's end.
    pub addon_until: Option<Timestamp>,
    /// Why the add-on was last changed.
    pub addon_reason: Option<String>,
    /// Since when support has paused it, and why.
    pub paused: Option<Pause>,
    /// That its objects' names are longer than many programs take: the most bytes of one.
    pub long_names: Option<usize>,
    /// Where its objects go.
    pub destination: Option<String>,
    /// What says where that is: region, endpoint, storage account.
    pub place: Vec<PlaceFact>,
    /// What the store is asked with each object: encryption, storage class, the bucket's owner.
    pub asked: Option<String>,
    /// The end of the destination's credentials, if it is known.
    pub credentials: Option<ExplainedEnd>,
    /// A destination that waits for the proof of its owner.
    pub awaits_proof: Option<Awaited>,
    /// Whether its records count from the first enablement of the add-on, which has not come yet.
    pub starts_when_enabled: bool,
    /// When the watermark was captured.
    pub watermark_at: Timestamp,
    /// The next slot.
    pub next_slot: Option<Timestamp>,
    /// When a worker last left a trace of its work on it.
    pub looked_at: Option<Timestamp>,
    /// Since when it is due, while no worker takes it.
    pub unattended_since: Option<Timestamp>,
    /// Its newest slot, which lies in the future because a clock was ahead.
    pub clock_ahead_until: Option<Timestamp>,
    /// Not before this instant, after a failure.
    pub retry_at: Option<Timestamp>,
    /// The number of the window in delivery.
    pub open_window: Option<u64>,
    /// Since when the destination refuses everything.
    pub denied_since: Option<Timestamp>,
    /// Since when it is only probed.
    pub suspended_at: Option<Timestamp>,
    /// What waits for delivery; absent when the source is away.
    pub waiting: Option<Waiting>,
    /// The transaction of the source for whose end records wait, once it is open for long.
    pub held_back: Option<Holder>,
    /// The newest delivered object.
    pub last_delivery: Option<DeliveryRow>,
    /// What went wrong last.
    pub error: Option<ExplainedError>,
}

/// A destination that waits for the proof of its owner.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Awaited {
    /// Where its objects will go.
    pub destination: String,
    /// The object there in which the token stands.
    pub key: String,
    /// When the token expires.
    pub expires_at: Timestamp,
    /// Whether it has expired.
    pub expired: bool,
}

/// An error, with what to do about it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExplainedError {
    /// Its kind, as in the metrics.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// When it happened, or when the credentials end.
    pub at: Timestamp,
    /// What to do about it.
    pub fix: String,
}

/// The end of credentials, with what to do about it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExplainedEnd {
    /// When it happened, or when the credentials end.
    pub at: Timestamp,
    /// Whether it has come.
    pub ended: bool,
    /// What to do, when it is near or has come.
    pub fix: Option<String>,
}

impl ExplainedEnd {
    fn of(account: &str, at: Timestamp, now: Timestamp) -> Self {
        let ending = Ending::of(at, now);
        let fix = ending.map(|_| {
            format!(
                "give new ones with `auditferry destination rotate {} …`; where they are in a file or a \
                 variable of the worker, renew them there",
                shell_word(account)
            )
        });
        Self { at, ended: ending == Some(Ending::Ended), fix }
    }
}

/// What is known of an account besides itself.
#[derive(Debug)]
pub struct Known {
    /// Where its objects go.
    pub destination: Option<Destination>,
    /// When the credentials of that end.
    pub credentials_end: Option<Timestamp>,
    /// A destination that waits for the proof of its owner.
    pub awaited: Option<AwaitedProof>,
    /// What waits for delivery.
    pub waiting: Option<Waiting>,
    /// The newest delivered object.
    pub last_delivery: Option<DeliveryRow>,
    /// What workers have left.
    pub signs: Signs,
    /// Whether a worker runs.
    pub workers: Presence,
}

/// What went wrong last with an account, and what to do about it.
pub(super) fn error_of(account: &Account, destination: Option<&Destination>) -> Option<ExplainedError> {
    account.trouble.as_ref().map(|trouble| ExplainedError {
        kind: trouble.kind.to_string(),
        message: trouble.message.clone(),
        at: trouble.at,
        fix: fix_for(&trouble.kind, &trouble.message, destination),
    })
}

/// Puts together what is known of an account.
#[must_use]
pub fn explain(account: &Account, now: Timestamp, known: Known) -> Explanation {
    let Known { destination, credentials_end, awaited, waiting, last_delivery, signs, workers } = known;
    let (destination, awaited) = (destination.as_ref(), awaited.as_ref());
    let around = Circumstances { now, no_worker: workers.is_gone() };
    let health = health(account, around, signs.attended);
    let error = error_of(account, destination);
    Explanation {
        account: account.id.to_string(),
        health,
        no_worker: presence_words(&workers, now),
        advice: match awaited {
            Some(awaited) if health == Health::NoDestination => proof_advice(&account.id, awaited, now),
            _ if health == Health::Unattended => unattended(account, signs.looked_at),
            _ if health == Health::ClockAhead => clock_ahead(account),
            _ => advice(health, &account.id.to_string(), error.as_ref()),
        },
        zone: account.zone.clone(),
        schedule: account.schedule.clone(),
        schedule_before: account.schedule_before.clone(),
        format: account.format.clone(),
        addon: account.addon.state(now),
        addon_until: account.addon.until,
        addon_reason: account.addon.reason.clone(),
        paused: account.paused.clone(),
        long_names: Some(longest_name(&account.id)).filter(|bytes| *bytes > MAX_NAME_BYTES),
        destination: destination.map(ToString::to_string),
        place: destination.map(place).unwrap_or_default(),
        asked: destination.and_then(Destination::asked),
        credentials: credentials_end.map(|at| ExplainedEnd::of(account.id.as_str(), at, now)),
        awaits_proof: awaited.map(|awaited| Awaited {
            destination: awaited.destination.to_string(),
            key: awaited.key.clone(),
            expires_at: awaited.expires_at,
            expired: awaited.is_late(now),
        }),
        starts_when_enabled: account.starts_when_enabled,
        watermark_at: account.watermark.at,
        next_slot: account.next_slot,
        looked_at: signs.looked_at,
        unattended_since: account.due_at().filter(|_| health == Health::Unattended),
        clock_ahead_until: Some(account.last_slot).filter(|_| health == Health::ClockAhead),
        // Nothing is tried while it is held or paused.
        retry_at: account.retry_at.filter(|_| !matches!(health, Health::Held | Health::Paused)),
        open_window: account.open_window,
        denied_since: account.denied.map(|denied| denied.since),
        suspended_at: account.denied.and_then(|denied| denied.suspended_at),
        waiting,
        held_back: None,
        last_delivery,
        error,
    }
}

impl Explanation {
    /// What of it is the customer's: nothing of the vendor's workers, databases, files or notes.
    #[must_use]
    pub fn for_customer(mut self) -> Self {
        let theirs = |kind: &str| {
            let other = ["ledger", "source", "internal", "clock", "key", "config"];
            !other.iter().any(|word| kind.starts_with(word))
        };
        self.no_worker = None;
        self.held_back = None;
        self.addon_reason = None;
        if let Some(pause) = &mut self.paused {
            pause.reason = None;
        }
        self.error = self.error.filter(|error| theirs(&error.kind));
        self.advice = match (&self.error, self.health) {
            (_, Health::Running) => "nothing to do".to_owned(),
            (Some(error), Health::Retrying | Health::Suspended) => error.fix.clone(),
            (_, Health::NoDestination) => "set a destination".to_owned(),
            _ => "ask support".to_owned(),
        };
        self
    }

    /// With the oldest open transaction of the source, if records may wait for it.
    #[must_use]
    pub fn held_back_by(mut self, holder: Option<Holder>, now: Timestamp) -> Self {
        let waits = self.waiting.is_some_and(|waiting| waiting.records > 0);
        self.held_back = holder.filter(|holder| waits && holder.is_old(now));
        if let (Some(holder), Health::Running) = (&self.held_back, self.health) {
            self.advice = format!("records wait for an open transaction: {}", holder.fix);
        }
        self
    }
}

/// What has changed since then may not have been seen by a worker.
fn lately(now: Timestamp) -> Timestamp {
    now.checked_sub(UNATTENDED_AFTER).unwrap_or(now)
}

impl Admin {
    /// Why an account's export runs or does not.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails. A source that is away leaves out what it would
    /// have told.
    pub async fn explain(&self, id: &AccountId) -> Result<Explanation, AdminError> {
        let account = self.ledger.account(id).await?;
        let waiting = if account.starts_when_enabled {
            Some(Waiting { records: 0, oldest: None })
        } else {
            self.source.waiting(id, &account.watermark).await.ok()
        };
        let filter = DeliveryFilter { account: Some(id.clone()), limit: NEWEST, ..DeliveryFilter::default() };
        let newest = self.ledger.deliveries(&filter).await?;
        let now = self.clock.now();
        let known = Known {
            destination: self.ledger.destination(id).await?,
            credentials_end: self.ledger.credentials_end(id).await?,
            awaited: self.ledger.awaited_proof(id).await?,
            waiting,
            last_delivery: newest.into_iter().find(|delivery| delivery.delivered_at.is_some()),
            signs: self.ledger.signs(id, lately(now)).await?,
            workers: self.presence().await?,
        };
        let holder = self.source.holder().await.ok().flatten();
        Ok(explain(&account, now, known).held_back_by(holder, now))
    }
}
