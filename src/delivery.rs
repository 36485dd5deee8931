//! The worker: takes what is due, plans its windows and delivers them.

pub mod capture;
pub mod export;
pub(crate) mod heartbeat;
pub mod pipeline;
pub(crate) mod places;
pub mod worker;
