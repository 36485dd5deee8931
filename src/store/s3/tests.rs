use super::*;
use auditferry_core::model::destination::SecretRef;

fn answer(status: u16, code: &str, message: &str, bucket_region: Option<&str>) -> PutError {
    answered(&S3Response {
        status,
        code,
        message,
        retry_after: Some("3"),
        bucket_region,
        region: "us-east-1",
    })
}

#[test]
fn credentials_are_told_from_other_bad_requests() {
    assert_eq!(answer(400, "ExpiredToken", "", None).kind, PutErrorKind::InvalidCredentials);
    assert_eq!(answer(403, "SignatureDoesNotMatch", "", None).kind, PutErrorKind::InvalidCredentials);
    assert_eq!(answer(403, "AccessDenied", "", None).kind, PutErrorKind::Denied);
    assert_eq!(answer(400, "InvalidRequest", "", None).kind, PutErrorKind::Rejected);
}

#[test]
fn a_store_that_keeps_an_object_from_being_replaced_says_that_it_exists() {
    let kind = |status, code, message| answer(status, code, message, None).kind;
    assert_eq!(kind(409, "OperationAborted", "Object already exists."), PutErrorKind::Exists);
    assert_eq!(kind(409, "ObjectUnderRetention", ""), PutErrorKind::Exists);
    assert_eq!(kind(409, "FileAlreadyExists", ""), PutErrorKind::Exists);
    let worm = "Object is WORM protected and cannot be overwritten";
    assert_eq!(kind(400, "InvalidRequest", worm), PutErrorKind::Exists);
    // Another request is under way, or something else is wrong: nothing says that an object is there.
    let busy = "A conflicting conditional operation is currently in progress against this resource.";
    assert_eq!(kind(409, "OperationAborted", busy), PutErrorKind::Conflict);
    assert_eq!(kind(400, "InvalidRequest", "Missing required header: Content-MD5"), PutErrorKind::Rejected);
}

#[test]
fn what_is_no_region_is_not_shown_as_one() {
    let error = answer(301, "PermanentRedirect", "", Some(&"x".repeat(33)));
    assert!(error.message.ends_with("set region to the bucket's own"), "{}", error.message);
}

#[test]
fn a_success_that_tells_of_an_error_leaves_doubt() {
    for code in ["AuthorizationHeaderMalformed", "AccessDenied", "ExpiredToken", "InternalError", ""] {
        assert_eq!(answer(200, code, "", None).kind, PutErrorKind::Unknown, "{code}");
    }
}

#[test]
fn a_wrong_region_names_the_right_one() {
    let by_header = answer(301, "PermanentRedirect", "use another endpoint", Some("eu-central-1"));
    let by_message = answer(
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
        None,
    );
    for error in [by_header, by_message] {
        assert_eq!(error.kind, PutErrorKind::Rejected);
        assert!(error.message.ends_with("set region = \"eu-central-1\""), "{error}");
    }
    let silent = answer(301, "", "", None);
    assert!(silent.message.contains("not in region \"us-east-1\""), "{silent}");
}

#[test]
fn what_may_have_happened_is_unknown_and_what_did_not_is_tried_again() {
    assert_eq!(answer(400, "RequestTimeout", "", None).kind, PutErrorKind::Unknown);
    assert_eq!(answer(200, "", "", None).kind, PutErrorKind::Unknown);
    let moved = answer(307, "TemporaryRedirect", "", None);
    assert_eq!(moved.kind, PutErrorKind::Unreachable);
    assert!(
        moved.kind.answer() == auditferry_core::protocol::PutAnswer::Refused && !moved.kind.needs_customer()
    );
    assert!(moved.message.contains("redirects") && moved.message.contains("DNS is not ready"), "{moved}");
    let named = answer(307, "TemporaryRedirect", "", Some("eu-central-1"));
    assert!(named.message.ends_with("set region = \"eu-central-1\""), "{named}");
    let slow = answer(503, "SlowDown", "", None);
    assert_eq!(
        (slow.kind, slow.retry_after),
        (PutErrorKind::Throttled, Some(std::time::Duration::from_secs(3)))
    );
    for code in ["ThrottlingException", "KMS.ThrottlingException"] {
        assert_eq!(answer(400, code, "", None).kind, PutErrorKind::Throttled, "{code}");
    }
    assert_eq!(answer(409, "ConditionalRequestConflict", "", None).kind, PutErrorKind::Conflict);
    assert_eq!(answer(412, "PreconditionFailed", "", None).kind, PutErrorKind::Exists);
}

#[tokio::test]
async fn a_secret_that_cannot_be_one_is_refused_without_showing_it() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("secret");
    std::fs::write(&path, "aws_secret_access_key = HUSH").expect("write");
    let key = AccessKey { id: "AKIA".into(), secret: SecretRef::File(path), session_token: None };
    let error = access_key(&key, &Opened::default()).expect_err("refused").to_string();
    assert!(error.contains("credentials.access_key.secret") && !error.contains("HUSH"), "{error}");
}
