//! Trying the destination of an account, as it is told.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::admin::{Admin, AdminError};
use crate::destinations::cache::StoreCache;
use crate::destinations::probe::{Examination, Heard, Step, Trial, examine};
use auditferry_core::model::account::AccountId;
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

/// Where the names of files and variables of the worker are left out.
const HIDDEN: &str = "a secret of this destination cannot be read here; ask the operator";

/// What others read of a probe that an operator has asked for.
const OPERATORS: &str = "an operator has asked for this probe; ask for one yourself to see what it finds";

impl ProbeResult {
    /// Without what an operator alone may read: names of files and variables of the worker may stand there.
    #[must_use]
    pub fn without_details(mut self) -> Self {
        self.steps.iter_mut().for_each(ProbeStep::leave_out_detail);
        let texts = self.detail.iter_mut().chain(self.fix.iter_mut());
        texts.for_each(|text| OPERATORS.clone_into(text));
        self
    }
}

impl ProbeResult {
    /// Leaves out what names a file or a variable of the worker.
    pub(crate) fn hide(&mut self, destination: &Destination) {
        self.hide_names(&Names::of(destination));
    }

    fn hide_names(&mut self, names: &Names) {
        self.steps.iter_mut().for_each(|step| names.hide(&mut step.detail));
        self.detail.iter_mut().chain(self.fix.iter_mut()).for_each(|text| names.hide(text));
    }
}

impl ProbeStep {
    /// The same, of one step.
    pub fn leave_out_detail(&mut self) {
        OPERATORS.clone_into(&mut self.detail);
    }
}

/// What names files and variables of the worker.
struct Names(Vec<String>);

impl Names {
    fn of(destination: &Destination) -> Self {
        let name = |(_, secret): (_, &SecretRef)| match secret {
            SecretRef::Env(name) => Some(name.clone()),
            SecretRef::File(path) => Some(path.display().to_string()),
            SecretRef::Sealed(_) => None,
        };
        Self(destination.secrets().into_iter().filter_map(name).collect())
    }

    /// Leaves a text out that has one of them.
    fn hide(&self, text: &mut String) {
        if self.0.iter().any(|name| text.contains(name.as_str())) {
            HIDDEN.clone_into(text);
        }
    }
}

impl From<&Step> for ProbeStep {
    fn from(step: &Step) -> Self {
        let (Ok(detail) | Err(detail)) = &step.result;
        Self {
            name: step.name.to_owned(),
            ok: step.result.is_ok(),
            milliseconds: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
            detail: detail.clone(),
        }
    }
}

impl From<&Examination> for ProbeResult {
    fn from(examination: &Examination) -> Self {
        let failure = examination.report.as_ref().err();
        Self {
            works: failure.is_none(),
            steps: examination.steps.iter().map(ProbeStep::from).collect(),
            error: failure.map(|failure| failure.kind.as_str().to_owned()),
            detail: failure.map(|failure| failure.message.clone()),
            fix: failure.map(|failure| failure.fix.clone()),
        }
    }
}

/// Who asks for a probe, as far as it decides what they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Everything.
    Everything,
    /// Not the names of files and variables of the worker.
    NoNames,
}

impl Admin {
    /// Tries the destination of an account step by step, with an empty object beside `audit/`. `heard` is given the
    /// steps that have ended, each time that one has.
    ///
    /// # Errors
    /// When the account has no destination, or the ledger fails.
    pub async fn probe(
        &self,
        stores: &StoreCache,
        account: &AccountId,
        told: Told,
        heard: &(dyn Fn(&[ProbeStep]) + Send + Sync),
    ) -> Result<ProbeResult, AdminError> {
        let destination = self.destination(account).await?;
        let names = match told {
            Told::Everything => Names(Vec::new()),
            Told::NoNames => Names::of(&destination),
        };
        let steps = Mutex::new(Vec::new());
        let hear = |step: Heard<'_>| {
            let Heard::Ended(step) = step else { return };
            let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
            let mut step = ProbeStep::from(step);
            names.hide(&mut step.detail);
            steps.push(step);
            heard(&steps);
        };
        let examined = examine(stores, account, &destination, None, Trial::Removed, &hear).await;
        let mut result = ProbeResult::from(&examined);
        result.hide_names(&names);
        Ok(result)
    }
}
