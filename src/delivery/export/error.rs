//! What can go wrong with an export besides its puts, and what each failure is to the protocol.

use jiff::SignedDuration;

use super::Delivering;
use crate::base::database::is_forbidden;
use crate::delivery::capture::CaptureError;
use crate::delivery::pipeline::ObjectError;
use crate::ledger::{LedgerError, TroubleKind};
use crate::source::SourceError;
use crate::store::OpenError;
use auditferry_core::archive::ArchiveError;
use auditferry_core::format::writer::UnknownVersion;
use auditferry_core::model::instant::span_text;
use auditferry_core::model::schedule::{ScheduleError, ZoneError};
use auditferry_core::protocol::{Event, Hold, Setback};
use auditferry_core::store::PutErrorKind;

/// Why an export could not go on. The account is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger failed, or the lease is lost.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// This worker's clock cannot be right.
    #[error(
        "this worker's clock is {} {} the clock of the ledger's database; it claims no accounts until they agree \
         within an hour: set the clocks of both hosts (NTP)",
        span_text(*.0),
        if .0.is_negative() { "behind" } else { "ahead of" }
    )]
    Clock(SignedDuration),
    /// The ledger has gone back.
    #[error("{}", CaptureError::LedgerRewound)]
    LedgerRewound,
    /// An object could not be made.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The destination cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The account's zone is not known any more.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The window is of a version of auditferry that this one does not know.
    #[error(transparent)]
    ContentVersion(#[from] UnknownVersion),
    /// The account's schedule does not parse any more.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A part of the worker failed.
    #[error("the worker: {0}")]
    Internal(String),
}

impl From<CaptureError> for ExportError {
    fn from(error: CaptureError) -> Self {
        match error {
            CaptureError::Ledger(error) => Self::Ledger(error),
            CaptureError::Source(error) => Self::Source(error),
            CaptureError::LedgerRewound => Self::LedgerRewound,
        }
    }
}

impl From<ObjectError> for ExportError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Source(error) => Self::Source(error),
            ObjectError::Archive(error) => Self::Archive(error),
            ObjectError::Task(_) | ObjectError::Gone => Self::Internal(error.to_string()),
        }
    }
}

impl ExportError {
    /// The kind in the metrics and in listings.
    #[must_use]
    pub fn kind(&self) -> TroubleKind {
        match self {
            Self::Ledger(LedgerError::LeaseLost(_)) => TroubleKind::LeaseLost,
            Self::Ledger(_) => TroubleKind::Ledger,
            Self::Source(SourceError::Rewound(_)) => TroubleKind::Held(Hold::SourceRewound),
            Self::Clock(_) => TroubleKind::Put(PutErrorKind::Clock),
            Self::Source(SourceError::Rewritten(_)) => TroubleKind::Held(Hold::SourceRewritten),
            Self::Source(SourceError::Table(_) | SourceError::Unfit(_) | SourceError::Account { .. }) => {
                TroubleKind::SourceSettings
            }
            Self::Source(SourceError::Database(error)) if is_forbidden(error) => TroubleKind::SourceSettings,
            Self::Source(SourceError::BadRecord { .. }) => TroubleKind::Held(Hold::BadRecord),
            Self::LedgerRewound => TroubleKind::Held(Hold::LedgerRewound),
            Self::Source(_) => TroubleKind::Source,
            Self::Archive(_) | Self::Internal(_) => TroubleKind::Internal,
            Self::Open(error) if error.passes() => TroubleKind::Keys,
            Self::Open(_) => TroubleKind::Put(PutErrorKind::Misconfigured),
            Self::Zone(_) | Self::Schedule(_) => TroubleKind::Schedule,
            Self::ContentVersion(_) => TroubleKind::ContentVersion,
        }
    }
}

impl ExportError {
    /// What it is to the protocol.
    pub(super) fn event(&self) -> Event<Delivering> {
        match self {
            Self::Ledger(LedgerError::LeaseLost(_)) => Event::LeaseLost,
            Self::Ledger(LedgerError::Changed(_)) => Event::Changed,
            Self::Ledger(_) => Event::LedgerFailed,
            Self::Source(SourceError::Rewound(_)) => Event::Rewound,
            Self::Source(SourceError::Rewritten(_)) => Event::Rewritten,
            Self::Source(SourceError::BadRecord { .. }) => Event::BadRecord,
            Self::Open(error) if !error.passes() => Event::Failed(Setback::NeedsCustomer),
            _ => Event::Failed(Setback::Transient(None)),
        }
    }
}
