//! `/notifications`: over which channels people are told, and what they were told.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::Api;
use super::caller::{Caller, Guard};
use super::idempotency::KeptBody;
use super::problem::Problem;
use super::request::{Asked, Body, limit};
use crate::ledger::NoticeRow;
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget, Tried};
use crate::secrets::Secret;
use auditferry_core::model::access::Permission;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::notification::{Audience, Language};

/// A secret: it is kept sealed.
type Sealed = Zeroizing<String>;

/// What a channel is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub(super) enum NewChannel {
    /// A program that takes webhooks by the specification Standard Webhooks.
    Webhook {
        /// Its URL.
        url: String,
        /// The secret that signs, `whsec_…`; without one, one is made and shown once.
        #[schema(value_type = Option<String>)]
        secret: Option<Sealed>,
        /// The account whose people are told; absent: the operator.
        account: Option<AccountId>,
        /// In which language.
        #[serde(default)]
        language: Language,
    },
    /// Slack, or what takes the same message.
    Slack {
        /// The URL, which is a secret.
        #[schema(value_type = String)]
        url: Sealed,
        /// The account whose people are told; absent: the operator.
        account: Option<AccountId>,
        /// In which language.
        #[serde(default)]
        language: Language,
    },
    /// A mailbox.
    Email {
        /// Its address.
        to: String,
        /// The account whose people are told; absent: the operator.
        account: Option<AccountId>,
        /// In which language.
        #[serde(default)]
        language: Language,
    },
}

fn sealed(secret: &Sealed) -> Given {
    Given::Sealed(Secret::new(secret.trim().to_owned()))
}

impl NewChannel {
    fn apart(self) -> (NewTarget, Option<AccountId>, Language) {
        match self {
            Self::Webhook { url, secret, account, language } => {
                (NewTarget::Webhook { url, secret: secret.as_ref().map(sealed) }, account, language)
            }
            Self::Slack { url, account, language } => {
                (NewTarget::Slack { url: sealed(&url) }, account, language)
            }
            Self::Email { to, account, language } => (NewTarget::Email { to }, account, language),
        }
    }
}

/// A channel, and its secret if one was made: the only time that it is shown.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct AddedChannel {
    #[serde(flatten)]
    channel: ChannelView,
    /// The new secret of a webhook, with which its receiver checks signatures; absent when this answer is repeated.
    #[schema(value_type = Option<String>)]
    secret: Option<Zeroizing<String>>,
}

fn added(status: StatusCode, added: Added) -> Response {
    let Added { channel, secret } = added;
    let location = format!("/api/v1/notifications/{}", channel.id);
    let secret = secret.map(|secret| Zeroizing::new(secret.expose().to_owned()));
    let body = AddedChannel { channel, secret };
    let mut response = (status, [(header::LOCATION, location)], Json(&body)).into_response();
    // What is kept to be answered again has no secret.
    let kept = AddedChannel { secret: None, ..body };
    response.extensions_mut().insert(KeptBody(serde_json::to_vec(&kept).unwrap_or_default()));
    response
}

/// List channels.
#[utoipa::path(get, path = "/notifications", operation_id = "listNotifications", tag = "notifications",
    responses((status = 200, body = Vec<ChannelView>)))]
async fn list(State(api): State<Api>) -> Result<Json<Vec<ChannelView>>, Problem> {
    Ok(Json(api.admin.channels().await?))
}

/// Add a channel over which somebody is told when exports fail, last in failing, and work again.
#[utoipa::path(post, path = "/notifications", operation_id = "addNotification", tag = "notifications", request_body = NewChannel,
    responses((status = 201, body = AddedChannel, headers(("Location" = String)))))]
async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<NewChannel>,
) -> Result<Response, Problem> {
    let (target, account, language) = body.apart();
    let audience = account.map_or(Audience::Operator, Audience::Contacts);
    let channel = api.admin.add_channel(&caller.by(None), &api.sender, audience, language, target).await?;
    Ok(added(StatusCode::CREATED, channel))
}

/// Read a channel.
#[utoipa::path(get, path = "/notifications/{notification}", operation_id = "getNotification", tag = "notifications", params(("notification" = String, Path)),
    responses((status = 200, body = ChannelView)))]
async fn get(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ChannelView>, Problem> {
    Ok(Json(api.admin.channel_view(&id).await?))
}

/// Remove a channel, and what is on its way over it.
#[utoipa::path(delete, path = "/notifications/{notification}", operation_id = "removeNotification", tag = "notifications", params(("notification" = String, Path)),
    responses((status = 204)))]
async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    api.admin.remove_channel(&caller.by(None), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A secret that signs.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSigningSecret {
    /// `whsec_…`; absent: one is made and shown once.
    #[schema(value_type = Option<String>)]
    secret: Option<Sealed>,
}

/// Give a webhook another secret. For a day the one before signs too.
#[utoipa::path(post, path = "/notifications/{notification}/rotate", operation_id = "rotateNotification", tag = "notifications", params(("notification" = String, Path)), request_body = NewSigningSecret,
    responses((status = 200, body = AddedChannel)))]
async fn rotate(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(body): Body<NewSigningSecret>,
) -> Result<Response, Problem> {
    let given = body.secret.as_ref().map(sealed);
    Ok(added(StatusCode::OK, api.admin.rotate_channel(&caller.by(None), &api.sender, &id, given).await?))
}

/// Send a message over a channel now, and say what its receiver answers. Nothing is stored.
#[utoipa::path(post, path = "/notifications/{notification}/test", operation_id = "testNotification", tag = "notifications", params(("notification" = String, Path)),
    responses((status = 200, body = Tried)))]
async fn test(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Tried>, Problem> {
    api.limits.test(&id, api.admin.clock.now())?;
    Ok(Json(api.admin.try_channel(&api.sender, &id).await?))
}

/// Which notices are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticeQuery {
    /// How many: 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only to the people of this account.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
}

/// List what was told lately, the newest first: over which channel, and whether it was taken.
#[utoipa::path(get, path = "/notices", operation_id = "listNotices", tag = "notifications", params(NoticeQuery),
    responses((status = 200, body = Vec<NoticeRow>)))]
async fn notices(
    State(api): State<Api>,
    Asked(query): Asked<NoticeQuery>,
) -> Result<Json<Vec<NoticeRow>>, Problem> {
    Ok(Json(api.admin.notices(query.account.as_ref(), limit(query.limit)?).await?))
}

pub(super) fn routes(api: &Api) -> OpenApiRouter<Api> {
    let guard = Guard::Installation(Permission::ManageNotifications);
    OpenApiRouter::new()
        .merge(api.guarded(guard, routes!(list, add)))
        .merge(api.guarded(guard, routes!(get, remove)))
        .merge(api.guarded(guard, routes!(rotate)))
        .merge(api.guarded(guard, routes!(test)))
        .merge(api.guarded(guard, routes!(notices)))
}
