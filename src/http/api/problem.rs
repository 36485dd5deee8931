//! Errors of the API: problem documents of RFC 9457, with a stable code, the field and the fix.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::operations::admin::AdminError;
use crate::operations::destinations::PlaceError;
use crate::operations::probes::ProbeResult;
use auditferry_core::model::job::JobProblem;
use auditferry_core::model::oidc::NoRole;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// How soon a request may come again that met a database which is away, in seconds.
const RETRY_SECONDS: &str = "5";

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct ProblemBody {
    /// A URI for the kind of problem: `urn:auditferry:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs; the reference lists all of them.
    pub code: String,
    /// What is wrong, for a person.
    pub detail: String,
    /// The field with the wrong value, if it is one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Of a destination that does not accept objects: what was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeResult>,
    /// Of a wrong proof of a destination: how many more may be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u32>,
}

/// The code of a token of a provider without a role.
const NO_ROLE: &str = "no_role";

/// Why a request was not answered as it wished.
#[derive(Debug, Clone)]
pub(in crate::http) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    fix: Option<String>,
    more: Box<More>,
}

/// What only some problems have.
#[derive(Debug, Clone, Default)]
struct More {
    probe: Option<ProbeResult>,
    tries_left: Option<u32>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident $status:ident $code:literal $detail:literal $fix:expr;)+) => {
        impl Problem {
            $($(#[$doc])+ pub(in crate::http) fn $name() -> Self {
                let fix: Option<&str> = $fix;
                Self { fix: fix.map(str::to_owned), ..Self::new(StatusCode::$status, $code, $detail) }
            })+

            /// The codes that the API has besides those of the operations.
            const OWN: &[(&'static str, u16, &'static str)] =
                &[$(($code, StatusCode::$status.as_u16(), $detail),)+];
        }
    };
}

kinds! {
    /// No token, or one that opens nothing: which of the two is not told.
    unauthorized UNAUTHORIZED "unauthorized" "the request has no token, or one that opens nothing"
        Some("send `Authorization: Bearer TOKEN` with a token that has neither expired nor been revoked");
    /// The token's role does not allow it.
    forbidden FORBIDDEN "forbidden" "the role of this token does not allow this request"
        Some("use a token with another role");
    /// The provider's keys are not known.
    provider_away SERVICE_UNAVAILABLE "provider_away"
        "the token cannot be checked: the OIDC provider does not answer as it should"
        Some("repeat the request; if it stays so, tell the operator");
    /// No session.
    not_signed_in UNAUTHORIZED "not_signed_in" "nobody is signed in here, or not any more" Some("sign in");
    /// A log-in that is not known.
    unknown_sign_in BAD_REQUEST "unknown_sign_in"
        "this answer belongs to no log-in of this browser, or to one that is over"
        Some("begin again where you wanted to go, and end the log-in within ten minutes");
    /// The provider lets nobody in.
    sign_in_refused FORBIDDEN "sign_in_refused" "the log-in has come to nothing"
        Some("begin again; if it stays so, tell the operator, whose log has the cause");
    /// A change that no page of ours has sent.
    cross_site FORBIDDEN "cross_site" "the request does not come from a page of this service"
        Some("send it from there, with its token against forged requests");
    /// The log-in cannot go on now.
    sign_in_away SERVICE_UNAVAILABLE "sign_in_away"
        "the OIDC provider does not answer as it should"
        Some("begin again in a moment; if it stays so, tell the operator");
    /// There is nothing here for this caller.
    not_found NOT_FOUND "not_found" "there is nothing here" Some("see /api/v1/openapi.json for all paths");
    /// Another method.
    method_not_allowed METHOD_NOT_ALLOWED "method_not_allowed" "this resource does not have this method"
        Some("see the header Allow, or /api/v1/openapi.json");
    /// A change without `If-Match`.
    precondition_required PRECONDITION_REQUIRED "precondition_required"
        "this change needs the header If-Match, so that it undoes nobody else's"
        Some("read the resource, and send the ETag that came with it as If-Match");
    /// The resource is not there, or not in that state.
    precondition_failed PRECONDITION_FAILED "stale"
        "the resource is not as the request has seen it"
        Some("read it again, decide anew, and send the new ETag as If-Match");
    /// Too many requests.
    too_many_requests TOO_MANY_REQUESTS "too_many_requests" "too many requests have come at once"
        Some("wait for as many seconds as the header Retry-After says");
    /// As many jobs run as can.
    busy SERVICE_UNAVAILABLE "busy" "as many jobs run here as can"
        Some("ask again after as many seconds as the header Retry-After says");
    /// Too much in the body.
    body_too_large PAYLOAD_TOO_LARGE "body_too_large" "the body has more than 65536 bytes" None;
    /// The body did not come to its end.
    body_incomplete BAD_REQUEST "body_incomplete" "the body did not come to its end"
        Some("send all of it, within 60 seconds");
    /// The body is no JSON by its header.
    not_json UNSUPPORTED_MEDIA_TYPE "not_json" "the body is not declared as JSON"
        Some("send `Content-Type: application/json`");
    /// The body is no form by its header.
    not_a_form UNSUPPORTED_MEDIA_TYPE "not_a_form" "the body is not declared as a form"
        Some("send `Content-Type: application/x-www-form-urlencoded`");
    /// It took too long.
    timed_out GATEWAY_TIMEOUT "timed_out" "the request was not done in time"
        Some("repeat it; a write with its Idempotency-Key is made once");
    /// The key came with another request.
    key_reused UNPROCESSABLE_ENTITY "idempotency_key_reused"
        "this Idempotency-Key has come with another request before"
        Some("use a new key for a new request");
    /// The same request is being made.
    key_running CONFLICT "idempotency_key_running"
        "the request with this Idempotency-Key is being carried out"
        Some("repeat it in some seconds");
    /// The key has no form.
    bad_key BAD_REQUEST "invalid_idempotency_key"
        "the Idempotency-Key is empty, longer than 255 characters, or not printable ASCII"
        Some("use a random UUID");
    /// The token of a destination is another one.
    other_proof UNPROCESSABLE_ENTITY "wrong_proof" "the token of the destination is another one"
        Some("give the one that stands after `token:` in the object that was written there");
    /// The token of a destination came too late.
    late_proof UNPROCESSABLE_ENTITY "late_proof" "the token of the destination has expired"
        Some("set the destination again, which writes another token");
    /// Nobody has to prove anything.
    no_proof_awaited CONFLICT "no_proof_awaited" "no destination of the account waits for the proof of its owner"
        Some("set a destination where the worker's own identity is used, and a token is written there");
    /// Something of ours.
    internal INTERNAL_SERVER_ERROR "internal" "an error of auditferry; its log has the cause" None;
}

