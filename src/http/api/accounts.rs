//! `/accounts`: accounts, their add-on, and what gets an export going again.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::{AccountPath, IfMatch, IfMatchIfAny};
use super::problem::Problem;
use super::request::{Asked, Body, Page, Seen, limit, read_cursor, revised};
use crate::ledger::{
    AccountCursor, AccountFilter, AccountOrder, AccountPage, ExportOptions, Health, LedgerError,
};
use crate::operations::admin::{AdminError, Rewound, Skipped};
use crate::operations::deliver_now::AddedSlot;
use crate::operations::explanation::Explanation;
use crate::operations::listing::AccountRow;
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::model::format::{Container, EmptyWindows, FormatPatch, Layout};
use auditferry_core::model::instant;
use auditferry_core::model::start::Start;

/// What an account is to be. What is left out gets the default of the installation.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountOptions {
    /// The account's IANA time zone.
    #[schema(examples("Europe/Berlin"))]
    zone: String,
    /// A cron expression in local time.
    #[schema(examples("0 */4 * * *"))]
    schedule: Option<String>,
    /// From where records count: `enabled`, `now`, `beginning` or an instant. Only when the account is added.
    #[schema(value_type = Option<String>, examples("enabled"))]
    start: Option<Start>,
    /// How objects are packed.
    container: Option<Container>,
    /// How records stand in them.
    layout: Option<Layout>,
    /// Whether a window without records gives an object.
    empty_windows: Option<EmptyWindows>,
    /// Most records of one object.
    #[schema(minimum = 1)]
    max_records: Option<u64>,
    /// Most bytes of JSON of one object.
    #[schema(minimum = 1)]
    max_bytes: Option<u64>,
    /// Deflate level, 0 to 9.
    #[schema(maximum = 9)]
    compression: Option<u32>,
}

impl AccountOptions {
    fn options(&self, api: &Api) -> ExportOptions {
        let patch = FormatPatch {
            container: self.container,
            layout: self.layout,
            empty_windows: self.empty_windows,
            max_records: self.max_records,
            max_bytes: self.max_bytes,
            compression: self.compression,
        };
        ExportOptions {
            zone: self.zone.clone(),
            schedule: self.schedule.clone().unwrap_or_else(|| api.export.schedule.clone()),
            format: patch.over(&api.export.format),
        }
    }
}

/// Which accounts are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountQuery {
    /// How many: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only those of such health; several are parted by commas, and `failing` stands for all in which nothing is
    /// delivered although it should be.
    #[param(example = "failing")]
    health: Option<String>,
    /// Only those whose id holds this.
    text: Option<String>,
    /// Only those whose add-on ends within so many days.
    #[param(minimum = 1, maximum = 3660)]
    ending_within_days: Option<u32>,
    /// The same in seconds. Of two the shorter one counts.
    #[param(maximum = 2147483647)]
    ending_within_seconds: Option<u32>,
    /// In which order.
    order: Option<Order>,
    /// Count all of them, beyond this page too.
    #[serde(default)]
    count: bool,
}

/// In which order accounts are listed.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// By id.
    Id,
    /// Those first that are in their state of health for the longest.
    Oldest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    account: AccountId,
    since: Option<Timestamp>,
}

fn health(text: Option<&str>) -> Result<Vec<Health>, Problem> {
    let mut all = Vec::new();
    for word in text.into_iter().flat_map(|text| text.split(',')).map(str::trim) {
        match (word, Health::parse(word)) {
            ("failing", _) => all.extend(Health::FAILING),
            (_, Some(health)) => all.push(health),
            (_, None) => {
                let words: Vec<_> = Health::ALL.iter().map(|health| health.as_str()).collect();
                return Err(Problem::invalid("health", "it names no state of health")
                    .fix(format!("give failing, or some of {}", words.join(", "))));
            }
        }
    }
    Ok(all)
}

/// List accounts with their health.
#[utoipa::path(get, path = "/accounts", operation_id = "listAccounts", tag = "accounts", params(AccountQuery),
    responses((status = 200, body = Page<AccountRow>)))]
