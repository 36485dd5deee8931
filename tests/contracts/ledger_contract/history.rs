//! What listings and metrics tell.

use crate::support::by;
use auditferry::ledger::{
    Account, DeliveryFilter, LedgerError, Pause, Signs, SlotRange, StateGauge, WindowState,
};
use auditferry_core::protocol::{Denied, Hold};

use crate::ledger_contract::bed::{
    Bed, account, at, bucket, failure, gap, id, object, receipt, wait, window,
};

fn all() -> DeliveryFilter {
    DeliveryFilter { limit: 100, ..DeliveryFilter::default() }
}

impl Bed {
    async fn keys(&self, filter: &DeliveryFilter) -> Vec<String> {
        self.ledger.deliveries(filter).await.unwrap().into_iter().map(|row| row.key).collect()
    }

    /// Two accounts: `acme` with a delivered and a sealed object, `beta` with a later one.
    async fn with_history(&self) {
        let (lease, first) = self.sealed("acme", false).await;
        self.deliver(&lease, &first).await;
        let outcome = self.ledger.seal(&lease, 1, &object("acme", 2, true), at("04:05")).await;
        outcome.unwrap();
        let beta = self.planned("beta").await;
        self.ledger.seal(&beta, 1, &object("beta", 1, true), at("04:09")).await.unwrap();
        self.deliver(&beta, &object("beta", 1, true)).await;
    }
}

pub(crate) async fn deliveries_come_newest_first(bed: Bed) {
    bed.with_history().await;
    let expected = ["first/audit/beta/1.zip", "first/audit/acme/2.zip", "first/audit/acme/1.zip"];
    assert_eq!(bed.keys(&all()).await, expected);
    assert_eq!(bed.keys(&DeliveryFilter { limit: 2, ..all() }).await, expected[..2]);
    let row = bed.ledger.deliveries(&all()).await.unwrap().remove(2);
    let facts = object("acme", 1, false);
    assert_eq!((row.account, row.window, row.ordinal, row.slot), (id("acme"), 1, 1, at("04:00")));
    assert_eq!((row.state.as_str(), row.records, row.attempts), ("delivered", 3, 1));
    assert_eq!((row.content_sha256, row.content_bytes), (facts.content_sha256, facts.content_bytes));
    assert_eq!((row.object_sha256, row.object_bytes), (facts.object_sha256, facts.object_bytes));
    assert_eq!((row.sealed_at, row.delivered_at), (at("04:01"), Some(at("04:03"))));
    assert_eq!((row.error_kind, row.error), (None, None));
}

pub(crate) async fn deliveries_can_be_filtered(bed: Bed) {
    bed.with_history().await;
    let of_acme = DeliveryFilter { account: Some(id("acme")), ..all() };
    assert_eq!(bed.keys(&of_acme).await, ["first/audit/acme/2.zip", "first/audit/acme/1.zip"]);
    let of_a_window = DeliveryFilter { account: Some(id("acme")), window: Some(1), ..all() };
    assert_eq!(bed.keys(&of_a_window).await.len(), 2);
    assert_eq!(bed.keys(&DeliveryFilter { window: Some(2), ..of_a_window }).await, Vec::<String>::new());
    let undelivered = DeliveryFilter { undelivered: true, ..all() };
    assert_eq!(bed.keys(&undelivered).await, ["first/audit/acme/2.zip"]);
    let by_key = DeliveryFilter { key: Some("first/audit/beta/1.zip".to_owned()), ..all() };
    assert_eq!(bed.keys(&by_key).await, ["first/audit/beta/1.zip"]);
    let by_name = DeliveryFilter { key: Some("1.zip".to_owned()), account: Some(id("beta")), ..all() };
    assert_eq!(bed.keys(&by_name).await, ["first/audit/beta/1.zip"]);
    let by_end = DeliveryFilter { key: Some("_.zip".to_owned()), ..all() };
    assert_eq!(bed.keys(&by_end).await, Vec::<String>::new(), "a name is no pattern");
    let of_nobody = DeliveryFilter { account: Some(id("nobody")), ..all() };
    assert!(bed.keys(&of_nobody).await.is_empty());
}

