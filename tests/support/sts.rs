//! AWS STS as far as it is needed: `AssumeRole` with what a trust policy says of the external id,
//! `AssumeRoleWithWebIdentity` and `GetCallerIdentity`. moto gives sessions to anybody. Signatures
//! are not checked, only whose they say that they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use jiff::Timestamp;

/// The worker's own access key, and the one that it gets for its web identity.
pub const WORKER: &str = "AKIAWORKER";
pub const WEB_WORKER: &str = "ASIAWEBWORKER";

/// What the trust policy of a role says of the external id.
#[derive(Debug, Clone)]
pub enum Trust {
    /// `StringEquals`.
    Equals(String),
    /// `StringEqualsIfExists`: none is as good as the right one.
    EqualsIfExists(String),
    /// Nothing.
    Anything,
}

/// A role, and the session that it gives.
#[derive(Debug, Clone)]
pub struct Role {
    pub trust: Trust,
    pub session: (String, String),
    pub lifetime: Duration,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub action: String,
    pub caller: String,
    pub role: String,
    pub external_id: Option<String>,
    pub session_name: String,
    pub seconds: String,
}

/// A running server; clones are the same one.
#[derive(Clone)]
pub struct StsServer {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    roles: Mutex<BTreeMap<String, Role>>,
    calls: Mutex<Vec<Call>>,
    web_token: Mutex<Option<String>>,
}

impl StsServer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
        let server =
            Self { address: listener.local_addr().expect("address"), inner: Arc::new(Inner::default()) };
        let routes = Router::new().route("/", post(answer)).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn role(&self, arn: &str, role: Role) {
        self.inner.roles.lock().unwrap().insert(arn.to_owned(), role);
    }

    /// The token for which a pod gets [`WEB_WORKER`].
    pub fn trust_token(&self, token: &str) {
        *self.inner.web_token.lock().unwrap() = Some(token.to_owned());
    }

    /// What was asked since the last time.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.inner.calls.lock().unwrap())
    }
}

async fn answer(State(server): State<StsServer>, headers: HeaderMap, form: String) -> Response {
    let asked: BTreeMap<String, String> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let field = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let caller = signed.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next());
    let caller = caller.unwrap_or_default().to_owned();
    let (action, role) = (field("Action"), field("RoleArn"));
    let external_id = asked.get("ExternalId").cloned();
    server.inner.calls.lock().unwrap().push(Call {
        action: action.clone(),
        caller: caller.clone(),
        role: role.clone(),
        external_id: external_id.clone(),
        session_name: field("RoleSessionName"),
        seconds: field("DurationSeconds"),
    });
    if action == "AssumeRoleWithWebIdentity" {
        let known = server.inner.web_token.lock().unwrap().clone();
        return match known == Some(field("WebIdentityToken")) {
            true => session(&action, (WEB_WORKER, "web"), Duration::from_secs(3600)),
            false => refuse(400, "InvalidIdentityToken", "No OpenIDConnect provider found"),
        };
    }
    if ![WORKER, WEB_WORKER].contains(&caller.as_str()) {
        return refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    }
    if action == "GetCallerIdentity" {
        let arn = match caller == WORKER {
            true => "arn:aws:iam::111122223333:user/worker",
            false => "arn:aws:sts::111122223333:assumed-role/eks-worker/pod-1",
        };
        return xml(
            StatusCode::OK,
            &action,
            &format!("<Arn>{arn}</Arn><UserId>U</UserId><Account>1</Account>"),
        );
    }
    let found = server.inner.roles.lock().unwrap().get(&role).cloned();
    let let_in = found.filter(|role| match &role.trust {
        Trust::Equals(wanted) => external_id.as_ref() == Some(wanted),
        Trust::EqualsIfExists(wanted) => external_id.is_none() || external_id.as_ref() == Some(wanted),
        Trust::Anything => true,
    });
    match let_in {
        None => refuse(403, "AccessDenied", "User is not authorized to perform: sts:AssumeRole on resource"),
        Some(_) if field("DurationSeconds").parse::<u64>().is_ok_and(|seconds| seconds > 7200) => {
            let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
            refuse(400, "ValidationError", text)
        }
        Some(Role { session: (id, secret), lifetime, .. }) => session(&action, (&id, &secret), lifetime),
    }
}

fn session(action: &str, (id, secret): (&str, &str), lifetime: Duration) -> Response {
    let ends = (Timestamp::now() + lifetime).strftime("%Y-%m-%dT%H:%M:%SZ");
    let body = format!(
        "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>session-token-HUSH</SessionToken><Expiration>{ends}</Expiration></Credentials>"
    );
    xml(StatusCode::OK, action, &body)
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    (StatusCode::from_u16(status).unwrap(), [("content-type", "text/xml")], body).into_response()
}

fn xml(status: StatusCode, action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}\
         </{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
    );
    (status, [("content-type", "text/xml")], body).into_response()
}
