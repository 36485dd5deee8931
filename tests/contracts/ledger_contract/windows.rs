//! Windows: planned, closed, skipped, held.

use crate::support::by;
use auditferry::ledger::{Account, BadRecord, Change, ChangeFilter, LedgerError, NewSkip, NewWindow};
use auditferry_core::model::bound::{Ahead, Bound, RecordSet, Watermark};
use auditferry_core::protocol::Hold;
use auditferry_core::refusal::{Refusal, RefusalCode};

use crate::ledger_contract::bed::{
    Bed, LONG, account, at, bucket, gap, id, object, receipt, trouble, window,
};

pub(crate) async fn a_planned_window_reads_back_whole(bed: Bed) {
    bed.ready("acme").await;
    let account = bed.account("acme").await;
    let lease = bed.take().await;
    let mut new = window("04:00", "20");
    new.to = "2026-11-21T04:00:00.123456Z".parse().unwrap();
    bed.ledger.plan(&lease, &new).await.unwrap();

    let open = bed.open(&id("acme")).await;
    let planned = &open.window;
    assert_eq!((planned.account.clone(), planned.number, planned.slot), (id("acme"), 1, at("04:00")));
    let set = RecordSet::between(Bound("10".into()), Bound("20".into()));
    assert_eq!(planned.set, set);
    assert_eq!((planned.from, planned.to), (account.watermark.at, new.to));
    assert_eq!((&planned.zone, &planned.format), (&account.zone, &account.format));
    assert_eq!((planned.prefix.as_str(), planned.destination_version), ("first/", 1));
    assert_eq!(planned.content_version, account.format.content_version());
    assert_eq!(open.destination, bucket("first"));
    assert_eq!((open.ordinal, open.cursor, open.exhausted, open.doubtful), (1, None, false, false));
    let after = bed.account("acme").await;
    assert_eq!((after.open_window, after.windows), (Some(1), 1));
    assert_eq!((after.last_slot, after.next_slot), (at("04:00"), Some(at("22:00"))));
    assert_eq!(after.watermark, account.watermark, "nothing is delivered yet");
}

pub(crate) async fn one_window_is_open_at_a_time(bed: Bed) {
    let lease = bed.planned("acme").await;
    let before = bed.account("acme").await;
    let error = bed.ledger.plan(&lease, &window("08:00", "30")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Refused(_)), "{error}");
    assert_eq!(bed.account("acme").await, before);
    assert_eq!(bed.open(&id("acme")).await.window.number, 1);
}

pub(crate) async fn a_slot_is_planned_once(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    let before = bed.account("acme").await;
    let taken = bed.ledger.plan(&lease, &window("04:00", "30")).await;
    assert!(matches!(taken, Err(LedgerError::SlotTaken(_, slot)) if slot == at("04:00")), "{taken:?}");
    assert_eq!(bed.account("acme").await, before);
    assert!(bed.ledger.open_window(&id("acme")).await.unwrap().is_none());
}

pub(crate) async fn a_window_begins_where_the_last_one_ended(bed: Bed) {
    let lease = bed.planned("acme").await;
    for (number, slot, hi, next, next_hi) in
        [(1, "04:00", "20", "08:00", "30"), (2, "08:00", "30", "12:00", "30")]
    {
        bed.ledger.close(&lease, number, at("20:00")).await.unwrap();
        bed.ledger.plan(&lease, &window(next, next_hi)).await.unwrap();
        let open = bed.open(&id("acme")).await.window;
        assert_eq!((open.number, open.set.lo.0.as_str(), open.from), (number + 1, hi, at(slot)));
        assert_eq!(open.set.hi.0, next_hi);
    }
}

/// What a worker decided when it claimed the account holds no more: the add-on may have
/// ended, the destination may be gone.
pub(crate) async fn an_account_that_was_changed_is_looked_at_again(bed: Bed) {
    bed.ready("acme").await;
    let watermark = bed.account("acme").await.watermark;
    let mut edit = |_: &mut Account| Ok(());
    for (slot, change) in [("05:00", "edit"), ("06:00", "destination"), ("07:00", "skip")] {
        let lease = bed.take().await;
        match change {
            "edit" => drop(bed.ledger.edit_account(&by(), &id("acme"), &mut edit).await.unwrap()),
            "destination" => {
                bed.ledger.set_destination(&by(), &id("acme"), &bucket("new"), &[]).await.unwrap();
            }
            _ => drop(
                bed.ledger.skip_to(&by(), &id("acme"), &watermark, gap(at(slot)), &mut edit).await.unwrap(),
            ),
        }
        let before = bed.account("acme").await;
        let error = bed.ledger.plan(&lease, &window("08:00", "20")).await.unwrap_err();
        assert!(matches!(error, LedgerError::Changed(_)), "{change}: {error}");
        assert_eq!(bed.account("acme").await, before, "{change}");
        bed.ledger.release(&lease).await.unwrap();
    }
    bed.ledger.plan(&bed.take().await, &window("08:00", "20")).await.unwrap();
}