pub(crate) async fn a_delivery_tells_its_last_error(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let attempt = bed.journal(&lease, &facts).await;
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    let row = bed.ledger.deliveries(&all()).await.unwrap().remove(0);
    assert_eq!((row.state.as_str(), row.attempts, row.delivered_at), ("sealed", 1, None));
    assert_eq!((row.error_kind.as_deref(), row.error.as_deref()), (Some("denied"), Some("HTTP: denied")));
    bed.deliver(&lease, &facts).await;
    let row = bed.ledger.deliveries(&all()).await.unwrap().remove(0);
    assert_eq!((row.attempts, row.error_kind, row.error), (2, None, None));
}

pub(crate) async fn attempts_are_told_one_by_one(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    let journal = |worker: &'static str, clock: &'static str| {
        let (bed, lease, facts) = (&bed, &lease, &facts);
        async move { bed.ledger.journal(lease, 1, facts, worker, at(clock)).await.unwrap() }
    };
    let first = journal("ana", "04:02").await;
    bed.ledger.fail(&lease, &first, &failure("unknown", true)).await.unwrap();
    journal("bo", "04:12").await;
    let third = journal("cleo", "04:22").await;
    bed.ledger.commit(&lease, receipt(third).await, at("04:23")).await.unwrap();

    let rows = bed.ledger.attempts(&id("acme"), facts.key.as_str()).await.unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (row.number, row.worker.as_str(), row.outcome.as_deref())).collect();
    assert_eq!(told, [(1, "ana", Some("unknown")), (2, "bo", None), (3, "cleo", Some("delivered"))]);
    assert_eq!((rows[0].started_at, rows[0].finished_at), (at("04:02"), Some(at("04:03"))));
    assert_eq!(rows[0].message.as_deref(), Some("HTTP: unknown"));
    assert_eq!((rows[1].started_at, rows[1].finished_at), (at("04:12"), None));
    assert_eq!((rows[2].finished_at, rows[2].message.as_deref()), (Some(at("04:23")), None));
    let ids: Vec<_> = rows.iter().map(|row| (row.version.as_deref(), row.request_id.as_deref())).collect();
    let of_first = Some("the id of a request, unknown");
    assert_eq!(ids, [(None, of_first), (None, None), (Some("in memory"), Some("request 1"))]);
    assert!(bed.ledger.attempts(&id("acme"), "other.zip").await.unwrap().is_empty());
}

/// Adds an account with a destination in a state.
async fn in_state(bed: &Bed, name: &str, change: impl Fn(&mut Account) + Send + Sync) {
    bed.ready(name).await;
    let mut edit = |account: &mut Account| {
        account.next_slot = Some(at("20:00"));
        change(account);
        Ok(())
    };
    bed.ledger.edit_account(&by(), &id(name), &mut edit).await.unwrap();
}

pub(crate) async fn accounts_are_counted_by_state(bed: Bed) {
    assert_eq!(bed.ledger.gauges(at("12:00")).await.unwrap().states, []);
    in_state(&bed, "active 1", |account| account.watermark.at = at("08:00")).await;
    in_state(&bed, "active 2", |account| account.watermark.at = at("03:00")).await;
    in_state(&bed, "ends later", |account| account.addon.until = Some(at("12:01"))).await;
    in_state(&bed, "retrying", |account| account.failures = 1).await;
    in_state(&bed, "held", |account| account.held = Some(Hold::ForeignObject)).await;
    in_state(&bed, "paused", |account| {
        account.paused = Some(Pause { at: at("11:00"), reason: None });
        account.failures = 1;
    })
    .await;
    in_state(&bed, "suspended", |account| {
        account.denied = Some(Denied { since: at("00:00"), suspended_at: Some(at("11:00")) });
        account.failures = 1;
    })
    .await;
    in_state(&bed, "disabled", |account| account.addon.enabled = false).await;
    in_state(&bed, "expired", |account| {
        account.addon.until = Some(at("12:00"));
        account.next_slot = None;
    })
    .await;
    // Its end has come, but its last window is still owed.
    in_state(&bed, "ending", |account| {
        account.addon.until = Some(at("12:00"));
        account.next_slot = Some(at("12:00"));
    })
    .await;
    bed.ledger.add_account(&by(), &account("no destination")).await.unwrap();
    let states = bed.ledger.gauges(at("12:00")).await.unwrap().states;
    let counts: Vec<_> = states.iter().map(|state| (state.state.as_str(), state.accounts)).collect();
    assert_eq!(
        counts,
        [
            ("active", 4),
            ("disabled", 1),
            ("expired", 1),
            ("held", 1),
            ("no_destination", 1),
            ("paused", 1),
            ("retrying", 1),
            ("suspended", 1)
        ]
    );
    assert_eq!(states[0].oldest_watermark, Some(at("00:00")));
}

