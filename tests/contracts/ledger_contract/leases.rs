//! Leases: who works on what, and when it is due.

use crate::support::by;
use std::time::Duration;

use auditferry::ledger::{Account, Lease, LedgerError};
use auditferry_core::protocol::Hold;

use crate::ledger_contract::bed::{
    Bed, LONG, account, at, bucket, failure, id, names, object, open, trouble, wait, window,
};
use crate::support::eventually;

impl Bed {
    /// An account with a destination that is due at an instant.
    async fn due_at(&self, name: &str, clock: &str) {
        self.ready(name).await;
        self.edit(name, |account| account.next_slot = Some(at(clock))).await;
    }

    pub(crate) async fn edit(&self, name: &str, change: impl Fn(&mut Account) + Send + Sync) {
        let mut edit = |account: &mut Account| {
            change(account);
            Ok(())
        };
        self.ledger.edit_account(&by(), &id(name), &mut edit).await.unwrap();
    }
}

pub(crate) async fn only_what_is_due_is_claimed(bed: Bed) {
    bed.due_at("now", "04:00").await;
    bed.due_at("later", "04:01").await;
    assert_eq!(bed.due("03:59").await, [] as [&str; 0]);
    assert_eq!(bed.due("04:00").await, ["now"]);
    assert_eq!(bed.due("04:01").await, ["later", "now"]);
    let claims = bed.ledger.claim("ana", at("04:00"), LONG, 10, &[]).await.unwrap();
    assert_eq!(claims[0].account, bed.account("now").await);
    assert_eq!(claims[0].lease.account, id("now"));
}

pub(crate) async fn nothing_is_due_while_nothing_may_start(bed: Bed) {
    bed.ledger.add_account(&by(), &account("without a destination")).await.unwrap();
    bed.ready("disabled").await;
    bed.edit("disabled", |account| account.addon.enabled = false).await;
    bed.ready("held").await;
    bed.edit("held", |account| account.held = Some(Hold::ForeignObject)).await;
    bed.ready("without a slot").await;
    bed.edit("without a slot", |account| account.next_slot = None).await;
    assert_eq!(bed.due("23:00").await, [] as [&str; 0]);
    assert_eq!(bed.ledger.next_due(&[]).await.unwrap(), None);

    bed.ledger.set_destination(&by(), &id("without a destination"), &bucket("first"), &[]).await.unwrap();
    bed.edit("disabled", |account| account.addon.enabled = true).await;
    bed.edit("held", |account| account.held = None).await;
    assert_eq!(bed.due("04:00").await, ["disabled", "held", "without a destination"]);
}

pub(crate) async fn an_open_window_is_due_at_once(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(bed.account("acme").await.next_slot, Some(at("22:00")));
    assert_eq!(bed.due("04:01").await, ["acme"]);
}

pub(crate) async fn the_longest_due_come_first(bed: Bed) {
    for (name, due) in [("b", "08:00"), ("a", "12:00"), ("c", "04:00")] {
        bed.due_at(name, due).await;
    }
    bed.execute("ANALYZE").await;
    for expected in ["c", "b", "a"] {
        let claims = bed.ledger.claim("ana", at("23:00"), LONG, 1, &[]).await.unwrap();
        assert_eq!(names(&claims), [expected]);
    }
}

/// Postgres plans by what it last knew of the table: the first accounts of a new ledger
/// are claimed by another plan than those of a grown one.
pub(crate) async fn a_claim_takes_no_more_than_its_limit(bed: Bed) {
    for known in [1, 12] {
        while bed.ledger.accounts(None, 100).await.unwrap().len() < known {
            bed.ready(&format!("known-{}", bed.ledger.accounts(None, 100).await.unwrap().len())).await;
        }
        bed.execute("ANALYZE").await;
        for number in 0..6 {
            bed.ready(&format!("new-{known}-{number}")).await;
        }
        for limit in [1, 2] {
            let claims = bed.ledger.claim("ana", at("23:00"), LONG, limit, &[]).await.unwrap();
            assert_eq!(claims.len(), limit as usize, "of the accounts it knew {known}");
        }
    }
}

pub(crate) async fn a_claim_passes_over_endpoints_that_are_full(bed: Bed) {
    bed.due_at("busy", "04:00").await;
    bed.due_at("idle", "05:00").await;
    bed.ledger.set_destination(&by(), &id("idle"), &bucket("second"), &[]).await.unwrap();
    let full = [bucket("first").endpoint(), "nobody's".to_owned()];
    assert_eq!(bed.account("busy").await.endpoint, full[0]);
    assert_eq!(bed.ledger.next_due(&full).await.unwrap(), Some(at("05:00")));
    let claims = bed.ledger.claim("ana", at("05:00"), LONG, 2, &full).await.unwrap();
    assert_eq!(names(&claims), ["idle"]);
    assert_eq!(bed.ledger.next_due(&full).await.unwrap(), None);
    assert_eq!(bed.due("05:00").await, ["busy"]);
    // A destination that was replaced counts by its new endpoint.
    bed.ledger.set_destination(&by(), &id("busy"), &bucket("second"), &[]).await.unwrap();
    assert_eq!(names(&bed.ledger.claim("ana", at("05:00"), LONG, 2, &full).await.unwrap()), ["busy"]);
}

