//! One contract for every store: what `Store::put` promises, whoever keeps the bytes.
//!
//! Objects are read back past our adapters: from the file on disk, from the server's
//! memory, or with a plain HTTP request.

mod answers;
mod ids;
mod objects;
mod subjects;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use auditferry::secrets::Opened;
use auditferry::store;

use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::ObjectKey;
use auditferry_core::store::{Object, PutError, Store};

use bytes::Bytes;

use ids::{
    a_put_has_both_of_amazons_ids, a_put_has_the_stores_ids, a_refusal_has_the_requests_id,
    an_answers_id_is_kept_in_one_short_line,
};

use answers::{
    a_broken_connection_is_unknown_and_not_tried_again, a_missing_bucket_is_named,
    a_server_without_tls_is_unreachable_by_https, a_success_without_proof_is_none, a_wrong_secret_is_denied,
    an_endless_answer_is_cut, an_internal_error_is_unknown_and_not_tried_again,
    an_unknown_host_is_unreachable, nobody_listening_is_unreachable, silence_is_unknown_in_time,
};
use objects::{
    a_part_of_ours_is_read, a_probe_is_removed, a_second_put_finds_the_first, an_empty_object_is_one,
    an_object_arrives_whole, keys_are_kept_as_they_are, more_than_the_dialer_lets_through_is_no_part,
    of_many_at_once_one_creates, what_is_not_there_cannot_be_looked_at, what_was_put_can_be_looked_at,
    who_may_only_create_is_denied_a_look, who_may_only_create_removes_nothing,
};
use subjects::Reader;

/// Longer than any emulator needs; the tests of silence use a shorter one.
const PATIENCE: Duration = Duration::from_secs(30);

const KEY: &str = "audit/acme/audit_acme_20261121T040000Z.zip";

fn object(key: &str, body: &[u8]) -> Object {
    Object {
        key: ObjectKey::stored(key.to_owned()),
        body: Bytes::copy_from_slice(body),
        content_type: "application/zip",
        metadata: vec![
            ("auditferry-sha256", "ab".repeat(32)),
            ("auditferry-records", "7".to_owned()),
            ("auditferry-from", "2026-11-21T00:00:00Z".to_owned()),
        ],
    }
}

/// Bytes that no text encoding leaves alone.
fn binary() -> Vec<u8> {
    (0..200_000_u32).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect()
}

async fn open(destination: &Destination, timeout: Duration) -> Arc<dyn Store> {
    let own = destination.needs_proof();
    store::open(destination, &Opened::default(), own, &crate::support::dialer(timeout))
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

async fn refused(destination: &Destination, timeout: Duration) -> PutError {
    open(destination, timeout).await.put(&object(KEY, b"x")).await.expect_err("a put that cannot succeed")
}

async fn created(store: &dyn Store, object: &Object) {
    store.put(object).await.unwrap_or_else(|error| panic!("{}: {:?} {error}", object.key, error.kind));
}

async fn bytes_of(reader: &dyn Reader, key: &str) -> Bytes {
    reader.read(key).await.unwrap_or_else(|| panic!("nothing under {key}")).body
}

/// A test of each named clause.
macro_rules! contract {
    ($store:ident: $($clause:ident)*) => {
        #[allow(non_snake_case, reason = "named as the store")]
        mod $store {
            $(#[test]
            fn $clause() {
                crate::support::run(super::$clause::<super::subjects::$store>());
            })*
        }
    };
}

// In memory there is nothing to reach and nobody to deny.
contract!(Memory:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
);

contract!(Embedded:
    a_part_of_ours_is_read
    more_than_the_dialer_lets_through_is_no_part
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
    a_put_has_both_of_amazons_ids
);

// moto believes every signature, so it cannot deny a wrong secret; what does not
// reach a server is covered by the other store of the same adapter.
contract!(Moto:
    a_part_of_ours_is_read
    more_than_the_dialer_lets_through_is_no_part
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_missing_bucket_is_named
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
);

contract!(AzuriteKey:
    a_part_of_ours_is_read
    more_than_the_dialer_lets_through_is_no_part
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(AzuriteSas:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    who_may_only_create_is_denied_a_look
    who_may_only_create_removes_nothing
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

// The permission to create is enough. When the object exists, Azure answers a
// signature without `w` with UnauthorizedBlobOverwrite, which the adapter knows, but
// Azurite with the code of any missing permission.
contract!(AzuriteCreateSas:
    an_object_arrives_whole
    an_empty_object_is_one
    keys_are_kept_as_they_are
    who_may_only_create_is_denied_a_look
    who_may_only_create_removes_nothing
);

contract!(AzuriteContainerSas:
    an_object_arrives_whole
    a_second_put_finds_the_first
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    who_may_only_create_is_denied_a_look
    who_may_only_create_removes_nothing
);

contract!(AzureSecret:
    an_object_arrives_whole
    a_second_put_finds_the_first
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    who_may_only_create_is_denied_a_look
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(AzureCertificate:
    an_object_arrives_whole
    a_second_put_finds_the_first
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
);

contract!(AzureMachine:
    an_object_arrives_whole
    a_second_put_finds_the_first
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
);

contract!(Google:
    an_object_arrives_whole
    a_second_put_finds_the_first
    an_empty_object_is_one
    keys_are_kept_as_they_are
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    an_unknown_host_is_unreachable
    a_server_without_tls_is_unreachable_by_https
    silence_is_unknown_in_time
    a_broken_connection_is_unknown_and_not_tried_again
    an_internal_error_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(GoogleImpersonated:
    an_object_arrives_whole
    a_second_put_finds_the_first
    of_many_at_once_one_creates
    a_wrong_secret_is_denied
    a_missing_bucket_is_named
    nobody_listening_is_unreachable
    a_broken_connection_is_unknown_and_not_tried_again
    what_was_put_can_be_looked_at
    a_probe_is_removed
    a_success_without_proof_is_none
    an_endless_answer_is_cut
    a_put_has_the_stores_ids
    a_refusal_has_the_requests_id
    an_answers_id_is_kept_in_one_short_line
);

contract!(GoogleCreateOnly:
    an_empty_object_is_one
    who_may_only_create_removes_nothing
);

// gcp-storage-emulator ignores preconditions and tokens: a second put replaces the
// first there, many at once all create, and no secret is wrong.
contract!(GoogleEmulator:
    a_part_of_ours_is_read
    more_than_the_dialer_lets_through_is_no_part
    an_object_arrives_whole
    an_empty_object_is_one
    keys_are_kept_as_they_are
    a_missing_bucket_is_named
    what_was_put_can_be_looked_at
    what_is_not_there_cannot_be_looked_at
    a_probe_is_removed
    a_put_has_the_stores_ids
);
