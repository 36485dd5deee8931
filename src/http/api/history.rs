//! What happened: windows, deliveries, attempts, and what people changed.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::{Caller, Guard};
use super::document::AccountPath;
use super::problem::Problem;
use super::request::{Asked, Page, Paging, limit, read_cursor};
use crate::ledger::{
    AttemptRow, Change, ChangeFilter, DeliveryCursor, DeliveryFilter, DeliveryRow, ReplayCursor,
    ReplayFilter, ReplayRow, WindowRow,
};
use crate::operations::deliveries::DeliveryView;
use crate::operations::story::Story;
use crate::operations::timeline::Timeline;
use auditferry_core::model::access::{Permission, Reach};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::when::When;

/// That a caller may see what is asked for. Who is limited to some accounts names one.
fn of_whom(caller: &Caller, permission: Permission, account: Option<&AccountId>) -> Result<(), Problem> {
    let hint = |problem: Problem| match (account, &caller.grant.reach) {
        (None, Reach::Only(_)) => problem.fix("name an account of yours in the parameter account"),
        _ => problem,
    };
    caller.may(permission, account).map_err(hint)
}

/// A number of a cursor, as SQL has them.
fn number(number: Option<u64>) -> Result<Option<u64>, Problem> {
    match number {
        Some(number) if i64::try_from(number).is_err() => {
            Err(Problem::invalid("cursor", "it is none that a page of this listing has given"))
        }
        fits => Ok(fits),
    }
}

/// An instant that the databases know.
fn instant(field: &str, at: Option<Timestamp>) -> Result<Option<Timestamp>, Problem> {
    match at {
        Some(at) if at < Timestamp::UNIX_EPOCH => Err(Problem::invalid(field, "it is before 1970")),
        fits => Ok(fits),
    }
}

/// List an account's windows, the newest first.
#[utoipa::path(get, path = "/accounts/{account}/windows", operation_id = "listWindows", tag = "history", params(AccountPath, Paging),
    responses((status = 200, body = Page<WindowRow>)))]
async fn windows(
    State(api): State<Api>,
    Path(account): Path<AccountId>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<WindowRow>>, Problem> {
    let limit = limit(paging.limit)?;
    let before = number(read_cursor::<u64>(paging.cursor.as_deref())?)?;
    let rows = api.admin.ledger.windows(&account, before, limit + 1).await?;
    Ok(Json(Page::of(rows, limit, |row| row.window, |row| row)))
}

/// Show what became of an account's slots of the last 14 days.
#[utoipa::path(get, path = "/accounts/{account}/slots", operation_id = "listSlots", tag = "history", params(AccountPath),
    responses((status = 200, body = Timeline)))]
async fn slots(State(api): State<Api>, Path(account): Path<AccountId>) -> Result<Json<Timeline>, Problem> {
    Ok(Json(api.admin.timeline(&account).await?))
}

/// Tell what happened at a moment: the slot, its window, its objects and attempts, and what to do.
#[utoipa::path(get, path = "/accounts/{account}/slots/{at}", operation_id = "getSlot", tag = "history", params(AccountPath, ("at" = String, Path, description = "An instant, or a time in the account's zone such as `yesterday 08:00`")),
    responses((status = 200, body = Story)))]
async fn slot(
    State(api): State<Api>,
    Path((account, at)): Path<(AccountId, String)>,
) -> Result<Json<Story>, Problem> {
    let when: When = at.parse().map_err(|problem: String| Problem::invalid("at", problem))?;
    Ok(Json(api.admin.story(&account, when).await?))
}

/// Which deliveries are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryQuery {
    /// How many: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only of this account.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only with this key, or with a key that ends in this name of a file.
    key: Option<String>,
    /// Only those that are not delivered yet, the oldest first.
    #[serde(default)]
    undelivered: bool,
}

async fn found(
    api: &Api,
    paging: &DeliveryQuery,
    account: Option<AccountId>,
) -> Result<Json<Page<DeliveryRow>>, Problem> {
    let limit = limit(paging.limit)?;
    let after = read_cursor::<DeliveryCursor>(paging.cursor.as_deref())?;
    number(after.as_ref().map(|after| after.window))?;
    let filter = DeliveryFilter {
        account,
        key: paging.key.clone(),
        window: None,
        undelivered: paging.undelivered,
        after,
        limit: limit + 1,
    };
    let rows = api.admin.ledger.deliveries(&filter).await?;
    Ok(Json(Page::of(rows, limit, DeliveryRow::cursor, |row| row)))
}

/// List objects, the newest first.
#[utoipa::path(get, path = "/deliveries", operation_id = "listDeliveries", tag = "history", params(DeliveryQuery),
    responses((status = 200, body = Page<DeliveryRow>)))]
