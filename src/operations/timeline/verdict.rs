//! What became of a slot: from the windows and from what the account was then.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::past::Settled;
use crate::ledger::{SlotWindow, WindowState};

/// From when on a delivery counts as late.
const LATE: SignedDuration = SignedDuration::from_mins(15);

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Its records are in the bucket.
    Delivered,
    /// Its records are in the bucket, since more than 15 minutes after the slot.
    Late,
    /// There were no records.
    Empty,
    /// Nothing went wrong, and it is not delivered yet.
    Open,
    /// It is not delivered, and the last try has failed.
    Failing,
    /// Nothing ran when it came; its records went into a later slot's window.
    Merged,
    /// It lies in a gap: its records are never delivered, on a person's word.
    Skipped,
    /// A rewind has given up its window; its records come again with a later one.
    GivenUp,
    /// Support had paused the account.
    Paused,
    /// The account had no destination.
    NoDestination,
    /// The add-on had ended.
    Expired,
    /// The add-on was switched off.
    Disabled,
}

impl SlotState {
    /// All of them, as a legend shows them.
    pub const ALL: [Self; 12] = [
        Self::Delivered,
        Self::Empty,
        Self::Late,
        Self::Open,
        Self::Failing,
        Self::Merged,
        Self::Skipped,
        Self::GivenUp,
        Self::Paused,
        Self::NoDestination,
        Self::Expired,
        Self::Disabled,
    ];

    /// The sign in a strip; no two are the same.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Delivered => '#',
            Self::Empty => '.',
            Self::Late => 'L',
            Self::Open => 'o',
            Self::Failing => 'F',
            Self::Merged => 'm',
            Self::Skipped => 's',
            Self::GivenUp => 'g',
            Self::Paused => 'P',
            Self::NoDestination => 'N',
            Self::Expired => 'E',
            Self::Disabled => 'D',
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Empty => "no records",
            Self::Late => "late by more than 15 minutes",
            Self::Open => "not delivered yet",
            Self::Failing => "failing",
            Self::Merged => "in a later object",
            Self::Skipped => "skipped (a gap)",
            Self::GivenUp => "given up by a rewind",
            Self::Paused => "paused",
            Self::NoDestination => "no destination",
            Self::Expired => "add-on expired",
            Self::Disabled => "add-on disabled",
        }
    }
}

/// The windows by which slots are judged.
pub(in crate::operations) struct Slots<'a> {
    /// The oldest first; none is missing after the first.
    pub(in crate::operations) windows: &'a [SlotWindow],
    /// Whether the account's last try has failed.
    pub(in crate::operations) failing: bool,
}

impl<'a> Slots<'a> {
    /// What became of a slot that has come, and in which window. `then`: what the account was at that instant.
    pub(in crate::operations) fn judge(
        &self,
        slot: Timestamp,
        then: &Settled,
    ) -> (SlotState, Option<&'a SlotWindow>) {
        let waits = if self.failing { SlotState::Failing } else { SlotState::Open };
        let place = self.windows.partition_point(|window| window.slot < slot);
        if let Some(own) = self.windows.get(place).filter(|window| window.slot == slot) {
            let state = match own.state {
                WindowState::Open => waits,
                WindowState::Skipped => SlotState::Skipped,
                WindowState::Abandoned => SlotState::GivenUp,
                WindowState::Delivered if own.records == 0 => SlotState::Empty,
                WindowState::Delivered if is_late(slot, own.closed_at) => SlotState::Late,
                WindowState::Delivered => SlotState::Delivered,
            };
            return (state, Some(own));
        }
        let stopped = if !then.enabled {
            Some(SlotState::Disabled)
        } else if then.until.is_some_and(|until| until <= slot) {
            Some(SlotState::Expired)
        } else if !then.has_destination {
            Some(SlotState::NoDestination)
        } else if then.paused {
            Some(SlotState::Paused)
        } else {
            None
        };
        // What a rewind has given up holds no records of it.
        let later = self.windows[place..].iter().find(|window| window.state != WindowState::Abandoned);
        let state = match (stopped, later.map(|window| window.state)) {
            (Some(stopped), _) => stopped,
            (None, Some(WindowState::Skipped)) => SlotState::Skipped,
            (None, Some(_)) => SlotState::Merged,
            (None, None) => waits,
        };
        (state, later)
    }
}

