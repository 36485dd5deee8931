//! The delivery protocol of one window: events in, effects out.
//!
//! A pure function of one step. All state lives in the ledger, which the shell
//! reads when it takes a window up, and in the tokens that the steps hand on: a
//! sealed object, a journalled attempt, a receipt. So a commit without a receipt
//! cannot be written down. What the ledger decides within its transactions is in
//! `protocol/rules.rs`. The worker and the simulator (`examples/simulate`) both
//! run on these functions; neither has a decision of its own.
//!
//! Safety rests on three things only: windows are stored before they are read,
//! attempts are stored before they are made, and a store creates a key once. It
//! never rests on the lease, on clocks, or on how many workers run.

use std::time::Duration;

pub mod admission;
pub mod notify;

mod answer;
mod hold;
mod rules;

pub use answer::{HeadResult, LAST_HEAD, PutAnswer, Verdict, judge, judge_head};
pub use hold::Hold;

pub use rules::{
    ClockState, Denied, Resealed, ResumePoint, SKEW_REFUSED, StoredObject, Task, UNATTENDED_AFTER,
    clock_state, due_at, ends_at, is_clock_ahead, is_suspended, is_unattended, lease_is_current,
    may_add_slot, may_name_now, may_seal, may_skip, next_task, next_window, record_denial, resume_point,
    slot_to_plan, unchanged_since_claim,
};

/// A stored attempt, made before the put that it announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The window's number.
    pub window: u64,
    /// The object's place within the window.
    pub ordinal: u32,
    /// Counted from 1 per object.
    pub number: u32,
    /// Whether an earlier attempt has an unknown outcome.
    pub doubtful: bool,
}

impl Attempt {
    /// What is stored of the object with the attempt: until its outcome is stored, it
    /// may have created the object. A crash changes nothing about that.
    pub const DOUBTFUL_UNDER_WAY: bool = true;

    /// Whether the object is doubtful once this attempt has failed. An earlier attempt
    /// stays what it was: a refusal now says nothing about it.
    #[must_use]
    pub fn doubtful_after(&self, leaves_doubt: bool) -> bool {
        self.doubtful || leaves_doubt
    }
}

/// The tokens that the shell (or a simulator) hands from step to step.
pub trait Tokens {
    /// An object whose hash, count and cursor the ledger holds.
    type Sealed;
    /// An attempt that the ledger holds.
    type Attempt;
    /// The proof that the object is in its bucket.
    type Receipt;
}

/// What has happened.
#[derive(Debug)]
pub enum Event<T: Tokens> {
    /// A window is taken up: just planned, or left by a crash, a stop or a failure.
    Resumed,
    /// The next object is sealed, as before or for the first time.
    Sealed(T::Sealed),
    /// The window holds no record that is not delivered.
    Exhausted,
    /// An object that was attempted before has other content now.
    Differs,
    /// The attempt is stored.
    Journaled(T::Sealed, T::Attempt),
    /// The object is in its bucket, and ours.
    Delivered(T::Receipt),
    /// The put failed.
    Failed(Setback),
    /// Somebody else's object stands under our key.
    Foreign,
    /// The receipt is stored; `last` when it closed the window.
    Committed {
        /// Whether the window is closed with it.
        last: bool,
    },
    /// Another worker has taken the account over.
    LeaseLost,
    /// Somebody has changed the account, so that what was decided may not hold.
    Changed,
    /// The ledger failed, so that only it knows whether the last step was stored.
    LedgerFailed,
    /// The source has lost commits: it stands behind a bound that it gave before.
    Rewound,
    /// Rows up to a bound that the source gave before are not what they were.
    Rewritten,
    /// A record of the window cannot be exported as it is.
    BadRecord,
}

/// What to do next.
#[derive(Debug)]
pub enum Effect<T: Tokens> {
    /// Read the closed set from the cursor and seal the next object.
    Seal,
    /// Store that an attempt is about to be made.
    Journal(T::Sealed),
    /// Put create-only.
    Put(T::Sealed, T::Attempt),
    /// Store the receipt; the last object's moves the watermark.
    Commit(T::Receipt),
    /// Close the window without another object.
    Close,
    /// Give the account back.
    Stop(Stop),
}

/// How the work on a window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The window is closed.
    Closed,
    /// Try again later, with the same key and the same bytes.
    Later(Setback),
    /// The account is held: nothing continues until a person has looked.
    Held(Hold),
    /// Read the account from the ledger again: what the worker knows of it may be out of date.
    Reload,
}

/// What kind of failure it was, which decides when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// It may pass by itself: back off, for at least as long as the store asks for.
    Transient(Option<Duration>),
    /// The customer must act: try again at each slot.
    NeedsCustomer,
}

impl<T: Tokens> Effect<T> {
    /// Whether it begins something that a stopping worker leaves to the next one.
    #[must_use]
    pub fn begins_work(&self) -> bool {
        matches!(self, Self::Seal | Self::Journal(_))
    }
}

/// The next step. Total: there is an answer to every event.
#[must_use]
pub fn decide<T: Tokens>(event: Event<T>) -> Effect<T> {
    match event {
        Event::Resumed | Event::Committed { last: false } => Effect::Seal,
        Event::Sealed(sealed) => Effect::Journal(sealed),
        Event::Exhausted => Effect::Close,
        Event::Differs => Effect::Stop(Stop::Held(Hold::ContentChanged)),
        Event::Journaled(sealed, attempt) => Effect::Put(sealed, attempt),
        Event::Delivered(receipt) => Effect::Commit(receipt),
        Event::Failed(setback) => Effect::Stop(Stop::Later(setback)),
        Event::Foreign => Effect::Stop(Stop::Held(Hold::ForeignObject)),
        Event::Committed { last: true } => Effect::Stop(Stop::Closed),
        Event::LeaseLost | Event::Changed | Event::LedgerFailed => Effect::Stop(Stop::Reload),
        Event::Rewound => Effect::Stop(Stop::Held(Hold::SourceRewound)),
        Event::Rewritten => Effect::Stop(Stop::Held(Hold::SourceRewritten)),
        Event::BadRecord => Effect::Stop(Stop::Held(Hold::BadRecord)),
    }
}

/// How long to wait before the attempt after the `failures`-th failure in a row:
/// doubling from `base`, at most `cap`, and never less than the store asked for
/// (which is bounded by `cap` too). `spread` in 0..=1 takes off up to a quarter, so
/// that accounts that failed together do not return together.
#[must_use]
pub fn backoff(
    failures: u32,
    base: Duration,
    cap: Duration,
    asked: Option<Duration>,
    spread: f64,
) -> Duration {
    let doubled = base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(cap);
    let spread_out = doubled.mul_f64(1.0 - 0.25 * spread.clamp(0.0, 1.0));
    spread_out.max(asked.unwrap_or_default().min(cap))
}

#[cfg(test)]
mod tests;
