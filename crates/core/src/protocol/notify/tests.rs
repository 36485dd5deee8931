use proptest::prelude::*;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).expect("instant")
}

fn fails(level: u8) -> Fact {
    Fact { topic: Topic::Export, level, since: None, patience: SignedDuration::ZERO }
}

/// A subject over time.
struct Subject {
    state: NoticeState,
    delivered: Timestamp,
}

impl Subject {
    fn new() -> Self {
        Self { state: NoticeState::default(), delivered: at(0) }
    }

    fn look(&mut self, hours: i64, facts: &[Fact]) -> Vec<Change> {
        self.look_at(hours, facts, false)
    }

    fn look_at(&mut self, hours: i64, facts: &[Fact], stopped: bool) -> Vec<Change> {
        let progress = Some(self.delivered);
        let look = Look { facts, progress, stopped, pause: ACCOUNT_PAUSE, now: at(hours) };
        let (state, news) = decide(&self.state, look);
        self.state = state;
        news.iter().map(|news| news.change).collect()
    }
}

#[test]
fn repeats_decay() {
    let mut subject = Subject::new();
    let told: Vec<(i64, Vec<Change>)> = (0..=24 * 26)
        .map(|hour| (hour, subject.look(hour, &[fails(1)])))
        .filter(|(_, news)| !news.is_empty())
        .collect();
    let days: Vec<i64> = told.iter().map(|(hour, _)| hour / 24).collect();
    assert_eq!(days, [0, 1, 4, 11, 18, 25]);
    assert_eq!(told[0].1, [Change::Began]);
    assert!(told[1..].iter().all(|(_, news)| *news == [Change::Reminder]));
}

#[test]
fn a_failure_is_over_when_the_account_has_come_further() {
    let mut subject = Subject::new();
    assert_eq!(subject.look(0, &[fails(1)]), [Change::Began]);
    // Another destination: it has not failed yet, and has taken nothing either.
    assert_eq!(subject.look(25, &[]), []);
    subject.delivered = at(26);
    assert_eq!(subject.look(26, &[]), [Change::Recovered]);
    assert_eq!(subject.look(52, &[]), []);
    assert!(subject.state.is_spent(ACCOUNT_PAUSE, at(52)));
}

#[test]
fn one_that_fails_again_within_the_pause_goes_on_failing() {
    let mut subject = Subject::new();
    assert_eq!(subject.look(0, &[fails(1)]), [Change::Began]);
    subject.delivered = at(1);
    assert_eq!(subject.look(2, &[]), [], "not twice a day");
    assert_eq!(subject.look(3, &[fails(1)]), []);
    assert_eq!(subject.look(24, &[fails(1)]), [Change::Reminder]);
}

#[test]
fn what_passes_by_itself_and_what_a_person_stops_is_not_told() {
    let mut subject = Subject::new();
    let short = Fact { patience: PATIENCE, ..fails(1) };
    assert_eq!(subject.look(0, std::slice::from_ref(&short)), []);
    subject.delivered = at(1);
    assert_eq!(subject.look(1, &[]), []);
    assert!(subject.state.topics.is_empty());
    assert_eq!(subject.look(2, std::slice::from_ref(&short)), []);
    assert_eq!(subject.look(3, &[short]), [Change::Began]);
    assert_eq!(subject.look_at(40, &[], true), []);
    subject.delivered = at(41);
    assert_eq!(subject.look(41, &[]), [], "it was not over, it was paused");
}

#[test]
fn what_ends_is_told_at_each_threshold_and_what_is_worse_at_once() {
    let mut subject = Subject::new();
    let ends = |level| Fact { topic: Topic::Addon, level, since: None, patience: SignedDuration::ZERO };
    assert_eq!(subject.look(0, &[ends(1)]), [Change::Began]);
    assert_eq!(subject.look(24 * 20, &[ends(1)]), [], "no reminder");
    assert_eq!(subject.look(24 * 23, &[ends(2)]), [Change::Worsened]);
    // Both in one notice.
    assert_eq!(subject.look(24 * 29, &[ends(3), fails(1)]), [Change::Began, Change::Worsened]);
    assert_eq!(subject.look(24 * 29 + 1, &[ends(3), fails(3)]), [], "once a day");
    assert_eq!(subject.look(24 * 30, &[fails(3)]), [Change::Worsened], "the moved end is no news");
}

#[test]
fn a_telling_of_the_future_is_a_wrong_clocks() {
    let mut subject = Subject::new();
    assert_eq!(subject.look(24 * 365, &[fails(1)]), [Change::Began]);
    assert_eq!(subject.look(0, &[fails(1)]), [Change::Reminder]);
}

#[test]
fn tries_go_on_for_more_than_a_day() {
    let waits: Vec<_> = (1..).map_while(retry_after).collect();
    assert_eq!(waits.len(), 7);
    assert!(waits.iter().copied().sum::<SignedDuration>() > HOUR * 24);
    assert_eq!(retry_after(u32::MAX), None);
}

proptest! {
    /// Hours that pass, and whether it fails then; a success is also a delivery.
    #[test]
    fn the_promises_hold(steps in prop::collection::vec((1_i64..40, any::<bool>()), 1..80)) {
        let mut subject = Subject::new();
        let (mut hour, mut last, mut open) = (0, None::<i64>, false);
        let mut failing_since = None::<i64>;
        for (passed, fails_now) in steps {
            hour += passed;
            if fails_now { failing_since.get_or_insert(hour); } else { failing_since = None; subject.delivered = at(hour); }
            let news = if fails_now { subject.look(hour, &[fails(1)]) } else { subject.look(hour, &[]) };
            prop_assert!(news.len() <= 1);
            let Some(change) = news.first() else {
                // Every failure that lasts for the pause is told.
                let untold = failing_since.is_some_and(|since| hour - since >= 24) && !open;
                prop_assert!(!untold, "not told at {hour}");
                continue;
            };
            prop_assert!(last.is_none_or(|last| hour - last >= 24), "twice a day");
            last = Some(hour);
            // A recovery is told once, and only after its failure.
            match change {
                Change::Began => { prop_assert!(!open && fails_now); open = true; }
                Change::Reminder | Change::Worsened => prop_assert!(open && fails_now),
                Change::Recovered => { prop_assert!(open && !fails_now); open = false; }
            }
        }
        // And it is told in the end.
        for later in [24, 48] { if let [Change::Recovered] = subject.look(hour + later, &[])[..] { open = false; } }
        subject.delivered = at(hour + 50);
        if let [Change::Recovered] = subject.look(hour + 72, &[])[..] { open = false; }
        prop_assert!(!open);
        prop_assert!(subject.state.is_spent(ACCOUNT_PAUSE, at(hour + 200)));
    }
}
