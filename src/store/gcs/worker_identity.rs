//! Access tokens of the worker's own Google identity: of its machine or pod on Google Cloud, or from a
//! file that the operator names.
//!
//! Source: "Authenticate workloads to Google Cloud APIs using attached service accounts", and "Workload
//! Identity Federation".

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde_json::Value;

use super::external_account::{ExternalAccount, Services};
use super::service_account;
use crate::base::clock::{Clock, SystemClock};
use crate::secrets::{self, Opened};
use crate::store::token::{Exchange, Token, Tokens, ask};
use crate::store::worker_identity::{WorkerIdentity, WorkerToken};
use crate::store::{Dialer, OpenError};
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::network::well_formed;
use auditferry_core::store::{PutError, PutErrorKind};

/// Where a machine on Google Cloud asks for its tokens.
const METADATA: &str = "http://metadata.google.internal";

/// The host of Google's own service.
const STORAGE: &str = "storage.googleapis.com";

/// What the worker acts as others with.
pub(in crate::store) const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// That an endpoint may see a token of the worker's own.
///
/// # Errors
/// When it is not Google's own, and the operator does not name it.
pub(in crate::store) fn check_endpoint(dialer: &Dialer, endpoint: Option<&str>) -> Result<(), OpenError> {
    match endpoint {
        None => Ok(()),
        Some(text) => {
            dialer.worker_identity.may_see_tokens(&dialer.endpoint(text, "endpoint")?, |host| host == STORAGE)
        }
    }
}

/// Tokens for a scope.
///
/// # Errors
/// When the operator's file cannot be used, or the environment names no metadata server.
pub(in crate::store) fn tokens(dialer: &Dialer, scope: &'static str) -> Result<Arc<Tokens>, OpenError> {
    let WorkerIdentity(own) = &dialer.worker_identity;
    let settings = &own.settings.google;
    let source = match &settings.credentials_file.0 {
        Some(path) => Source::File(SecretRef::File(path.clone())),
        None => {
            let host = std::env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
            Source::Machine(metadata(settings.metadata_url.0.as_ref(), host.as_deref(), scope)?)
        }
    };
    let services = Services::new(settings.sts_url.0.as_ref(), settings.iam_url.0.as_ref());
    if let Source::File(file) = &source {
        // Now, so that whoever sets a destination is told.
        Credentials::read(file, &services)?;
    }
    Ok(dialer.worker_identity.shared(WorkerToken::Google(scope), || {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (inside, http) = (own.http.clone(), dialer.http.clone());
        let worker = Worker { inside, http, clock: Arc::clone(&clock), source, services, scope };
        Tokens::new(worker, clock, dialer.token_patience())
    }))
}

/// Where the machine's tokens for a scope are had. `host`: what the environment says.
fn metadata(operators: Option<&Url>, host: Option<&str>, scope: &str) -> Result<Url, OpenError> {
    let base = match (operators, host) {
        (Some(url), _) => url.to_string(),
        (None, Some(host)) => format!("http://{host}"),
        (None, None) => METADATA.to_owned(),
    };
    let mut url = well_formed(&base).map_err(|error| OpenError::Malformed {
        field: "credentials",
        problem: format!("GCE_METADATA_HOST: {}", error.problem),
        fix: "write it as HOST or HOST:PORT, or unset it where the worker runs",
    })?;
    url.set_path("/computeMetadata/v1/instance/service-accounts/default/token");
    url.query_pairs_mut().append_pair("scopes", scope);
    Ok(url)
}

/// Who the worker is.
enum Source {
    /// The machine's or the pod's service account.
    Machine(Url),
    /// What stands in a file; read each time, so that another one counts.
    File(SecretRef),
}

/// What stands in the operator's file.
enum Credentials {
    /// The key of a service account.
    Key(Value),
    /// An identity of another platform, for which Google gives tokens.
    External(ExternalAccount),
}

