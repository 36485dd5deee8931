//! Objects: sealed, attempted, delivered.

use crate::support::by;
use auditferry::ledger::{Account, LedgerError, SealOutcome};
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::bound::{Bound, Cursor};
use auditferry_core::protocol::Hold;

use crate::ledger_contract::bed::{Bed, at, failure, id, object, receipt, window};

fn other_content(facts: &SealedFacts) -> SealedFacts {
    SealedFacts {
        content_sha256: "cc".repeat(32),
        object_sha256: "dd".repeat(32),
        records: 4,
        ..facts.clone()
    }
}

pub(crate) async fn an_object_may_change_until_it_is_attempted(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let other = SealedFacts { cursor: Some(Cursor("99".into())), last: false, ..other_content(&facts) };
    bed.seal(&lease, 1, &other).await;
    let attempt = bed.journal(&lease, &other).await;
    let last = bed.ledger.commit(&lease, receipt(attempt).await, at("04:03")).await.unwrap();
    assert!(!last, "what was sealed last counts");
    assert_eq!(bed.open(&id("acme")).await.cursor, other.cursor);
}

pub(crate) async fn an_attempted_object_must_come_out_the_same(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("throttled", false)).await.unwrap();
    let outcome = bed.ledger.seal(&lease, 1, &other_content(&facts), at("04:05")).await.unwrap();
    assert_eq!(outcome, SealOutcome::Differs);
    // The same content in another zip is the same object.
    let zipped = SealedFacts { object_sha256: "ee".repeat(32), object_bytes: 201, ..facts };
    bed.seal(&lease, 1, &zipped).await;
    let filter = auditferry::ledger::DeliveryFilter { limit: 10, ..Default::default() };
    let row = bed.ledger.deliveries(&filter).await.unwrap().remove(0);
    assert_eq!((row.records, row.content_sha256), (3, zipped.content_sha256));
    assert_eq!((row.object_sha256, row.object_bytes), (zipped.object_sha256, 201));
}

pub(crate) async fn a_delivered_object_is_not_sealed_again(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", false).await;
    bed.deliver(&lease, &facts).await;
    let outcome = bed.ledger.seal(&lease, 1, &facts, at("04:05")).await.unwrap();
    assert_eq!(outcome, SealOutcome::Differs);
    assert_eq!(bed.open(&id("acme")).await.ordinal, 2);
}

pub(crate) async fn attempts_count_up(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", false).await;
    for number in 1..=3 {
        let attempt = bed.journal(&lease, &facts).await;
        assert_eq!((attempt.window, attempt.ordinal, attempt.number), (1, 1, number));
        bed.ledger.fail(&lease, &attempt, &failure("throttled", false)).await.unwrap();
    }
    bed.deliver(&lease, &facts).await;
    let second = object("acme", 2, true);
    bed.seal(&lease, 1, &second).await;
    let attempt = bed.journal(&lease, &second).await;
    assert_eq!((attempt.ordinal, attempt.number), (2, 1));
}

pub(crate) async fn an_object_must_be_sealed_before_it_is_attempted(bed: Bed) {
    let lease = bed.planned("acme").await;
    let facts = object("acme", 1, true);
    bed.ledger.journal(&lease, 1, &facts, "ana", at("04:02")).await.unwrap_err();
    assert_eq!(bed.ledger.attempts(&id("acme"), facts.key.as_str()).await.unwrap(), []);
}

/// Disabled, held or without a destination, nothing starts; what was in flight still counts.
pub(crate) async fn no_attempt_begins_once_nothing_may_start(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let in_flight = bed.journal(&lease, &facts).await;
    let changes: [fn(&mut Account); 3] = [
        |account| account.addon.enabled = false,
        |account| account.held = Some(Hold::ContentChanged),
        |account| account.destination_version = None,
    ];
    for change in changes {
        let mut edit = |account: &mut Account| {
            (account.addon.enabled, account.held, account.destination_version) = (true, None, Some(1));
            change(account);
            Ok(())
        };
        bed.ledger.edit_account(&by(), &id("acme"), &mut edit).await.unwrap();
        let error = bed.ledger.journal(&lease, 1, &facts, "ana", at("04:05")).await.unwrap_err();
        assert!(matches!(error, LedgerError::Changed(_)), "{error}");
        assert_eq!(bed.ledger.attempts(&id("acme"), facts.key.as_str()).await.unwrap().len(), 1);
    }
    assert!(bed.ledger.commit(&lease, receipt(in_flight).await, at("04:06")).await.unwrap());
}

