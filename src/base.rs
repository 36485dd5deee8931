//! What every room stands on: databases, the clock, time zones, clients of AWS.

pub mod actor;
pub mod aws;
pub mod background;
pub mod clock;
pub mod database;
pub(crate) mod failpoint;
pub(crate) mod host;
pub(crate) mod roots;
#[cfg(test)]
pub(crate) mod settled;
pub(crate) mod skew;
pub(crate) mod sql_count;
pub(crate) mod sql_time;
pub(crate) mod timing;
pub mod zones;
