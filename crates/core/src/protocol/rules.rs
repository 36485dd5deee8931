//! What the ledger decides within its transactions, and what a worker does with a
//! claimed account. The statements in `ledger/sql` and the simulator's model of a
//! ledger read and write rows; whether they may is said here.

use jiff::SignedDuration;

/// Whether the holder of a lease may still write: its epoch is the account's newest (fencing), and the
/// lease was not released.
#[must_use]
pub fn lease_is_current(epoch: i64, newest: i64, owned: bool) -> bool {
    owned && epoch == newest
}

/// Whether an account's revision is still the one that was claimed: nobody has changed the account
/// since, so what was decided from the claim still holds.
#[must_use]
pub fn unchanged_since_claim(at_claim: i64, now: i64) -> bool {
    at_claim == now
}

/// When an account is due, which is also its position in the queue of due accounts; none while it
/// may not start. An open window is due since its slot or its last object
/// (`open`), otherwise the next slot is; neither before `retry_at`.
#[must_use]
pub fn due_at<T: Ord>(
    may_start: bool,
    open: Option<T>,
    next_slot: Option<T>,
    retry_at: Option<T>,
) -> Option<T> {
    let at = open.or(next_slot).filter(|_| may_start)?;
    Some(match retry_at {
        Some(retry) => retry.max(at),
        None => at,
    })
}

/// The number of an account's next window; none while one is open.
#[must_use]
pub fn next_window(open: Option<u64>, windows: u64) -> Option<u64> {
    open.is_none().then_some(windows + 1)
}

/// Whether support may move the watermark to a bound that was captured when `seen`
/// windows had been planned. A window planned since may have a later bound, and the
/// watermark would go back under what it delivered.
#[must_use]
pub fn may_skip(open: Option<u64>, seen: u64, windows: u64) -> bool {
    open.is_none() && seen == windows
}

/// Whether a person may ask for a slot at the present time, beside the schedule: names go in order, and a
/// window in delivery has the records already.
#[must_use]
pub fn may_add_slot<T: Ord>(open: Option<u64>, newest_slot: &T, now: &T) -> bool {
    open.is_none() && newest_slot < now
}

/// The slot of a window that is planned now: the newest of the schedule since the newest that was planned, or a
/// later one that has come because a person has asked for it, which is the account's next slot then.
#[must_use]
pub fn slot_to_plan<T: Ord + Copy>(
    scheduled: Option<T>,
    newest_slot: T,
    now: T,
    next_slot: Option<T>,
) -> Option<T> {
    let asked = next_slot.filter(|next| *next <= now);
    scheduled.max(asked).filter(|slot| *slot > newest_slot)
}

/// Whether an object may be put under a name that carries the present time, between the newest slot
/// that was planned and the next one: nothing that an account still owes may sort before
/// it. `until`: when the put has ended at the latest. Readers that list from a marker
/// never look back.
#[must_use]
pub fn may_name_now<T: Ord>(
    open: Option<u64>,
    newest_slot: &T,
    now: &T,
    until: &T,
    next_slot: Option<&T>,
) -> bool {
    open.is_none() && newest_slot <= now && next_slot.is_none_or(|next| until < next)
}

/// A worker logs a warning when its clock is further than this from the ledger database's.
const SKEW_TOLD: SignedDuration = SignedDuration::from_secs(60);
/// Beyond this a worker claims nothing: it would name windows after the wrong slots, end
/// add-ons early, and wait for days once its clock is set right.
pub const SKEW_REFUSED: SignedDuration = SignedDuration::from_hours(1);

/// What a worker's clock allows, given how far it is ahead of the ledger database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// They agree.
    Right,
    /// They differ by more than a minute: warn.
    Off,
    /// They differ by more than an hour: claim nothing.
    Wrong,
}

