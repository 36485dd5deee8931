//! Which account may begin: a pure count of places. One slow destination, one endless
//! backlog or one busy hour never takes more than its share of them.

use std::collections::BTreeMap;

/// Most endpoints whose allowance is remembered while nothing goes to them.
const REMEMBERED: usize = 4_096;

/// How an endpoint took a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It answered, whatever it said.
    Kept,
    /// It asked for less (429, 503), or did not answer in time.
    Slow,
}

/// What goes to one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Endpoint {
    running: usize,
    allowed: usize,
}

impl Endpoint {
    fn room(&self) -> usize {
        self.allowed.saturating_sub(self.running)
    }
}

/// What the ledger was asked for a short time ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lately {
    /// Any accounts that are due: places may be kept free, so that several are claimed at once.
    pub any: bool,
    /// Accounts of other endpoints than the full ones: it is too early for more of them.
    pub others: bool,
}

/// What a claim asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Most accounts; 0 when it is not the time to claim.
    pub accounts: usize,
    /// Endpoints that get no further place.
    pub passed_over: Vec<String>,
}

/// The places of a worker, and who has them.
#[derive(Debug)]
pub struct Admission {
    places: usize,
    per_endpoint: usize,
    taken: usize,
    endpoints: BTreeMap<String, Endpoint>,
    /// Whether more may wait than have a place.
    crowded: bool,
    /// Whether nobody gets a place.
    held: bool,
    /// The endpoints for which all wait that do, as far as that is known.
    only: Vec<String>,
}

impl Admission {
    /// `places` for all, at most `per_endpoint` of them for one endpoint.
    #[must_use]
    pub fn new(places: usize, per_endpoint: usize) -> Self {
        let per_endpoint = per_endpoint.clamp(1, places.max(1));
        Self {
            places,
            per_endpoint,
            taken: 0,
            endpoints: BTreeMap::new(),
            crowded: false,
            held: false,
            only: Vec::new(),
        }
    }

    /// The most places that one endpoint gets when nobody has said: all but a quarter, so
    /// that one that hangs leaves some to the others.
    #[must_use]
    pub fn share(places: usize) -> usize {
        (places - (places / 4).max(1).min(places.saturating_sub(1))).max(1)
    }

    /// Places that nobody has.
    #[must_use]
    pub fn free(&self) -> usize {
        self.places.saturating_sub(self.taken)
    }

    /// What a claim asks for: no more than has a place everywhere. While many wait and one was
    /// made just now, nothing until a quarter of the places, and of an endpoint's allowance, is
    /// free: a claim of one costs the ledger as much as one of many. While all wait for full
    /// endpoints, nothing for a while: to pass over them, the ledger reads them all.
    #[must_use]
    pub fn wanted(&self, lately: Lately) -> Wanted {
        let patient = lately.any && self.crowded;
        let least = |places: usize| if patient { (places / 4).max(1) } else { 1 };
        let free = self.free();
        if self.held || free < least(self.places) {
            return Wanted { accounts: 0, passed_over: Vec::new() };
        }
        let (open, full): (Vec<_>, Vec<_>) =
            self.endpoints.iter().partition(|(_, endpoint)| endpoint.room() >= least(endpoint.allowed));
        let passed_over: Vec<String> = full.into_iter().map(|(name, _)| name.clone()).collect();
        let room = open.iter().map(|(_, endpoint)| endpoint.room());
        let still_full = self.only.iter().all(|name| passed_over.contains(name));
        let nobody = lately.others && !self.only.is_empty() && still_full;
        let accounts = if nobody { 0 } else { room.fold(free.min(self.per_endpoint), usize::min) };
        Wanted { accounts, passed_over }
    }

    /// Takes a place for an account of an endpoint; false when there is none. An endpoint
    /// whose name is not known has no limit of its own.
    pub fn admit(&mut self, endpoint: &str) -> bool {
        if self.free() == 0 {
            return false;
        }
        if !endpoint.is_empty() {
            let state = self.endpoint(endpoint);
            if state.room() == 0 {
                return false;
            }
            state.running += 1;
        }
        self.taken += 1;
        true
    }