pub(crate) async fn an_account_stands_behind_the_others_after_each_object(bed: Bed) {
    let (lease, facts) = bed.sealed("backlog", false).await;
    bed.due_at("small", "04:01").await;
    assert!(!bed.deliver(&lease, &facts).await, "the window goes on");
    bed.ledger.release(&lease).await.unwrap();
    let next = bed.ledger.claim("ana", at("23:00"), LONG, 1, &[]).await.unwrap();
    assert_eq!(names(&next), ["small"], "the object was delivered at 04:03");
    let next = bed.ledger.claim("ana", at("04:03"), LONG, 1, &[]).await.unwrap();
    assert_eq!(names(&next), ["backlog"]);
    bed.deliver(&next[0].lease, &{
        let second = object("backlog", 2, true);
        bed.seal(&next[0].lease, 1, &second).await;
        second
    })
    .await;
    assert_eq!(bed.account("backlog").await.served_at, None);
}

pub(crate) async fn two_workers_never_get_the_same_account(bed: Bed) {
    let ids: Vec<String> = (0..24).map(|number| format!("acme-{number:02}")).collect();
    for id in &ids {
        bed.ready(id).await;
    }
    let mut workers = Vec::new();
    for worker in 0..8 {
        let ledger = open(&bed.url).await;
        workers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let owner = format!("worker-{worker}");
                let claims = ledger.claim(&owner, at("23:00"), LONG, 2, &[]).await.unwrap();
                if claims.is_empty() {
                    return mine;
                }
                mine.extend(names(&claims));
                assert!(mine.len() <= 24, "one worker got an account twice: {mine:?}");
            }
        }));
    }
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    all.extend(bed.ledger.claim("last", at("23:00"), LONG, 100, &[]).await.map(|left| names(&left)).unwrap());
    all.sort();
    assert_eq!(all, ids);
}

pub(crate) async fn an_expired_lease_passes_on_with_a_higher_epoch(bed: Bed) {
    bed.ready("acme").await;
    let first = bed.take_for(Duration::from_millis(1)).await;
    let second = eventually("the lease", async || {
        bed.ledger.claim("bo", at("04:00"), LONG, 1, &[]).await.unwrap().pop()
    })
    .await;
    assert!(second.lease.epoch > first.epoch);
    assert!(bed.ledger.claim("cleo", at("04:00"), LONG, 1, &[]).await.unwrap().is_empty());
}

pub(crate) async fn a_released_account_is_free_at_once(bed: Bed) {
    bed.ready("acme").await;
    let first = bed.take().await;
    assert!(bed.ledger.claim("bo", at("04:00"), LONG, 1, &[]).await.unwrap().is_empty());
    bed.ledger.release(&first).await.unwrap();
    let second = bed.take().await;
    assert!(second.epoch > first.epoch);
}

pub(crate) async fn a_release_after_the_lease_is_lost_changes_nothing(bed: Bed) {
    bed.ready("acme").await;
    let first = bed.take().await;
    bed.ledger.release(&first).await.unwrap();
    let second = bed.take().await;
    bed.ledger.release(&first).await.unwrap();
    assert!(bed.ledger.claim("bo", at("04:00"), LONG, 1, &[]).await.unwrap().is_empty());
    bed.ledger.plan(&second, &window("04:00", "20")).await.unwrap();
}

pub(crate) async fn journalling_renews_the_lease(bed: Bed) {
    bed.ready("acme").await;
    let spent = bed.take_for(Duration::ZERO).await;
    let lease = Lease { ttl: LONG, ..spent };
    bed.ledger.plan(&lease, &window("04:00", "20")).await.unwrap();
    let facts = crate::ledger_contract::bed::object("acme", 1, true);
    bed.seal(&lease, 1, &facts).await;
    bed.journal(&lease, &facts).await;
    assert_eq!(bed.due("23:00").await, [] as [&str; 0]);
}

