//! Credentials that are exchanged for a token first: how often, and what a refusal says.

use std::time::Duration;

use auditferry::destinations::remedy::remedy;
use auditferry_core::model::destination::{AzureCredentials, Destination, Place};
use auditferry_core::store::PutErrorKind;

use super::{PATIENCE, created, object, open};
use crate::store_contract::subjects::{as_account, by_application, by_certificate, by_machine};
use crate::support::gcs_server::{GcsServer, known_key};
use crate::support::{azure_machine, entra_server, google_tokens, run};

/// An application's destination, after a change.
fn changed(change: impl FnOnce(&mut auditferry_core::model::destination::EntraSecret)) -> Destination {
    let mut destination =
        by_application(&entra_server::endpoint(), "acme", entra_server::CLIENT, entra_server::SECRET);
    if let Place::Azure(azure) = &mut destination.place
        && let AzureCredentials::EntraSecret(by) = &mut azure.credentials
    {
        change(by);
    }
    destination
}

/// What a put says, and the fix that is shown for it.
async fn refused(destination: &Destination) -> (PutErrorKind, String, String) {
    let error = super::refused(destination, PATIENCE).await;
    assert!(!error.message.contains("Trace ID"), "{error}");
    let fix = remedy(error.kind, &error.message, destination);
    (error.kind, error.message, fix)
}

#[test]
fn entras_refusals_are_told_in_its_words_with_the_fix() {
    run(async {
        entra_server::entra();
        let secret = |value: &str| {
            let reference = crate::support::secret(value);
            changed(|by| by.secret = reference)
        };
        let cases = [
            (
                changed(|by| by.client_id = "77777777-0".into()),
                "AADSTS700016",
                "has no application `77777777-0`",
            ),
            (secret("mistyped"), "AADSTS7000215", "give the secret's Value, not its Secret ID"),
            (secret(entra_server::EXPIRED_SECRET), "AADSTS7000222", "has expired: make another"),
            (
                changed(|by| by.tenant_id = "nobody.example".into()),
                "AADSTS90002",
                "There is no tenant `nobody.example`",
            ),
            (by_certificate("acme", entra_server::UNKNOWN_CERTIFICATE), "AADSTS700027", "--cert @cert.pem"),
        ];
        for (destination, code, fix) in cases {
            let (kind, message, shown) = refused(&destination).await;
            assert_eq!(kind, PutErrorKind::InvalidCredentials, "{message}");
            assert!(message.starts_with("no token: HTTP 40") && message.contains(code), "{message}");
            assert!(shown.contains(fix), "{code}: {shown}");
        }
    });
}

#[test]
fn a_missing_role_is_named() {
    run(async {
        let container = crate::store_contract::subjects::container().await;
        let without = by_application(
            &entra_server::endpoint(),
            &container,
            entra_server::CLIENT_WITHOUT_ROLE,
            entra_server::SECRET,
        );
        let (kind, message, fix) = refused(&without).await;
        assert_eq!(kind, PutErrorKind::Denied, "{message}");
        assert!(message.contains("AuthorizationPermissionMismatch"), "{message}");
        assert!(fix.contains("Storage Blob Data Contributor"), "{fix}");
    });
}

/// A login service that is away says nothing of the object: it was not put.
#[test]
fn without_a_token_nothing_is_in_doubt() {
    run(async {
        use auditferry_core::protocol::PutAnswer;
        let nobody = format!("http://{}", crate::support::child::free_address());
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for url in [nobody, format!("http://{}", silent.local_addr().unwrap())] {
            let services = auditferry::settings::TokenServices { entra_url: url.try_into().unwrap() };
            let dialer = crate::support::dialer(Duration::from_secs(1)).with_services(services);
            let opened = auditferry::secrets::Opened::default();
            let destination = changed(|_| ());
            let store = auditferry::store::open(&destination, &opened, false, &dialer).await;
            let store = store.unwrap_or_else(|error| panic!("{error}"));
            let error = store.put(&object("audit/x", b"x")).await.expect_err("no token");
            assert_eq!(
                (error.kind, error.kind.answer()),
                (PutErrorKind::Unreachable, PutAnswer::Refused),
                "{error}"
            );
            let fix = remedy(error.kind, &error.message, &destination);
            assert!(fix.contains("login.microsoftonline.com"), "{fix}");
        }
    });
}

/// One application of its own, so that nobody else asks for its tokens meanwhile.
#[test]
fn many_puts_need_one_token_and_a_revoked_one_is_named() {
    run(async {
        let container = crate::store_contract::subjects::container().await;
        let place = by_application(
            &entra_server::endpoint(),
            &container,
            entra_server::COUNTED_CLIENT,
            entra_server::SECRET,
        );
        let store = open(&place, PATIENCE).await;
        let puts = (0..10).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { created(&*store, &object(&format!("audit/{number}"), b"x")).await })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.expect("put");
        }
        assert_eq!(entra_server::asked(entra_server::COUNTED_CLIENT), 1);
        entra_server::revoke(entra_server::COUNTED_CLIENT);
        let error = store.put(&object("audit/revoked", b"x")).await.expect_err("revoked");
        assert_eq!(error.kind, PutErrorKind::InvalidCredentials, "{error}");
        created(&*open(&place, PATIENCE).await, &object("audit/revoked", b"x")).await;
    });
}

