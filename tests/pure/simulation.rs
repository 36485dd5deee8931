//! The delivery protocol under simulated faults, and the proof that the simulator
//! would notice: every deliberately broken variant has to be caught.

#[path = "../../examples/simulate/simulator/mod.rs"]
mod simulator;

use simulator::{Totals, Variant, run, shortest};

/// Seeds of the real protocol: about 30 seconds on two cores, unoptimised.
const SEEDS: u64 = 400_000;
/// Seeds within which a broken variant has to be caught.
const CONTROL_SEEDS: u64 = 20_000;

fn pass(seeds: std::ops::Range<u64>) -> Totals {
    let mut totals = Totals::default();
    for seed in seeds {
        match run(seed, Variant::Real) {
            Ok(run) => totals += run,
            Err(violation) => {
                let told = shortest(seed, Variant::Real).map(|failure| failure.to_string());
                panic!("{}", told.unwrap_or(violation.what));
            }
        }
    }
    totals
}

#[test]
fn no_seed_breaks_a_promise() {
    let half = SEEDS / 2;
    let totals = std::thread::scope(|scope| {
        let first = scope.spawn(move || pass(0..half));
        let mut totals = pass(half..SEEDS);
        totals += first.join().expect("the first half passes");
        totals
    });
    // A simulator in which nothing happens would pass, too.
    for (what, count) in [
        ("steps", totals.steps),
        ("crashes", totals.crashes),
        ("lost leases", totals.lost_leases),
        ("attempts", totals.attempts),
        ("objects found by a later attempt", totals.found),
        ("objects", totals.objects),
        ("records", totals.records),
    ] {
        assert!(count > SEEDS / 20, "only {count} {what} in {SEEDS} seeds");
    }
    assert!(totals.suspensions > SEEDS / 50, "only {} suspensions", totals.suspensions);
    assert!(totals.asked > SEEDS / 10, "only {} slots beside the schedule", totals.asked);
    assert!(totals.noticed > SEEDS / 100, "only {} ledgers that went back were noticed", totals.noticed);
    assert!(totals.lost_attempts < SEEDS / 100, "{} seeds with lost attempts", totals.lost_attempts);
    assert!(totals.blind < SEEDS / 20, "{} seeds prove nothing", totals.blind);
}

/// A put landed in a bucket that its window had left, after the same records had been
/// delivered to the new one; the checker once took them for missing. Rare: one seed in
/// three million.
#[test]
fn a_put_that_lands_in_a_bucket_that_was_left_takes_nothing_back() {
    pass(3_986_154..3_986_155);
}

/// A copy of the ledger took its place between the reading of a slot and a failure that stored it.
#[test]
fn a_failure_leaves_the_slot_alone() {
    pass(406_345..406_346);
}

/// A window came back to a bucket, and the answer to its commit was lost: the checker took the object
/// for one that had been left behind.
#[test]
fn an_object_counts_again_whose_window_came_back() {
    pass(572_861..572_862);
}

#[test]
fn every_broken_variant_is_caught() {
    for variant in Variant::BROKEN {
        let caught = (0..CONTROL_SEEDS).find(|seed| run(*seed, variant).is_err());
        assert!(caught.is_some(), "{} passed {CONTROL_SEEDS} seeds: {}", variant.name(), variant.about());
    }
}

#[test]
fn variants_are_found_by_their_names() {
    for variant in Variant::BROKEN.into_iter().chain([Variant::Real]) {
        assert_eq!(Variant::find(variant.name()), Some(variant));
    }
    assert_eq!(Variant::find("none"), None);
}

#[test]
fn a_failure_is_told_as_a_short_trace() {
    let variant = Variant::CommitWithoutReceipt;
    let seed = (0..CONTROL_SEEDS).find(|seed| run(*seed, variant).is_err()).expect("caught");
    let failure = shortest(seed, variant).expect("it fails again");
    assert_eq!(failure.seed, seed);
    assert!(failure.steps < 40, "{} steps in {:?}", failure.steps, failure.setup);
    let told = failure.trace.iter().any(|line| line.contains("BROKEN"));
    assert!(told, "{}", failure.violation.what);
}
