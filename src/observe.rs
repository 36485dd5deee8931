//! What others see of a worker: metrics, logs, traces, its health.

pub mod activity;
pub mod claim_health;
pub mod telemetry;
pub mod traces;
