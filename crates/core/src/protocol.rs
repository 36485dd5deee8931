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
mod rules;

pub use rules::{
    ClockState, Denied, Resealed, SKEW_REFUSED, StoredObject, TakenUp, Task, UNATTENDED_AFTER, clock_state,
    denied_again, due_at, ends_at, holds, is_clock_ahead, is_suspended, is_unattended, may_name_now,
    may_seal, may_skip, next_task, next_window, resume, unchanged,
};

/// What a store answered to one create-only put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutAnswer {
    /// This request created the object.
    Created,
    /// An object already stands under the key.
    Exists,
    /// This request did not create the object, for sure.
    Refused,
    /// This request may or may not have created the object, now or later.
    Unknown,
}

impl PutAnswer {
    /// Whether nobody can tell from it if the object was or will be created.
    #[must_use]
    pub fn leaves_doubt(self) -> bool {
        self == Self::Unknown
    }
}

/// What an answer says about the object, given what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The object is there and it is ours.
    Delivered,
    /// The object is there and it is not ours.
    Foreign,
    /// The object may or may not be there.
    Open,
    /// The object is there, and a HEAD request may tell whose it is.
    Head,
}

/// Judges an answer. `doubtful`: an earlier attempt for this object has an
/// unknown outcome, so an object that exists may be the one that it created. Without
/// one, nobody but a stranger can have created it.
#[must_use]
pub fn judge(answer: PutAnswer, doubtful: bool) -> Verdict {
    match (answer, doubtful) {
        (PutAnswer::Created, _) => Verdict::Delivered,
        (PutAnswer::Exists, true) => Verdict::Head,
        (PutAnswer::Exists, false) => Verdict::Foreign,
        (PutAnswer::Refused | PutAnswer::Unknown, _) => Verdict::Open,
    }
}

/// What a HEAD request for the object under a doubtful key shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadResult {
    /// It holds what we put.
    Ours,
    /// It holds something else.
    Foreign,
    /// We may create objects there, and not look at them: no right to read is needed.
    Hidden,
    /// The request failed, and may succeed later.
    Failed,
}

/// From this attempt on, a HEAD request that fails counts as one that is not allowed: a store
/// that never answers it must not stop an account for ever.
pub const LAST_HEAD: u32 = 20;

/// Judges a HEAD request by the `attempt`-th attempt for the object. What may not be seen is
/// taken to be what the doubtful attempt created.
#[must_use]
pub fn judge_head(sight: HeadResult, attempt: u32) -> Verdict {
    match sight {
        HeadResult::Ours | HeadResult::Hidden => Verdict::Delivered,
        HeadResult::Foreign => Verdict::Foreign,
        HeadResult::Failed if attempt < LAST_HEAD => Verdict::Open,
        HeadResult::Failed => Verdict::Delivered,
    }
}

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
    /// The put failed, for now.
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
    /// The ledger cannot say whether it did what it was asked: only it knows how far the window is.
    LedgerFailed,
    /// The source stands behind a bound that it gave before.
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
    /// Nothing goes on until a person has looked.
    Held(Hold),
    /// Look at the account again as it is in the ledger, and remember nothing.
    Afresh,
}

/// When a failed put is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// It passes by itself: back off. The store may have named the least wait.
    Transient(Option<Duration>),
    /// The customer must act: try at each slot.
    NeedsCustomer,
}

/// Why an account is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A foreign object stands under our key.
    ForeignObject,
    /// A rebuilt object has another content hash than the one that was attempted.
    ContentChanged,
    /// The source has gone back behind a bound that it gave before, or is another one.
    SourceRewound,
    /// Rows of the source that were exported are not what they were.
    SourceRewritten,
    /// The ledger has gone back: it was restored from an older backup.
    LedgerRewound,
    /// A record of the source cannot be exported as it is.
    BadRecord,
}