/// Judges how far a worker's clock is ahead.
#[must_use]
pub fn clock_state(ahead: SignedDuration) -> ClockState {
    match ahead.abs() {
        off if off > SKEW_REFUSED => ClockState::Wrong,
        off if off > SKEW_TOLD => ClockState::Off,
        _ => ClockState::Right,
    }
}

/// Whether a slot that was planned lies so far in the future that a clock was wrong when that was
/// done. The account waits until it has come, because names go in order.
#[must_use]
pub fn is_clock_ahead(ahead_of_now: SignedDuration) -> bool {
    ahead_of_now > SKEW_REFUSED
}

/// An account counts as unattended once it has been due for this long and was last changed this long
/// ago. (One that was just enabled may have been due for weeks.)
pub const UNATTENDED_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Whether no worker looks at an account: it has been due for a while, and nobody has it or has just
/// changed it.
#[must_use]
pub fn is_unattended(due_for: Option<SignedDuration>, attended: bool) -> bool {
    !attended && due_for.is_some_and(|due_for| due_for > UNATTENDED_AFTER)
}

/// One object of the open window, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredObject<C> {
    /// Its place within the window, counted from 1.
    pub ordinal: u32,
    /// Whether its receipt is stored.
    pub delivered: bool,
    /// Where it ends.
    pub cursor: Option<C>,
    /// Whether the window holds no record after it.
    pub ends_window: bool,
    /// Whether an attempt for it has an unknown outcome.
    pub doubtful: bool,
    /// Whether an attempt was made for it where it goes now.
    pub attempted: bool,
}

/// Where the delivery of a window goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumePoint<C> {
    /// The object in delivery, counted from 1.
    pub ordinal: u32,
    /// Where the last delivered object ended.
    pub cursor: Option<C>,
    /// Whether the last delivered object ended the window.
    pub exhausted: bool,
    /// Whether an attempt for the object in delivery has an unknown outcome.
    pub doubtful: bool,
    /// Whether an attempt was made for the object in delivery.
    pub attempted: bool,
}

/// Finds where to go on, from the stored objects of a window, the newest first.
pub fn resume_point<C>(newest_first: impl IntoIterator<Item = StoredObject<C>>) -> ResumePoint<C> {
    let mut at =
        ResumePoint { ordinal: 1, cursor: None, exhausted: false, doubtful: false, attempted: false };
    for object in newest_first {
        if object.delivered {
            at.ordinal = at.ordinal.max(object.ordinal + 1);
            at.cursor = object.cursor;
            at.exhausted = object.ends_window;
            break;
        }
        at.ordinal = object.ordinal;
        at.doubtful = object.doubtful;
        at.attempted = object.attempted;
    }
    at
}

/// An object that is sealed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    /// Whether its receipt is stored.
    pub delivered: bool,
    /// Attempts that were made for it.
    pub attempts: u32,
    /// Whether its content is the same as before.
    pub same_content: bool,
}

/// Whether a sealed object may be stored in place of the one sealed `before`. Once an attempt was
/// made the content must be the same, because the attempt may have created the object: otherwise
/// fail closed.
#[must_use]
pub fn may_seal(before: Option<Resealed>) -> bool {
    before.is_none_or(|before| !before.delivered && (before.attempts == 0 || before.same_content))
}

/// Whether a window may close and move the watermark: it is the open one, and the
/// watermark still stands where it began.
#[must_use]
pub fn ends_at<B: PartialEq>(watermark: &B, begins: &B, open: Option<u64>, number: u64) -> bool {
    watermark == begins && open == Some(number)
}

/// That the destination has refused every put for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied<T> {
    /// Since when.
    pub since: T,
    /// Since when the account is suspended, so that the destination is only probed; none: the open
    /// window is still put at each slot.
    pub suspended_at: Option<T>,
}

/// The account's denial after one more refusal that only the customer can fix. `too_long`: whether
/// refusals since an instant are enough for a suspension.
#[must_use]
pub fn record_denial<T: Copy>(
    before: Option<Denied<T>>,
    now: T,
    too_long: impl FnOnce(T) -> bool,
) -> Denied<T> {
    let since = before.map_or(now, |before| before.since);
    let suspended_at = before.and_then(|before| before.suspended_at);
    Denied { since, suspended_at: suspended_at.or_else(|| too_long(since).then_some(now)) }
}

