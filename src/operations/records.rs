//! An account's records, for its own people: pages by time, one record with what became of it, and the note that
//! somebody has looked. Everything takes the account, and nothing that it gets leads to another one's.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::admin::{Admin, AdminError};
use crate::base::database::is_forbidden;
use crate::ledger::{Account, PastWindow};
use crate::source::{Browser, Found, Look, RecordPage, SourceError};
use auditferry_core::format::json::{Empty, JsonWriter};
use auditferry_core::model::account::{AccountId, AddOnState};
use auditferry_core::model::bound::RecordSet;
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, RecordFilter, RecordQuery, TimeSpan, Turn};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::one_line::one_line;

/// Up to how many records are counted.
pub const MOST_COUNTED: u32 = 10_000;

/// How many windows after a record are asked whether it is theirs, and how many at once.
const MOST_WINDOWS: u32 = 60;
const WINDOWS_AT_ONCE: u32 = 12;

/// How much earlier than a record its window's slot may be: it may have committed while the slot was planned, and clocks
/// differ.
const SLOT_BEFORE: SignedDuration = SignedDuration::from_hours(6);

/// How many records from just before one are read to find it in a window.
const NEAR: u32 = 1_000;

/// How many notes are remembered.
const MOST_NOTED: usize = 10_000;

/// Longest description of a view, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// What reads records by time, on connections of its own.
#[derive(Clone)]
pub struct Records {
    /// Reads them.
    pub browser: Arc<dyn Browser>,
    /// How long the source keeps its rows, if it deletes them.
    pub retention: Option<SignedDuration>,
    /// What this process has noted already, so that not each page writes.
    noted: Arc<Mutex<HashSet<String>>>,
}

/// How many records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// So many.
    Exactly(u64),
    /// More than so many.
    MoreThan(u64),
    /// Counting took too long.
    Unknown,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The records with their places, the newest first.
    pub page: RecordPage,
    /// How many there are on all pages.
    pub count: Counted,
    /// Where older pages begin, if the view reaches behind what the source keeps.
    pub kept_since: Option<Timestamp>,
}

impl Listing {
    /// The place from which the next older page goes on.
    #[must_use]
    pub fn older(&self) -> Option<&Place> {
        self.page.records.last().filter(|_| self.page.older).map(|(place, _)| place)
    }

    /// The place from which the next newer page goes on.
    #[must_use]
    pub fn newer(&self) -> Option<&Place> {
        self.page.records.first().filter(|_| self.page.newer).map(|(place, _)| place)
    }
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in an object.
    Delivered(InWindow, String),
    /// Its window is in delivery.
    InDelivery(InWindow),
    /// It goes out with a slot to come; without one: nothing is delivered at this time.
    Waits(Option<Timestamp>),
    /// It lies before the beginning of the export, or in a gap that somebody has left.
    LeftOut,
    /// The source could not be asked, or the record came long after its time.
    Unknown,
}

/// The window of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InWindow {
    /// Its number.
    pub number: u64,
    /// Its slot.
    pub slot: Timestamp,
    /// When its lower bound was captured.
    pub from: Timestamp,
    /// When its upper bound was captured.
    pub to: Timestamp,
}

impl InWindow {
    fn of(past: &PastWindow) -> Self {
        let window = &past.window;
        Self { number: window.number, slot: window.slot, from: window.from, to: window.to }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordView {
    /// Where it stands.
    pub place: Place,
    /// The record.
    pub record: Record,
    /// As an object holds it.
    pub json: String,
    /// What became of it.
    pub fate: Fate,
    /// The one before it in time, within the same view.
    pub older: Option<Place>,
    /// The one after it.
    pub newer: Option<Place>,
}

/// Who looks at records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onlooker {
    /// The session, which is no secret.
    pub session: String,
    /// Who it is.
    pub email: String,
    /// From where.
    pub ip_address: Option<String>,
}

/// What somebody has done with records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewing {
    /// Opened the page.
    Opened,
    /// Asked for a download: its id and what it holds.
    Asked(String, String),
    /// Fetched a download's file: its id and name.
    Fetched(String, String),
}

impl Viewing {
    /// Under which name it becomes one record, however often it is told.
    fn key(&self, session: &str) -> String {
        match self {
            Self::Opened => format!("portal/{session}"),
            Self::Asked(id, _) => format!("download/{id}"),
            Self::Fetched(id, _) => format!("download/{id}/{session}"),
        }
    }

