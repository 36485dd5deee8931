//! What stops an account by a person's word, and by a customer's refusals.

use crate::support::by;
use std::time::Duration;

use auditferry::ledger::{Account, Blame, Failure, Lease, LedgerError, Pause, Wait};
use auditferry_core::protocol::{Attempt, Denied};
use jiff::Timestamp;

use crate::ledger_contract::bed::{Bed, at, bucket, failure, id, object, receipt, trouble};

const AN_HOUR: Blame = Blame::Customer { suspend_after: Duration::from_secs(3600) };

async fn edit(bed: &Bed, change: impl Fn(&mut Account) + Send + Sync) {
    let mut edit = |account: &mut Account| {
        change(account);
        Ok(())
    };
    bed.ledger.edit_account(&by(), &id("acme"), &mut edit).await.unwrap();
}

/// A put that the customer's side refuses at a time.
async fn refuse(bed: &Bed, lease: &Lease, attempt: &Attempt, clock: &str) -> Option<Denied<Timestamp>> {
    let failure = Failure { at: at(clock), blame: AN_HOUR, ..failure("denied", false) };
    bed.ledger.fail(lease, attempt, &failure).await.unwrap()
}

pub(crate) async fn nothing_starts_while_an_account_is_paused(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", false).await;
    let attempt = bed.journal(&lease, &facts).await;
    for reason in [None, Some("a migration".to_owned())] {
        edit(&bed, |account| account.paused = Some(Pause { at: at("04:02"), reason: reason.clone() })).await;
        let stored = bed.account("acme").await.paused;
        assert_eq!(stored, Some(Pause { at: at("04:02"), reason }));
    }
    // What is in flight may finish; nothing begins after it.
    bed.ledger.commit(&lease, receipt(attempt).await, at("04:03")).await.unwrap();
    let second = object("acme", 2, true);
    bed.seal(&lease, 1, &second).await;
    let begun = bed.ledger.journal(&lease, 1, &second, "ana", at("04:04")).await;
    assert!(matches!(begun, Err(LedgerError::Changed(_))), "{begun:?}");
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(bed.due("23:00").await, [""; 0]);
    edit(&bed, |account| account.paused = None).await;
    assert_eq!(bed.due("04:05").await, ["acme"]);
}

pub(crate) async fn an_account_is_suspended_after_refusals_for_long_enough(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    let waiting = Some(Denied { since: at("05:00"), suspended_at: None });
    assert_eq!(refuse(&bed, &lease, &attempt, "05:00").await, waiting);
    // What passes by itself neither counts nor ends it.
    assert_eq!(bed.ledger.fail(&lease, &attempt, &failure("unknown", true)).await.unwrap(), waiting);
    assert_eq!(refuse(&bed, &lease, &attempt, "05:59").await, waiting);
    let suspended = Some(Denied { since: at("05:00"), suspended_at: Some(at("06:00")) });
    assert_eq!(refuse(&bed, &lease, &attempt, "06:00").await, suspended);
    assert_eq!(refuse(&bed, &lease, &attempt, "07:00").await, suspended);
    assert_eq!(bed.account("acme").await.denied, suspended);
    assert_eq!(bed.ledger.gauges(at("07:00")).await.unwrap().states[0].state, "suspended");
    // It is due all the same: for its probe.
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(bed.due("23:00").await, ["acme"]);
}

pub(crate) async fn credentials_that_cannot_be_opened_count_too(bed: Bed) {
    let lease = bed.planned("acme").await;
    let wait = |clock| Wait {
        trouble: auditferry::ledger::Trouble { at: at(clock), ..trouble("misconfigured") },
        retry_at: at("08:00"),
        blame: AN_HOUR,
    };
    for (clock, suspended_at) in [("05:00", None), ("06:00", Some(at("06:00")))] {
        let denied = bed.ledger.postpone(&lease, wait(clock)).await.unwrap();
        assert_eq!(denied, Some(Denied { since: at("05:00"), suspended_at }));
    }
}

pub(crate) async fn refusals_of_a_replaced_destination_do_not_count(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    refuse(&bed, &lease, &attempt, "05:00").await;
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    assert_eq!(bed.account("acme").await.denied, None, "a new destination begins anew");
    assert_eq!(refuse(&bed, &lease, &attempt, "06:00").await, None, "the old one said that");
    let wait = Wait { trouble: trouble("misconfigured"), retry_at: at("08:00"), blame: AN_HOUR };
    let denied = bed.ledger.postpone(&lease, wait).await.unwrap();
    assert_eq!(denied, None, "what was opened at the claim was the old one");
}

pub(crate) async fn success_and_a_probe_end_a_suspension(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", false).await;
    let attempt = bed.journal(&lease, &facts).await;
    for by_probe in [true, false] {
        refuse(&bed, &lease, &attempt, "05:00").await;
        refuse(&bed, &lease, &attempt, "06:00").await;
        assert!(bed.account("acme").await.is_suspended());
        if by_probe {
            bed.ledger.end_suspension(&lease).await.unwrap();
        } else {
            bed.ledger.commit(&lease, receipt(attempt.clone()).await, at("06:01")).await.unwrap();
        }
        let account = bed.account("acme").await;
        assert_eq!((account.denied, account.trouble, account.retry_at), (None, None, None));
        assert_eq!(account.open_window, Some(1));
    }
}