/// Whether a claimed account gets one probe, and nothing else until that has succeeded.
#[must_use]
pub fn is_suspended<T>(denied: Option<&Denied<T>>) -> bool {
    denied.is_some_and(|denied| denied.suspended_at.is_some())
}

/// What to do with a claimed account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Deliver the open window to the destination that it was planned for.
    Deliver,
    /// Give the open window to the account's newest destination first.
    Repoint,
}

/// What to do with an open window. `moved`: the account has another destination than
/// the window. A doubtful object may be in the old one, so that one is asked first;
/// `refused_for_good`: it was, and only the customer could change its answer.
#[must_use]
pub fn next_task(moved: bool, doubtful: bool, refused_for_good: bool) -> Task {
    if moved && (!doubtful || refused_for_good) { Task::Repoint } else { Task::Deliver }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(ordinal: u32, delivered: bool, doubtful: bool) -> StoredObject<u32> {
        let (cursor, ends_window, attempted) = (Some(ordinal * 10), ordinal == 3, doubtful || delivered);
        StoredObject { ordinal, delivered, cursor, ends_window, doubtful, attempted }
    }

    #[test]
    fn only_the_newest_lease_writes_until_it_is_given_back() {
        assert!(lease_is_current(2, 2, true));
        assert!(!lease_is_current(1, 2, true));
        assert!(!lease_is_current(2, 2, false));
    }

    #[test]
    fn an_open_window_is_due_before_any_slot_but_not_before_its_retry() {
        assert_eq!(due_at(true, Some(0), Some(8), None), Some(0));
        assert_eq!(due_at(true, Some(0), Some(8), Some(5)), Some(5));
        assert_eq!(due_at(true, None, Some(8), Some(5)), Some(8));
        assert_eq!(due_at(true, None, None, Some(5)), None);
        assert_eq!(due_at(false, Some(0), Some(8), None), None);
    }

    #[test]
    fn delivery_goes_on_after_the_newest_receipt() {
        let none: [StoredObject<u32>; 0] = [];
        let fresh =
            ResumePoint { ordinal: 1, cursor: None, exhausted: false, doubtful: false, attempted: false };
        assert_eq!(resume_point(none), fresh);
        let second = resume_point([object(2, false, true), object(1, true, false)]);
        let open = ResumePoint { cursor: Some(10), ordinal: 2, doubtful: true, attempted: true, ..fresh };
        assert_eq!(second, open);
        let over = resume_point([object(3, true, false), object(2, true, false)]);
        assert_eq!(over, ResumePoint { ordinal: 4, cursor: Some(30), exhausted: true, ..fresh });
    }

    #[test]
    fn other_content_is_refused_once_an_attempt_was_made() {
        let again = |delivered, attempts, same_content| {
            may_seal(Some(Resealed { delivered, attempts, same_content }))
        };
        assert!(may_seal(None));
        assert!(again(false, 0, false));
        assert!(again(false, 1, true));
        assert!(!again(false, 1, false));
        assert!(!again(true, 1, true));
    }

    #[test]
    fn the_watermark_moves_only_from_where_the_window_began() {
        assert!(ends_at(&1, &1, Some(7), 7));
        assert!(!ends_at(&2, &1, Some(7), 7));
        assert!(!ends_at(&1, &1, Some(8), 7));
        assert!(!ends_at(&1, &1, None, 7));
    }

    #[test]
    fn the_watermark_is_not_skipped_back_under_a_newer_window() {
        assert!(may_skip(None, 4, 4));
        assert!(!may_skip(None, 4, 5));
        assert!(!may_skip(Some(4), 4, 4));
    }

    #[test]
    fn a_slot_beside_the_schedule_stands_after_the_newest_one() {
        assert!(may_add_slot(None, &4, &5));
        assert!(!may_add_slot(None, &5, &5), "the names would be the same");
        assert!(!may_add_slot(None, &6, &5), "a clock was ahead");
        assert!(!may_add_slot(Some(1), &4, &5), "a window is in delivery");
        // It is taken once it has come, unless the schedule has a later one.
        assert_eq!(slot_to_plan(None, 4, 5, Some(5)), Some(5));
        assert_eq!(slot_to_plan(None, 4, 5, Some(6)), None);
        assert_eq!(slot_to_plan(Some(8), 4, 9, Some(5)), Some(8));
        assert_eq!(slot_to_plan(Some(4), 2, 6, Some(5)), Some(5));
        assert_eq!(slot_to_plan(Some(8), 4, 9, Some(8)), Some(8));
        assert_eq!(slot_to_plan(None, 5, 9, Some(5)), None, "it was planned already");
    }

    #[test]
    fn a_clock_that_is_an_hour_off_takes_nothing() {
        let state = |seconds| clock_state(SignedDuration::from_secs(seconds));
        assert_eq!([state(0), state(60), state(-60)], [ClockState::Right; 3]);
        assert_eq!([state(61), state(-3600)], [ClockState::Off; 2]);
        assert_eq!([state(3601), state(-86_400)], [ClockState::Wrong; 2]);
    }

    #[test]
    fn a_slot_an_hour_ahead_is_of_a_wrong_clock() {
        let ahead = |seconds| is_clock_ahead(SignedDuration::from_secs(seconds));
        assert!(ahead(3601) && !ahead(3600) && !ahead(-86_400));
    }

    #[test]
    fn an_account_is_unattended_when_it_is_due_for_a_while_and_nobody_has_it() {
        let due = |seconds| Some(SignedDuration::from_secs(seconds));
        assert!(is_unattended(due(601), false));
        assert!(!is_unattended(due(601), true), "a worker has it");
        assert!(!is_unattended(due(600), false) && !is_unattended(due(-1), false));
        assert!(!is_unattended(None, false), "nothing may start");
    }

    #[test]
    fn a_name_in_present_time_stands_between_two_slots() {
        let may = |open, now, next| may_name_now(open, &4, &now, &(now + 1), next);
        assert!(may(None, 5, Some(&8)) && may(None, 5, None) && may(None, 4, Some(&8)));
        assert!(!may(Some(2), 5, Some(&8)), "the window in delivery has an earlier slot");
        assert!(!may(None, 7, Some(&8)), "the slot would come during the put");
        assert!(!may(None, 9, Some(&8)), "a slot has come and is not planned");
        assert!(!may(None, 3, Some(&8)), "the newest slot is of a clock that was ahead");
    }

    #[test]
    fn an_account_is_suspended_once_it_was_refused_for_long_enough() {
        let too_long = |now: i32| move |since: i32| now - since >= 7;
        let first = record_denial(None, 10, too_long(10));
        assert_eq!(first, Denied { since: 10, suspended_at: None });
        let sixth = record_denial(Some(first), 16, too_long(16));
        assert!(!is_suspended(Some(&sixth)));
        let eighth = record_denial(Some(sixth), 18, too_long(18));
        assert_eq!(eighth, Denied { since: 10, suspended_at: Some(18) });
        assert!(is_suspended(Some(&eighth)) && !is_suspended::<i32>(None));
        // A clock that goes back lets nobody out, and moves nothing.
        assert_eq!(record_denial(Some(eighth), 11, too_long(11)), eighth);
    }

    #[test]
    fn a_doubtful_object_is_asked_for_where_it_was_put() {
        assert_eq!(next_task(false, false, true), Task::Deliver);
        assert_eq!(next_task(true, false, false), Task::Repoint);
        assert_eq!(next_task(true, true, false), Task::Deliver);
        assert_eq!(next_task(true, true, true), Task::Repoint);
    }
}
