//! What a person can ask for, whatever asks.

pub mod admin;
pub mod apply;
pub mod differences;
pub mod destinations;
pub mod destination_view;
pub mod deliver_now;
pub mod deliveries;
pub mod explanation;
pub mod exports;
pub mod given;
pub mod job_view;
pub mod jobs;
pub mod listing;
pub mod names;
pub mod notifications;
pub mod portal;
pub mod probes;
pub mod replay;
pub mod safety;
pub mod sessions;
pub mod set_up;
pub mod status;
pub mod story;
pub mod timeline;
pub mod tokens;
pub mod workers;
