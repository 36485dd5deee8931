//! Slots beside the schedule, which a person has asked for.

use auditferry::ledger::{ChangeFilter, LedgerError};
use auditferry_core::refusal::{Refusal, RefusalCode};
use serde_json::json;

use super::bed::{Bed, at, id, window};
use crate::support::by;

pub(crate) async fn a_slot_beside_the_schedule_is_due_at_once_and_told(bed: Bed) {
    bed.ready("acme").await;
    assert_eq!(bed.due("02:30").await, [""; 0]);
    let added = bed.ledger.add_slot(&by(), &id("acme"), at("02:30"), &mut |_| Ok(())).await.unwrap();
    assert_eq!((added.next_slot, &added), (Some(at("02:30")), &bed.account("acme").await));
    assert_eq!(bed.due("02:29").await, [""; 0]);
    assert_eq!(bed.due("02:30").await, ["acme"]);
    let filter = ChangeFilter { account: Some(id("acme")), limit: 1, ..ChangeFilter::default() };
    let told = bed.ledger.changes(&filter).await.unwrap().remove(0);
    assert_eq!((told.action.as_str(), told.fields.len()), ("slot added", 1));
    assert_eq!((told.fields[0].field.as_str(), &told.fields[0].to), ("slot", &json!(at("02:30"))));

    // Its window is one like the others, and the slots of the schedule come after it.
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &window("02:30", "20")).await.unwrap();
    let account = bed.account("acme").await;
    assert_eq!((account.last_slot, account.next_slot), (at("02:30"), Some(at("22:00"))));
    assert_eq!(bed.open(&id("acme")).await.window.slot, at("02:30"));
}

pub(crate) async fn a_slot_beside_the_schedule_keeps_the_order(bed: Bed) {
    let lease = bed.planned("acme").await;
    let add = async |clock| bed.ledger.add_slot(&by(), &id("acme"), at(clock), &mut |_| Ok(())).await;
    let before = bed.account("acme").await;
    let refused = add("05:00").await;
    assert!(matches!(refused, Err(LedgerError::Changed(_))), "a window is open: {refused:?}");
    assert_eq!(bed.account("acme").await, before);
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    for clock in ["03:59", "04:00"] {
        let refused = add(clock).await;
        assert!(matches!(refused, Err(LedgerError::Changed(_))), "{clock}: {refused:?}");
    }
    let mut no = |_: &mut _| Err(Refusal::new(RefusalCode::Paused, "no").into());
    let refused = bed.ledger.add_slot(&by(), &id("acme"), at("05:00"), &mut no).await;
    assert!(matches!(refused, Err(LedgerError::Refused(_))), "{refused:?}");
    assert_eq!(bed.account("acme").await.next_slot, Some(at("22:00")));
    assert_eq!(add("05:00").await.unwrap().next_slot, Some(at("05:00")));
}

pub(crate) async fn a_worker_that_claimed_before_does_not_take_it_back(bed: Bed) {
    bed.ready("acme").await;
    let lease = bed.take().await;
    bed.ledger.add_slot(&by(), &id("acme"), at("02:30"), &mut |_| Ok(())).await.unwrap();
    let planned = bed.ledger.plan(&lease, &window("04:00", "20")).await;
    assert!(matches!(planned, Err(LedgerError::Changed(_))), "{planned:?}");
    let _ = bed.ledger.set_next_slot(&lease, Some(at("22:00"))).await;
    assert_eq!(bed.account("acme").await.next_slot, Some(at("02:30")));
}
