//! Deliberately broken protocols: the negative controls. Each is a switch in the
//! simulator's shell or its models, around the production core.

/// The real protocol, or one of the broken ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Real,
    UnfencedCommit,
    UnfencedFail,
    WallClockKey,
    BoundReadAgain,
    BoundFromMaxId,
    Overwrite,
    ExistsIsError,
    ExistsIsSuccess,
    WatermarkBeforePut,
    DoubtForgottenByCrash,
    DoubtForgottenByRefusal,
    DoubtForgottenByRepoint,
    UnknownIsRefused,
    CommitWithoutReceipt,
    PlanOnOldView,
    CursorForgotten,
    BoundIgnoresRunning,
    PostponeOnOldView,
    SkipOnOldView,
    SightIgnored,
    ProbeForgotten,
    UnconfirmedPlan,
    DoubtForgottenByReturn,
}

impl Variant {
    /// The broken ones.
    pub(crate) const BROKEN: [Self; 23] = [
        Self::UnfencedCommit,
        Self::UnfencedFail,
        Self::WallClockKey,
        Self::BoundReadAgain,
        Self::BoundFromMaxId,
        Self::Overwrite,
        Self::ExistsIsError,
        Self::ExistsIsSuccess,
        Self::WatermarkBeforePut,
        Self::DoubtForgottenByCrash,
        Self::DoubtForgottenByRefusal,
        Self::DoubtForgottenByRepoint,
        Self::UnknownIsRefused,
        Self::CommitWithoutReceipt,
        Self::PlanOnOldView,
        Self::CursorForgotten,
        Self::BoundIgnoresRunning,
        Self::PostponeOnOldView,
        Self::SkipOnOldView,
        Self::SightIgnored,
        Self::ProbeForgotten,
        Self::UnconfirmedPlan,
        Self::DoubtForgottenByReturn,
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        self.text().0
    }

    /// What is wrong with it.
    pub(crate) fn about(self) -> &'static str {
        self.text().1
    }

    /// The variant of a name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::BROKEN.into_iter().chain([Self::Real]).find(|variant| variant.name() == name)
    }

    fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Real => ("real", "the protocol as it ships"),
            Self::UnfencedCommit => ("unfenced-commit", "a worker that lost its lease still commits"),
            Self::UnfencedFail => {
                ("unfenced-fail", "a worker that lost its lease still stores failures and holds")
            }
            Self::WallClockKey => ("wall-clock-key", "keys are named after the worker's clock"),
            Self::BoundReadAgain => ("bound-read-again", "a retry captures a new upper bound"),
            Self::BoundFromMaxId => ("bound-from-max-id", "the bound is the highest id that is visible"),
            Self::Overwrite => ("overwrite", "puts replace what is there"),
            Self::ExistsIsError => ("exists-is-error", "an object that exists is a failure, always"),
            Self::ExistsIsSuccess => ("exists-is-success", "an object that exists is ours, always"),
            Self::WatermarkBeforePut => ("watermark-before-put", "the watermark moves before the put"),
            Self::DoubtForgottenByCrash => {
                ("doubt-forgotten-by-crash", "an attempt under way leaves no trace in the ledger")
            }
            Self::DoubtForgottenByRefusal => {
                ("doubt-forgotten-by-refusal", "a refusal clears the doubt that an earlier attempt left")
            }
            Self::DoubtForgottenByRepoint => {
                ("doubt-forgotten-by-repoint", "new credentials for the same bucket clear the doubt")
            }
            Self::UnknownIsRefused => ("unknown-is-refused", "a time-out or a 5xx means: not created"),
            Self::CommitWithoutReceipt => ("commit-without-receipt", "a time-out or a 5xx means: created"),
            Self::PlanOnOldView => {
                ("plan-on-old-view", "a window is planned although the account has changed since")
            }
            Self::CursorForgotten => {
                ("cursor-forgotten", "a window that is taken up again is read from its beginning")
            }
            Self::BoundIgnoresRunning => {
                ("uncommitted-bound", "the bound ignores which transactions are running")
            }
            Self::PostponeOnOldView => {
                ("postpone-on-old-view", "a failure stores the slot of before, although a person set another")
            }
            Self::SkipOnOldView => {
                ("skip-on-old-view", "support skips to a bound although a window was planned since")
            }
            Self::SightIgnored => {
                ("sight-ignored", "an object that exists after a doubtful attempt is ours, whatever it holds")
            }
            Self::ProbeForgotten => {
                ("probe-forgotten", "a suspended account whose probe has succeeded stays suspended")
            }
            Self::DoubtForgottenByReturn => {
                ("doubt-forgotten-by-return", "a doubt is forgotten when the window comes back to its bucket")
            }
            Self::UnconfirmedPlan => {
                ("unconfirmed-plan", "objects are put before a mark was counted that their window precedes")
            }
        }
    }
}
