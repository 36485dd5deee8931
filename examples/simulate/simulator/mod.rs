//! A simulator of the delivery protocol: several workers, on the production core
//! (`auditferry_core::protocol`), over models of a source, a ledger and the customers'
//! buckets, with faults. One thread, no clock, no I/O: a seed always runs the same.
//!
//! Beside the core, the models are a second reading of the design. They can be wrong
//! where the SQL is right and the other way round; `tests/ledger_contract` and
//! `tests/source_contract` check the SQL.

mod chance;
mod checker;
mod ledger;
mod person;
mod run;
mod setup;
mod shell;
mod source;
mod store;
mod time;
mod trouble;
mod variant;
mod worker;
mod world;

pub(crate) use checker::Totals;
pub(crate) use run::{run, shortest};
pub(crate) use variant::Variant;

/// Adds a line to the trace, if there is one.
macro_rules! note {
    ($world:expr, $($what:tt)*) => {
        if $world.trace.is_some() {
            let line = format!("{:>8}  {}", $world.now, format_args!($($what)*));
            if let Some(trace) = &mut $world.trace {
                trace.push(line);
            }
        }
    };
}
use note;
