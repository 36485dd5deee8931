//! What to do about each kind of trouble.

pub use crate::destinations::fix::fix;