impl Credentials {
    fn read(file: &SecretRef, services: &Services) -> Result<Self, OpenError> {
        let text = secrets::resolve(file, &Opened::default());
        let text = text.map_err(|error| unusable(&error.to_string()))?;
        let json: Value = serde_json::from_str(text.expose())
            .map_err(|error| unusable(&format!("it is not JSON (line {})", error.line())))?;
        let problem = match json["type"].as_str() {
            Some("service_account") => match service_account::parse(text.expose()) {
                Ok(key) => return Ok(Self::Key(key)),
                Err(OpenError::Malformed { problem, .. }) => problem,
                Err(other) => return Err(other),
            },
            Some("external_account") => match ExternalAccount::parse(&json, services) {
                Ok(account) => return Ok(Self::External(account)),
                Err(problem) => problem,
            },
            _ => "its type is neither external_account nor service_account".to_owned(),
        };
        Err(unusable(&problem))
    }
}

fn unusable(problem: &str) -> OpenError {
    OpenError::Malformed {
        field: "credentials",
        problem: format!("the worker's own, google.credentials_file, cannot be used: {problem}"),
        fix: "let the operator name there the configuration of a workload identity federation whose token is in a \
              file, or a service account's key, or nothing for the machine's own",
    }
}

struct Worker {
    /// For the metadata server.
    inside: Client,
    /// For Google's public services.
    http: Client,
    clock: Arc<dyn Clock>,
    source: Source,
    services: Services,
    scope: &'static str,
}

#[async_trait]
impl Exchange for Worker {
    async fn exchange(&self) -> Result<Token, PutError> {
        let unreachable =
            |error: OpenError| PutError::new(PutErrorKind::Unreachable, format!("no token: {error}"));
        let file = match &self.source {
            Source::Machine(url) => return self.of_machine(url).await,
            Source::File(file) => file,
        };
        match Credentials::read(file, &self.services).map_err(unreachable)? {
            Credentials::Key(key) => {
                service_account::sign(key, self.scope, self.clock.now()).await.map_err(unreachable)
            }
            Credentials::External(account) => {
                account.token(&self.http, &self.services, self.scope, self.clock.now()).await
            }
        }
    }
}

impl Worker {
    async fn of_machine(&self, url: &Url) -> Result<Token, PutError> {
        // Without this header the server refuses: it tells us from a client that was misled.
        let answer = ask(self.inside.get(url.clone()).header("metadata-flavor", "Google")).await?;
        if answer.status == 200 {
            answer.token(self.clock.now())
        } else {
            Err(answer.own_refusal("", &answer.text()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Proxy;
    use auditferry_core::model::network::Network;

    #[test]
    fn a_token_of_our_own_goes_to_google_only() {
        let dialer = Dialer::new(Network::default(), Duration::from_secs(1), Proxy::None).expect("dialer");
        let may = |endpoint| check_endpoint(&dialer, endpoint).is_ok();
        assert!(may(None) && may(Some("https://storage.googleapis.com")));
        for bad in [
            "http://storage.googleapis.com",
            "https://storage.googleapis.com:8443",
            "https://storage.googleapis.com.evil.example",
            "https://evil.storage.googleapis.com",
            "https://storage.acme.example",
            "http://metadata.google.internal",
        ] {
            assert!(!may(Some(bad)), "{bad}");
        }
    }

    #[test]
    fn a_machine_is_asked_where_its_platform_says() {
        let url = |host| metadata(None, host, "scope").map(|url| url.to_string()).map_err(|e| e.to_string());
        let path = "computeMetadata/v1/instance/service-accounts/default/token?scopes=scope";
        assert_eq!(url(None), Ok(format!("http://metadata.google.internal/{path}")));
        assert_eq!(url(Some("127.0.0.1:8080")), Ok(format!("http://127.0.0.1:8080/{path}")));
        let operators = Url::parse("http://127.0.0.1:9").expect("url");
        let told = metadata(Some(&operators), Some("other"), "scope").expect("url");
        assert_eq!(told.as_str(), format!("http://127.0.0.1:9/{path}"));
        for bad in ["a b", "user@host", "host?x"] {
            assert!(url(Some(bad)).is_err_and(|problem| problem.contains("GCE_METADATA_HOST")), "{bad}");
        }
    }
}
