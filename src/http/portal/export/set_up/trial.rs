//! From what was typed to a test that is at work; and what is wrong, at its field.

use serde_json::json;

use super::known::Known;
use super::words::Words;
use crate::http::api::problem::Problem;
use crate::http::pages::words::Language;
use crate::http::portal::Portal;
use crate::http::portal::export::fields;
use crate::http::portal::visitor::Visitor;
use crate::ledger::LedgerError;
use crate::operations::admin::AdminError;
use crate::operations::destinations::PlaceError;
use crate::operations::given::{Given, Referring};
use crate::operations::jobs::Asked;
use crate::operations::probes::ProbeStep;
use crate::operations::set_up::Draft;
use crate::secrets::Opened;
use auditferry_core::model::job::JobKind;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// What is wrong, and the field where it stands.
pub(super) struct Wrong {
    pub(super) field: Option<&'static str>,
    pub(super) message: String,
}

impl Wrong {
    /// Of no field.
    pub(super) fn of(message: String) -> Self {
        Self { field: None, message }
    }
}

/// What a page says of why something was not done; none: a page of its own says it.
pub(super) fn told(language: Language, error: &PlaceError) -> Option<Wrong> {
    let w = Words(language);
    let at =
        |field: Option<&str>, message: String| Wrong { field: field.and_then(fields::field_of), message };
    Some(match error {
        PlaceError::Admin(AdminError::Destination(error)) => {
            at(Some(error.field), w.not_right(&format!("{}; {}", error.problem, error.fix)))
        }
        PlaceError::Admin(AdminError::Refused(refusal)) => refused(language, refusal),
        PlaceError::Admin(AdminError::Ledger(LedgerError::Stale(_))) => Wrong::of(w.changed()),
        PlaceError::Key(_) => Wrong::of(w.no_key()),
        PlaceError::Open(error) => at(Some("credentials"), w.not_right(&error.to_string())),
        PlaceError::Fails(_) => Wrong::of(w.test_first()),
        PlaceError::Admin(_) => return None,
    })
}

/// The same of a refusal.
fn refused(language: Language, refusal: &Refusal) -> Wrong {
    let w = Words(language);
    match refusal.code {
        RefusalCode::SecretNeeded => {
            Wrong { field: Some("secret"), message: fields::Words(language).secret_wrong() }
        }
        RefusalCode::UnderWay => Wrong::of(w.under_way()),
        RefusalCode::DestinationFails => Wrong::of(w.test_first()),
        _ => {
            let field = refusal.field.and_then(fields::field_of);
            Wrong { field, message: w.not_right(&refusal.problem) }
        }
    }
}

/// Begins a test of a draft.
pub(super) async fn begin(
    portal: &Portal,
    visitor: &Visitor,
    draft: Draft,
    opened: Opened,
) -> Result<Result<String, Wrong>, Problem> {
    let api = &portal.sign_in.api;
    let (w, account) = (Words(visitor.frame.language), visitor.account());
    if api.limits.probe(account, api.admin.clock.now()).is_err() {
        return Ok(Err(Wrong::of(w.too_many())));
    }
    let request = serde_json::to_value(&draft).map_err(|error| {
        tracing::error!(error = %error, "a draft of a destination cannot be written");
        Problem::internal()
    })?;
    let (trying, of) = (api.clone(), account.clone());
    let begun = api
        .jobs
        .begin(&visitor.by(), account, (JobKind::Trial, request), move |progress| async move {
            let heard = |steps: &[ProbeStep]| progress.tell(json!(steps));
            let found = trying.admin.try_draft(&trying.stores, &of, &draft, &opened, &heard).await;
            Ok(json!(found))
        })
        .await;
    match begun {
        Ok(Asked::Begun(id)) => Ok(Ok(id)),
        Ok(Asked::Busy) => Ok(Err(Wrong::of(w.busy()))),
        Err(AdminError::Refused(refusal)) => Ok(Err(refused(visitor.frame.language, &refusal))),
        Err(error) => Err(error.into()),
    }
}

/// What was typed, as a draft with its secrets.
pub(super) async fn drafted(
    portal: &Portal,
    visitor: &Visitor,
    known: &Known,
) -> Result<Result<(Draft, Opened), Wrong>, Problem> {
    let api = &portal.sign_in.api;
    let (language, account) = (visitor.frame.language, visitor.account());
    let before = known.current.as_ref();
    let json = fields::json(known.choice, &visitor.form);
    let given = match Given::read(json, before, Referring::Refused) {
        Ok(given) => given.with_kept(account, before, &api.vault).await,
        Err(refusal) => Err(refusal),
    };
    let given = match given {
        Ok(given) => given,
        Err(refusal) => return Ok(Err(refused(language, &refusal))),
    };
    match api.admin.draft(&api.vault, &visitor.by(), account, given.destination, &given.opened).await {
        Ok(draft) => Ok(Ok((draft, given.opened))),
        Err(error) => told(language, &error).map_or_else(|| Err(error.into()), |wrong| Ok(Err(wrong))),
    }
}