async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<AccountQuery>,
) -> Result<axum::Json<Page<AccountRow>>, Problem> {
    let limit = limit(query.limit)?;
    let days = |days: u32| SignedDuration::from_hours(i64::from(days) * 24);
    if query.ending_within_days.is_some_and(|days| !(1..=3660).contains(&days)) {
        return Err(Problem::invalid("ending_within_days", "it is not from 1 to 3660"));
    }
    if query.ending_within_seconds.is_some_and(|seconds| i32::try_from(seconds).is_err()) {
        return Err(Problem::invalid("ending_within_seconds", format!("it is above {}", i32::MAX)));
    }
    let seconds = query.ending_within_seconds.map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
    let filter = AccountFilter {
        health: health(query.health.as_deref())?,
        ending_within: query.ending_within_days.map(days).into_iter().chain(seconds).min(),
        text: query.text,
        only: caller.listed(Permission::ReadAccounts)?,
        order: match query.order {
            Some(Order::Oldest) => AccountOrder::Oldest,
            Some(Order::Id) | None => AccountOrder::Id,
        },
    };
    let after = read_cursor::<Cursor>(query.cursor.as_deref())?
        .map(|Cursor { account, since }| AccountCursor { account, since });
    let around = api.admin.circumstances().await?;
    let page = AccountPage { filter, after, limit: limit + 1 };
    let rows = api.admin.ledger.judged_accounts(around, &page).await?;
    let cursor = |row: &crate::ledger::JudgedAccount| {
        let AccountCursor { account, since } = row.cursor();
        Cursor { account, since }
    };
    let mut listed = Page::of(rows, limit, cursor, AccountRow::from);
    if query.count {
        listed.total = Some(api.admin.ledger.count_accounts(around, &page.filter).await?);
    }
    Ok(axum::Json(listed))
}

async fn shown(api: &Api, caller: &Caller, id: &AccountId, status: StatusCode) -> Result<Response, Problem> {
    // Before what it shows: a change in between makes an ETag that is stale, and never one that is too new.
    let revision = api.admin.ledger.revision(id).await?;
    let explanation = api.admin.explain(id).await?;
    let explanation =
        if caller.grant.role == Role::AccountAdmin { explanation.for_customer() } else { explanation };
    Ok(revised(status, revision, &explanation))
}

/// Read an account: why its export runs or does not, and what to do.
#[utoipa::path(get, path = "/accounts/{account}", operation_id = "getAccount", tag = "accounts", params(AccountPath),
    responses((status = 200, body = Explanation, headers(("ETag" = String)))))]
async fn get(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
) -> Result<Response, Problem> {
    shown(&api, &caller, &account, StatusCode::OK).await
}

/// Add an account, or change its zone, schedule and format from its next window on.
///
/// One that is there is changed with `If-Match` only.
#[utoipa::path(put, path = "/accounts/{account}", operation_id = "putAccount", tag = "accounts", params(AccountPath, IfMatchIfAny, ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none", pattern = r"^\*$")), request_body = AccountOptions,
    responses((status = 200, body = Explanation), (status = 201, body = Explanation)))]
async fn put(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
    Body(body): Body<AccountOptions>,
) -> Result<Response, Problem> {
    let seen = Seen::of(&headers)?;
    let options = body.options(&api);
    let there = match api.admin.ledger.revision(&account).await {
        Ok(_) => true,
        Err(LedgerError::NoAccount(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if !there {
        if matches!(seen, Seen::Revision(_) | Seen::Anything) {
            return Err(Problem::precondition_failed());
        }
        let start = body.start.unwrap_or_default();
        let added = api.admin.add_account(&caller.by(None), &account, &options, start).await;
        match added {
            Err(AdminError::Ledger(LedgerError::AccountExists(_))) => {
                return Err(Problem::precondition_failed());
            }
            other => other?,
        };
        return shown(&api, &caller, &account, StatusCode::CREATED).await;
    }
    let expects = seen.expected()?;
    if body.start.is_some() {
        return Err(Problem::invalid("start", "it is only for an account that is added")
            .fix("leave it out; an add-on that is enabled again can begin `from` now"));
    }
    api.admin.set_options(&caller.by(expects), &account, &options).await?;
    shown(&api, &caller, &account, StatusCode::OK).await
}

/// How an account is removed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveQuery {
    /// Also when its add-on is enabled.
    #[serde(default)]
    force: bool,
}

/// Remove an account with its history. The bucket is not touched.
#[utoipa::path(delete, path = "/accounts/{account}", operation_id = "deleteAccount", tag = "accounts", params(AccountPath, RemoveQuery, IfMatch),
    responses((status = 204)))]
