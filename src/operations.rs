//! What a person can ask for, whatever asks: the command line today.

pub mod admin;
pub mod apply;
pub mod differences;
pub mod destinations;
pub mod explanation;
pub mod exports;
pub mod listing;
pub mod names;
pub mod notifications;
pub mod replay;
pub mod status;
pub mod tokens;
pub mod workers;
