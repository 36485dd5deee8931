//! Capturing a bound, with the mark by which source and ledger recognise each other.
//!
//! The ledger counts a mark before it is left in the source. So a source without a
//! mark that a bound carries has gone back, and a source with a mark that the ledger
//! has not counted tells that the ledger has. So that a ledger which has lost a window
//! is told too, another mark is counted once the window is stored: see [`Confirmations`].

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::base::clock::Clock;
use crate::base::failpoint::with_failpoints;
use crate::ledger::{Ledger, LedgerError, Trouble, TroubleKind};
use crate::source::{Source, SourceError};
use auditferry_core::model::bound::{Bound, Mark};
use auditferry_core::protocol::Hold;

/// A bound, captured after the slots that it serves have come.
#[derive(Debug, Clone)]
pub struct Captured {
    /// What had finished committing.
    pub bound: Bound,
    /// When it was captured.
    pub at: Timestamp,
}

/// Why nothing was captured.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger was restored from an older backup; all its accounts are held now.
    #[error("{}. All accounts are held: see `auditferry account rewind`", Hold::LedgerRewound.explanation())]
    LedgerRewound,
}

/// Captures what has finished committing now.
///
/// # Errors
/// When a database fails, or the ledger has gone back.
pub async fn capture(
    ledger: &dyn Ledger,
    source: &dyn Source,
    clock: &dyn Clock,
) -> Result<Captured, CaptureError> {
    // In this order: another worker may count and leave a mark in between.
    let newest = source.newest_mark(&ledger.id().await?).await?;
    let mark = with_failpoints!("mark.count", ledger.next_mark()).await?;
    let at = clock.now();
    check_count(ledger, &mark, newest, at).await?;
    let bound = with_failpoints!("mark.leave", source.capture(&mark)).await?;
    Ok(Captured { bound, at })
}

/// Checks that the ledger has not given out this number before; if it has, it is an older copy of
/// itself, and all accounts are held.
async fn check_count(
    ledger: &dyn Ledger,
    mark: &Mark,
    newest: u64,
    at: Timestamp,
) -> Result<(), CaptureError> {
    if mark.number > newest {
        return Ok(());
    }
    let kind = Hold::LedgerRewound;
    let trouble = Trouble { kind: TroubleKind::Held(kind), message: kind.explanation().to_owned(), at };
    ledger.mark_ledger_rewound(newest, &trouble).await?;
    Err(CaptureError::LedgerRewound)
}

/// How many captures are remembered as confirmed, so that their windows need not ask again.
const REMEMBERED: usize = 1_000;

/// Leaves marks that confirm windows: one counted after a window is stored and left before any
/// object of it is put. A copy of the ledger from before the window has not counted it, and is
/// recognised by that when it takes the ledger's place: it would deliver the window's records again.
///
/// One mark confirms all windows that were stored before it was counted.
#[derive(Default)]
pub struct Confirmations {
    /// How many have asked.
    tickets: AtomicU64,
    /// How many of them have an answer.
    answered: Mutex<Answered>,
    /// Bounds of captures whose windows are all confirmed, the newest last.
    known: std::sync::Mutex<VecDeque<Bound>>,
}

#[derive(Default)]
struct Answered {
    /// Tickets up to here are confirmed.
    confirmed: u64,
    /// Tickets up to here have had an answer; those that are not confirmed, this one.
    tried: u64,
    failure: Failure,
}

#[derive(Default, Clone)]
enum Failure {
    #[default]
    None,
    LedgerRewound,
    Other(String),
}

impl Confirmations {
    /// Confirms every window that the caller knows to be stored.
    ///
    /// # Errors
    /// When a database fails, or the ledger is an older copy of itself: nothing may be put then.
    pub async fn confirm(
        &self,
        ledger: &dyn Ledger,
        source: &dyn Source,
        clock: &dyn Clock,
    ) -> Result<(), CaptureError> {
        if !source.keeps_marks() {
            return Ok(());
        }
        let ticket = self.tickets.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if ticket <= answered.confirmed {
            return Ok(());
        }
        if ticket <= answered.tried {
            return Err(match answered.failure.clone() {
                Failure::LedgerRewound => CaptureError::LedgerRewound,
                Failure::None => confirmation_failed("it was given up".to_owned()),
                Failure::Other(problem) => confirmation_failed(problem),
            });
        }
        // Whoever has a ticket by now has a window that is stored by now.
        let up_to = self.tickets.load(Ordering::SeqCst);
        let done = leave_confirmation(ledger, source, clock).await;
        answered.tried = up_to;
        match &done {
            Ok(()) => answered.confirmed = up_to,
            Err(CaptureError::LedgerRewound) => answered.failure = Failure::LedgerRewound,
            Err(error) => answered.failure = Failure::Other(error.to_string()),
        }
        done
    }

    /// Remembers that all windows that end at a captured bound are confirmed.
    pub fn remember(&self, bound: Bound) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push_back(bound);
        if known.len() > REMEMBERED {
            known.pop_front();
        }
    }

    /// Whether the window that ends at this bound is known to be confirmed.
    #[must_use]
    pub fn is_confirmed(&self, hi: &Bound) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(hi)
    }
}

/// Counts and leaves one mark.
async fn leave_confirmation(
    ledger: &dyn Ledger,
    source: &dyn Source,
    clock: &dyn Clock,
) -> Result<(), CaptureError> {
    let newest = source.newest_mark(&ledger.id().await?).await?;
    let mark = with_failpoints!("confirm.count", ledger.next_mark()).await?;
    check_count(ledger, &mark, newest, clock.now()).await?;
    with_failpoints!("confirm.leave", source.leave_mark(&mark)).await?;
    Ok(())
}

fn confirmation_failed(problem: String) -> CaptureError {
    CaptureError::Source(SourceError::Database(sqlx::Error::Io(std::io::Error::other(problem))))
}