pub(crate) async fn an_unfinished_attempt_leaves_doubt(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    assert!(!bed.open(&id("acme")).await.doubtful);
    assert!(!bed.journal(&lease, &facts).await.doubtful);
    assert!(bed.open(&id("acme")).await.doubtful);
    assert!(bed.journal(&lease, &facts).await.doubtful, "nobody knows what became of the first");
}

pub(crate) async fn an_unknown_failure_leaves_doubt(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let first = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &first, &failure("unknown", true)).await.unwrap();
    assert!(bed.open(&id("acme")).await.doubtful);
    assert!(bed.journal(&lease, &facts).await.doubtful);
}

pub(crate) async fn a_definite_refusal_leaves_no_doubt(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    for _ in 0..2 {
        let attempt = bed.journal(&lease, &facts).await;
        assert!(!attempt.doubtful);
        bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
        assert!(!bed.open(&id("acme")).await.doubtful);
    }
}

pub(crate) async fn doubt_outlives_a_later_refusal(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let first = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &first, &failure("unknown", true)).await.unwrap();
    let second = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &second, &failure("denied", false)).await.unwrap();
    assert!(bed.journal(&lease, &facts).await.doubtful);
}

pub(crate) async fn the_watermark_moves_with_the_last_object_only(bed: Bed) {
    let (lease, first) = bed.sealed("acme", false).await;
    let before = bed.account("acme").await;
    assert!(!bed.deliver(&lease, &first).await);
    let before = Account { served_at: Some(at("04:03")), ..before };
    assert_eq!(bed.account("acme").await, before);
    let second = object("acme", 2, true);
    bed.seal(&lease, 1, &second).await;
    assert_eq!(bed.account("acme").await, before);
    assert!(bed.deliver(&lease, &second).await);
    let after = bed.account("acme").await;
    assert_eq!((after.watermark.bound, after.watermark.at), (Bound("20".into()), at("04:00")));
    assert_eq!(after.open_window, None);
    assert!(bed.ledger.open_window(&id("acme")).await.unwrap().is_none());
}

pub(crate) async fn a_later_object_begins_where_the_delivered_one_ended(bed: Bed) {
    let (lease, first) = bed.sealed("acme", false).await;
    bed.deliver(&lease, &first).await;
    let open = bed.open(&id("acme")).await;
    assert_eq!((open.ordinal, &open.cursor, open.exhausted, open.doubtful), (2, &first.cursor, false, false));
    // Sealed and attempted, it is still the one in delivery.
    let second = object("acme", 2, true);
    bed.seal(&lease, 1, &second).await;
    bed.journal(&lease, &second).await;
    let open = bed.open(&id("acme")).await;
    assert_eq!((open.ordinal, &open.cursor, open.exhausted, open.doubtful), (2, &first.cursor, false, true));
}

pub(crate) async fn a_receipt_counts_once(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    let (one, two) = (receipt(attempt.clone()).await, receipt(attempt).await);
    assert!(bed.ledger.commit(&lease, one, at("04:03")).await.unwrap());
    let before = bed.account("acme").await;
    bed.ledger.commit(&lease, two, at("04:04")).await.unwrap_err();
    assert_eq!(bed.account("acme").await, before);
}

pub(crate) async fn success_clears_the_trouble(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("throttled", false)).await.unwrap();
    let troubled = bed.account("acme").await;
    assert_eq!((troubled.failures, troubled.retry_at), (1, Some(at("04:10"))));
    assert_eq!(troubled.trouble.map(|trouble| trouble.kind.to_string()).as_deref(), Some("throttled"));
    bed.deliver(&lease, &facts).await;
    let account = bed.account("acme").await;
    assert_eq!((account.failures, account.retry_at, account.trouble), (0, None, None));
    bed.ledger.plan(&lease, &window("08:00", "30")).await.unwrap();
}
