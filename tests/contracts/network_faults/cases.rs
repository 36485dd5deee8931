//! The faults, and what each must come to.

use std::time::Duration;

use auditferry_core::store::PutErrorKind;

use crate::network_faults::buckets::Kind;
use crate::support::fault_proxy::{Canned, Fault};

/// Where a fault is made.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// By the proxy, to the first request.
    Request(Fault),
    /// Nobody listens at first.
    Refused,
    /// The server's certificate is its own.
    SelfSigned,
    /// `https`, and a server without TLS.
    PlainBehindTls,
    /// A host that does not exist.
    Dns,
}

/// One fault.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// What the adapter says; none: the object was created.
    pub(crate) says: Option<PutErrorKind>,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the object is in the store, now or a little later.
    pub(crate) stored: bool,
}

/// How long a put may take in the cases of time.
pub(crate) const PUT_TIMEOUT: Duration = Duration::from_millis(600);
const TOO_LONG: Duration = Duration::from_millis(1_200);
const RETRY_AFTER: Duration = Duration::from_secs(77);

impl Case {
    /// A put may take very long unless its time is the fault.
    pub(crate) fn put_timeout(&self) -> Duration {
        match self.place {
            Place::Request(Fault::Late(_) | Fault::AnswerLate(_)) => PUT_TIMEOUT,
            _ => Duration::from_secs(30),
        }
    }

    /// How many requests the proxy sees of one put.
    pub(crate) fn requests(&self) -> usize {
        usize::from(matches!(self.place, Place::Request(_)))
    }
}

fn case(name: &'static str, place: Place, says: PutErrorKind, stored: bool) -> Case {
    Case { name, place, says: Some(says), retry_after: None, stored }
}

fn request(name: &'static str, fault: Fault, says: PutErrorKind, stored: bool) -> Case {
    case(name, Place::Request(fault), says, stored)
}

/// An answer in the store's own words; the codes are those of S3, Azure and Google.
fn answer(kind: Kind, status: u16, codes: [&str; 3], retry_after: bool) -> Canned {
    let head =
        if retry_after { format!("retry-after: {}\r\n", RETRY_AFTER.as_secs()) } else { String::new() };
    let xml = |code: &str| {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>")
    };
    match kind {
        Kind::Embedded | Kind::Moto => {
            Canned { status, head: format!("content-type: application/xml\r\n{head}"), body: xml(codes[0]) }
        }
        Kind::Azurite => Canned {
            status,
            head: format!("content-type: application/xml\r\nx-ms-error-code: {}\r\n{head}", codes[1]),
            body: xml(codes[1]),
        },
        Kind::Google => Canned {
            status,
            head: format!("content-type: application/json\r\n{head}"),
            body: format!(
                "{{\"error\":{{\"code\":{status},\"message\":\"by the proxy\",\
                 \"errors\":[{{\"reason\":\"{}\",\"message\":\"by the proxy\"}}]}}}}",
                codes[2]
            ),
        },
    }
}

pub(crate) fn forbidden_answer(kind: Kind) -> Canned {
    answer(kind, 403, ["AccessDenied", "AuthorizationPermissionMismatch", "forbidden"], false)
}

fn internal_error_answer(kind: Kind) -> Canned {
    answer(kind, 500, ["InternalError", "InternalError", "backendError"], false)
}

pub(crate) fn refused(_: Kind) -> Case {
    case("connection refused", Place::Refused, PutErrorKind::Unreachable, false)
}

pub(crate) fn dns_failure(_: Kind) -> Case {
    case("DNS failure", Place::Dns, PutErrorKind::Unreachable, false)
}

pub(crate) fn self_signed_certificate(_: Kind) -> Case {
    case("self-signed certificate", Place::SelfSigned, PutErrorKind::Unreachable, false)
}

pub(crate) fn no_tls_behind_https(_: Kind) -> Case {
    case("no TLS behind https", Place::PlainBehindTls, PutErrorKind::Unreachable, false)
}

pub(crate) fn reset_in_the_body(_: Kind) -> Case {
    request("reset in the middle of the body", Fault::ResetInBody, PutErrorKind::Unknown, false)
}

pub(crate) fn answer_lost(_: Kind) -> Case {
    request("answer lost after the store accepted", Fault::AnswerLost, PutErrorKind::Unknown, true)
}

pub(crate) fn answer_cut(_: Kind) -> Case {
    request("answer truncated", Fault::AnswerCut, PutErrorKind::Unknown, true)
}

pub(crate) fn internal_error_after_it_was_stored(kind: Kind) -> Case {
    let fault = Fault::AnswerInstead(internal_error_answer(kind));
    request("500 after the store accepted", fault, PutErrorKind::Unavailable, true)
}