    fn record(&self, who: &Onlooker, now: Timestamp) -> Record {
        let (action, id, description) = match self {
            Self::Opened => ("auditferry.audit_log_accessed", &who.session, "Opened Audit Logs".to_owned()),
            Self::Asked(id, what) => {
                ("auditferry.audit_log_download_asked", id, format!("Asked for a download: {what}"))
            }
            Self::Fetched(id, name) => ("auditferry.audit_log_downloaded", id, format!("Downloaded {name}")),
        };
        Record {
            occurred_at: now,
            email: one_line(&who.email, MAX_DESCRIPTION_CHARS),
            action: action.to_owned(),
            action_id: Some(id.clone()),
            description: one_line(&description, MAX_DESCRIPTION_CHARS),
            ip_address: who.ip_address.clone(),
        }
    }
}

/// What cannot be asked of a person in other words.
fn refused(error: SourceError) -> AdminError {
    match error {
        SourceError::NoPlace => {
            Refusal::field("older", RefusalCode::InvalidValue, "it is no place of a record")
                .fix("open the page without it")
                .into()
        }
        other => other.into(),
    }
}

impl Records {
    /// What reads with a browser.
    #[must_use]
    pub fn new(browser: Arc<dyn Browser>, retention: Option<SignedDuration>) -> Self {
        Self { browser, retention, noted: Arc::default() }
    }

    /// A page of an account's records.
    ///
    /// # Errors
    /// When the place is none, the search takes too long, or the source fails.
    pub async fn list(
        &self,
        admin: &Admin,
        account: &AccountId,
        query: &RecordQuery,
    ) -> Result<Listing, AdminError> {
        let look = Look { span: query.span, filter: &query.filter };
        let page = self.browser.page(account, &look, &query.turn, query.size).await.map_err(refused)?;
        let count = if query.turn == Turn::First && !page.older {
            Counted::Exactly(page.records.len() as u64)
        } else {
            match self.browser.count(account, &look, MOST_COUNTED + 1).await {
                Ok(count) if count > u64::from(MOST_COUNTED) => Counted::MoreThan(u64::from(MOST_COUNTED)),
                Ok(count) => Counted::Exactly(count),
                Err(SourceError::TooSlow(_)) => Counted::Unknown,
                Err(error) => return Err(refused(error)),
            }
        };
        let kept = self.retention.and_then(|kept| admin.clock.now().checked_sub(kept).ok());
        Ok(Listing { page, count, kept_since: kept.filter(|kept| query.span.from < *kept) })
    }

    /// How many records of a view there are, up to a limit.
    ///
    /// # Errors
    /// When the source fails.
    pub async fn count(
        &self,
        account: &AccountId,
        span: TimeSpan,
        filter: &RecordFilter,
    ) -> Result<Counted, AdminError> {
        match self.browser.count(account, &Look { span, filter }, MOST_COUNTED + 1).await {
            Ok(count) if count > u64::from(MOST_COUNTED) => Ok(Counted::MoreThan(u64::from(MOST_COUNTED))),
            Ok(count) => Ok(Counted::Exactly(count)),
            Err(SourceError::TooSlow(_)) => Ok(Counted::Unknown),
            Err(error) => Err(refused(error)),
        }
    }

    /// The record at a place, and its neighbours in a view.
    ///
    /// # Errors
    /// When the place is none, there is no such account, or a database fails.
    pub async fn one(
        &self,
        admin: &Admin,
        id: &AccountId,
        place: &Place,
        query: &RecordQuery,
    ) -> Result<Option<RecordView>, AdminError> {
        let Some(found) = self.browser.record(id, place).await.map_err(refused)? else { return Ok(None) };
        let account = admin.ledger.account(id).await?;
        let zone = admin.zones.find(&account.zone)?;
        let mut json = Vec::new();
        JsonWriter::new(zone.rules().clone(), Empty::Null).write(&found.record.borrow(), &mut json);
        let fate = self.fate(admin, &account, &found).await?;
        let look = Look { span: query.span, filter: &query.filter };
        let beside = async |turn: Turn| match self.browser.page(id, &look, &turn, 1).await {
            Ok(page) => Ok(page.records.into_iter().next().map(|(place, _)| place)),
            // The record is shown all the same.
            Err(SourceError::TooSlow(_)) => Ok(None),
            Err(error) => Err(refused(error)),
        };
        Ok(Some(RecordView {
            older: beside(Turn::Older(place.clone())).await?,
            newer: beside(Turn::Newer(place.clone())).await?,
            place: place.clone(),
            json: String::from_utf8_lossy(&json).into_owned(),
            record: found.record,
            fate,
        }))
    }

