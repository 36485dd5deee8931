//! Destinations in use: opened and kept open, tried, proved, explained.

pub mod cache;
pub mod fix;
pub mod probe;
pub mod proof;
pub mod remedy;
pub mod trials;
pub mod vault;
