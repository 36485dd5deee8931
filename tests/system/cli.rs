//! The real binary: bad input gets a clear answer and changes nothing, and good input works.

mod accounts;
mod actors;
mod clocks;
mod completion;
mod databases;
mod deliver_now;
mod destinations;
mod expiry;
mod exports_files;
mod imports;
mod listings;
mod long_listings;
mod networks;
pub(crate) mod remote;
mod rotation;
mod s3_options;
mod s3_policies;
mod self_records;
mod servers;
mod settings;
mod status;
mod stories;
mod sweeps;

mod timeline;
mod trials;
mod trust;
