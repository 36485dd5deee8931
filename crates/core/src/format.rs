//! How records are written: a writer for each version of the content.

pub mod csv;
pub mod file;
pub mod json;
pub mod writer;
