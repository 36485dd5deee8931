//! Destinations: one at a time, and windows that keep theirs.

use crate::support::by;
use auditferry::ledger::{ChangeFilter, LedgerError};

use crate::ledger_contract::bed::{Bed, account, bucket, failure, id, object};

pub(crate) async fn an_account_has_one_destination_at_a_time(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    bed.ledger.add_account(&by(), &account("other")).await.unwrap();
    assert_eq!(bed.ledger.destination(&id("acme")).await.unwrap(), None);
    for (version, name) in [(1, "first"), (2, "second"), (3, "first")] {
        assert_eq!(
            bed.ledger.set_destination(&by(), &id("acme"), &bucket(name), &[]).await.unwrap(),
            version
        );
        assert_eq!(bed.ledger.destination(&id("acme")).await.unwrap(), Some(bucket(name)));
        assert_eq!(bed.account("acme").await.destination_version, Some(version));
    }
    assert_eq!(bed.ledger.set_destination(&by(), &id("other"), &bucket("theirs"), &[]).await.unwrap(), 1);
    assert_eq!(bed.ledger.destination(&id("acme")).await.unwrap(), Some(bucket("first")));
}

pub(crate) async fn a_replaced_destination_keeps_the_watermark(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    bed.deliver(&lease, &facts).await;
    let before = bed.account("acme").await;
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    let after = bed.account("acme").await;
    assert_eq!(after.destination_version, Some(2));
    assert_eq!((after.watermark, after.windows), (before.watermark, before.windows));
}

pub(crate) async fn a_new_destination_is_tried_at_once(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    assert!(bed.due("04:09").await.is_empty());
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    assert_eq!(bed.account("acme").await.trouble, None);
    assert_eq!(bed.due("04:09").await, ["acme"]);
}

pub(crate) async fn a_window_goes_to_the_destination_that_it_was_planned_for(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    let open = bed.open(&lease.account).await;
    assert_eq!(open.destination, bucket("first"));
    assert_eq!((open.window.destination_version, open.window.prefix.as_str()), (1, "first/"));
}

pub(crate) async fn repointing_gives_the_window_to_the_newest_destination(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    let before = bed.open(&lease.account).await;

    bed.ledger.repoint(&lease, 1).await.unwrap();

    let after = bed.open(&lease.account).await;
    assert_eq!(after.destination, bucket("second"));
    assert_eq!((after.window.destination_version, after.window.prefix.as_str()), (2, "second/"));
    assert_eq!((after.window.set, after.window.slot), (before.window.set, before.window.slot));
    assert_eq!((after.ordinal, after.doubtful, after.cursor), (1, false, None));
    // Under its new key the object is another one; its attempts still count up.
    let mut moved = object("acme", 1, true);
    moved.key = auditferry_core::model::object_key::ObjectKey::stored("second/audit/acme/1.zip".to_owned());
    moved.content_sha256 = "cc".repeat(32);
    bed.seal(&lease, 1, &moved).await;
    let attempt = bed.journal(&lease, &moved).await;
    assert_eq!((attempt.number, attempt.doubtful), (2, false));
}

pub(crate) async fn new_credentials_for_the_same_bucket_keep_the_doubt(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("unknown", true)).await.unwrap();
    let mut rotated = bucket("first");
    if let auditferry_core::model::destination::Place::S3(s3) = &mut rotated.place {
        s3.credentials = auditferry_core::model::destination::S3Credentials::AccessKey(
            auditferry_core::model::destination::AccessKey {
                id: "AKIANEWER".to_owned(),
                secret: auditferry_core::model::destination::SecretRef::Env("NEWER".to_owned()),
                session_token: None,
            },
        );
    }
    bed.ledger.set_destination(&by(), &id("acme"), &rotated, &[]).await.unwrap();

    bed.ledger.repoint(&lease, 1).await.unwrap();

    let open = bed.open(&lease.account).await;
    assert_eq!((open.destination, open.ordinal, open.doubtful), (rotated, 1, true));
    bed.seal(&lease, 1, &facts).await;
    let attempt = bed.journal(&lease, &facts).await;
    assert!(attempt.doubtful, "the first attempt may have created it, under this very key");
}

