//! Access tokens of Microsoft Entra ID for Azure Storage: by a client secret, a certificate, or the
//! word of another identity provider.
//!
//! Source: "OAuth 2.0 client credentials flow on the Microsoft identity platform".

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Client, Url};
use url::form_urlencoded::Serializer;

use super::certificate::Certificate;
use crate::base::clock::{Clock, SystemClock};
use crate::secrets::{self, Opened, Secret};
use crate::store::Dialer;
use crate::store::clock;
use crate::store::token::{Exchange, Token, TokenResponse, Tokens, ask};
use auditferry_core::model::destination::{AzureCloud, SecretRef};
use auditferry_core::store::{PutError, PutErrorKind};

/// What a token is for. Every cloud and every storage account has this one name.
const SCOPE: &str = "https://storage.azure.com/.default";

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How an application proves that it is itself.
pub(super) enum Proof {
    /// A secret that both know.
    Secret(Secret),
    /// A key whose certificate Entra knows.
    Certificate(Box<Certificate>),
    /// What the worker's own platform says of it: a file, which the platform renews.
    Federated {
        /// The file.
        file: PathBuf,
        /// Whether the tenant is a customer's and not the worker's own.
        in_customers_tenant: bool,
    },
}

/// What Entra says of an assertion whose times are not its own.
const NOT_IN_FORCE: &str = "AADSTS700024:";

/// Refusals that are for the owner of the tenant to fix: no such application or tenant, disabled, kept out by
/// a policy.
const TENANTS_CODES: [&str; 4] = ["AADSTS700016:", "AADSTS90002:", "AADSTS7000112:", "AADSTS53003:"];

/// The tokens of an application in a tenant, whose names are valid. Asks for none yet.
pub(super) fn tokens(
    dialer: &Dialer,
    cloud: AzureCloud,
    tenant_id: &str,
    client_id: &str,
    proof: Proof,
) -> Tokens {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let application = Application {
        http: dialer.http.clone(),
        clock: Arc::clone(&clock),
        endpoint: endpoint(dialer.services.entra_url.0.as_ref(), cloud, tenant_id),
        client_id: client_id.to_owned(),
        proof,
    };
    Tokens::new(application, clock, dialer.token_patience())
}

/// The URL of a tenant's token service.
fn endpoint(operators: Option<&Url>, cloud: AzureCloud, tenant_id: &str) -> String {
    let authority = operators.map_or(cloud.authority(), Url::as_str).trim_end_matches('/');
    format!("{authority}/{tenant_id}/oauth2/v2.0/token")
}

struct Application {
    http: Client,
    clock: Arc<dyn Clock>,
    endpoint: String,
    client_id: String,
    proof: Proof,
}

impl Application {
    fn form(&self) -> Result<String, PutError> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("scope", SCOPE)
            .append_pair("client_id", &self.client_id);
        let assertion = match &self.proof {
            Proof::Secret(secret) => {
                form.append_pair("client_secret", secret.expose());
                return Ok(form.finish());
            }
            Proof::Certificate(certificate) => {
                let signed = certificate.assertion(&self.client_id, &self.endpoint, self.clock.now());
                Secret::new(signed.map_err(|_| {
                    PutError::new(PutErrorKind::Misconfigured, "no token: the certificate's key cannot sign")
                })?)
            }
            // Read each time: the platform renews it within the hour.
            Proof::Federated { file, .. } => {
                secrets::resolve(&SecretRef::File(file.clone()), &Opened::default())
                    .map_err(|error| PutError::new(PutErrorKind::Unreachable, format!("no token: {error}")))?
            }
        };
        form.append_pair("client_assertion_type", ASSERTION)
            .append_pair("client_assertion", assertion.expose().trim());
        Ok(form.finish())
    }
}

#[async_trait]
impl Exchange for Application {
    async fn exchange(&self) -> Result<Token, PutError> {
        let form = "application/x-www-form-urlencoded";
        let request = self.http.post(&self.endpoint).header("content-type", form).body(self.form()?);
        let answer = ask(request).await?;
        if answer.status == 200 { answer.token(self.clock.now()) } else { Err(self.refusal(&answer)) }
    }
}

impl Application {
    /// Entra's refusal in its own words, such as `invalid_client: AADSTS7000215: Invalid client secret provided. …`.
    fn refusal(&self, answer: &TokenResponse) -> PutError {
        let json = answer.json().unwrap_or_default();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let (error, words) = (text("error"), text("error_description"));
        // What follows tells this request from others, and nothing of its fate.
        let words = words.split(" Trace ID:").next().unwrap_or_default();
        let refused = answer.refusal(&error, words);
        let by_clock = matches!(self.proof, Proof::Certificate(_)) && words.starts_with(NOT_IN_FORCE);
        if by_clock || refused.kind == PutErrorKind::Clock {
            return clock::wrong(refused, answer.ahead);
        }
        let away = ["temporarily_unavailable", "server_error"].contains(&error.as_str());
        let own = match &self.proof {
            Proof::Secret(_) | Proof::Certificate(_) => false,
            Proof::Federated { in_customers_tenant, .. } => {
                let tenants = TENANTS_CODES.iter().any(|code| words.starts_with(code));
                refused.kind != PutErrorKind::Throttled && !(*in_customers_tenant && tenants)
            }
        };
        // The worker's own identity is nothing that a customer could fix.
        if away || own { PutError { kind: PutErrorKind::Unreachable, ..refused } } else { refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_microsofts_own_login_services() {
        for (cloud, host) in [
            (AzureCloud::Public, "login.microsoftonline.com"),
            (AzureCloud::UsGovernment, "login.microsoftonline.us"),
            (AzureCloud::China, "login.partner.microsoftonline.cn"),
        ] {
            assert_eq!(endpoint(None, cloud, "acme"), format!("https://{host}/acme/oauth2/v2.0/token"));
        }
        let operators = Url::parse("http://127.0.0.1:8080").expect("url");
        assert_eq!(
            endpoint(Some(&operators), AzureCloud::China, "acme"),
            "http://127.0.0.1:8080/acme/oauth2/v2.0/token"
        );
    }
}
