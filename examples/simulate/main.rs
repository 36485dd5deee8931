//! Runs the protocol under simulated faults, seed by seed.
//!
//! ```text
//! cargo run --release --example simulate -- --seeds 1000000 --from 0
//! cargo run --release --example simulate -- --variant unfenced-commit
//! cargo run --release --example simulate -- --list
//! ```
#![allow(clippy::print_stdout, reason = "its results are its output")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

mod simulator;

use simulator::{Totals, Variant, run, shortest};

/// Runs the delivery protocol under simulated faults and checks it after every step.
#[derive(Parser)]
struct Options {
    /// How many seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// A deliberately broken protocol; see --list.
    #[arg(long, default_value = "real")]
    variant: String,
    /// Lists the broken protocols.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for variant in Variant::BROKEN {
            println!("{:<28} {}", variant.name(), variant.about());
        }
        return ExitCode::SUCCESS;
    }
    let Some(variant) = Variant::find(&options.variant) else {
        println!("--variant: there is no {:?}; --list shows all", options.variant);
        return ExitCode::from(2);
    };
    let started = Instant::now();
    let mut totals = Totals::default();
    for seed in options.from..options.from.saturating_add(options.seeds) {
        match run(seed, variant) {
            Ok(run) => totals += run,
            Err(violation) => {
                println!("seed {seed} broke {:?} after {} seeds", violation.broken, seed - options.from + 1);
                if let Some(failure) = shortest(seed, variant) {
                    print!("{failure}");
                }
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = options.seeds as f64 / seconds;
    println!("{} seeds from {} in {seconds:.1} s: {rate:.0} seeds/s", options.seeds, options.from);
    let Totals {
        steps,
        crashes,
        lost_leases,
        attempts,
        suspensions,
        found,
        objects,
        records,
        blind,
        restores,
        asked,
        noticed,
        lost_attempts,
    } = totals;
    println!("{steps} steps with faults: {crashes} crashes, {lost_leases} leases lost, {attempts} attempts");
    println!("{suspensions} suspensions, ended by a probe or by a person");
    println!("{asked} slots beside the schedule");
    println!("{objects} objects of {records} records, {found} of them found by a later attempt");
    println!(
        "{restores} times a copy took the ledger's place, noticed and held for a person in {noticed} seeds"
    );
    println!(
        "{lost_attempts} seeds ended early: only an attempt was lost, and its window went to another bucket"
    );
    println!("no promise broken; {blind} seeds ended early: a stranger's object met a doubtful attempt");
    ExitCode::SUCCESS
}