pub(crate) fn answer_after_the_timeout(_: Kind) -> Case {
    request("slow answer, after put.timeout", Fault::AnswerLate(TOO_LONG), PutErrorKind::Unknown, true)
}

pub(crate) fn arrives_after_the_timeout(_: Kind) -> Case {
    request("slow request, lands after put.timeout", Fault::Late(TOO_LONG), PutErrorKind::Unknown, true)
}

pub(crate) fn sent_twice_and_answered_first(_: Kind) -> Case {
    let place = Place::Request(Fault::Twice { second: false });
    Case { name: "duplicate, first answer", place, says: None, retry_after: None, stored: true }
}

pub(crate) fn sent_twice_and_answered_second(_: Kind) -> Case {
    request("duplicate, second answer", Fault::Twice { second: true }, PutErrorKind::Exists, true)
}

pub(crate) fn forbidden(kind: Kind) -> Case {
    request("403", Fault::Answer(forbidden_answer(kind)), PutErrorKind::Denied, false)
}

pub(crate) fn conflict(kind: Kind) -> Case {
    let codes = ["ConditionalRequestConflict", "ContainerBeingDeleted", "conflict"];
    request("409", Fault::Answer(answer(kind, 409, codes, false)), PutErrorKind::Conflict, false)
}

pub(crate) fn precondition_failed(kind: Kind) -> Case {
    let codes = ["PreconditionFailed", "ConditionNotMet", "conditionNotMet"];
    request("412", Fault::Answer(answer(kind, 412, codes, false)), PutErrorKind::Exists, false)
}

/// What a store says that looks at a retention or a lock before the condition.
pub(crate) fn immutable_answer(kind: Kind) -> Canned {
    match kind {
        Kind::Embedded => {
            let text =
                "<Error><Code>OperationAborted</Code><Message>Object already exists.</Message></Error>";
            let head = "content-type: application/xml\r\n".to_owned();
            Canned { status: 409, head, body: text.to_owned() }
        }
        Kind::Google => answer(kind, 403, ["", "", "retentionPolicyNotMet"], false),
        Kind::Moto | Kind::Azurite => {
            answer(kind, 409, ["ObjectUnderRetention", "BlobImmutableDueToPolicy", ""], false)
        }
    }
}

pub(crate) fn immutable(kind: Kind) -> Case {
    request("refused for a retention", Fault::Answer(immutable_answer(kind)), PutErrorKind::Exists, false)
}

pub(crate) fn too_many_requests(kind: Kind) -> Case {
    let codes = ["TooManyRequests", "TooManyRequests", "rateLimitExceeded"];
    let fault = Fault::Answer(answer(kind, 429, codes, true));
    let case = request("429, Retry-After 77", fault, PutErrorKind::Throttled, false);
    Case { retry_after: Some(RETRY_AFTER), ..case }
}

pub(crate) fn slow_down(kind: Kind) -> Case {
    let codes = ["SlowDown", "ServerBusy", "backendError"];
    let fault = Fault::Answer(answer(kind, 503, codes, true));
    // Google has no code that says of a 503 that nothing was done.
    let says = if kind == Kind::Google { PutErrorKind::Unavailable } else { PutErrorKind::Throttled };
    let case = request("503 slow down, Retry-After 77", fault, says, false);
    Case { retry_after: Some(RETRY_AFTER), ..case }
}

pub(crate) fn internal_error(kind: Kind) -> Case {
    request("500", Fault::Answer(internal_error_answer(kind)), PutErrorKind::Unavailable, false)
}

pub(crate) fn unavailable(kind: Kind) -> Case {
    let codes = ["ServiceUnavailable", "", "backendError"];
    request("503", Fault::Answer(answer(kind, 503, codes, false)), PutErrorKind::Unavailable, false)
}

fn page() -> Canned {
    let body = "<!doctype html><title>Sign in to the network</title>".to_owned();
    Canned { status: 200, head: "content-type: text/html\r\n".to_owned(), body }
}

pub(crate) fn page_of_a_portal(_: Kind) -> Case {
    request("200 with a page of a captive portal", Fault::Answer(page()), PutErrorKind::Unknown, false)
}

pub(crate) fn page_after_it_was_stored(_: Kind) -> Case {
    let fault = Fault::AnswerInstead(page());
    request("200 with a page after the store accepted", fault, PutErrorKind::Unknown, true)
}

pub(crate) fn no_content(_: Kind) -> Case {
    let nothing = Canned { status: 204, head: String::new(), body: String::new() };
    request("204 and nothing else", Fault::Answer(nothing), PutErrorKind::Unknown, false)
}