async fn deliveries(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<DeliveryQuery>,
) -> Result<Json<Page<DeliveryRow>>, Problem> {
    of_whom(&caller, Permission::ReadDeliveries, query.account.as_ref())?;
    let account = query.account.clone();
    found(&api, &query, account).await
}

/// An object of an account.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyQuery {
    /// The whole key.
    key: String,
}

/// List the attempts to deliver one object, the oldest first.
#[utoipa::path(get, path = "/accounts/{account}/attempts", operation_id = "listAttempts", tag = "history", params(AccountPath, KeyQuery),
    responses((status = 200, body = Vec<AttemptRow>)))]
async fn attempts(
    State(api): State<Api>,
    Path(account): Path<AccountId>,
    Asked(query): Asked<KeyQuery>,
) -> Result<Json<Vec<AttemptRow>>, Problem> {
    api.admin.ledger.revision(&account).await?;
    Ok(Json(api.admin.ledger.attempts(&account, &query.key).await?))
}

/// Read one object: its hashes, every attempt to put it, and how it was put again.
#[utoipa::path(get, path = "/accounts/{account}/delivery", operation_id = "getDelivery", tag = "history", params(AccountPath, KeyQuery),
    responses((status = 200, body = DeliveryView)))]
async fn delivery(
    State(api): State<Api>,
    Path(account): Path<AccountId>,
    Asked(query): Asked<KeyQuery>,
) -> Result<Json<DeliveryView>, Problem> {
    Ok(Json(api.admin.delivery(&account, &query.key).await?))
}

/// Which changes are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeQuery {
    /// How many: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only of this account.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only of those whose name holds this.
    by: Option<String>,
    /// From this instant on.
    since: Option<Timestamp>,
    /// Before this instant.
    until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Before(u64);

/// List what people changed, the newest first.
#[utoipa::path(get, path = "/changes", operation_id = "listChanges", tag = "history", params(ChangeQuery),
    responses((status = 200, body = Page<Change>)))]
async fn changes(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ChangeQuery>,
) -> Result<Json<Page<Change>>, Problem> {
    of_whom(&caller, Permission::ReadChanges, query.account.as_ref())?;
    let limit = limit(query.limit)?;
    let filter = ChangeFilter {
        account: query.account,
        by: query.by,
        since: instant("since", query.since)?,
        until: instant("until", query.until)?,
        before: number(read_cursor::<Before>(query.cursor.as_deref())?.map(|Before(number)| number))?,
        without_portal: false,
        limit: limit + 1,
    };
    let rows = api.admin.ledger.changes(&filter).await?;
    Ok(Json(Page::of(rows, limit, |change| Before(change.number), |change| change)))
}

/// Which replayed objects are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayQuery {
    /// How many: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only of this account.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only of the object with this key, its own or the one under which it was put again, or of this name of a file.
    key: Option<String>,
}

/// List objects that were put again, by whatever command or request, the newest first.
#[utoipa::path(get, path = "/replayed-objects", operation_id = "listReplayedObjects", tag = "history", params(ReplayQuery),
    responses((status = 200, body = Page<ReplayRow>)))]
async fn replayed(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ReplayQuery>,
) -> Result<Json<Page<ReplayRow>>, Problem> {
    of_whom(&caller, Permission::ReadChanges, query.account.as_ref())?;
    let limit = limit(query.limit)?;
    let after = read_cursor::<ReplayCursor>(query.cursor.as_deref())?;
    number(after.as_ref().map(|after| after.replay.max(after.window)))?;
    let filter = ReplayFilter { account: query.account, key: query.key, after, limit: limit + 1 };
    let rows = api.admin.ledger.replays(&filter).await?;
    Ok(Json(Page::of(rows, limit, ReplayRow::cursor, |row| row)))
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    use Permission as P;
    OpenApiRouter::new()
        .merge(api.guarded(Guard::Account(P::ReadDeliveries), routes!(windows)))
        .merge(api.guarded(Guard::Account(P::ReadDeliveries), routes!(slots)))
        .merge(api.guarded(Guard::Account(P::ReadChanges), routes!(slot)))
        .merge(api.guarded(Guard::Account(P::ReadDeliveries), routes!(attempts)))
        .merge(api.guarded(Guard::Account(P::ReadDeliveries), routes!(delivery)))
        .merge(api.guarded(Guard::Listing(P::ReadDeliveries), routes!(deliveries)))
        .merge(api.guarded(Guard::Listing(P::ReadChanges), routes!(replayed)))
        .merge(api.guarded(Guard::Listing(P::ReadChanges), routes!(changes)))
}
