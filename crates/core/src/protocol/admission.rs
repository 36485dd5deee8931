//! Which account may begin. A place is the right to run one export; this only counts them. No slow
//! destination, no endless backlog and no busy hour gets more than its share.

use std::collections::BTreeMap;

/// Most endpoints to remember while no export goes to them. Beyond it, idle ones start again at the full allowance.
const MAX_IDLE_ENDPOINTS: usize = 4_096;

/// How fast an endpoint answered a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It answered, whatever it said.
    Normal,
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

/// Which claims were made a moment ago, so that the next one can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecentClaims {
    /// Any claim: places may stay free for a moment, so that several accounts are claimed together.
    pub any: bool,
    /// One that excluded the full endpoints and found every other due account: too early for another.
    pub others: bool,
}

/// What the next claim asks the ledger for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// At most this many accounts; 0: make no claim now.
    pub accounts: usize,
    /// Endpoints that have all the places they may have.
    pub excluded: Vec<String>,
}

/// The places of a worker, and who has them.
#[derive(Debug)]
pub struct Admission {
    places: usize,
    per_endpoint: usize,
    taken: usize,
    endpoints: BTreeMap<String, Endpoint>,
    /// Whether due accounts may be waiting for a place.
    crowded: bool,
    /// Whether admission is suspended: nobody gets a place.
    held: bool,
    /// As far as is known, every waiting account is for one of these endpoints.
    only: Vec<String>,
}

impl Admission {
    /// With `places` in total, of which one endpoint gets at most `per_endpoint` (1 to `places`).
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

    /// The default of `per_endpoint`: three quarters of the places, so that an endpoint that hangs
    /// leaves some to the others.
    #[must_use]
    pub fn share(places: usize) -> usize {
        (places - (places / 4).max(1).min(places.saturating_sub(1))).max(1)
    }

