//! How a command ends: the exit codes 0 done, 1 failed, 2 bad usage or settings.

use std::process::ExitCode;

use super::output;
use crate::ledger::LedgerError;
use crate::operations::admin::AdminError;
use crate::settings::SettingsError;
use crate::source::SourceError;
use crate::store::DialerError;

/// Why a command ends without having done its work.
pub(crate) enum CliError {
    /// Bad usage or settings: exit code 2.
    Usage(String),
    /// It failed: exit code 1.
    Failed(String),
    /// It failed and has said so already: exit code 1.
    Reported,
}

pub(crate) type CliResult = Result<(), CliError>;

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DialerError> for CliError {
    fn from(error: DialerError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        if error.is_usage() { Self::Usage(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        AdminError::from(error).into()
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        AdminError::from(error).into()
    }
}

pub(super) fn finish(result: CliResult) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Reported) => ExitCode::from(1),
        Err(CliError::Failed(message)) => {
            output::error(&message);
            ExitCode::from(1)
        }
        Err(CliError::Usage(message)) => {
            output::error(&message);
            ExitCode::from(2)
        }
    }
}