impl Problem {
    pub(in crate::http) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, fix: None, more: Box::default() }
    }

    /// Somebody who is known, and may do nothing.
    pub(in crate::http) fn no_role(why: &NoRole) -> Self {
        Self::new(StatusCode::FORBIDDEN, NO_ROLE, why.to_string()).fix(
            "let the administrator of the provider give you a group or role that is mapped in api.oidc.roles",
        )
    }

    /// A body that was not read to its end.
    pub(in crate::http) fn unread(error: &axum::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<http_body_util::LengthLimitError>() {
                return Self::body_too_large();
            }
            cause = error.source();
        }
        Self::body_incomplete()
    }

    /// A value of the request that cannot be right.
    pub(in crate::http) fn invalid(field: &str, problem: impl Into<String>) -> Self {
        let code = RefusalCode::InvalidValue.as_str();
        Self { field: Some(field.to_owned()), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, problem) }
    }

    /// A wrong token of a destination, of which so many more may be tried.
    pub(super) fn wrong_proof(left: u32) -> Self {
        let mut problem = Self { field: Some("token".to_owned()), ..Self::other_proof() };
        problem.more.tries_left = Some(left);
        problem
    }

    /// With what was tried of a destination.
    pub(super) fn probed(mut self, probe: Option<ProbeResult>) -> Self {
        self.more.probe = probe;
        self
    }

    /// With what to do about it.
    pub(in crate::http) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    /// The status of its answer.
    pub(in crate::http) fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word.
    pub(in crate::http) fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong.
    pub(in crate::http) fn detail(&self) -> &str {
        &self.detail
    }

    /// The field that is wrong, if it is one.
    pub(in crate::http) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What to do about it.
    pub(in crate::http) fn fix_words(&self) -> Option<&str> {
        self.fix.as_deref()
    }

    /// What is wrong and what to do, in one line.
    pub(in crate::http) fn sentence(&self) -> String {
        match &self.fix {
            Some(fix) => format!("{}: {fix}", self.detail),
            None => self.detail.clone(),
        }
    }

    /// The same, for a job that could not be done.
    pub(super) fn of_job(self) -> JobProblem {
        JobProblem {
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            field: self.field,
            fix: self.fix,
        }
    }

    /// With a header.
    pub(in crate::http) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.more.headers.push((name, value));
        }
        self
    }
}

/// Every code of a problem with its status and meaning, for the reference.
#[must_use]
pub fn codes() -> Vec<(&'static str, u16, &'static str)> {
    let refusals =
        RefusalCode::ALL.iter().map(|code| (code.as_str(), status(*code).as_u16(), code.meaning()));
    let others = [
        (NO_ROLE, 403, "The token is one of the OIDC provider, and no value of its claim gives a role."),
        ("account_exists", 409, "An account of this id is there already."),
        ("slot_taken", 409, "A window of this slot is there already, of before a clock was set right."),
        ("unknown_zone", 422, "The time zone is not known."),
        ("invalid_schedule", 422, "The schedule does not parse."),
        ("invalid_destination", 422, "The destination cannot be right."),
        (
            "ledger_*, source_*, sealing_key, no_random_numbers",
            503,
            "Something that the service needs is away.",
        ),
    ];
    let mut all: Vec<_> = Problem::OWN.iter().copied().chain(refusals).chain(others).collect();
    all.sort_unstable();
    all
}

