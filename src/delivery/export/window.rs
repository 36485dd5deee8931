//! The delivery of one window: takes an effect from the protocol, does it, and gives the event back.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tracing::Instrument as _;

use super::{Delivering, Ended, ExportError, Exporter};
use crate::base::failpoint::with_failpoints;
use crate::delivery::pipeline::{Begin, Objects};
use crate::delivery::places::Place;
use crate::ledger::{Claim, Lease, OpenWindow, SealOutcome, TroubleKind};
use crate::observe::traces;
use auditferry_core::archive::Sealed;
use auditferry_core::format::writer::Writer;
use auditferry_core::model::window::Window;
use auditferry_core::protocol::admission::Pace;
use auditferry_core::protocol::{Attempt, Effect, Event, Hold, Setback, Stop, decide};
use auditferry_core::store::{Object, Outcome, deliver};

/// What became of a put, for its trace.
fn outcome(answer: &Outcome) -> &'static str {
    match answer {
        Outcome::Delivered(_) => "delivered",
        Outcome::Foreign(..) => "foreign",
        Outcome::Failed(_, error) => error.kind.as_str(),
    }
}

/// Where a window came to an end, for its trace.
fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::Closed => "closed",
        Stop::Later(_) => "later",
        Stop::Reload => "reload",
        Stop::Held(_) => "held",
    }
}

impl Exporter {
    /// Carries out the protocol for one window. `confirmed`: whether a mark was counted since the window
    /// was stored and given its destination; one always is before the first attempt.
    pub(super) async fn deliver_window(
        &self,
        claim: &Claim,
        open: &OpenWindow,
        place: &Place,
        mut confirmed: bool,
    ) -> Result<Ended, ExportError> {
        let window = Arc::new(open.window.clone());
        let span = tracing::Span::current();
        span.record("window", window.number).record("slot", tracing::field::display(window.slot));
        let traced = traces::window(&window.account, window.slot, window.number);
        let permit = self.read_ahead.source_permit().await;
        self.source.recognise_set(&window.account, &window.set).await?;
        drop(permit);
        let writer = Writer::of(&window, self.zones.find(&window.zone)?.rules().clone())?;
        // Not before there is an object: most of the windows of one instant may be empty.
        let store = OnceCell::new();
        let opened = || store.get_or_try_init(|| self.stores.open(open));
        let mut objects = None;
        let mut ordinal = open.ordinal;
        let mut exhausted = open.exhausted;
        // Of an object that was attempted, records must be there again.
        let mut attempted = open.attempted;
        let mut effect: Effect<Delivering> = decide(Event::Resumed);
        loop {
            if effect.begins_work() && self.draining.is_cancelled() {
                return Ok(Ended::Drained);
            }
            // The ledger has stored its new place in the queue with the last object.
            if matches!(effect, Effect::Seal) && ordinal > open.ordinal && place.must_yield() {
                return Ok(Ended::Yielded);
            }
            let event = match effect {
                Effect::Seal if exhausted => Event::Exhausted,
                Effect::Seal => {
                    let begin = || {
                        let (window, writer) = (Arc::clone(&window), writer.clone());
                        let (key, cursor) = (open.key.clone(), open.cursor.clone());
                        let begin = Begin { window, writer, ordinal, key, cursor, traced: traced.clone() };
                        Objects::begin(Arc::clone(&self.source), begin, self.read_ahead.clone())
                    };
                    let objects = objects.get_or_insert_with(begin);
                    let event = self.seal(&claim.lease, &window, objects, confirmed).await?;
                    confirmed |= matches!(event, Event::Sealed(_));
                    match event {
                        Event::Exhausted if attempted => Event::Differs,
                        event => {
                            attempted = false;
                            event
                        }
                    }
                }
                Effect::Journal(sealed) => {
                    // An attempt that cannot be made is none.
                    opened().await?;
                    self.journal(&claim.lease, &window, sealed).await?
                }
                Effect::Put(sealed, attempt) => {
                    let put = traces::put(&traced, &sealed.facts, attempt.number);
                    let answer =
                        self.put(&**opened().await?, &sealed, attempt, place).instrument(put.clone()).await;
                    put.record("outcome", outcome(&answer));
                    drop(put);
                    self.judge(claim, &window, &sealed, answer).await?
                }
                Effect::Commit(receipt) => {
                    let commit = self.ledger.commit(&claim.lease, receipt, self.clock.now());
                    let commit = async { with_failpoints!("commit", commit).await };
                    let last = commit.instrument(traces::commit(&traced)).await?;
                    ordinal += 1;
                    exhausted = last;
                    Event::Committed { last }
                }
                Effect::Close => {
                    let close = self.ledger.close(&claim.lease, window.number, self.clock.now());
                    let close = async { with_failpoints!("close", close).await };
                    close.instrument(traces::commit(&traced)).await?;
                    Event::Committed { last: true }
                }
                Effect::Stop(stop) => {
                    traced.record("outcome", stopped(stop));
                    return self.stop(claim, &window, stop).await.map(Ended::Stopped);
                }
            };
            effect = decide(event);
        }
    }