pub(crate) async fn the_oldest_undelivered_slot_is_known(bed: Bed) {
    let active = |watermark: &str, undelivered: Option<&str>, accounts| StateGauge {
        state: "active".to_owned(),
        accounts,
        oldest_watermark: Some(at(watermark)),
        oldest_undelivered: undelivered.map(at),
    };
    bed.ready("acme").await;
    assert_eq!(bed.ledger.gauges(at("03:59")).await.unwrap().states, [active("00:00", None, 1)]);
    assert_eq!(bed.ledger.gauges(at("05:00")).await.unwrap().states, [active("00:00", Some("04:00"), 1)]);
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &window("04:00", "20")).await.unwrap();
    assert_eq!(bed.ledger.gauges(at("05:00")).await.unwrap().states, [active("00:00", Some("04:00"), 1)]);
    bed.ledger.close(&lease, 1, at("05:00")).await.unwrap();
    assert_eq!(bed.ledger.gauges(at("05:00")).await.unwrap().states, [active("04:00", None, 1)]);
    bed.ledger.set_destination(&by(), &id("acme"), &bucket("second"), &[]).await.unwrap();
    assert_eq!(bed.ledger.gauges(at("22:00")).await.unwrap().states, [active("04:00", Some("22:00"), 1)]);
}

pub(crate) async fn windows_are_told_with_what_was_skipped_and_given_up(bed: Bed) {
    let told = async |limit| -> Vec<(u64, String, u64, u64)> {
        let rows = bed.ledger.windows(&id("acme"), None, limit).await.unwrap();
        rows.into_iter().map(|row| (row.window, row.state, row.objects, row.records)).collect()
    };
    let (lease, facts) = bed.sealed("acme", false).await;
    assert_eq!(told(10).await, [(1, "open".to_owned(), 0, 0)], "sealed is not delivered");
    bed.deliver(&lease, &facts).await;
    assert_eq!(told(10).await, [(1, "open".to_owned(), 1, facts.records)]);

    let watermark = bed.account("acme").await.watermark;
    bed.ledger.rewind(&by(), &id("acme"), &watermark, &mut |_| Ok(())).await.unwrap();
    bed.ledger.skip_to(&by(), &id("acme"), &watermark, gap(at("05:00")), &mut |_| Ok(())).await.unwrap();
    let skipped = (2, "skipped".to_owned(), 0, 0);
    assert_eq!(told(10).await, [skipped.clone(), (1, "abandoned".to_owned(), 1, facts.records)]);
    assert_eq!(told(1).await, [skipped]);
    let left_out: Vec<_> = bed
        .ledger
        .windows(&id("acme"), None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.left_out)
        .collect();
    assert_eq!(left_out, [Some(7), Some(0)]);
    assert_eq!(bed.ledger.windows(&id("acme"), None, 1).await.unwrap()[0].slot, at("05:00"));
    bed.ready("beta").await;
    assert_eq!(bed.ledger.windows(&id("beta"), None, 10).await.unwrap(), []);
    let nobody = bed.ledger.windows(&id("nobody"), None, 10).await;
    assert!(matches!(nobody, Err(LedgerError::NoAccount(_))), "{nobody:?}");
}