/// The few words of a code.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let shown = self.clone();
        let body = ProblemBody {
            kind: format!("urn:auditferry:problem:{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            field: self.field,
            fix: self.fix,
            probe: self.more.probe,
            tries_left: self.more.tries_left,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.more.headers {
            headers.insert(name, value);
        }
        response.extensions_mut().insert(Code(self.code));
        // A page shows it in its own way.
        response.extensions_mut().insert(shown);
        response
    }
}

/// The code of a problem, for the metrics.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Code(pub(in crate::http) &'static str);

/// The status of a refusal: 422 when the request can never be right, 409 when it contradicts what there is.
pub(in crate::http) fn status(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::InvalidValue
        | RefusalCode::InvalidAccountId
        | RefusalCode::HasPassed
        | RefusalCode::NeverFires
        | RefusalCode::AmbiguousSchedule
        | RefusalCode::DestinationFails
        | RefusalCode::UnusableDestination
        | RefusalCode::ExportableRecord => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalCode::NoSuchToken
        | RefusalCode::NoSuchSession
        | RefusalCode::NoSuchNotification
        | RefusalCode::NoSuchObject
        | RefusalCode::NoDestination => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = match &refusal.account {
            Some(account) => format!("account {account}: {}", refusal.problem),
            None => refusal.problem,
        };
        Self {
            field: refusal.field.map(str::to_owned),
            fix: refusal.fix,
            ..Self::new(status(refusal.code), refusal.code.as_str(), detail)
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(refusal) => refusal.into(),
            LedgerError::NoAccount(_) => Self::not_found(),
            LedgerError::AccountExists(_) | LedgerError::Changed(_) | LedgerError::SlotTaken(..) => {
                Self::new(StatusCode::CONFLICT, error.code(), error.to_string())
            }
            LedgerError::Stale(_) => Self::precondition_failed(),
            other => unavailable(other.code(), &other.to_string()),
        }
    }
}

/// A database is away, or not as it should be: the operator's log says which and why, and the caller, who may
/// be a customer, does not hear of hosts and statements.
fn unavailable(code: &'static str, error: &str) -> Problem {
    tracing::warn!(code, error, "a request to the API could not be answered");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        code,
        "a database of the service does not answer as it should",
    )
    .fix("repeat the request; if it stays so, tell the operator")
    .header(header::RETRY_AFTER, RETRY_SECONDS)
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let code = error.code();
        match error {
            AdminError::Refused(refusal) => refusal.into(),
            AdminError::Ledger(error) => error.into(),
            AdminError::Zone(error) => Self { code, ..Self::invalid("zone", error.to_string()) },
            AdminError::Schedule(error) => Self { code, ..Self::invalid("schedule", error.to_string()) },
            AdminError::Destination(error) => {
                Self { code, ..Self::invalid("destination", error.to_string()) }
            }
            AdminError::Source(_) | AdminError::Random(_) | AdminError::LedgerRewound(_) => {
                unavailable(code, &error.to_string())
            }
        }
    }
}

impl From<PlaceError> for Problem {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Admin(error) => error.into(),
            PlaceError::Open(error) => {
                let code = RefusalCode::UnusableDestination.as_str();
                // A secret that cannot be read is named by a file or a variable of the worker: the log has it.
                let detail = match &error {
                    crate::store::OpenError::Secret(_) => {
                        tracing::warn!(error = %error, "a destination of the API cannot be opened");
                        "a secret of the destination cannot be read; the operator's log says which".to_owned()
                    }
                    other => other.to_string(),
                };
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
            }
            PlaceError::Key(error) => unavailable("sealing_key", &error.to_string()),
            PlaceError::Fails(failed) => {
                let code = RefusalCode::DestinationFails.as_str();
                let told = failed.1.report.err();
                let detail = told.as_ref().map_or_else(String::new, |failure| failure.message.clone());
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
                match told {
                    Some(failure) => problem.fix(failure.fix),
                    None => problem,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes, to_bytes};

    use super::*;

    #[tokio::test]
    async fn a_body_that_is_too_large_is_told_from_one_that_ends_early() {
        let told = async |body: Body| Problem::unread(&to_bytes(body, 4).await.expect_err("refused")).code;
        assert_eq!(told(Body::from("12345")).await, "body_too_large");
        let part = futures_util::stream::iter([Ok(Bytes::from("12")), Err(std::io::Error::other("gone"))]);
        assert_eq!(told(Body::from_stream(part)).await, "body_incomplete");
    }
}
