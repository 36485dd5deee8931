//! The real binary: bad input gets a clear answer and changes nothing, and good input works.

mod accounts;
mod actors;
mod databases;
mod destinations;
mod expiry;
mod exports_files;
mod imports;
mod listings;
mod long_listings;
mod networks;
mod rotation;
mod s3_options;
mod self_records;
mod settings;
mod trials;