async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
    Asked(query): Asked<RemoveQuery>,
) -> Result<StatusCode, Problem> {
    let seen = Seen::of(&headers)?;
    api.admin.ledger.revision(&account).await?;
    api.admin.remove_account(&caller.by(seen.expected()?), &account, query.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read the paid add-on of an account.
#[utoipa::path(get, path = "/accounts/{account}/add-on", operation_id = "getAddOn", tag = "accounts", params(AccountPath),
    responses((status = 200, body = AddOn, headers(("ETag" = String)))))]
async fn get_addon(State(api): State<Api>, Path(account): Path<AccountId>) -> Result<Response, Problem> {
    let revision = api.admin.ledger.revision(&account).await?;
    Ok(revised(StatusCode::OK, revision, &api.admin.ledger.account(&account).await?.addon))
}

/// What the add-on is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAddOn {
    /// Whether it is on.
    enabled: bool,
    /// When it ends, in whole seconds; absent: it has no end.
    #[serde(default, deserialize_with = "instant::optional")]
    #[schema(value_type = Option<Timestamp>)]
    until: Option<Timestamp>,
    /// Why, for the next person who looks.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    reason: Option<String>,
    /// `now`: what was not delivered until now is skipped, which is recorded as a gap.
    #[serde(default)]
    #[schema(value_type = Option<From>)]
    from: Option<Start>,
}

/// From where an enabled add-on goes on.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its description is used")]
pub(super) enum From {
    /// From now.
    Now,
}

/// Switch the paid add-on, and set its end.
#[utoipa::path(put, path = "/accounts/{account}/add-on", operation_id = "putAddOn", tag = "accounts", params(AccountPath, IfMatch), request_body = NewAddOn,
    responses((status = 200, body = AddOn)))]
async fn put_addon(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<AccountId>,
    headers: HeaderMap,
    Body(body): Body<NewAddOn>,
) -> Result<Response, Problem> {
    let expects = Seen::of(&headers)?.expected()?;
    let reason = body.reason.as_deref().map(auditferry_core::model::actor::words).transpose();
    let reason = reason.map_err(|problem| Problem::invalid("reason", problem))?;
    let addon = AddOn { enabled: body.enabled, until: body.until, reason };
    let account_now =
        api.admin.set_addon(&caller.by(expects), &account, &AddOnChange::Declared(addon), body.from).await?;
    Ok(revised(StatusCode::OK, api.admin.ledger.revision(&account).await?, &account_now.addon))
}

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
        .merge(api.guarded(Guard::Listing(P::ReadAccounts), routes!(list)))
        .merge(api.guarded(of(P::ReadAccounts), routes!(get)))
        .merge(api.guarded(of(P::ManageAccounts), routes!(put, delete)))
        .merge(api.guarded(of(P::ReadAccounts), routes!(get_addon)))
        .merge(api.guarded(of(P::ManageAddOns), routes!(put_addon)))
        .merge(api.guarded(of(P::Pause), routes!(pause)))
        .merge(api.guarded(of(P::Pause), routes!(resume)))
        .merge(api.guarded(of(P::Recover), routes!(release)))
        .merge(api.guarded(of(P::Recover), routes!(rewind)))
        .merge(api.guarded(of(P::Recover), routes!(skip_records)))
        .merge(api.guarded(Guard::Listing(P::Recover), routes!(awaiting_rewind)))
        .merge(api.guarded(of(P::Deliver), routes!(deliver_now)))
}