impl Hold {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ForeignObject,
        Self::ContentChanged,
        Self::SourceRewound,
        Self::SourceRewritten,
        Self::LedgerRewound,
        Self::BadRecord,
    ];

    /// The name in the ledger, the metrics and listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForeignObject => "foreign_object",
            Self::ContentChanged => "content_changed",
            Self::SourceRewound => "source_rewound",
            Self::SourceRewritten => "source_rewritten",
            Self::LedgerRewound => "ledger_rewound",
            Self::BadRecord => "bad_record",
        }
    }

    /// The hold of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hold| hold.as_str() == name)
    }

    /// Whether the account can go on as a new generation.
    #[must_use]
    pub fn ends_with_rewind(self) -> bool {
        matches!(self, Self::SourceRewound | Self::SourceRewritten | Self::LedgerRewound)
    }

    /// What has happened, in a sentence.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::ForeignObject => {
                "an object that this installation did not put stands under the key; it is not overwritten \
                 and not counted as delivered"
            }
            Self::ContentChanged => {
                "the records of the window are not those that were read before: rows were changed or \
                 deleted, or the time zone's rules were; nothing further is put"
            }
            Self::SourceRewound => "the source has gone back behind a bound that it gave before",
            Self::SourceRewritten => {
                "rows of the source that were exported have been changed, deleted or added since"
            }
            Self::LedgerRewound => {
                "the ledger has gone back: the source holds marks that this ledger does not know to have left. \
                 It was restored from an older backup, and what was delivered since then is not in it"
            }
            Self::BadRecord => "a record of the source cannot be exported as it is",
        }
    }
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
        Event::LeaseLost | Event::Changed | Event::LedgerFailed => Effect::Stop(Stop::Afresh),
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
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Names;

    impl Tokens for Names {
        type Sealed = &'static str;
        type Attempt = u32;
        type Receipt = &'static str;
    }

    #[test]
    fn a_window_of_two_objects_runs_in_order() {
        assert!(matches!(decide::<Names>(Event::Resumed), Effect::Seal));
        assert!(matches!(decide::<Names>(Event::Sealed("one")), Effect::Journal("one")));
        assert!(matches!(decide::<Names>(Event::Journaled("one", 1)), Effect::Put("one", 1)));
        assert!(matches!(decide::<Names>(Event::Delivered("receipt")), Effect::Commit("receipt")));
        assert!(matches!(decide::<Names>(Event::Committed { last: false }), Effect::Seal));
        assert!(matches!(decide::<Names>(Event::Committed { last: true }), Effect::Stop(Stop::Closed)));
        assert!(matches!(decide::<Names>(Event::Exhausted), Effect::Close));
    }

    #[test]
    fn an_object_that_exists_is_ours_only_after_a_doubtful_attempt() {
        assert_eq!(judge(PutAnswer::Exists, true), Verdict::Head);
        assert_eq!(judge_head(HeadResult::Ours, 2), Verdict::Delivered);
        assert_eq!(judge_head(HeadResult::Hidden, 2), Verdict::Delivered);
        assert_eq!(judge_head(HeadResult::Foreign, LAST_HEAD), Verdict::Foreign);
        assert_eq!(judge_head(HeadResult::Failed, LAST_HEAD - 1), Verdict::Open);
        assert_eq!(judge_head(HeadResult::Failed, LAST_HEAD), Verdict::Delivered);
        assert_eq!(judge(PutAnswer::Exists, false), Verdict::Foreign);
        assert_eq!(judge(PutAnswer::Created, false), Verdict::Delivered);
        assert_eq!(judge(PutAnswer::Unknown, true), Verdict::Open);
        assert_eq!(judge(PutAnswer::Refused, true), Verdict::Open);
    }

    #[test]
    fn trouble_stops_the_window_and_never_closes_it() {
        assert!(matches!(decide::<Names>(Event::Foreign), Effect::Stop(Stop::Held(Hold::ForeignObject))));
        assert!(matches!(decide::<Names>(Event::Differs), Effect::Stop(Stop::Held(Hold::ContentChanged))));
        let failed = decide::<Names>(Event::Failed(Setback::NeedsCustomer));
        assert!(matches!(failed, Effect::Stop(Stop::Later(Setback::NeedsCustomer))));
    }

    #[test]
    fn what_the_ledger_refused_is_looked_at_afresh() {
        for event in [Event::LeaseLost, Event::Changed, Event::LedgerFailed] {
            assert!(matches!(decide::<Names>(event), Effect::Stop(Stop::Afresh)));
        }
        let rewound = decide::<Names>(Event::Rewound);
        assert!(matches!(rewound, Effect::Stop(Stop::Held(Hold::SourceRewound))));
        let rewritten = decide::<Names>(Event::Rewritten);
        assert!(matches!(rewritten, Effect::Stop(Stop::Held(Hold::SourceRewritten))));
        let bad = decide::<Names>(Event::BadRecord);
        assert!(matches!(bad, Effect::Stop(Stop::Held(Hold::BadRecord))));
    }

    #[test]
    fn a_refusal_takes_no_doubt_away() {
        let attempt = |doubtful| Attempt { window: 1, ordinal: 1, number: 2, doubtful };
        assert!(attempt(true).doubtful_after(PutAnswer::Refused.leaves_doubt()));
        assert!(attempt(false).doubtful_after(PutAnswer::Unknown.leaves_doubt()));
        assert!(!attempt(false).doubtful_after(PutAnswer::Refused.leaves_doubt()));
        assert!(!attempt(false).doubtful_after(PutAnswer::Exists.leaves_doubt()));
    }

    #[test]
    fn waiting_doubles_up_to_the_cap_and_respects_the_store() {
        let second = Duration::from_secs(1);
        let wait = |failures, asked| backoff(failures, second, second * 60, asked, 0.0).as_secs();
        assert_eq!([wait(1, None), wait(2, None), wait(3, None), wait(30, None)], [1, 2, 4, 60]);
        assert_eq!(wait(1, Some(second * 20)), 20);
        assert_eq!(wait(1, Some(second * 3600)), 60);
        assert_eq!(backoff(1, second * 4, second * 60, None, 1.0), second * 3);
    }
}
