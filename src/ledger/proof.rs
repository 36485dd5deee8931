//! A destination that waits until its owner has proved it theirs.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;

use auditferry_core::model::destination::Destination;

/// The SHA-256 of a token: the token itself is in the bucket alone.
pub type TokenHash = [u8; 32];

/// A proof that is about to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProof {
    /// The object in which the token stands.
    pub key: String,
    /// What the token is known by.
    pub token_sha256: TokenHash,
    /// When it is asked for.
    pub asked_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// How many wrong tokens are too many.
    pub tries: u32,
}

/// A proof that is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedProof {
    /// The version that the destination gets with it.
    pub version: u64,
    /// The destination.
    pub destination: Destination,
    /// The object in which the token stands.
    pub key: String,
    /// What the token is known by.
    pub token_sha256: TokenHash,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// How many wrong tokens may still come.
    pub tries_left: u32,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It is the one: the destination is in force.
    Given {
        /// The destination.
        destination: Box<Destination>,
        /// Its version.
        version: u64,
    },
    /// It is another one.
    Wrong {
        /// How many may still come; with 0 the destination is forgotten.
        left: u32,
    },
    /// It came too late.
    Late,
    /// None is awaited.
    NotAwaited,
}

/// A token against what is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Right,
    Wrong,
    Late,
}

impl AwaitedProof {
    /// Whether it has come too late at an instant.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// How long a comparison takes tells nothing of the token.
    pub(super) fn judge(&self, token: &TokenHash, now: Timestamp) -> Judged {
        if self.is_late(now) {
            Judged::Late
        } else if verify_slices_are_equal(token, &self.token_sha256).is_ok() {
            Judged::Right
        } else {
            Judged::Wrong
        }
    }
}
