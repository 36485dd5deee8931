//! Texts for people.

pub mod cause;
pub mod count;
pub mod hex;
pub mod nearest;
pub mod one_line;
pub mod shell;
pub mod unquoted;
