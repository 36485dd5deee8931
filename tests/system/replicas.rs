//! Several workers on one ledger, and many accounts on one worker: who works on what, for
//! how long, and in which order.

mod fairness;
mod leases;
mod planning;