#[test]
fn a_machine_that_gives_no_token_is_the_operators_to_mend() {
    run(async {
        let container = crate::store_contract::subjects::container().await;
        let machine = |client: &str| by_machine(&entra_server::endpoint(), &container, Some(client));
        entra_server::entra();
        let (kind, message, fix) = refused(&machine("not-assigned")).await;
        assert_eq!(
            (kind, message.contains("Identity not found")),
            (PutErrorKind::Unreachable, true),
            "{message}"
        );
        assert!(fix.contains("For those who run the worker") && fix.contains("`not-assigned`"), "{fix}");
        let (kind, message, fix) = refused(&machine(entra_server::CLIENT_WITHOUT_ROLE)).await;
        assert_eq!(kind, PutErrorKind::Denied, "{message}");
        assert!(fix.contains("The worker's managed identity may not create blobs"), "{fix}");
    });
}

/// Many destinations, each with a store of its own, have one identity.
#[test]
fn the_workers_own_token_is_shared_until_a_store_refuses_it() {
    run(async {
        let container = crate::store_contract::subjects::container().await;
        let place = by_machine(&entra_server::endpoint(), &container, Some(azure_machine::ASSIGNED));
        let dialer = crate::support::dialer(PATIENCE);
        let opened = auditferry::secrets::Opened::default();
        let store = async || auditferry::store::open(&place, &opened, true, &dialer).await.expect("opens");
        let before = entra_server::asked(azure_machine::ASSIGNED);
        let (first, second) = (store().await, store().await);
        created(&*first, &object("audit/first", b"x")).await;
        created(&*second, &object("audit/second", b"x")).await;
        assert_eq!(entra_server::asked(azure_machine::ASSIGNED) - before, 1);
        entra_server::revoke(azure_machine::ASSIGNED);
        let error = first.put(&object("audit/third", b"x")).await.expect_err("revoked");
        assert_eq!(error.kind, PutErrorKind::InvalidCredentials, "{error}");
        created(&*second, &object("audit/third", b"x")).await;
    });
}

#[test]
fn a_service_account_that_does_not_trust_the_worker_is_told_from_one_without_a_role() {
    run(async {
        let server = GcsServer::start().await;
        let account = |email: &str| as_account(server.bucket("acme", &known_key()), email);
        let (kind, message, fix) = refused(&account(google_tokens::CLOSED)).await;
        assert_eq!(kind, PutErrorKind::InvalidCredentials, "{message}");
        assert!(message.starts_with("no token: HTTP 403 PERMISSION_DENIED: Permission"), "{message}");
        assert!(fix.contains("roles/iam.serviceAccountTokenCreator"), "{fix}");
        let (kind, message, fix) = refused(&account(google_tokens::READER)).await;
        assert_eq!(kind, PutErrorKind::Denied, "{message}");
        assert!(
            fix.contains("may not `storage.objects.create`") && fix.contains(google_tokens::READER),
            "{fix}"
        );
    });
}

/// A service account of this test's own, so that nobody else asks for its tokens meanwhile.
#[test]
fn an_impersonation_asks_once_and_again_after_a_refusal() {
    run(async {
        let server = GcsServer::start().await;
        let place = as_account(server.bucket("acme", &known_key()), google_tokens::COUNTED);
        let store = open(&place, PATIENCE).await;
        for key in ["audit/1", "audit/2"] {
            created(&*store, &object(key, b"x")).await;
        }
        assert_eq!(google_tokens::asked(google_tokens::COUNTED), 1);
        google_tokens::revoke(google_tokens::COUNTED);
        let error = store.put(&object("audit/3", b"x")).await.expect_err("revoked");
        assert_eq!(error.kind, PutErrorKind::InvalidCredentials, "{error}");
        created(&*store, &object("audit/3", b"x")).await;
        assert_eq!(google_tokens::asked(google_tokens::COUNTED), 2);
    });
}

/// Google's client asks for a token itself: what ours says must not get lost in it.
#[test]
fn without_a_token_at_google_nothing_is_in_doubt() {
    run(async {
        use auditferry_core::protocol::PutAnswer;
        let server = GcsServer::start().await;
        let place = as_account(server.bucket("acme", &known_key()), google_tokens::WRITER);
        let nobody = format!("http://{}", crate::support::child::free_address());
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for url in [nobody, format!("http://{}", silent.local_addr().unwrap())] {
            let mut own = crate::support::worker_identity();
            own.google.metadata_url = url.try_into().unwrap();
            let dialer = crate::support::dialer(Duration::from_secs(1)).with_worker_identity(own).unwrap();
            let opened = auditferry::secrets::Opened::default();
            let store = auditferry::store::open(&place, &opened, true, &dialer).await.expect("opens");
            let error = store.put(&object("audit/x", b"x")).await.expect_err("no token");
            let answer = (error.kind, error.kind.answer());
            assert_eq!(answer, (PutErrorKind::Unreachable, PutAnswer::Refused), "{error}");
            let fix = remedy(error.kind, &error.message, &place);
            assert!(fix.starts_with("For those who run the worker: there is no token"), "{error}: {fix}");
        }
    });
}
