//! A worker: claims accounts and carries out the effects of the production core, one
//! step at a time. Between two steps it may crash, pause, or lose its lease.

use auditferry_core::protocol::{Attempt, Effect, Setback, Tokens, is_suspended};
use auditferry_core::store::PutErrorKind;

use super::ledger::{Lease, Sealed, State, Window};
use super::source::{Bound, Cursor};
use super::store::Reply;
use super::time::Time;

/// What the protocol's steps hand on here.
#[derive(Debug)]
pub(crate) struct Simulated;

impl Tokens for Simulated {
    type Sealed = Sealed;
    type Attempt = Attempt;
    type Receipt = Receipt;
}

/// The model's proof that an object is in its bucket.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) attempt: Attempt,
    pub(crate) sealed: Sealed,
}

/// A put that has not been answered.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) request: u32,
    pub(crate) sealed: Sealed,
    pub(crate) attempt: Attempt,
}

/// Where the work on an account stands: the next thing to do.
#[derive(Debug, Default)]
pub(crate) enum At {
    /// The account is suspended: its destination is asked first.
    Probe,
    EndSuspension,
    Plan,
    Load,
    Repoint,
    Do(Effect<Simulated>),
    /// The records are read; what the object is has to be stored.
    StoreSealed(Sealed),
    /// A mark has to be left before anything of the window is put.
    Confirm(Sealed),
    Wait(Waiting),
    Answered(Waiting, Reply),
    /// The failure has to be stored before the protocol hears of it.
    StoreFailure(Waiting, PutErrorKind, bool),
    /// Something other than a put failed.
    SetBack(Setback),
    /// With the slot of before, which only a broken protocol stores.
    Postpone(Option<Time>, Setback),
    Hold(auditferry_core::protocol::Hold),
    #[default]
    Release,
}

/// The work on one account, from its claim to its release.
pub(crate) struct Work {
    pub(crate) lease: Lease,
    /// The account as it stood at the claim.
    pub(crate) view: State,
    /// The bound that all accounts of the batch share.
    pub(crate) captured: Option<Bound>,
    /// The destination that the window has to go to, if it differs from its own.
    pub(crate) newest: Option<usize>,
    pub(crate) at: At,
    pub(crate) window: Option<Window>,
    /// The bucket that it goes to.
    pub(crate) bucket: u8,
    pub(crate) cursor: Cursor,
    pub(crate) ordinal: u32,
    pub(crate) exhausted: bool,
    /// Whether it has delivered an object since its claim.
    pub(crate) served: bool,
    pub(crate) doubtful: bool,
    /// Whether a mark was counted since the window was stored, or repointed.
    pub(crate) confirmed: bool,
    /// For the checker: an earlier attempt for the object is unsettled in truth.
    pub(crate) unsettled: bool,
    /// For the checker: a stranger's object was met.
    pub(crate) strangers: bool,
}

impl Work {
    pub(crate) fn new(lease: Lease, view: State) -> Self {
        Self {
            lease,
            view,
            captured: None,
            newest: Some(view.destination),
            at: if is_suspended(view.denied.as_ref()) { At::Probe } else { Self::begin(&view) },
            window: None,
            bucket: 0,
            cursor: None,
            ordinal: 1,
            exhausted: false,
            served: false,
            doubtful: false,
            confirmed: false,
            unsettled: false,
            strangers: false,
        }
    }

    /// Where the work on an account begins.
    pub(crate) fn begin(view: &State) -> At {
        if view.open.is_some() { At::Load } else { At::Plan }
    }

    pub(crate) fn moved(&self) -> bool {
        let own = self.window.map(|window| window.destination);
        self.newest.is_some_and(|newest| Some(newest) != own)
    }
}

/// One process.
#[derive(Default)]
pub(crate) struct Worker {
    /// How far its clock is wrong.
    pub(crate) skew: Time,
    pub(crate) down: bool,
    pub(crate) paused: bool,
    pub(crate) draining: bool,
    pub(crate) works: Vec<Work>,
}