    /// How many places are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.places.saturating_sub(self.taken)
    }

    /// What a claim asks for: no more than has a place everywhere. While many wait and one was
    /// made just now, nothing until a quarter of the places, and of an endpoint's allowance, is
    /// free: a claim of one costs the ledger as much as one of many. While all wait for full
    /// endpoints, nothing for a while: to pass over them, the ledger reads them all.
    #[must_use]
    pub fn next_claim(&self, recent: RecentClaims) -> ClaimRequest {
        let patient = recent.any && self.crowded;
        let least = |places: usize| if patient { (places / 4).max(1) } else { 1 };
        let free = self.free();
        if self.held || free < least(self.places) {
            return ClaimRequest { accounts: 0, excluded: Vec::new() };
        }
        let (open, full): (Vec<_>, Vec<_>) =
            self.endpoints.iter().partition(|(_, endpoint)| endpoint.room() >= least(endpoint.allowed));
        let excluded: Vec<String> = full.into_iter().map(|(name, _)| name.clone()).collect();
        let room = open.iter().map(|(_, endpoint)| endpoint.room());
        let still_full = self.only.iter().all(|name| excluded.contains(name));
        let nobody = recent.others && !self.only.is_empty() && still_full;
        let accounts = if nobody { 0 } else { room.fold(free.min(self.per_endpoint), usize::min) };
        ClaimRequest { accounts, excluded }
    }

    /// Takes a place for an account of an endpoint; false when none is free. An account without a
    /// destination has an empty endpoint, which has no limit of its own.
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
    pub fn release(&mut self, endpoint: &str) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(state) = self.endpoints.get_mut(endpoint) {
            state.running = state.running.saturating_sub(1);
        }
        self.forget_if_idle(endpoint);
    }

    /// Adapts an endpoint's allowance to its pace: half of it after a slow answer, one
    /// more after each other one.
    pub fn record_pace(&mut self, endpoint: &str, pace: Pace) {
        let most = self.per_endpoint;
        if endpoint.is_empty() {
            return;
        }
        let state = self.endpoint(endpoint);
        state.allowed = match pace {
            Pace::Normal => (state.allowed + 1).min(most),
            Pace::Slow => (state.allowed / 2).max(1),
        };
        self.forget_if_idle(endpoint);
    }

    /// Takes note of how many accounts a claim got. As many as it asked for: more may be waiting.
    /// Fewer: none is, except for the excluded endpoints. Returns whether it got fewer.
    pub fn record_claim(&mut self, asked: ClaimRequest, got: usize) -> bool {
        let all = got < asked.accounts;
        self.crowded = !all || (self.crowded && !asked.excluded.is_empty());
        if all {
            self.only = asked.excluded;
        } else if !asked.excluded.is_empty() {
            self.only.clear();
        }
        all
    }

    /// Suspends admission, or resumes it. While it is suspended nobody gets a place, so nobody has to
    /// yield one either.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether an account that has delivered an object gives its place up and queues again, because
    /// others may be waiting for it.
    #[must_use]
    pub fn must_yield(&self, endpoint: &str) -> bool {
        if self.held {
            return false;
        }
        self.crowded || self.endpoints.get(endpoint).is_some_and(|state| state.room() == 0)
    }

    fn endpoint(&mut self, name: &str) -> &mut Endpoint {
        if !self.endpoints.contains_key(name) && self.endpoints.len() >= MAX_IDLE_ENDPOINTS {
            self.endpoints.retain(|_, state| state.running > 0);
        }
        let fresh = Endpoint { running: 0, allowed: self.per_endpoint };
        self.endpoints.entry(name.to_owned()).or_insert(fresh)
    }

    /// Forgets an endpoint to which nothing runs and whose allowance is the full one.
    fn forget_if_idle(&mut self, name: &str) {
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

    const NOW: RecentClaims = RecentClaims { any: true, others: true };

    #[test]
    fn an_endpoint_gets_no_more_than_its_share() {
        let mut admission = Admission::new(4, 3);
        assert_eq!([0; 4].map(|_| admission.admit("slow")), [true, true, true, false]);
        let wanted = ClaimRequest { accounts: 1, excluded: vec!["slow".to_owned()] };
        assert_eq!(admission.next_claim(RecentClaims::default()), wanted);
        assert!(admission.admit("good"));
        assert!(!admission.admit("good"), "all places are taken");
        admission.release("slow");
        assert!(admission.next_claim(RecentClaims::default()).excluded.is_empty() && admission.admit("good"));
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
            pace.iter().for_each(|pace| admission.record_pace("s3", *pace));
            let taken = (0..16).take_while(|_| admission.admit("s3")).count();
            (0..taken).for_each(|_| admission.release("s3"));
            taken
        };
        assert_eq!(allowed(&[]), 8);
        assert_eq!(allowed(&[Pace::Slow]), 4);
        assert_eq!(allowed(&[Pace::Normal]), 5);
        assert_eq!(allowed(&[Pace::Slow; 9]), 1);
        assert_eq!(allowed(&[Pace::Normal; 20]), 8);
        assert!(admission.endpoints.is_empty(), "nothing is left to remember");
    }

    #[test]
    fn an_account_makes_way_only_when_others_may_wait() {
        let mut admission = Admission::new(4, 2);
        let asked = |accounts| ClaimRequest { accounts, excluded: Vec::new() };
        admission.record_claim(asked(4), 1);
        assert!(admission.admit("s3") && !admission.must_yield("s3"));
        assert!(admission.admit("s3") && admission.must_yield("s3"), "its endpoint is full");
        assert!(!admission.must_yield("gcs"));
        admission.record_claim(asked(2), 2);
        assert!(admission.must_yield("gcs"), "there may be more than were asked for");
    }

    #[test]
    fn a_crowd_is_claimed_in_quarters() {
        let mut admission = Admission::new(16, 12);
        let wanted = |accounts, names: &[&str]| ClaimRequest {
            accounts,
            excluded: names.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(admission.next_claim(NOW), wanted(12, &[]));
        (0..11).for_each(|_| assert!(admission.admit("s3")));
        assert_eq!(
            admission.next_claim(NOW),
            wanted(1, &[]),
            "nobody is known to wait: no more than has a place"
        );
        admission.record_claim(wanted(1, &[]), 1);
        assert_eq!(admission.next_claim(NOW), wanted(5, &["s3"]), "it waits for a quarter of its allowance");
        assert_eq!(admission.next_claim(RecentClaims::default()), wanted(1, &[]));
        (0..2).for_each(|_| assert!(admission.admit("gcs")));
        assert_eq!(admission.next_claim(NOW), wanted(0, &[]), "three of sixteen places are free");
        (0..2).for_each(|_| admission.release("s3"));
        assert_eq!(admission.next_claim(NOW), wanted(3, &[]));
    }

    #[test]
    fn while_places_are_held_nobody_gets_one_or_makes_way() {
        let mut admission = Admission::new(2, 2);
        admission.record_claim(ClaimRequest { accounts: 1, excluded: Vec::new() }, 1);
        assert!(admission.admit("s3") && admission.must_yield("s3"));
        admission.hold(true);
        assert_eq!(
            (admission.next_claim(RecentClaims::default()).accounts, admission.must_yield("s3")),
            (0, false)
        );
        admission.hold(false);
        assert_eq!(
            (admission.next_claim(RecentClaims::default()).accounts, admission.must_yield("s3")),
            (1, true)
        );
    }

    #[test]
    fn one_more_full_endpoint_is_no_reason_to_ask_again() {
        let mut admission = Admission::new(20, 8);
        (0..8).for_each(|_| assert!(admission.admit("s3")));
        (0..7).for_each(|_| assert!(admission.admit("gcs")));
        let one = admission.next_claim(RecentClaims::default());
        assert_eq!(one, ClaimRequest { accounts: 1, excluded: vec!["s3".to_owned()] });
        admission.record_claim(one, 0);
        assert!(admission.admit("gcs"));
        let later = RecentClaims { any: false, others: true };
        assert_eq!(admission.next_claim(later).accounts, 0, "nobody waits for a third");
        assert_eq!(admission.next_claim(RecentClaims::default()).accounts, 4);
    }

    #[test]
    fn who_waits_for_a_full_endpoint_is_not_asked_for_all_the_time() {
        let mut admission = Admission::new(8, 6);
        let wanted = |accounts| ClaimRequest { accounts, excluded: vec!["s3".to_owned()] };
        (0..6).for_each(|_| assert!(admission.admit("s3")));
        assert_eq!(admission.next_claim(NOW), wanted(2));
        admission.record_claim(wanted(2), 0);
        let later = RecentClaims { any: false, others: true };
        let asked = [NOW, later, RecentClaims::default()].map(|recent| admission.next_claim(recent));
        assert_eq!(asked, [wanted(0), wanted(0), wanted(2)]);
        admission.release("s3");
        let one = admission.next_claim(NOW);
        assert_eq!((one.accounts, one.excluded.is_empty()), (1, true), "it is not full any more");
        assert!(admission.admit("s3"));
        admission.record_claim(one, 1);
        assert_eq!(admission.next_claim(NOW), wanted(0), "nothing new is known of the others");
        admission.record_claim(wanted(2), 2);
        assert_eq!(admission.next_claim(NOW), wanted(2), "some have come, so more may wait");
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
                        let full = admission.next_claim(RecentClaims::default()).excluded.contains(&name);
                        let room = admission.free() > 0 && !full;
                        prop_assert_eq!(admission.admit(&name), room);
                        *count += usize::from(room);
                    }
                    1 if *count > 0 => {
                        admission.release(&name);
                        *count -= 1;
                    }
                    2 => admission.record_pace(&name, Pace::Normal),
                    _ => admission.record_pace(&name, Pace::Slow),
                }
                prop_assert!(*count <= share.min(places));
                let wanted = admission.next_claim(RecentClaims::default());
                prop_assert!(wanted.accounts <= admission.free());
                prop_assert_eq!(wanted.accounts == 0, admission.free() == 0, "what is free is asked for");
                prop_assert_eq!(admission.free(), places - running.values().sum::<usize>());
            }
            for (name, count) in &running {
                (0..*count).for_each(|_| admission.release(name));
            }
            for name in running.into_keys() {
                prop_assert!(admission.admit(&name), "nobody is shut out for ever");
                admission.release(&name);
            }
        }
    }
}
