//! What a store answers to a put or a HEAD request, and what that says about the object.

/// What a store answered to one create-only put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutAnswer {
    /// This request created the object.
    Created,
    /// An object already stands under the key.
    Exists,
    /// This request did not create the object, for sure.
    Refused,
    /// This request may or may not have created the object, now or later.
    Unknown,
}

impl PutAnswer {
    /// Whether the object may have been created, or may still be.
    #[must_use]
    pub fn leaves_doubt(self) -> bool {
        self == Self::Unknown
    }
}

/// What an answer says about the object, given what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The object is there and it is ours.
    Delivered,
    /// The object is there and it is not ours.
    Foreign,
    /// The object may or may not be there.
    Open,
    /// The object is there, and a HEAD request may tell whose it is.
    Head,
}

/// Judges an answer. `doubtful`: an earlier attempt for this object has an
/// unknown outcome, so an object that exists may be the one that it created. Without
/// one, nobody but a stranger can have created it.
#[must_use]
pub fn judge(answer: PutAnswer, doubtful: bool) -> Verdict {
    match (answer, doubtful) {
        (PutAnswer::Created, _) => Verdict::Delivered,
        (PutAnswer::Exists, true) => Verdict::Head,
        (PutAnswer::Exists, false) => Verdict::Foreign,
        (PutAnswer::Refused | PutAnswer::Unknown, _) => Verdict::Open,
    }
}

/// What a HEAD request for the object under a doubtful key shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadResult {
    /// It holds what we put.
    Ours,
    /// It holds something else.
    Foreign,
    /// We have no permission to look at objects, and need none.
    Hidden,
    /// The request failed, and may succeed later.
    Failed,
}

/// From this attempt on, a HEAD request that fails counts as one that is not permitted: a store that
/// never answers one must not stop an account for ever.
pub const LAST_HEAD: u32 = 20;

/// Judges the HEAD request of the `attempt`-th attempt for the object, counted from 1. An object that
/// we may not look at is taken to be the one that the doubtful attempt created.
#[must_use]
pub fn judge_head(result: HeadResult, attempt: u32) -> Verdict {
    match result {
        HeadResult::Ours | HeadResult::Hidden => Verdict::Delivered,
        HeadResult::Foreign => Verdict::Foreign,
        HeadResult::Failed if attempt < LAST_HEAD => Verdict::Open,
        HeadResult::Failed => Verdict::Delivered,
    }
}
