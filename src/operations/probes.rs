//! What a probe of a destination has found, as it is told to a person or a program.

use serde::{Deserialize, Serialize};

use crate::destinations::probe::Examination;
use auditferry_core::model::destination::{Destination, SecretRef};

/// What a probe has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbeResult {
    /// Whether the destination accepts objects.
    pub works: bool,
    /// What was tried, in order.
    pub steps: Vec<ProbeStep>,
    /// The kind of what failed.
    pub error: Option<String>,
    /// What the store said.
    pub detail: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
}

/// One step of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbeStep {
    /// What was tried.
    pub name: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// What came of it.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

impl ProbeResult {
    /// Leaves out what names a file or a variable of the worker.
    pub(crate) fn hide(&mut self, destination: &Destination) {
        let names: Vec<String> = destination
            .secrets()
            .iter()
            .filter_map(|(_, secret)| match secret {
                SecretRef::Env(name) => Some(name.clone()),
                SecretRef::File(path) => Some(path.display().to_string()),
                SecretRef::Sealed(_) => None,
            })
            .collect();
        let hidden = "a secret of this destination cannot be read here; ask the operator";
        let hide = |text: &mut String| {
            if names.iter().any(|name| text.contains(name.as_str())) {
                hidden.clone_into(text);
            }
        };
        self.steps.iter_mut().for_each(|step| hide(&mut step.detail));
        self.detail.iter_mut().chain(self.fix.iter_mut()).for_each(hide);
    }
}

impl From<&Examination> for ProbeResult {
    fn from(examination: &Examination) -> Self {
        let steps = examination.steps.iter().map(|step| ProbeStep {
            name: step.name.to_owned(),
            ok: step.result.is_ok(),
            milliseconds: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
            detail: match &step.result {
                Ok(told) | Err(told) => told.clone(),
            },
        });
        let failure = examination.report.as_ref().err();
        Self {
            works: failure.is_none(),
            steps: steps.collect(),
            error: failure.map(|failure| failure.kind.as_str().to_owned()),
            detail: failure.map(|failure| failure.message.clone()),
            fix: failure.map(|failure| failure.fix.clone()),
        }
    }
}
