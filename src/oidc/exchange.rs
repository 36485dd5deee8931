//! The code flow with PKCE: where a browser is sent, and what becomes of the code with which it comes back.
//!
//! Source: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9207.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::answer::ask;
use super::provider::{Denied, Known, Person, Provider};
use auditferry_core::model::oidc::Kind;

/// What a log-in is told from others by. Of the three only the state and the nonce go through the browser.
pub struct Login {
    /// Comes back with the code.
    pub state: Zeroizing<String>,
    /// Stands in the ID token.
    pub nonce: Zeroizing<String>,
    /// Proves that who redeems the code has asked for it.
    pub verifier: Zeroizing<String>,
    /// Where the browser comes back to.
    pub redirect: String,
}

/// Why a code gives nobody.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The provider does not answer, or not as it must: trying again may help.
    #[error("the provider cannot be used: {0}")]
    Away(String),
    /// The provider refuses the code, or us. Its own words, of a few known ones.
    #[error("the provider refuses the code: {0}")]
    Refused(String),
    /// The ID token does not do.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// Errors of a token endpoint (RFC 6749, 5.2). Others are anybody's words.
const ERRORS: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

fn away(problem: &str) -> ExchangeError {
    ExchangeError::Away(problem.to_owned())
}

impl Provider {
    async fn reached(&self) -> Result<std::sync::Arc<Known>, ExchangeError> {
        self.known().await.ok_or_else(|| away("it does not answer"))
    }

    /// Whether people log in at this provider.
    #[must_use]
    pub fn has_login(&self) -> bool {
        !self.0.client.is_empty()
    }

    /// That the provider answers, or has answered not long ago.
    ///
    /// # Errors
    /// When it does not.
    pub async fn is_reached(&self) -> Result<(), ExchangeError> {
        self.reached().await.map(drop)
    }

    /// Where a browser logs in.
    ///
    /// # Errors
    /// When the provider does not answer, or has no log-in.
    pub async fn login_url(&self, login: &Login) -> Result<Url, ExchangeError> {
        let known = self.reached().await?;
        let mut url =
            known.authorization.clone().ok_or_else(|| away("it names no authorization_endpoint"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(login.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.0.client)
            .append_pair("redirect_uri", &login.redirect)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &login.state)
            .append_pair("nonce", &login.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Whether an answer to a log-in is of this provider: by its parameter `iss`, which must be there when the
    /// provider says that it is, and right in any case.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn is_own_answer(&self, issuer: Option<&str>) -> Result<bool, ExchangeError> {
        Ok(match issuer {
            Some(issuer) => issuer == self.0.expected.issuer,
            None => !self.reached().await?.names_itself,
        })
    }

    /// Who has logged in: redeems a code, once, and checks the ID token that comes for it.
    ///
    /// # Errors
    /// Why it is nobody.
    pub async fn exchange(&self, login: &Login, code: &str) -> Result<Person, ExchangeError> {
        let known = self.reached().await?;
        let place = known.token.clone().ok_or_else(|| away("it names no token_endpoint"))?;
        let request = self.redeeming(&known, place, login, code);
        let (status, answer) = ask(request).await.map_err(ExchangeError::Away)?;
        if status != 200 {
            let error = answer["error"].as_str().filter(|error| ERRORS.contains(error));
            return Err(match error {
                Some(error) if status < 500 => ExchangeError::Refused(error.to_owned()),
                _ => ExchangeError::Away(format!("its token_endpoint answers with HTTP {status}")),
            });
        }
        let token = answer["id_token"].as_str().ok_or_else(|| away("its answer has no ID token"))?;
        let kind = Kind::Id { client: &self.0.client, nonce: &login.nonce };
        Ok(self.person(token, kind).await?)
    }

    /// The request that redeems a code.
    fn redeeming(&self, known: &Known, place: Url, login: &Login, code: &str) -> reqwest::RequestBuilder {
        let client = &self.0.client;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &login.redirect)
            .append_pair("code_verifier", &login.verifier)
            .append_pair("client_id", client);
        let mut request = self.0.http.post(place).header("content-type", "application/x-www-form-urlencoded");
        match &self.0.secret {
            Some(secret) if known.secret_in_body => {
                form.append_pair("client_secret", secret.expose());
            }
            Some(secret) => {
                // Both are encoded before they are joined: RFC 6749, 2.3.1.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let both = Zeroizing::new(format!("{}:{}", encoded(client), encoded(secret.expose())));
                let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(both.as_bytes())));
                request = request.header("authorization", value.as_str());
            }
            None => {}
        }
        request.body(form.finish())
    }

    /// Where a session at the provider ends, if it says so. `back`: where the browser goes then.
    ///
    /// Source: OpenID Connect RP-Initiated Logout 1.0.
    pub async fn logout_url(&self, back: &str) -> Option<Url> {
        let mut url = self.known().await?.end_session.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.0.client)
            .append_pair("post_logout_redirect_uri", back);
        Some(url)
    }
}