pub(crate) async fn renewed_leases_last_and_lost_ones_are_told(bed: Bed) {
    for name in ["given-back", "kept", "lost"] {
        bed.ready(name).await;
    }
    let claims = bed.ledger.claim("ana", at("04:00"), Duration::ZERO, 3, &[]).await.unwrap();
    let mut leases: Vec<Lease> = claims.into_iter().map(|claim| Lease { ttl: LONG, ..claim.lease }).collect();
    leases.sort_by_key(|lease| lease.account.to_string());
    assert_eq!(bed.ledger.renew(&leases[1..2]).await.unwrap(), []);
    bed.ledger.release(&leases[0]).await.unwrap();
    let taken = eventually("the lease ends", async || {
        let claims = bed.ledger.claim("bo", at("04:00"), LONG, 3, &[]).await.unwrap();
        (!claims.is_empty()).then_some(claims)
    })
    .await;
    assert_eq!(names(&taken), ["given-back", "lost"], "a lease that was renewed lasts");
    assert_eq!(bed.ledger.renew(&leases).await.unwrap(), [leases[0].clone(), leases[2].clone()]);
    bed.ledger.release(&taken[0].lease).await.unwrap();
    let lost = bed.ledger.renew(&[taken[0].lease.clone()]).await.unwrap();
    assert_eq!(lost.len(), 1, "a lease that was given back is not renewed");
}

pub(crate) async fn the_next_due_account_is_one_that_nobody_works_on(bed: Bed) {
    assert_eq!(bed.ledger.next_due(&[]).await.unwrap(), None);
    bed.due_at("a", "08:00").await;
    bed.due_at("b", "04:00").await;
    assert_eq!(bed.ledger.next_due(&[]).await.unwrap(), Some(at("04:00")));
    let taken = bed.ledger.claim("ana", at("04:00"), LONG, 1, &[]).await.unwrap();
    assert_eq!(names(&taken), ["b"]);
    assert_eq!(bed.ledger.next_due(&[]).await.unwrap(), Some(at("08:00")));
    bed.ledger.release(&taken[0].lease).await.unwrap();
    assert_eq!(bed.ledger.next_due(&[]).await.unwrap(), Some(at("04:00")));
}

pub(crate) async fn a_postponed_account_is_due_at_its_next_slot(bed: Bed) {
    bed.ready("acme").await;
    let lease = bed.take().await;
    bed.ledger.set_next_slot(&lease, Some(at("08:00"))).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    let account = bed.account("acme").await;
    assert_eq!((account.next_slot, account.failures, account.trouble), (Some(at("08:00")), 0, None));
    assert_eq!(account.last_slot, at("00:00"));
    assert!(bed.due("07:59").await.is_empty());
    assert_eq!(bed.due("08:00").await, ["acme"]);
    let lease = bed.take().await;
    bed.ledger.set_next_slot(&lease, None).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    assert!(bed.due("23:00").await.is_empty());
}

pub(crate) async fn postponing_leaves_a_slot_that_a_person_has_set(bed: Bed) {
    bed.ready("acme").await;
    let lease = bed.take().await;
    bed.edit("acme", |account| account.next_slot = Some(at("06:00"))).await;
    bed.ledger.set_next_slot(&lease, None).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(bed.account("acme").await.next_slot, Some(at("06:00")));
    assert_eq!(bed.due("06:00").await, ["acme"]);
}

pub(crate) async fn a_trouble_is_remembered_and_waited_for(bed: Bed) {
    bed.ready("acme").await;
    for failures in [1, 2] {
        let lease = bed.take().await;
        bed.ledger.postpone(&lease, wait("source", "04:30")).await.unwrap();
        bed.ledger.release(&lease).await.unwrap();
        let account = bed.account("acme").await;
        assert_eq!((account.failures, account.trouble), (failures, Some(trouble("source"))));
        assert_eq!(account.next_slot, Some(at("04:00")), "its slot stays");
    }
    assert!(bed.due("04:29").await.is_empty());
    assert_eq!(bed.due("04:30").await, ["acme"]);
}

pub(crate) async fn waits_can_be_forgotten(bed: Bed) {
    bed.due_at("slot", "04:00").await;
    let lease = bed.take().await;
    bed.ledger.set_next_slot(&lease, Some(at("05:00"))).await.unwrap();
    bed.ledger.postpone(&lease, wait("x", "23:30")).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    let (lease, facts) = bed.sealed("object", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    bed.due_at("disabled", "04:00").await;
    bed.edit("disabled", |account| {
        account.retry_at = Some(at("20:00"));
        account.addon.enabled = false;
    })
    .await;
    assert!(bed.due("04:09").await.is_empty());

    bed.ledger.retry_now().await.unwrap();

    assert_eq!(bed.due("04:09").await, ["object"]);
    assert_eq!(bed.due("05:00").await, ["object", "slot"]);
    // What is remembered says the same as what is due.
    let account = bed.account("object").await;
    assert_eq!((account.retry_at, account.due_at()), (None, Some(at("04:00"))));
    assert_eq!(account.failures, 1);
    let lost = bed.ledger.set_next_slot(&lease, None).await;
    assert!(matches!(lost, Err(LedgerError::LeaseLost(_))));
}