    /// Takes the next object of the window, and stores what it is. Meanwhile the window is
    /// confirmed, unless it is: one that holds no record never needs it.
    async fn seal(
        &self,
        lease: &Lease,
        window: &Window,
        objects: &mut Objects,
        confirmed: bool,
    ) -> Result<Event<Delivering>, ExportError> {
        let Some(sealed) = objects.next().await? else { return Ok(Event::Exhausted) };
        let facts = &sealed.facts;
        tracing::debug!(key = %facts.key, records = facts.records, content_bytes = facts.content_bytes,
            object_bytes = facts.object_bytes, "object is built");
        let seal = async {
            let seal = self.ledger.seal(lease, window.number, &sealed.facts, self.clock.now());
            Ok::<_, ExportError>(with_failpoints!("seal", seal).await?)
        };
        let confirm = async { if confirmed { Ok(()) } else { self.confirm().await } };
        match tokio::try_join!(seal, confirm)?.0 {
            SealOutcome::Stored => Ok(Event::Sealed(sealed)),
            SealOutcome::Differs => Ok(Event::Differs),
        }
    }

    /// Confirms the windows that are stored by now.
    pub(super) async fn confirm(&self) -> Result<(), ExportError> {
        Ok(self.confirmations.confirm(&*self.ledger, &*self.source, &*self.clock).await?)
    }

    async fn journal(
        &self,
        lease: &Lease,
        window: &Window,
        sealed: Sealed,
    ) -> Result<Event<Delivering>, ExportError> {
        let now = self.clock.now();
        let journal = self.ledger.journal(lease, window.number, &sealed.facts, &self.owner, now);
        let attempt = with_failpoints!("journal", journal).await?;
        tracing::Span::current().record("attempt", attempt.number);
        Ok(Event::Journaled(sealed, attempt))
    }

    async fn put(
        &self,
        store: &dyn auditferry_core::store::Store,
        sealed: &Sealed,
        attempt: Attempt,
        place: &Place,
    ) -> Outcome {
        let object = Object {
            key: sealed.facts.key.clone(),
            body: sealed.body.clone(),
            content_type: sealed.content_type,
            metadata: sealed.metadata.clone(),
        };
        let started = std::time::Instant::now();
        let outcome = deliver(store, attempt, &object).await;
        self.metrics.put_seconds.observe(started.elapsed().as_secs_f64());
        place.record_pace(match &outcome {
            Outcome::Failed(_, error) if error.kind.is_slow() => Pace::Slow,
            _ => Pace::Normal,
        });
        outcome
    }

    /// Stores what became of an attempt, and makes it an event of the protocol.
    pub(super) async fn judge(
        &self,
        claim: &Claim,
        window: &Window,
        sealed: &Sealed,
        outcome: Outcome,
    ) -> Result<Event<Delivering>, ExportError> {
        match outcome {
            Outcome::Delivered(receipt) => {
                let facts = &sealed.facts;
                self.metrics.objects.inc();
                self.metrics.records.inc_by(facts.records);
                self.metrics.bytes.inc_by(facts.object_bytes);
                tracing::info!(account = %window.account, slot = %window.slot, key = %facts.key,
                    records = facts.records, bytes = facts.object_bytes, "delivered");
                Ok(Event::Delivered(receipt))
            }
            Outcome::Foreign(attempt, error) => {
                self.fail(claim, window, sealed, &attempt, &error, TroubleKind::Held(Hold::ForeignObject))
                    .await?;
                Ok(Event::Foreign)
            }
            Outcome::Failed(attempt, error) => {
                self.fail(claim, window, sealed, &attempt, &error, TroubleKind::Put(error.kind)).await?;
                let setback = if error.kind.needs_customer() {
                    self.stores.forget(&window.account);
                    Setback::NeedsCustomer
                } else {
                    Setback::Transient(error.retry_after)
                };
                Ok(Event::Failed(setback))
            }
        }
    }

    async fn stop(&self, claim: &Claim, window: &Window, stop: Stop) -> Result<Stop, ExportError> {
        match stop {
            Stop::Closed => {
                self.metrics.windows.inc();
                let late = self.clock.now().duration_since(window.slot).as_secs_f64();
                self.metrics.lateness.observe(late.max(0.0));
            }
            Stop::Later(_) | Stop::Reload => {}
            Stop::Held(hold) => self.hold(claim, hold, hold.explanation().to_owned()).await?,
        }
        Ok(stop)
    }
}
