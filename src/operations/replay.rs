//! Replays: delivered objects are put again, at an operator's request, while workers run. Missing ones get
//! their own names; or all get names with the present time, for readers that never look back. No
//! watermark, window or lease is touched.
//!
//! An object is rebuilt from the source and put only when its content has the hash that
//! was delivered. Each put is stored before it is made.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::destinations::cache::StoreCache;
use crate::ledger::{Account, NewReplay, PastObject, PastWindow, Replay, ReplayedObject};
use crate::operations::admin::{Admin, AdminError};
use auditferry_core::archive::Sealed;
use auditferry_core::model::account::{AccountId, AddOnState};
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::Cursor;
use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::{ObjectKey, slot_name};
use auditferry_core::model::schedule::Schedule;
use auditferry_core::model::window::Window;
use auditferry_core::protocol::{Attempt, may_name_now};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::store::{Object, Outcome, PutErrorKind, Store, deliver};

mod report;
mod rebuild;

pub use self::report::{ReplayOutcome, Report, ReportedObject};

/// Windows that are read at once.
const PAGE: u32 = 100;

/// How long the same command continues a replay that did not finish.
const GO_ON_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The first slot.
    pub from: Timestamp,
    /// The last slot.
    pub to: Timestamp,
    /// Whether objects get names in present time instead of their own.
    pub as_new: bool,
    /// Whether to rebuild and compare only.
    pub dry_run: bool,
}

/// What a replay needs.
pub struct Replayer<'a> {
    /// Ledger, source, clock and zones.
    pub admin: &'a Admin,
    /// Who asks for it.
    pub by: &'a By,
    /// Opens the destination.
    pub stores: &'a StoreCache,
    /// How long one put may take.
    pub put_timeout: Duration,
}

/// A replay in progress.
struct Run<'a> {
    request: &'a Request,
    destination: &'a Destination,
    /// None with `--dry-run`.
    target: Option<(Replay, Arc<dyn Store>)>,
    /// How many objects were looked at.
    place: usize,
    /// Why nothing more is tried.
    stopped: Option<String>,
}