fn is_late(slot: Timestamp, closed_at: Option<Timestamp>) -> bool {
    closed_at.is_some_and(|closed_at| closed_at.duration_since(slot) > LATE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(clock: &str) -> Timestamp {
        format!("2026-11-21T{clock}:00Z").parse().expect("an instant")
    }

    fn window(number: u64, slot: &str, state: WindowState, records: u64, closed: Option<&str>) -> SlotWindow {
        SlotWindow {
            window: number,
            slot: at(slot),
            state,
            from: at("00:00"),
            to: at(slot),
            closed_at: closed.map(at),
            objects: u64::from(records > 0),
            records,
            left_out: None,
        }
    }

    fn well() -> Settled {
        Settled {
            zone: "UTC".to_owned(),
            schedule: "0 * * * *".to_owned(),
            enabled: true,
            until: None,
            paused: false,
            has_destination: true,
        }
    }

    #[test]
    fn windows_say_what_became_of_their_slots() {
        use WindowState::{Abandoned, Delivered, Open, Skipped};
        let windows = [
            window(1, "01:00", Delivered, 3, Some("01:15")),
            window(2, "02:00", Delivered, 3, Some("02:16")),
            window(3, "03:00", Delivered, 0, Some("03:30")),
            window(4, "05:00", Delivered, 9, Some("05:01")),
            window(5, "06:30", Skipped, 0, None),
            window(6, "07:00", Abandoned, 0, None),
            window(7, "09:00", Open, 0, None),
        ];
        let judge = |failing, clock| {
            let (state, window) = Slots { windows: &windows, failing }.judge(at(clock), &well());
            (state, window.map(|window| window.window))
        };
        for (clock, state, number) in [
            ("01:00", SlotState::Delivered, Some(1)),
            ("02:00", SlotState::Late, Some(2)),
            ("03:00", SlotState::Empty, Some(3)),
            ("04:00", SlotState::Merged, Some(4)),
            ("05:00", SlotState::Delivered, Some(4)),
            ("06:00", SlotState::Skipped, Some(5)),
            ("06:30", SlotState::Skipped, Some(5)),
            ("07:00", SlotState::GivenUp, Some(6)),
            ("08:00", SlotState::Merged, Some(7)),
            ("09:00", SlotState::Open, Some(7)),
            ("10:00", SlotState::Open, None),
        ] {
            assert_eq!(judge(false, clock), (state, number), "{clock}");
        }
        assert_eq!(judge(true, "09:00"), (SlotState::Failing, Some(7)));
        assert_eq!(judge(true, "10:00"), (SlotState::Failing, None));
        assert_eq!(judge(true, "05:00"), (SlotState::Delivered, Some(4)), "what is delivered fails no more");
    }

    #[test]
    fn a_slot_without_a_window_is_explained_by_what_the_account_was() {
        let windows = [window(1, "12:00", WindowState::Delivered, 3, Some("12:01"))];
        let judge = |then: Settled| Slots { windows: &windows, failing: false }.judge(at("04:00"), &then).0;
        assert_eq!(judge(Settled { paused: true, ..well() }), SlotState::Paused);
        assert_eq!(
            judge(Settled { has_destination: false, paused: true, ..well() }),
            SlotState::NoDestination
        );
        assert_eq!(judge(Settled { until: Some(at("03:00")), ..well() }), SlotState::Expired);
        assert_eq!(judge(Settled { until: Some(at("05:00")), ..well() }), SlotState::Merged);
        assert_eq!(
            judge(Settled { enabled: false, until: Some(at("03:00")), ..well() }),
            SlotState::Disabled
        );
        // What was delivered was delivered, whatever the account became.
        let own = Slots { windows: &windows, failing: false }
            .judge(at("12:00"), &Settled { paused: true, ..well() });
        assert_eq!(own.0, SlotState::Delivered);
    }

    #[test]
    fn no_two_states_share_a_sign() {
        let signs: BTreeSet<char> = SlotState::ALL.iter().map(|state| state.sign()).collect();
        assert_eq!(signs.len(), SlotState::ALL.len());
    }
}
