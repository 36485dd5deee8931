//! `/accounts`: accounts.

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
use crate::operations::admin::AdminError;
use crate::operations::explanation::Explanation;
use crate::operations::listing::AccountRow;
use auditferry_core::format_patch;
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::format::{
    Absent, Container, EmptyWindows, Layout, PathLayout, RecordFormat, Siem,
};
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
    /// How one record is written.
    record_format: Option<RecordFormat>,
    /// Whether each record says its own id, its account, its window and its source.
    envelope: Option<bool>,
    /// What a field without a value gives in JSON.
    absent: Option<Absent>,
    /// Most bytes of one value; a longer one is cut, with a mark. 0 cuts nothing; else at least 64.
    max_field_bytes: Option<u64>,
    /// Which folders objects lie in.
    path: Option<PathLayout>,
    /// Whose records they are: the name of the product, for record formats and paths that name one.
    #[schema(min_length = 1, max_length = 63)]
    source: Option<String>,
    /// The SIEM that reads the objects: it sets the options that its reader needs, and single ones override it.
    siem: Option<Siem>,
}

impl AccountOptions {
    fn options(&self, api: &Api) -> ExportOptions {
        let patch = format_patch!(self);
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

pub(super) async fn shown(
    api: &Api,
    caller: &Caller,
    id: &AccountId,
    status: StatusCode,
) -> Result<Response, Problem> {
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

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    let of = |permission| Guard::Account(permission);
    OpenApiRouter::new()
        .merge(api.guarded(Guard::Listing(P::ReadAccounts), routes!(list)))
        .merge(api.guarded(of(P::ReadAccounts), routes!(get)))
        .merge(api.guarded(of(P::ManageAccounts), routes!(put, delete)))
}
