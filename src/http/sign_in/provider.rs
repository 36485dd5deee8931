//! Signing in at the OpenID Connect provider: the code flow with PKCE.

use axum::extract::{Request, State};
use axum::http::{Uri, header};
use axum::response::Response;
use zeroize::Zeroizing;

use super::{SignIn, same, see_other};
use crate::http::api::problem::Problem;
use crate::oidc::{Denied, ExchangeError, Login, Provider};
use crate::operations::sessions::Held;
use auditferry_core::model::session::is_own_path;

/// Longest code or parameter of an answer.
const MAX_PARAMETER: usize = 4096;

/// The only parameter of a name; of two, one may be another's.
fn parameter(uri: &Uri, name: &str) -> Option<Zeroizing<String>> {
    let query = uri.query().unwrap_or_default();
    let all = url::form_urlencoded::parse(query.as_bytes());
    let mut values = all.filter(|(other, _)| other == name).map(|(_, value)| value);
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    (only.len() <= MAX_PARAMETER).then(|| Zeroizing::new(only.into_owned()))
}

impl SignIn {
    /// The provider, if people log in there.
    fn provider(&self) -> Result<&Provider, Problem> {
        self.api.provider.as_ref().filter(|provider| provider.has_login()).ok_or_else(Problem::not_found)
    }

    fn login(&self, held: &Held) -> Login {
        Login {
            state: held.state(),
            nonce: held.nonce(),
            verifier: held.verifier(),
            redirect: format!("{}/auth/callback", self.settings.origin),
        }
    }
}

/// Sends a browser to the provider.
pub(super) async fn login(State(sign_in): State<SignIn>, request: Request) -> Result<Response, Problem> {
    let address = sign_in.admit(&request)?;
    let provider = sign_in.provider()?;
    let return_to = parameter(request.uri(), "return_to").unwrap_or_else(|| Zeroizing::new("/".to_owned()));
    if !is_own_path(&return_to) {
        return Err(Problem::invalid("return_to", "it is no path of this service")
            .fix("write a path such as /accounts, or leave it out"));
    }
    if let Some(address) = address {
        sign_in.api.limits.sign_in(address, sign_in.api.admin.clock.now())?;
    }
    // Nothing is kept for a log-in that cannot be made.
    provider.is_reached().await.map_err(told)?;
    let held = sign_in.api.admin.begin_sign_in(&return_to).await?;
    let url = provider.login_url(&sign_in.login(&held)).await.map_err(told)?;
    Ok(see_other(url.as_str(), &[sign_in.cookies.with_login(&held)]))
}

/// Takes what a browser brings back from the provider.
pub(super) async fn callback(State(sign_in): State<SignIn>, request: Request) -> Result<Response, Problem> {
    let address = sign_in.admit(&request)?;
    let (parts, _) = request.into_parts();
    let come_back = answered(&sign_in, &parts.uri, &parts.headers).await;
    if let (Err(_), Some(address)) = (&come_back, address) {
        sign_in.api.limits.failed(address, sign_in.api.admin.clock.now())?;
    }
    come_back
}

async fn answered(sign_in: &SignIn, uri: &Uri, headers: &header::HeaderMap) -> Result<Response, Problem> {
    let provider = sign_in.provider()?;
    let held = sign_in.cookies.login(headers).ok_or_else(Problem::unknown_sign_in)?;
    let login = sign_in.login(&held);
    // An answer that another site has made must not use up the log-in.
    let state = parameter(uri, "state").ok_or_else(Problem::unknown_sign_in)?;
    if !same(&state, &login.state) {
        return Err(Problem::unknown_sign_in());
    }
    let taken = sign_in.api.admin.take_sign_in(&held).await?;
    let return_to = taken.ok_or_else(Problem::unknown_sign_in)?;
    let issuer = parameter(uri, "iss");
    if !provider.is_own_answer(issuer.as_ref().map(|issuer| issuer.as_str())).await.map_err(told)? {
        tracing::warn!("a log-in is refused: its answer is of another provider, or does not say of which");
        return Err(Problem::sign_in_refused());
    }
    let Some(code) = parameter(uri, "code") else {
        tracing::info!("a log-in is refused: the provider has given no code");
        return Err(Problem::sign_in_refused());
    };
    let person = provider.exchange(&login, &code).await.map_err(told)?;
    // Whoever had this browser before is out: the new session has an id that nobody has seen.
    sign_in.end(headers).await?;
    let begun = sign_in.api.admin.begin_session(person, sign_in.settings.lifetime).await?;
    tracing::info!(session = begun.session.id, name = begun.session.name, "somebody has signed in");
    let cookies = [sign_in.cookies.without_login(), sign_in.cookies.with_session(&begun.held)];
    Ok(see_other(&return_to, &cookies))
}

/// What a browser hears; the cause is in the operator's log.
fn told(error: ExchangeError) -> Problem {
    match error {
        ExchangeError::Denied(Denied::NoRole(why)) => Problem::no_role(&why),
        ExchangeError::Away(_) | ExchangeError::Denied(Denied::Away) => {
            tracing::warn!(error = %error, "a log-in cannot go on");
            Problem::sign_in_away().header(header::RETRY_AFTER, "5")
        }
        ExchangeError::Refused(_) | ExchangeError::Denied(Denied::Invalid(_)) => {
            tracing::warn!(error = %error, "a log-in is refused");
            Problem::sign_in_refused()
        }
    }
}
