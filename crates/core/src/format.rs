//! How records are written: a writer for each record format and version of the content.

pub mod csv;
pub mod fields;
pub mod file;
pub mod json;
mod json_text;
pub mod time;
pub mod writer;