impl Replayer<'_> {
    /// Puts the objects of a range of slots again. `progress` hears of each.
    ///
    /// # Errors
    /// When it cannot begin, or a database is away.
    pub async fn replay(
        &self,
        id: &AccountId,
        request: &Request,
        progress: &mut (dyn FnMut(&ReportedObject) + Send),
    ) -> Result<Report, AdminError> {
        let (account, destination) = self.checked(id, request).await?;
        let target = self.begin(&account, &destination, request).await?;
        let replay = target.as_ref().map(|(replay, _)| replay);
        let mut report = Report {
            account: id.clone(),
            replay: replay.map(|replay| replay.number),
            gone_on: replay.is_some_and(|replay| !replay.earlier.is_empty()),
            destination: destination.to_string(),
            total: 0,
            done: 0,
            objects: Vec::new(),
            left_out: 0,
        };
        let mut run = Run { request, destination: &destination, target, place: 0, stopped: None };
        let mut after = 0;
        loop {
            let slots = (request.from, request.to);
            let windows = self.admin.ledger.past_windows(id, slots, after, PAGE).await?;
            let Some(last) = windows.last() else { break };
            after = last.window.number;
            for past in windows {
                self.window(&mut run, past, &mut |object| {
                    progress(&object);
                    report.add(object);
                })
                .await?;
            }
        }
        if report.objects.is_empty() {
            let (from, to) = (slot_name(request.from), slot_name(request.to));
            let problem = format!("no object was delivered for the slots from {from} to {to}");
            return Err(Refusal::account(id, RefusalCode::NothingDelivered, problem)
                .fix("`auditferry deliveries ls` shows which were")
                .into());
        }
        if let Some((replay, _)) = run.target
            && !report.objects.iter().any(|object| object.outcome.may_do_better())
        {
            self.admin.ledger.finish_replay(&replay, self.admin.clock.now()).await?;
        }
        Ok(report)
    }

    /// The account and where its objects go, if they may.
    async fn checked(&self, id: &AccountId, request: &Request) -> Result<(Account, Destination), AdminError> {
        if request.from > request.to {
            let (from, to) = (slot_name(request.from), slot_name(request.to));
            return Err(Refusal::field(
                "from",
                RefusalCode::InvalidValue,
                format!("{from} is later than to: {to}"),
            )
            .fix("swap them")
            .into());
        }
        let account = self.admin.ledger.account(id).await?;
        let state = account.addon.state(self.admin.clock.now());
        if state != AddOnState::Active {
            let problem = format!("its add-on is {state}, and without it nothing is delivered or replayed");
            return Err(Refusal::account(id, RefusalCode::AddOnInactive, problem)
                .fix("enable it first")
                .into());
        }
        let destination = self.admin.ledger.destination(id).await?.ok_or_else(|| {
            Refusal::account(id, RefusalCode::NoDestination, "it has no destination").fix("give it one first")
        })?;
        Ok((account, destination))
    }

    async fn begin(
        &self,
        account: &Account,
        destination: &Destination,
        request: &Request,
    ) -> Result<Option<(Replay, Arc<dyn Store>)>, AdminError> {
        if request.dry_run {
            return Ok(None);
        }
        let opened = self.stores.open_new(&account.id, destination).await;
        let store = opened.map_err(|error| {
            Refusal::account(&account.id, RefusalCode::UnusableDestination, error.to_string())
        })?;
        let at = self.admin.clock.now();
        let new = NewReplay {
            as_new: request.as_new,
            from: request.from,
            to: request.to,
            destination_version: account.destination_version.unwrap_or(0),
            at,
            go_on_since: at.checked_sub(GO_ON_WITHIN).unwrap_or(at),
        };
        Ok(Some((self.admin.ledger.begin_replay(self.by, &account.id, &new).await?, store)))
    }

    /// The objects of one window.
    async fn window(
        &self,
        run: &mut Run<'_>,
        past: PastWindow,
        tell: &mut (dyn FnMut(ReportedObject) + Send),
    ) -> Result<(), AdminError> {
        let window = Arc::new(past.window);
        let mut before: Option<Cursor> = None;
        for object in past.objects {
            run.place += 1;
            let (outcome, put_as, message) = if past.open {
                let message = "its window is still being delivered; a worker delivers what is missing of it";
                (ReplayOutcome::InDelivery, None, Some(message.to_owned()))
            } else {
                self.object(run, &window, &object, before.as_ref()).await?
            };
            before.clone_from(&object.cursor);
            tell(ReportedObject {
                window: window.number,
                ordinal: object.ordinal,
                slot: window.slot,
                key: object.key.to_string(),
                put_as: put_as.map(|key| key.to_string()),
                records: object.records,
                outcome,
                message,
            });
        }
        Ok(())
    }

    async fn object(
        &self,
        run: &mut Run<'_>,
        window: &Arc<Window>,
        object: &PastObject,
        before: Option<&Cursor>,
    ) -> Result<(ReplayOutcome, Option<ObjectKey>, Option<String>), AdminError> {
        if let Some(why) = &run.stopped {
            return Ok((ReplayOutcome::NotTried, None, Some(why.clone())));
        }
        let same = |row: &&ReplayedObject| (row.window, row.ordinal) == (window.number, object.ordinal);
        let earlier = run.target.as_ref().and_then(|(replay, _)| replay.earlier.iter().find(same)).cloned();
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.is_there()) {
            let message = "put by an earlier command of this replay".to_owned();
            return Ok((ReplayOutcome::Created, Some(earlier.key.clone()), Some(message)));
        }
        let doubtful = earlier.filter(|earlier| earlier.doubtful);
        let key = match (&doubtful, &run.target) {
            // It may be there under that name already: under another it would be there twice.
            (Some(earlier), _) => earlier.key.clone(),
            (None, Some((replay, _))) if run.request.as_new => {
                if let Some(why) = self.not_now(&window.account).await? {
                    run.stopped = Some(why.clone());
                    return Ok((ReplayOutcome::NotTried, None, Some(why)));
                }
                let now = self.admin.clock.now();
                window.replayed_key(
                    &run.destination.key_prefix(window.format.path),
                    now,
                    replay.number,
                    run.place,
                )
            }
            _ => object.key.below(&run.destination.key_prefix(window.format.path), window.format.path),
        };
        let sealed = match self.rebuild(window, object, before.cloned(), key).await? {
            Ok(sealed) => sealed,
            Err((outcome, message)) => return Ok((outcome, None, Some(message))),
        };
        let key = sealed.facts.key.clone();
        let Some((replay, store)) = &run.target else {
            let key = (!run.request.as_new).then_some(key);
            return Ok((ReplayOutcome::Reproducible, key, None));
        };
        let row = ReplayedObject {
            window: window.number,
            ordinal: object.ordinal,
            key: key.clone(),
            doubtful: doubtful.is_some(),
            outcome: None,
        };
        let (outcome, message, stop) = self.put(replay, &**store, sealed, row, run.request.as_new).await?;
        if stop {
            run.stopped = Some(format!(
                "not tried after {} had failed; run the command again once that is fixed",
                object.key
            ));
        }
        Ok((outcome, Some(key), message))
    }

    /// Why no object can get a name with the present time now, if none can: an object that is due, or soon
    /// will be, would sort before it, and a reader that never looks back would miss that one.
    async fn not_now(&self, id: &AccountId) -> Result<Option<String>, AdminError> {
        let account = self.admin.ledger.account(id).await?;
        let now = self.admin.clock.now();
        let until = now.checked_add(self.put_timeout).unwrap_or(now);
        let zone = self.admin.zones.find(&account.zone)?;
        let next = Schedule::parse(&account.schedule)?.next_after(zone.rules(), account.last_slot);
        let next = next.into_iter().chain(account.addon.until).min();
        if may_name_now(account.open_window, &account.last_slot, &now, &until, next.as_ref()) {
            return Ok(None);
        }
        Ok(Some(match (account.open_window, next) {
            (Some(open), _) => format!(
                "window {open} of slot {} is being delivered, and its objects would sort before this one; run \
                 the command again when it is delivered",
                slot_name(account.last_slot)
            ),
            (None, Some(next)) if next <= until => format!(
                "slot {} has come or is near, and its objects would sort before this one; run the command \
                 again when it is delivered",
                slot_name(next)
            ),
            _ => format!(
                "the newest slot, {}, lies in the future: a clock was ahead; objects with the present time \
                 would sort before it",
                slot_name(account.last_slot)
            ),
        }))
    }

    /// Puts a rebuilt object; the attempt is stored before it, and its outcome after it. Returns whether the
    /// replay must stop then.
    async fn put(
        &self,
        replay: &Replay,
        store: &dyn Store,
        sealed: Sealed,
        mut row: ReplayedObject,
        as_new: bool,
    ) -> Result<(ReplayOutcome, Option<String>, bool), AdminError> {
        let Admin { ledger, clock, .. } = self.admin;
        ledger.journal_replayed(replay, &row, clock.now()).await?;
        let object = Object {
            key: sealed.facts.key,
            body: sealed.body,
            content_type: sealed.content_type,
            metadata: sealed.metadata,
        };
        let attempt = Attempt { window: row.window, ordinal: row.ordinal, number: 1, doubtful: row.doubtful };
        let (outcome, error) = match deliver(store, attempt, &object).await {
            Outcome::Delivered(_) if as_new => (ReplayOutcome::Created, None),
            Outcome::Delivered(_) => (ReplayOutcome::Restored, None),
            Outcome::Foreign(_, error) if as_new => (ReplayOutcome::Failed, Some(error)),
            Outcome::Foreign(_, error) => (ReplayOutcome::Exists, Some(error)),
            Outcome::Failed(attempt, error) if attempt.doubtful_after(error.kind.answer().leaves_doubt()) => {
                (ReplayOutcome::Unknown, Some(error))
            }
            Outcome::Failed(_, error) => (ReplayOutcome::Failed, Some(error)),
        };
        row.doubtful = outcome == ReplayOutcome::Unknown;
        let kind = error.as_ref().map(|error| error.kind);
        let message = error.filter(|_| !outcome.is_done()).map(|error| error.to_string());
        row.outcome = match outcome {
            ReplayOutcome::Failed | ReplayOutcome::Unknown => kind.map(|kind| kind.as_str().to_owned()),
            done => Some(done.as_str().to_owned()),
        };
        // `exists` is what the listings call an own object that was left.
        if outcome == ReplayOutcome::Failed && kind == Some(PutErrorKind::Exists) {
            row.outcome = Some("foreign_object".to_owned());
        }
        ledger.finish_replayed(replay, &row, message.as_deref(), clock.now()).await?;
        let about_this_one = matches!(kind, Some(PutErrorKind::Exists | PutErrorKind::Rejected));
        Ok((outcome, message, !outcome.is_done() && !about_this_one))
    }
}