pub(crate) async fn nothing_is_planned_on_an_old_view_of_the_account(bed: Bed) {
    bed.ready("acme").await;
    let lease = bed.take().await;
    let later = Watermark { bound: Bound("30".to_owned()), ..bed.account("acme").await.watermark };
    bed.ledger.skip_to(&by(), &id("acme"), &later, gap(at("03:00")), &mut |_| Ok(())).await.unwrap();
    let error = bed.ledger.plan(&lease, &window("04:00", "20")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Changed(_)), "{error}");
    assert_eq!(bed.account("acme").await.watermark, later);
}

pub(crate) async fn an_empty_window_closes_without_an_object(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    let account = bed.account("acme").await;
    assert_eq!(account.watermark.bound, Bound("20".into()));
    assert_eq!(account.watermark.at, at("04:00"), "when the bound was captured, not when it was closed");
    assert_eq!((account.open_window, account.windows), (None, 1));
    assert!(bed.ledger.open_window(&id("acme")).await.unwrap().is_none());
}

pub(crate) async fn a_window_is_closed_once(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    let before = bed.account("acme").await;
    bed.ledger.close(&lease, 1, at("04:02")).await.unwrap_err();
    bed.ledger.close(&lease, 2, at("04:02")).await.unwrap_err();
    assert_eq!(bed.account("acme").await, before);
}

pub(crate) async fn a_window_cut_at_the_end_leaves_the_later_records(bed: Bed) {
    bed.ready("acme").await;
    let lease = bed.take().await;
    let cut = NewWindow { until: Some(at("03:00")), ..window("04:00", "20") };
    bed.ledger.plan(&lease, &cut).await.unwrap();
    assert_eq!(bed.open(&id("acme")).await.window.set.until, Some(at("03:00")));
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    let ahead = Ahead { bound: Bound("20".into()), before: at("03:00") };
    let left =
        Watermark { bound: Bound("10".into()), at: at("00:00"), ahead: Some(ahead.clone()), since: None };
    assert_eq!(bed.account("acme").await.watermark, left);

    bed.ledger.plan(&lease, &window("08:00", "30")).await.unwrap();
    let set = bed.open(&id("acme")).await.window.set;
    assert_eq!((set.lo.0.as_str(), set.hi.0.as_str()), ("10", "30"));
    assert_eq!((set.ahead, set.until), (Some(ahead), None));
    bed.ledger.close(&lease, 2, at("08:01")).await.unwrap();
    let whole = Watermark { bound: Bound("30".into()), at: at("08:00"), ahead: None, since: None };
    assert_eq!(bed.account("acme").await.watermark, whole);
}

pub(crate) async fn the_customers_start_holds_until_a_window_is_whole(bed: Bed) {
    let mut new = account("acme");
    new.watermark.since = Some(at("01:00"));
    bed.ledger.add_account(&by(), &new).await.unwrap();
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("first"), &[]).await.unwrap();
    let lease = bed.take().await;
    let cut = NewWindow { until: Some(at("03:00")), ..window("04:00", "20") };
    for (number, new) in [(1, cut), (2, window("08:00", "30"))] {
        bed.ledger.plan(&lease, &new).await.unwrap();
        assert_eq!(bed.open(&id("acme")).await.window.set.since, Some(at("01:00")));
        bed.ledger.close(&lease, number, at("09:00")).await.unwrap();
    }
    bed.ledger.plan(&lease, &window("12:00", "40")).await.unwrap();
    assert_eq!(bed.open(&id("acme")).await.window.set.since, None);
}

fn watermark(bound: &str) -> Watermark {
    Watermark { bound: Bound(bound.into()), at: at("06:00"), ahead: None, since: None }
}

pub(crate) async fn skipping_records_a_gap(bed: Bed) {
    bed.ready("acme").await;
    let mut edit = |account: &mut Account| {
        account.next_slot = Some(at("08:00"));
        Ok(())
    };
    let skipped =
        bed.ledger.skip_to(&by(), &id("acme"), &watermark("50"), gap(at("06:00")), &mut edit).await.unwrap();
    assert_eq!(skipped, bed.account("acme").await);
    assert_eq!(skipped.watermark, watermark("50"));
    assert_eq!((skipped.windows, skipped.open_window), (1, None));
    assert_eq!((skipped.last_slot, skipped.next_slot), (at("06:00"), Some(at("08:00"))));
    // The gap has its number; the next window begins after it.
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &window("08:00", "60")).await.unwrap();
    let open = bed.open(&id("acme")).await.window;
    assert_eq!((open.number, open.set.lo.0.as_str()), (2, "50"));
}

