//! What stops an account and gets it going again: `/accounts/{account}/pause`, `resume`, `release`, `rewind`, …

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::accounts::shown;
use super::caller::{Caller, Guard};
use super::document::{AccountPath, IfMatchIfAny};
use super::problem::Problem;
use super::request::{Body, Seen, revised};
use crate::operations::admin::{Rewound, Skipped};
use crate::operations::deliver_now::AddedSlot;
use crate::operations::explanation::Explanation;
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::start::Start;

macro_rules! actions {
    ($($(#[$doc:meta])+ $name:ident $path:literal $id:literal |$api:ident, $by:ident, $account:ident| $do:expr;)+) => {
        $($(#[$doc])+
        #[utoipa::path(post, path = $path, operation_id = $id, tag = "accounts", params(AccountPath, IfMatchIfAny),
            responses((status = 200, body = Explanation)))]
        async fn $name(
            State($api): State<Api>,
            Extension(caller): Extension<Caller>,
            Path($account): Path<AccountId>,
            headers: HeaderMap,
        ) -> Result<Response, Problem> {
            let $by = caller.by(Seen::of(&headers)?.expected_if_any()?);
            $do.await?;
            shown(&$api, &caller, &$account, StatusCode::OK).await
        })+
    };
}

actions! {
    /// Let nothing of an account start until it is resumed.
    pause "/accounts/{account}/pause" "pauseAccount" |api, by, account| api.admin.pause(&by, &account);
    /// Let a paused or suspended account go on from its watermark.
    resume "/accounts/{account}/resume" "resumeAccount" |api, by, account| api.admin.resume(&by, &account);
    /// Let a held account go on, once its cause is removed.
    release "/accounts/{account}/release" "releaseAccount" |api, by, account| api.admin.release(&by, &account);
}

/// Deliver now what is there, in a slot beside the schedule.
#[utoipa::path(post, path = "/accounts/{account}/deliver-now", operation_id = "deliverNow", tag = "accounts", params(AccountPath, IfMatchIfAny),
    responses((status = 200, body = AddedSlot)))]
async fn deliver_now(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let by = caller.by(Seen::of(&headers)?.expected_if_any()?);
    let added = api.admin.deliver_now(&by, &account).await?;
    Ok(revised(StatusCode::OK, api.admin.ledger.revision(&account).await?, &added))
}

/// From where a rewound account goes on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rewind {
    /// That records delivered since then may be delivered again, under new names. It has to be true.
    accept: bool,
    /// `now` (which leaves a gap), `beginning`, or an instant; absent: from where source and ledger agree.
    #[schema(value_type = Option<String>)]
    from: Option<Start>,
}

/// Let a held account go on from where source and ledger agree, under new names.
#[utoipa::path(post, path = "/accounts/{account}/rewind", operation_id = "rewindAccount", tag = "accounts", params(AccountPath, IfMatchIfAny), request_body = Rewind,
    responses((status = 200, body = Rewound)))]
async fn rewind(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
    Body(body): Body<Rewind>,
) -> Result<Response, Problem> {
    if !body.accept {
        return Err(Problem::invalid("accept", "records may be delivered again, under new names")
            .fix("set it to true if that may be"));
    }
    let by = caller.by(Seen::of(&headers)?.expected_if_any()?);
    let rewound = api.admin.rewound(&by, &account, body.from).await?;
    Ok(revised(StatusCode::OK, api.admin.ledger.revision(&account).await?, &rewound))
}

/// List the accounts that go on with a rewind: the source or the ledger went back or was changed, or a wrong clock has
/// planned slots to come.
#[utoipa::path(get, path = "/awaiting-rewind", operation_id = "listAwaitingRewind", tag = "accounts",
    responses((status = 200, body = Vec<AccountId>)))]
async fn awaiting_rewind(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<axum::Json<Vec<AccountId>>, Problem> {
    let only = caller.listed(Permission::Recover)?;
    let mut waiting = api.admin.awaiting_rewind().await?;
    waiting.retain(|id| only.as_ref().is_none_or(|only| only.contains(id)));
    Ok(axum::Json(waiting))
}

/// Which records are left out.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SkippedKeys {
    /// The keys of records that cannot be exported, as the account's trouble names them.
    #[schema(min_items = 1, max_items = 1000)]
    keys: Vec<String>,
    /// Why they may be left out.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    reason: String,
}

/// Leave out records that cannot be exported and hold the account. No object will ever have them, which is recorded
/// as a gap with the reason; the account goes on when nothing else holds it.
#[utoipa::path(post, path = "/accounts/{account}/skipped-records", operation_id = "skipRecords", tag = "accounts", params(AccountPath), request_body = SkippedKeys,
    responses((status = 200, body = Skipped)))]
async fn skip_records(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    Body(body): Body<SkippedKeys>,
) -> Result<axum::Json<Skipped>, Problem> {
    let SkippedKeys { keys, reason } = body;
    if keys.is_empty() || keys.len() > 1000 {
        return Err(Problem::invalid("keys", "it names no record, or more than 1,000"));
    }
    let reason = auditferry_core::model::actor::words(&reason);
    let reason = reason.map_err(|problem| Problem::invalid("reason", problem))?;
    let by = By { reason: Some(reason), ..caller.by(None) };
    Ok(axum::Json(api.admin.skip_records(&by, &account, &keys).await?))
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    let of = |permission| Guard::Account(permission);
    OpenApiRouter::new()
        .merge(api.guarded(of(P::Pause), routes!(pause)))
        .merge(api.guarded(of(P::Pause), routes!(resume)))
        .merge(api.guarded(of(P::Recover), routes!(release)))
        .merge(api.guarded(of(P::Recover), routes!(rewind)))
        .merge(api.guarded(of(P::Recover), routes!(skip_records)))
        .merge(api.guarded(Guard::Listing(P::Recover), routes!(awaiting_rewind)))
        .merge(api.guarded(of(P::Deliver), routes!(deliver_now)))
}