pub(crate) async fn workers_leave_signs_of_their_work(bed: Bed) {
    bed.ready("acme").await;
    // Adding it was a change; after that nobody changes it.
    let later = "2999-01-01T00:00:00Z".parse().unwrap();
    let signs = async || bed.ledger.signs(&id("acme"), later).await.unwrap();
    let seen = |clock| Signs { attended: true, looked_at: Some(at(clock)) };
    assert_eq!(signs().await, Signs::default());
    assert!(bed.ledger.signs(&id("acme"), at("00:00")).await.unwrap().attended, "it was just added");
    let begin = bed.ledger.now().await.unwrap();
    let lease = bed.take().await;
    assert_eq!(signs().await, Signs { attended: true, looked_at: None });
    bed.ledger.plan(&lease, &window("04:00", "20")).await.unwrap();
    assert!(
        signs().await.looked_at.is_some_and(|at| at >= begin),
        "a window is planned by the database's clock"
    );

    // The other steps have times of their own, which are earlier in this test.
    let epoch = if bed.is_postgres() { "timestamptz 'epoch'" } else { "0" };
    bed.execute(&format!("UPDATE export_window SET planned_at = {epoch}")).await;
    let facts = object("acme", 1, true);
    bed.seal(&lease, 1, &facts).await;
    assert_eq!(signs().await, seen("04:01"));
    let attempt = bed.journal(&lease, &facts).await;
    assert_eq!(signs().await, seen("04:02"));
    bed.ledger.fail(&lease, &attempt, &failure("denied", false)).await.unwrap();
    assert_eq!(signs().await, seen("04:03"));
    bed.ledger.postpone(&lease, wait("source", "04:10")).await.unwrap();
    assert_eq!(signs().await, seen("04:05"));
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(signs().await, Signs { attended: false, looked_at: Some(at("04:05")) });
}

pub(crate) async fn windows_are_found_by_their_slots(bed: Bed) {
    let found = async |from, to, newest_first, limit| -> Vec<(u64, WindowState, u64, u64)> {
        let range = SlotRange { account: id("acme"), from: at(from), to: at(to), newest_first, limit };
        let windows = bed.ledger.slot_windows(&range).await.unwrap();
        windows.into_iter().map(|row| (row.window, row.state, row.objects, row.records)).collect()
    };
    let (lease, facts) = bed.sealed("acme", true).await;
    assert_eq!(found("04:00", "04:00", true, 9).await, [(1, WindowState::Open, 0, 0)]);
    bed.deliver(&lease, &facts).await;
    let watermark = bed.account("acme").await.watermark;
    bed.ledger.skip_to(&by(), &id("acme"), &watermark, gap(at("05:00")), &mut |_| Ok(())).await.unwrap();
    let (first, second) = ((1, WindowState::Delivered, 1, facts.records), (2, WindowState::Skipped, 0, 0));
    assert_eq!(found("00:00", "23:00", true, 9).await, [second, first]);
    assert_eq!(found("00:00", "23:00", false, 9).await, [first, second]);
    assert_eq!(found("00:00", "23:00", true, 1).await, [second]);
    assert_eq!(found("04:01", "04:59", true, 9).await, []);
    let range = SlotRange {
        account: id("acme"),
        from: jiff::Timestamp::UNIX_EPOCH,
        to: jiff::Timestamp::MAX,
        newest_first: false,
        limit: 9,
    };
    let windows = bed.ledger.slot_windows(&range).await.unwrap();
    assert_eq!((windows[0].slot, windows[0].closed_at), (at("04:00"), Some(at("04:03"))));
    assert_eq!((windows[1].slot, windows[1].closed_at, windows[1].left_out), (at("05:00"), None, Some(7)));
    assert_eq!(bed.ledger.slot_windows(&SlotRange { account: id("beta"), ..range }).await.unwrap(), []);
}