pub(crate) async fn skipping_is_refused_while_a_window_is_open(bed: Bed) {
    let lease = bed.planned("acme").await;
    let before = bed.account("acme").await;
    let mut edit = |_: &mut Account| Ok(());
    let error = bed
        .ledger
        .skip_to(&by(), &id("acme"), &watermark("50"), gap(at("06:00")), &mut edit)
        .await
        .unwrap_err();
    assert!(matches!(error, LedgerError::Refused(_)), "{error}");
    assert_eq!(bed.account("acme").await, before);
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    bed.ledger.skip_to(&by(), &id("acme"), &watermark("50"), gap(at("06:00")), &mut edit).await.unwrap();
}

pub(crate) async fn a_refused_skip_stores_nothing(bed: Bed) {
    bed.ready("acme").await;
    let before = bed.account("acme").await;
    let mut refuse = |_: &mut Account| Err(Refusal::new(RefusalCode::InvalidValue, "no").into());
    bed.ledger
        .skip_to(&by(), &id("acme"), &watermark("50"), gap(at("06:00")), &mut refuse)
        .await
        .unwrap_err();
    assert_eq!(bed.account("acme").await, before);
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &window("06:00", "20")).await.unwrap();
    assert_eq!(bed.open(&id("acme")).await.window.number, 1);
}

pub(crate) async fn a_watermark_that_moved_is_not_moved_again(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    let mut move_it = |account: &mut Account| {
        account.watermark = watermark("15");
        Ok(())
    };
    let before = bed.ledger.edit_account(&by(), &id("acme"), &mut move_it).await.unwrap();
    let error = bed.ledger.commit(&lease, receipt(attempt).await, at("04:03")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Refused(_)), "{error}");
    let error = bed.ledger.close(&lease, 1, at("04:03")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Refused(_)), "{error}");
    assert_eq!(bed.account("acme").await, before);
    let open = bed.open(&id("acme")).await;
    assert_eq!((open.ordinal, open.doubtful), (1, true), "the object is not counted as delivered");
}

pub(crate) async fn a_held_account_waits_for_a_person(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.seal(&lease, 1, &object("acme", 1, true)).await;
    bed.ledger.hold(&lease, Hold::ForeignObject, trouble("foreign_object")).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    let held = bed.account("acme").await;
    assert_eq!((held.held, held.trouble), (Some(Hold::ForeignObject), Some(trouble("foreign_object"))));
    assert_eq!(held.watermark.bound, Bound("10".into()));
    bed.ledger.retry_now().await.unwrap();
    assert!(bed.due("23:00").await.is_empty());
    let mut let_go = |account: &mut Account| {
        account.held = None;
        Ok(())
    };
    bed.ledger.edit_account(&by(), &id("acme"), &mut let_go).await.unwrap();
    assert_eq!(bed.due("04:01").await, ["acme"]);
    assert_eq!(bed.open(&id("acme")).await.window.number, 1);
}

pub(crate) async fn a_bad_record_is_left_out_and_remembered(bed: Bed) {
    let lease = bed.planned("acme").await;
    let bad = |key: &str| BadRecord { key: key.to_owned(), problem: format!("{key} is bad") };
    let skip = |window, keys: &[&str]| NewSkip {
        window,
        records: keys.iter().map(|key| bad(key)).collect(),
        reason: "a test".to_owned(),
    };
    let refused = bed.ledger.skip_records(&by(), &id("acme"), &skip(1, &["7"])).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Changed(_)), "it is not held: {refused}");
    bed.ledger.hold(&lease, Hold::BadRecord, trouble("bad_record")).await.unwrap();
    bed.ledger.release(&lease).await.unwrap();
    let refused = bed.ledger.skip_records(&by(), &id("acme"), &skip(2, &["7"])).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Changed(_)), "another window: {refused}");

    let account = bed.ledger.skip_records(&by(), &id("acme"), &skip(1, &["7", "8"])).await.unwrap();

    assert_eq!((account.held, account.trouble), (None, None));
    assert_eq!(bed.due("04:01").await, ["acme"]);
    assert_eq!(bed.open(&id("acme")).await.window.set.skipped, ["7", "8"]);
    let row = bed.ledger.windows(&id("acme"), None, 1).await.unwrap().remove(0);
    let told: Vec<_> = row.skipped.iter().map(|r| (&*r.key, &*r.problem, &*r.reason)).collect();
    assert_eq!(told, [("7", "7 is bad", "a test"), ("8", "8 is bad", "a test")]);
    let changes = bed.ledger.changes(&ChangeFilter { limit: 9, ..ChangeFilter::default() }).await.unwrap();
    let told: Vec<_> = changes.iter().filter(|c| c.action == "record skipped").map(Change::what).collect();
    let what = |key: &str| format!(r#"record.key "{key}", record.problem "{key} is bad", reason "a test""#);
    assert_eq!(told, [what("8"), what("7")]);
}

