//! Time and slots. The real calendar has its own tests.

/// Seconds of the world's time, or of a worker's wrong one.
pub(crate) type Time = i64;

/// The time between two slots.
pub(crate) const SLOT: Time = 4 * 3600;

/// The first slot after an instant.
pub(crate) fn slot_after(at: Time) -> Time {
    (at.div_euclid(SLOT) + 1) * SLOT
}

/// The newest slot at an instant.
pub(crate) fn slot_at(at: Time) -> Time {
    at.div_euclid(SLOT) * SLOT
}
