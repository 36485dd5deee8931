//! Signing in with a token of the API, where there is no provider.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use zeroize::Zeroizing;

use super::{SignIn, see_other};
use crate::http::api::problem::Problem;
use auditferry_core::model::session::is_own_path;

/// Most bytes of a form.
const MAX_FORM: usize = 16 * 1024;

/// The fields of a form; the first of each.
pub(in crate::http) async fn form(
    headers: &HeaderMap,
    body: Body,
) -> Result<BTreeMap<String, Zeroizing<String>>, Problem> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = declared.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let bytes = to_bytes(body, MAX_FORM).await.map_err(|error| Problem::unread(&error))?;
    if bytes.is_empty() {
        return Ok(BTreeMap::new());
    }
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::not_a_form());
    }
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        fields.entry(name.into_owned()).or_insert_with(|| Zeroizing::new(value.into_owned()));
    }
    Ok(fields)
}

/// Begins a session with a token.
pub(super) async fn sign_in(State(sign_in): State<SignIn>, request: Request) -> Result<Response, Problem> {
    let address = sign_in.admit(&request)?;
    // Another site must not sign a browser in as somebody else, who would then see what it does.
    sign_in.check_page(request.headers())?;
    let (parts, body) = request.into_parts();
    let form = form(&parts.headers, body).await?;
    let return_to = form.get("return_to").map_or("/", |path| path.as_str());
    if !is_own_path(return_to) {
        return Err(Problem::invalid("return_to", "it is no path of this service")
            .fix("write a path such as /accounts, or leave it out"));
    }
    let secret = form.get("token").map_or("", |token| token.as_str()).trim();
    let Ok(holder) = sign_in.api.admin.holder(secret).await? else {
        if let Some(address) = address {
            sign_in.api.limits.failed(address, sign_in.api.admin.clock.now())?;
        }
        return Err(Problem::unauthorized().header(header::WWW_AUTHENTICATE, r#"Bearer realm="auditferry""#));
    };
    sign_in.end(&parts.headers).await?;
    let begun = sign_in.api.admin.begin_session_of_token(holder, sign_in.settings.lifetime).await?;
    tracing::info!(session = begun.session.id, name = begun.session.name, "somebody has signed in");
    Ok(see_other(return_to, &[sign_in.cookies.with_session(&begun.held)]))
}
