//! The worker's own identity and what it is used for, through the real binary: roles of customers,
//! and buckets that are written to as the worker itself.

mod azure;
mod google;
mod ownership;
mod roles;
mod scene;