pub(crate) async fn repointing_leaves_what_is_delivered(bed: Bed) {
    let (lease, first) = bed.sealed("acme", false).await;
    assert!(!bed.deliver(&lease, &first).await);
    bed.seal(&lease, 1, &object("acme", 2, true)).await;
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();

    bed.ledger.repoint(&lease, 1).await.unwrap();

    let open = bed.open(&lease.account).await;
    assert_eq!((open.ordinal, open.cursor), (2, first.cursor));
    assert_eq!(open.destination, bucket("second"));
    let filter = auditferry::ledger::DeliveryFilter { limit: 10, ..Default::default() };
    let deliveries = bed.ledger.deliveries(&filter).await.unwrap();
    let mut shown: Vec<_> =
        deliveries.iter().map(|row| (row.ordinal, row.state.as_str(), row.key.as_str())).collect();
    shown.sort_unstable();
    let second = object("acme", 2, true).key.as_str().replace("first/", "second/");
    assert_eq!(shown, [(1, "delivered", first.key.as_str()), (2, "sealed", second.as_str())]);
}

/// A put whose answer was lost, a bucket that does not exist, and back.
pub(crate) async fn a_doubt_comes_back_with_its_bucket(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("unknown", true)).await.unwrap();
    for (place, doubtful) in [("second", false), ("third", false), ("second", false), ("first", true)] {
        bed.ledger.set_destination(&by(), &id("acme"), &bucket(place), &[]).await.unwrap();
        bed.ledger.repoint(&lease, 1).await.unwrap();
        let open = bed.open(&lease.account).await;
        assert_eq!((open.destination, open.ordinal, open.doubtful), (bucket(place), 1, doubtful), "{place}");
    }
    bed.seal(&lease, 1, &facts).await;
    assert!(bed.journal(&lease, &facts).await.doubtful, "the first attempt may have created it");
}

/// The same, where an attempt was refused for sure.
pub(crate) async fn a_refusal_leaves_no_doubt_to_come_back(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    for place in ["second", "first"] {
        bed.ledger.set_destination(&by(), &id("acme"), &bucket(place), &[]).await.unwrap();
        bed.ledger.repoint(&lease, 1).await.unwrap();
        assert!(!bed.open(&lease.account).await.doubtful, "{place}");
    }
}

pub(crate) async fn repointing_needs_a_destination(bed: Bed) {
    let lease = bed.planned("acme").await;
    let mut remove = |account: &mut auditferry::ledger::Account| {
        account.destination_version = None;
        Ok(())
    };
    bed.ledger.edit_account(&by(), &id("acme"), &mut remove).await.unwrap();
    assert!(matches!(bed.ledger.repoint(&lease, 1).await, Err(LedgerError::Refused(_))));
    assert_eq!(bed.ledger.destination(&id("acme")).await.unwrap(), None);
    assert_eq!(bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap(), 2);
    bed.ledger.repoint(&lease, 1).await.unwrap();
    assert_eq!(bed.open(&lease.account).await.destination, bucket("second"));
}

pub(crate) async fn a_failure_at_a_replaced_destination_is_no_reason_to_wait(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(bed.account("acme").await.retry_at, None);
    assert_eq!(bed.due("04:02").await, ["acme"]);
}

pub(crate) async fn an_external_id_is_made_once_and_goes_with_its_account(bed: Bed) {
    let acme = id("acme");
    assert!(matches!(bed.ledger.external_id(&acme).await, Err(LedgerError::NoAccount(_))));
    assert!(matches!(bed.ledger.make_external_id(&by(), &acme, "a").await, Err(LedgerError::NoAccount(_))));
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    assert_eq!(bed.ledger.external_id(&acme).await.unwrap(), None);
    assert_eq!(bed.ledger.make_external_id(&by(), &acme, "a").await.unwrap(), "a");
    assert_eq!(bed.ledger.make_external_id(&by(), &acme, "b").await.unwrap(), "a");
    bed.edit("acme", |account| account.zone = "Asia/Kolkata".to_owned()).await;
    assert_eq!(bed.ledger.external_id(&acme).await.unwrap().as_deref(), Some("a"));
    let told = bed.ledger.changes(&ChangeFilter { limit: 10, ..ChangeFilter::default() }).await.unwrap();
    assert_eq!(told.iter().filter(|change| change.action == "external id made").count(), 1);
    bed.ledger.remove_account(&by(), &acme).await.unwrap();
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    assert_eq!(bed.ledger.external_id(&acme).await.unwrap(), None, "another account of the same name");
}
