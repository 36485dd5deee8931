//! The Export Center.