    /// Gives a place back.
    pub fn leave(&mut self, endpoint: &str) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(state) = self.endpoints.get_mut(endpoint) {
            state.running = state.running.saturating_sub(1);
        }
        self.tidy(endpoint);
    }

    /// Adapts an endpoint's allowance to its pace: half of it after a slow answer, one
    /// more after each other one.
    pub fn answered(&mut self, endpoint: &str, pace: Pace) {
        let most = self.per_endpoint;
        if endpoint.is_empty() {
            return;
        }
        let state = self.endpoint(endpoint);
        state.allowed = match pace {
            Pace::Kept => (state.allowed + 1).min(most),
            Pace::Slow => (state.allowed / 2).max(1),
        };
        self.tidy(endpoint);
    }

    /// A claim asked for some accounts and got some: as many means that more may wait. Fewer
    /// means that nobody else does, except for the endpoints that were passed over. Returns
    /// whether that is so.
    pub fn claimed(&mut self, asked: Wanted, got: usize) -> bool {
        let all = got < asked.accounts;
        self.crowded = !all || (self.crowded && !asked.passed_over.is_empty());
        if all {
            self.only = asked.passed_over;
        } else if !asked.passed_over.is_empty() {
            self.only.clear();
        }
        all
    }

    /// From now on nobody gets a place, so that nobody has to make way either; or that is over.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether an account that has delivered an object goes back to the end of the queue,
    /// because others may wait for its place.
    #[must_use]
    pub fn makes_way(&self, endpoint: &str) -> bool {
        if self.held {
            return false;
        }
        self.crowded || self.endpoints.get(endpoint).is_some_and(|state| state.room() == 0)
    }

    fn endpoint(&mut self, name: &str) -> &mut Endpoint {
        if !self.endpoints.contains_key(name) && self.endpoints.len() >= REMEMBERED {
            self.endpoints.retain(|_, state| state.running > 0);
        }
        let fresh = Endpoint { running: 0, allowed: self.per_endpoint };
        self.endpoints.entry(name.to_owned()).or_insert(fresh)
    }

    /// An endpoint that nothing is known of is not remembered.
    fn tidy(&mut self, name: &str) {
        let fresh = Endpoint { running: 0, allowed: self.per_endpoint };
        if self.endpoints.get(name) == Some(&fresh) {
            self.endpoints.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Lately = Lately { any: true, others: true };

    #[test]
    fn an_endpoint_gets_no_more_than_its_share() {
        let mut admission = Admission::new(4, 3);
        assert_eq!([0; 4].map(|_| admission.admit("slow")), [true, true, true, false]);
        let wanted = Wanted { accounts: 1, passed_over: vec!["slow".to_owned()] };
        assert_eq!(admission.wanted(Lately::default()), wanted);
        assert!(admission.admit("good"));
        assert!(!admission.admit("good"), "all places are taken");
        admission.leave("slow");
        assert!(admission.wanted(Lately::default()).passed_over.is_empty() && admission.admit("good"));
    }

    #[test]
    fn the_share_leaves_a_place_to_others_where_there_are_several() {
        let share = [1, 2, 3, 4, 8, 32].map(Admission::share);
        assert_eq!(share, [1, 1, 2, 3, 6, 24]);
    }

    #[test]
    fn a_slow_endpoint_gets_half_and_then_one_more_at_a_time() {
        let mut admission = Admission::new(16, 8);
        let mut allowed = |pace: &[Pace]| {
            pace.iter().for_each(|pace| admission.answered("s3", *pace));
            let taken = (0..16).take_while(|_| admission.admit("s3")).count();
            (0..taken).for_each(|_| admission.leave("s3"));
            taken
        };
        assert_eq!(allowed(&[]), 8);
        assert_eq!(allowed(&[Pace::Slow]), 4);
        assert_eq!(allowed(&[Pace::Kept]), 5);
        assert_eq!(allowed(&[Pace::Slow; 9]), 1);
        assert_eq!(allowed(&[Pace::Kept; 20]), 8);
        assert!(admission.endpoints.is_empty(), "nothing is left to remember");
    }

    #[test]
    fn an_account_makes_way_only_when_others_may_wait() {
        let mut admission = Admission::new(4, 2);
        let asked = |accounts| Wanted { accounts, passed_over: Vec::new() };
        admission.claimed(asked(4), 1);
        assert!(admission.admit("s3") && !admission.makes_way("s3"));
        assert!(admission.admit("s3") && admission.makes_way("s3"), "its endpoint is full");
        assert!(!admission.makes_way("gcs"));
        admission.claimed(asked(2), 2);
        assert!(admission.makes_way("gcs"), "there may be more than were asked for");
    }

    #[test]
    fn a_crowd_is_claimed_in_quarters() {
        let mut admission = Admission::new(16, 12);
        let wanted = |accounts, names: &[&str]| Wanted {
            accounts,
            passed_over: names.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(admission.wanted(NOW), wanted(12, &[]));
        (0..11).for_each(|_| assert!(admission.admit("s3")));
        assert_eq!(
            admission.wanted(NOW),
            wanted(1, &[]),
            "nobody is known to wait: no more than has a place"
        );
        admission.claimed(wanted(1, &[]), 1);
        assert_eq!(admission.wanted(NOW), wanted(5, &["s3"]), "it waits for a quarter of its allowance");
        assert_eq!(admission.wanted(Lately::default()), wanted(1, &[]));
        (0..2).for_each(|_| assert!(admission.admit("gcs")));
        assert_eq!(admission.wanted(NOW), wanted(0, &[]), "three of sixteen places are free");
        (0..2).for_each(|_| admission.leave("s3"));
        assert_eq!(admission.wanted(NOW), wanted(3, &[]));
    }

    #[test]
    fn while_places_are_held_nobody_gets_one_or_makes_way() {
        let mut admission = Admission::new(2, 2);
        admission.claimed(Wanted { accounts: 1, passed_over: Vec::new() }, 1);
        assert!(admission.admit("s3") && admission.makes_way("s3"));
        admission.hold(true);
        assert_eq!((admission.wanted(Lately::default()).accounts, admission.makes_way("s3")), (0, false));
        admission.hold(false);
        assert_eq!((admission.wanted(Lately::default()).accounts, admission.makes_way("s3")), (1, true));
    }

    #[test]
    fn one_more_full_endpoint_is_no_reason_to_ask_again() {
        let mut admission = Admission::new(20, 8);
        (0..8).for_each(|_| assert!(admission.admit("s3")));
        (0..7).for_each(|_| assert!(admission.admit("gcs")));
        let one = admission.wanted(Lately::default());
        assert_eq!(one, Wanted { accounts: 1, passed_over: vec!["s3".to_owned()] });
        admission.claimed(one, 0);
        assert!(admission.admit("gcs"));
        let later = Lately { any: false, others: true };
        assert_eq!(admission.wanted(later).accounts, 0, "nobody waits for a third");
        assert_eq!(admission.wanted(Lately::default()).accounts, 4);
    }

    #[test]
    fn who_waits_for_a_full_endpoint_is_not_asked_for_all_the_time() {
        let mut admission = Admission::new(8, 6);
        let wanted = |accounts| Wanted { accounts, passed_over: vec!["s3".to_owned()] };
        (0..6).for_each(|_| assert!(admission.admit("s3")));
        assert_eq!(admission.wanted(NOW), wanted(2));
        admission.claimed(wanted(2), 0);
        let later = Lately { any: false, others: true };
        let asked = [NOW, later, Lately::default()].map(|lately| admission.wanted(lately));
        assert_eq!(asked, [wanted(0), wanted(0), wanted(2)]);
        admission.leave("s3");
        let one = admission.wanted(NOW);
        assert_eq!((one.accounts, one.passed_over.is_empty()), (1, true), "it is not full any more");
        assert!(admission.admit("s3"));
        admission.claimed(one, 1);
        assert_eq!(admission.wanted(NOW), wanted(0), "nothing new is known of the others");
        admission.claimed(wanted(2), 2);
        assert_eq!(admission.wanted(NOW), wanted(2), "some have come, so more may wait");
    }

    proptest! {
        /// Whatever happens in whatever order, no limit is passed, and an endpoint that is
        /// not full gets a free place.
        #[test]
        fn no_limit_is_ever_passed(
            places in 1_usize..12,
            share in 1_usize..12,
            steps in prop::collection::vec((0_u8..4, 0_u8..4), 0..200),
        ) {
            let mut admission = Admission::new(places, share);
            let mut running: BTreeMap<String, usize> = BTreeMap::new();
            for (what, which) in steps {
                let name = format!("e{which}");
                let count = running.entry(name.clone()).or_default();
                match what {
                    0 => {
                        let full = admission.wanted(Lately::default()).passed_over.contains(&name);
                        let room = admission.free() > 0 && !full;
                        prop_assert_eq!(admission.admit(&name), room);
                        *count += usize::from(room);
                    }
                    1 if *count > 0 => {
                        admission.leave(&name);
                        *count -= 1;
                    }
                    2 => admission.answered(&name, Pace::Kept),
                    _ => admission.answered(&name, Pace::Slow),
                }
                prop_assert!(*count <= share.min(places));
                let wanted = admission.wanted(Lately::default());
                prop_assert!(wanted.accounts <= admission.free());
                prop_assert_eq!(wanted.accounts == 0, admission.free() == 0, "what is free is asked for");
                prop_assert_eq!(admission.free(), places - running.values().sum::<usize>());
            }
            for (name, count) in &running {
                (0..*count).for_each(|_| admission.leave(name));
            }
            for name in running.into_keys() {
                prop_assert!(admission.admit(&name), "nobody is shut out for ever");
                admission.leave(&name);
            }
        }
    }
}
