use super::*;
use azure_core::http::{RawResponse, StatusCode};

fn answer(status: u16, code: &str, body: &str) -> PutError {
    let mut headers = Headers::new();
    headers.insert("retry-after", "9");
    let kind = ErrorKind::HttpResponse {
        status: StatusCode::from(status),
        error_code: Some(code.to_owned()),
        raw_response: Some(Box::new(RawResponse::from_bytes(
            StatusCode::from(status),
            headers,
            body.to_owned(),
        ))),
    };
    put_error(&azure_core::Error::with_message(kind, format!("{status}: {body}")))
}

#[test]
fn answers_keep_code_and_message_and_drop_the_signature() {
    let body = "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code>\
                <Message>Server failed to authenticate the request.\nRequestId:1</Message>\
                <AuthenticationErrorDetail>The MAC signature 'HUSH' is not</AuthenticationErrorDetail></Error>";
    let error = answer(403, "AuthenticationFailed", body);
    assert_eq!(error.kind, PutErrorKind::InvalidCredentials);
    assert_eq!(error.message, "HTTP 403 AuthenticationFailed: Server failed to authenticate the request.");
    assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(9)));
}

#[test]
fn azures_codes_have_their_kinds() {
    let kind = |status, code| answer(status, code, "").kind;
    assert_eq!(kind(409, "BlobAlreadyExists"), PutErrorKind::Exists);
    assert_eq!(kind(412, "ConditionNotMet"), PutErrorKind::Exists);
    assert_eq!(kind(403, "UnauthorizedBlobOverwrite"), PutErrorKind::Exists);
    assert_eq!(kind(404, "ContainerNotFound"), PutErrorKind::NoSuchBucket);
    assert_eq!(kind(409, "ContainerBeingDeleted"), PutErrorKind::Conflict);
    assert_eq!(kind(503, "ServerBusy"), PutErrorKind::Throttled);
    assert_eq!(kind(502, "502"), PutErrorKind::Unavailable);
    assert_eq!(kind(202, "202"), PutErrorKind::Unknown);
    assert_eq!(answer(502, "502", "").message, "HTTP 502");
}

#[test]
fn a_lost_connection_is_unknown_and_shows_no_query() {
    let inner = std::io::Error::other("sending to https://a.example/c/k?sv=1&sig=HUSH failed");
    let lost = put_error(&azure_core::Error::with_error(ErrorKind::Io, inner, "outer"));
    assert_eq!(lost.kind, PutErrorKind::Unknown);
    assert!(!lost.message.contains("HUSH"), "{lost}");
    let inner = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let refused = put_error(&azure_core::Error::with_error(ErrorKind::Connection, inner, "outer"));
    assert_eq!(refused.kind, PutErrorKind::Unreachable);
}

#[test]
fn keys_become_paths_below_the_container() {
    let base = Url::parse("http://127.0.0.1:10000/devstoreaccount1").expect("url");
    let container = below(&base, ["acme"]).expect("below");
    let blob = below(&container, "audit/a.20b/x y.zip".split('/')).expect("below");
    assert_eq!(blob.as_str(), "http://127.0.0.1:10000/devstoreaccount1/acme/audit/a.20b/x%20y.zip");
    let root = below(&Url::parse("https://a.example/").expect("url"), ["acme"]).expect("below");
    assert_eq!(root.as_str(), "https://a.example/acme");
}
