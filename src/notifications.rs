//! Notifications: what is told to whom, in which words, and how it is sent.

pub mod email;
pub mod letter;
pub mod look;
pub mod message;
pub mod outbox;
pub mod sender;
pub mod slack;
pub mod webhook;
pub mod words;
