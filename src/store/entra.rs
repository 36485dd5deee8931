//! Access tokens of Microsoft Entra ID for Azure Storage: by a client secret or a certificate.
//!
//! Source: "OAuth 2.0 client credentials flow on the Microsoft identity platform".

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Client, Method, Request, Url};
use url::form_urlencoded::Serializer;

use super::certificate::Certificate;
use super::token::{Answer, Exchange, Token, ask};
use super::{PutError, PutErrorKind};
use crate::clock::Clock;
use crate::secrets::Secret;

/// What a token is for. Every cloud and every storage account has this one name.
const SCOPE: &str = "https://storage.azure.com/.default";

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How an application proves that it is itself.
pub(super) enum Proof {
    /// A secret that both know.
    Secret(Secret),
    /// A key whose certificate Entra knows.
    Certificate(Box<Certificate>),
}

/// The tokens of one application in one tenant.
pub(super) struct Application {
    http: Client,
    patience: Duration,
    clock: Arc<dyn Clock>,
    /// The tenant's token endpoint.
    endpoint: Url,
    client_id: String,
    proof: Proof,
}

impl Application {
    /// Asks nothing yet. `authority` is the cloud's login service, `tenant` was checked to be a name.
    pub(super) fn new(
        http: Client,
        patience: Duration,
        clock: Arc<dyn Clock>,
        authority: &Url,
        tenant: &str,
        client_id: &str,
        proof: Proof,
    ) -> Self {
        let mut endpoint = authority.clone();
        endpoint.set_path(&format!("/{tenant}/oauth2/v2.0/token"));
        Self { http, patience, clock, endpoint, client_id: client_id.to_owned(), proof }
    }

    fn form(&self) -> Result<String, PutError> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("scope", SCOPE)
            .append_pair("client_id", &self.client_id);
        match &self.proof {
            Proof::Secret(secret) => form.append_pair("client_secret", secret.expose()),
            Proof::Certificate(certificate) => {
                let signed = certificate.assertion(&self.client_id, self.endpoint.as_str(), self.clock.now());
                let assertion = signed.map_err(|_| {
                    PutError::new(PutErrorKind::Misconfigured, "no token: the certificate's key cannot sign")
                })?;
                form.append_pair("client_assertion_type", ASSERTION)
                    .append_pair("client_assertion", &assertion)
            }
        };
        Ok(form.finish())
    }
}

#[async_trait]
impl Exchange for Application {
    async fn exchange(&self) -> Result<Token, PutError> {
        let mut request = Request::new(Method::POST, self.endpoint.clone());
        let form = "application/x-www-form-urlencoded";
        request.headers_mut().insert("content-type", http::HeaderValue::from_static(form));
        *request.body_mut() = Some(self.form()?.into());
        let answer = ask(&self.http, request, self.patience).await?;
        if answer.status == 200 { answer.token(self.clock.now()) } else { Err(refusal(&answer)) }
    }
}

/// Entra's refusal in its own words, such as `invalid_client: AADSTS7000215: Invalid client secret provided. …`.
pub(super) fn refusal(answer: &Answer) -> PutError {
    let json = answer.json().unwrap_or_default();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let (error, words) = (text("error"), text("error_description"));
    // What follows tells this request from others, and nothing of its fate.
    let words = words.split(" Trace ID:").next().unwrap_or_default();
    let refused = answer.refusal(&error, words);
    match error.as_str() {
        "temporarily_unavailable" | "server_error" => PutError { kind: PutErrorKind::Unreachable, ..refused },
        _ => refused,
    }
}