    /// What became of a record.
    async fn fate(&self, admin: &Admin, account: &Account, found: &Found) -> Result<Fate, AdminError> {
        let from = found.record.occurred_at.checked_sub(SLOT_BEFORE).unwrap_or(Timestamp::MIN);
        let (mut after, mut asked) = (0, 0);
        while asked < MOST_WINDOWS {
            let range = (from, Timestamp::MAX);
            let windows = admin.ledger.past_windows(&account.id, range, after, WINDOWS_AT_ONCE).await?;
            for past in &windows {
                match self.is_in(admin, &account.id, &past.window.set, found).await {
                    Some(true) => return Ok(self.fate_in(past, found)),
                    Some(false) => {}
                    None => return Ok(Fate::Unknown),
                }
                after = past.window.number;
                asked += 1;
            }
            if windows.len() < WINDOWS_AT_ONCE as usize {
                return Ok(self.not_planned(admin, account, found).await);
            }
        }
        Ok(Fate::Unknown)
    }

    /// Whether a record is in a set; none: the source cannot tell.
    async fn is_in(
        &self,
        admin: &Admin,
        account: &AccountId,
        set: &RecordSet,
        found: &Found,
    ) -> Option<bool> {
        let near = admin.source.read(account, set, Some(&found.before), NEAR).await;
        let near =
            near.map_err(|error| tracing::debug!(error = %error, "a record's window is not known")).ok()?;
        Some(near.iter().any(|(cursor, _)| *cursor == found.cursor))
    }

    fn fate_in(&self, past: &PastWindow, found: &Found) -> Fate {
        let ends_behind =
            |cursor| self.browser.compare(&found.cursor, cursor).is_some_and(std::cmp::Ordering::is_le);
        let object = past.objects.iter().find(|object| object.cursor.as_ref().is_none_or(ends_behind));
        match object {
            Some(object) => Fate::Delivered(InWindow::of(past), object.key.to_string()),
            None if past.open => Fate::InDelivery(InWindow::of(past)),
            None => Fate::Unknown,
        }
    }

    /// A record that is in no window: it waits, or nobody wants it.
    async fn not_planned(&self, admin: &Admin, account: &Account, found: &Found) -> Fate {
        let watermark = &account.watermark;
        if watermark.since.is_some_and(|since| found.record.occurred_at < since) {
            return Fate::LeftOut;
        }
        let passed = RecordSet::between(admin.source.beginning(), watermark.bound.clone());
        match self.is_in(admin, &account.id, &passed, found).await {
            Some(true) => Fate::LeftOut,
            Some(false) => Fate::Waits(next_slot(admin, account)),
            None => Fate::Unknown,
        }
    }

    /// Notes in the account's own audit log that somebody has looked at it: once for each session and download, however
    /// often it is told. Nothing on a vendor's table, and where our role may not write.
    ///
    /// # Errors
    /// When the source fails: then nobody should look.
    pub async fn note(
        &self,
        admin: &Admin,
        account: &AccountId,
        who: &Onlooker,
        what: &Viewing,
    ) -> Result<(), AdminError> {
        if !self.browser.is_ours() {
            return Ok(());
        }
        let key = what.key(&who.session);
        if self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return Ok(());
        }
        let record = what.record(who, admin.clock.now());
        match admin.source.publish_change(&key, 1, account, &record).await {
            Err(SourceError::Database(error)) if is_forbidden(&error) || is_read_only(&error) => {
                tracing::debug!("who looks at records is not recorded: the source cannot be written to");
                Ok(())
            }
            other => {
                other?;
                let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
                if noted.len() >= MOST_NOTED {
                    noted.clear();
                }
                noted.insert(key);
                Ok(())
            }
        }
    }
}

/// Whether a write was refused because the server is a standby.
fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("25006")
}

/// With which slot what waits goes out, if nothing has to happen before.
fn next_slot(admin: &Admin, account: &Account) -> Option<Timestamp> {
    let goes_on = account.destination_version.is_some()
        && account.held.is_none()
        && account.paused.is_none()
        && !account.is_suspended()
        && account.addon.state(admin.clock.now()) == AddOnState::Active;
    admin.upcoming(account, 1).into_iter().next().filter(|_| goes_on)
}
