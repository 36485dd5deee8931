//! How records are written: a writer for each version of the content.

pub mod json;
pub mod writer;
