//! A run of one seed, and the shortest run that fails in the same way.

use std::fmt;

use super::chance::{Chance, word};
use super::checker::{Totals, Violation};
use super::setup::Setup;
use super::variant::Variant;
use super::world::World;

/// Runs that are tried to shorten a failure.
const ATTEMPTS: usize = 20_000;

/// A run that broke a promise, as short as it was found.
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) violation: Violation,
    pub(crate) setup: Setup,
    pub(crate) steps: usize,
    pub(crate) trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} broke {:?}: {}", self.seed, self.violation.broken, self.violation.what)?;
        writeln!(f, "the shortest run that does, {} steps of {:?}", self.steps, self.setup)?;
        writeln!(f, "with faults {:?}:", self.setup.names())?;
        self.trace.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The size of a seed's run, and the words of its steps.
fn script(seed: u64) -> (Setup, usize) {
    let mut chance = Chance::new(word(seed, 0));
    let steps = 100 + chance.below(300);
    // Drawn apart: the seeds that are kept as tests would tell other stories.
    let restores = Chance::new(word(seed, u64::MAX)).one_in(4);
    let returns = Chance::new(word(seed, u64::MAX - 1)).one_in(2);
    let asks = Chance::new(word(seed, u64::MAX - 5)).one_in(2);
    let mut setup = Setup::new(&mut chance);
    (setup.restores, setup.returns, setup.asks) = (restores, returns, asks);
    (setup, steps)
}

fn play(setup: Setup, words: impl Iterator<Item = u64>, variant: Variant, traced: bool) -> World {
    let mut world = World::new(setup, variant, traced);
    for word in words {
        world.step(word);
        if world.ended() {
            return world;
        }
    }
    world.calm_down();
    world
}

fn words(seed: u64, steps: usize) -> impl Iterator<Item = u64> {
    (1..=steps as u64).map(move |step| word(seed, step))
}

/// Runs a seed.
pub(crate) fn run(seed: u64, variant: Variant) -> Result<Totals, Violation> {
    let (setup, steps) = script(seed);
    let world = play(setup, words(seed, steps), variant, false);
    let totals = Totals { blind: world.blind.into(), noticed: world.noticed.into(), ..world.totals };
    world.violation.map_or(Ok(totals), Err)
}

/// Leaves out of a failing seed what the failure does not need, and tells the rest.
pub(crate) fn shortest(seed: u64, variant: Variant) -> Option<Failure> {
    let (mut setup, steps) = script(seed);
    let mut script: Vec<u64> = words(seed, steps).collect();
    let first = play(setup, script.iter().copied(), variant, false).violation?;
    let mut left = ATTEMPTS;
    let mut fails = |setup: Setup, script: &[u64]| {
        left = left.saturating_sub(1);
        let world = play(setup, script.iter().copied(), variant, false);
        left > 0 && world.violation.is_some_and(|violation| violation.broken == first.broken)
    };
    loop {
        let before = (script.len(), setup.names().len());
        let mut chunk = script.len().max(1);
        while chunk > 0 {
            let mut at = 0;
            while at < script.len() {
                let end = (at + chunk).min(script.len());
                let shorter = [&script[..at], &script[end..]].concat();
                if fails(setup, &shorter) {
                    script = shorter;
                } else {
                    at = end;
                }
            }
            chunk /= 2;
        }
        while let Some(smaller) = setup.smaller().into_iter().find(|smaller| fails(*smaller, &script)) {
            setup = smaller;
        }
        if (script.len(), setup.names().len()) == before {
            break;
        }
    }
    let world = play(setup, script.iter().copied(), variant, true);
    let violation = world.violation?;
    Some(Failure { seed, violation, setup, steps: script.len(), trace: world.trace.unwrap_or_default() })
}
