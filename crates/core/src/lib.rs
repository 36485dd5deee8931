//! What auditferry decides. Nothing here reads a clock, a file or a database, or talks to anybody:
//! Cargo sees to it, because no crate that does is among the dependencies.

/// Texts for people: names that are near, lines, causes of errors.
pub mod text;

/// What an export is about: accounts, destinations, schedules, records, windows.
pub mod model;

/// Requests that cannot be met, and why.
pub mod refusal;

/// What a store must do, and what a put proves.
pub mod store;

/// The delivery protocol, and who is let in next.
pub mod protocol;

/// How records are written.
pub mod format;

/// How objects are made of them.
pub mod archive;
