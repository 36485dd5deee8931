//! The fence: only the newest lease can write.

use crate::support::by;
use std::time::Duration;

use auditferry::ledger::{DeliveryFilter, Lease, LedgerError, Result};
use auditferry_core::protocol::{Attempt, Hold};

use crate::ledger_contract::bed::{
    Bed, LONG, at, bucket, failure, id, object, receipt, trouble, wait, window,
};
use crate::support::eventually;

/// Everything that a worker writes, in the name of a lease, on a window with a
/// journalled attempt. The result of each.
async fn everything(bed: &Bed, lease: &Lease, attempt: &Attempt) -> Vec<(&'static str, Result<()>)> {
    let (ledger, facts) = (&bed.ledger, object("acme", 1, true));
    vec![
        ("plan", ledger.plan(lease, &window("08:00", "30")).await),
        ("seal", ledger.seal(lease, 1, &facts, at("05:00")).await.map(drop)),
        ("journal", ledger.journal(lease, 1, &facts, "ana", at("05:00")).await.map(drop)),
        ("fail", ledger.fail(lease, attempt, &failure("denied", false)).await.map(drop)),
        ("commit", ledger.commit(lease, receipt(attempt.clone()).await, at("05:00")).await.map(drop)),
        ("close", ledger.close(lease, 1, at("05:00")).await),
        ("repoint", ledger.repoint(lease, 1).await),
        ("hold", ledger.hold(lease, Hold::ForeignObject, trouble("foreign_object")).await),
        ("set_next_slot", ledger.set_next_slot(lease, None).await),
        ("postpone", ledger.postpone(lease, wait("x", "20:00")).await.map(drop)),
        ("end_suspension", ledger.end_suspension(lease).await),
    ]
}

/// All that the ledger holds of the account.
async fn picture(bed: &Bed) -> String {
    let filter = DeliveryFilter { limit: 10, ..DeliveryFilter::default() };
    let deliveries = bed.ledger.deliveries(&filter).await.unwrap();
    let attempts = bed.ledger.attempts(&id("acme"), object("acme", 1, true).key.as_str()).await.unwrap();
    let open = bed.ledger.open_window(&id("acme")).await.unwrap();
    format!("{:?} {open:?} {deliveries:?} {attempts:?}", bed.account("acme").await)
}

async fn assert_fenced(bed: &Bed, stale: &Lease, attempt: &Attempt) {
    // Another destination, so that repointing would show.
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    let before = picture(bed).await;
    for (step, result) in everything(bed, stale, attempt).await {
        assert!(matches!(result, Err(LedgerError::LeaseLost(_))), "{step}: {result:?}");
        assert_eq!(picture(bed).await, before, "{step}");
    }
}

pub(crate) async fn a_worker_that_lost_its_lease_can_change_nothing(bed: Bed) {
    bed.ready("acme").await;
    let stale = bed.take_for(Duration::ZERO).await;
    bed.ledger.plan(&stale, &window("04:00", "20")).await.unwrap();
    let facts = object("acme", 1, true);
    bed.seal(&stale, 1, &facts).await;
    let attempt = bed.journal(&stale, &facts).await;
    let newer = eventually("the lease", async || {
        bed.ledger.claim("bo", at("04:00"), LONG, 1, &[]).await.unwrap().pop()
    })
    .await;
    assert_fenced(&bed, &stale, &attempt).await;
    // The new owner finds what it needs, and goes on.
    let attempt = bed.journal(&newer.lease, &facts).await;
    assert_eq!((attempt.number, attempt.doubtful), (2, true));
    assert!(bed.ledger.commit(&newer.lease, receipt(attempt).await, at("05:00")).await.unwrap());
}

pub(crate) async fn a_worker_that_gave_its_lease_back_can_change_nothing(bed: Bed) {
    let (stale, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&stale, &facts).await;
    bed.ledger.release(&stale).await.unwrap();
    assert_fenced(&bed, &stale, &attempt).await;
}

/// Safety rests on the epoch, not on clocks: an expired lease that nobody took still works.
pub(crate) async fn a_lease_works_until_it_is_taken(bed: Bed) {
    bed.ready("acme").await;
    let lease = bed.take_for(Duration::ZERO).await;
    bed.ledger.plan(&lease, &window("04:00", "20")).await.unwrap();
    let facts = object("acme", 1, true);
    bed.seal(&lease, 1, &facts).await;
    assert!(bed.deliver(&lease, &facts).await);
}