pub(crate) async fn windows_of_many_accounts_are_planned_together(bed: Bed) {
    for name in ["changed", "good-1", "good-2", "lost", "taken"] {
        bed.ready(name).await;
    }
    // One has a window of the slot already.
    let claims = bed.ledger.claim("ana", at("04:00"), LONG, 10, &[]).await.unwrap();
    let taken = claims.iter().find(|claim| claim.account.id == id("taken")).unwrap();
    bed.ledger.plan(&taken.lease, &window("04:00", "20")).await.unwrap();
    bed.ledger.close(&taken.lease, 1, at("04:01")).await.unwrap();
    for claim in &claims {
        bed.ledger.release(&claim.lease).await.unwrap();
    }
    let mut claims = bed.ledger.claim_unplanned("ana", at("22:00"), LONG, 10).await.unwrap();
    claims.sort_by_key(|claim| claim.account.id.to_string());
    let plans: Vec<_> = claims.iter().map(|claim| (claim.lease.clone(), window("04:00", "30"))).collect();
    assert_eq!(plans.len(), 5);
    bed.ledger.set_destination(&by(), &id("changed"), &bucket("second"), &[]).await.unwrap();
    bed.ledger.release(&claims[3].lease).await.unwrap();

    let planned = bed.ledger.plan_all(&plans).await.unwrap();

    assert!(matches!(planned[0], Err(LedgerError::Changed(_))), "{planned:?}");
    assert!(planned[1].is_ok() && planned[2].is_ok(), "{planned:?}");
    assert!(matches!(planned[3], Err(LedgerError::LeaseLost(_))), "{planned:?}");
    assert!(matches!(planned[4], Err(LedgerError::SlotTaken(..))), "{planned:?}");
    for (name, open) in
        [("changed", None), ("good-1", Some(1)), ("good-2", Some(1)), ("lost", None), ("taken", None)]
    {
        assert_eq!(bed.account(name).await.open_window, open, "{name}");
    }
    let first = bed.open(&id("good-1")).await;
    assert_eq!((first.window.set.lo.0.as_str(), first.window.set.hi.0.as_str()), ("10", "30"));
    bed.ledger.release_all(&[plans[1].0.clone(), plans[2].0.clone()]).await.unwrap();
    let again = bed.ledger.claim_unplanned("bo", at("22:00"), LONG, 10).await.unwrap();
    assert_eq!(crate::ledger_contract::bed::names(&again), ["lost"], "the others are planned, or somebody's");
    assert_eq!(bed.due("04:00").await, ["good-1", "good-2"]);
}

/// Thirty accounts from plan to receipt, all at once: they share transactions, and each
/// ends as it would alone. One whose lease is lost on the way is refused each step.
pub(crate) async fn steps_of_many_accounts_at_once_are_those_of_each(bed: Bed) {
    let names: Vec<String> = (0..30).map(|number| format!("acct-{number:02}")).collect();
    for name in &names {
        bed.ready(name).await;
    }
    let claims = bed.ledger.claim("ana", at("04:00"), LONG, 30, &[]).await.unwrap();
    let lost = claims.iter().find(|claim| claim.account.id == id("acct-07")).unwrap();
    bed.ledger.release(&lost.lease).await.unwrap();
    let all = claims.iter().map(|claim| async {
        let (lease, name) = (&claim.lease, claim.account.id.to_string());
        if name == "acct-07" {
            let refused = bed.ledger.plan(lease, &window("04:00", "20")).await;
            assert!(matches!(refused, Err(LedgerError::LeaseLost(_))), "{refused:?}");
            return;
        }
        bed.ledger.plan(lease, &window("04:00", "20")).await.unwrap();
        for (ordinal, last) in [(1, false), (2, true)] {
            let facts = crate::ledger_contract::bed::object(&name, ordinal, last);
            bed.seal(lease, 1, &facts).await;
            assert_eq!(bed.deliver(lease, &facts).await, last, "{name}");
        }
        bed.ledger.release(lease).await.unwrap();
    });
    futures::future::join_all(all).await;
    for name in &names {
        let account = bed.account(name).await;
        let expected = if name == "acct-07" { (0, "10") } else { (1, "20") };
        assert_eq!((account.windows, account.watermark.bound.0.as_str()), expected, "{name}");
        assert_eq!((account.open_window, account.served_at), (None, None), "{name}");
    }
    let filter = auditferry::ledger::DeliveryFilter { limit: 100, ..Default::default() };
    let rows = bed.ledger.deliveries(&filter).await.unwrap();
    assert_eq!(rows.len(), 58);
    assert!(rows.iter().all(|row| row.state == "delivered" && row.attempts == 1), "{rows:?}");
}
