//! How records are written: a writer for each record format and version of the content.

pub mod about;
pub mod asim;
pub mod cef;
pub mod cim;
pub mod csv;
pub mod cut;
pub mod ecs;
pub mod fields;
pub mod file;
pub mod json;
mod json_text;
pub mod leef;
pub mod ocsf;
mod scan;
pub mod time;
pub mod udm;
mod value;
pub mod writer;
