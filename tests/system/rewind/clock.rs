//! A clock that was 400 days ahead: nothing is lost, nothing comes twice, and there is a way out.

use crate::support::by;
use auditferry::ledger::{Health, Signs};
use auditferry::operations::explanation::{Known, explain};
use auditferry_core::model::start::Start;
use auditferry_core::model::worker::Presence;

use super::{Installation, Rig, acme, at, insert};
use crate::support::postgres::cluster;
use crate::support::run;
use auditferry_core::protocol::Hold;

/// More than a year after the tests' day.
const AHEAD: &str = "2027-12-26T04:00";

/// Nothing but that a worker runs.
fn known() -> Known {
    Known {
        destination: None,
        credentials_end: None,
        awaited: None,
        waiting: None,
        last_delivery: None,
        signs: Signs::default(),
        workers: Presence::Running(1),
    }
}

impl Rig {
    /// An account that has delivered `a` at 04:00, then `b` by a clock that was ahead, and to which `c`
    /// has come since it is right.
    async fn ahead(&self, ledger: String) -> Installation {
        let here = self.install(ledger, self.sqlite("source.db")).await;
        insert(&here.source, "a", "").await;
        self.works(&here, "04:00").await;
        insert(&here.source, "b", "").await;
        self.works(&here, AHEAD).await;
        insert(&here.source, "c", "").await;
        here
    }
}

async fn an_account_goes_on_after_a_clock_was_ahead(rig: Rig, ledger: String) {
    let here = rig.ahead(ledger).await;
    rig.works(&here, "08:00").await;
    assert_eq!(rig.objects(), ["040000Z: a", "20271226T040000Z: b"]);
    let admin = rig.admin(&here, "08:30").await;
    let account = admin.ledger.account(&acme()).await.unwrap();
    assert_eq!(account.next_slot, Some(at("2027-12-26T08:00")));
    let told = explain(&account, at("08:30"), known());
    assert_eq!((told.health, told.clock_ahead_until), (Health::ClockAhead, Some(at(AHEAD))));
    assert!(told.advice.contains("`auditferry account rewind acme --accept`"), "{}", told.advice);
    let refused = admin.rewind(&by(), &acme(), Some(Start::Now)).await.expect_err("refused").to_string();
    assert!(refused.contains("leave --from out"), "{refused}");

    let account = rig.rewind(&here, "09:00").await;
    assert_eq!((account.generation, account.last_slot), (2, at("09:00")));
    assert_eq!((account.next_slot, account.watermark.at), (Some(at("12:00")), at("09:00")));
    assert_eq!(explain(&account, at("09:00"), known()).health, Health::Running);
    let again = rig.admin(&here, "09:01").await.rewind(&by(), &acme(), None).await.expect_err("refused");
    assert!(again.to_string().contains("nothing to rewind"), "{again}");
    rig.works(&here, "12:00").await;
    assert_eq!(rig.objects(), ["040000Z: a", "120000Z_g0002: c", "20271226T040000Z: b"]);

    // When the slots that were used come, they are passed over; their records come with the next.
    insert(&here.source, "d", "").await;
    rig.works(&here, AHEAD).await;
    assert_eq!(rig.objects().len(), 3);
    rig.works(&here, "2027-12-26T08:00").await;
    assert_eq!(rig.objects()[3], "20271226T080000Z_g0002: d");
}

#[test]
fn an_account_goes_on_after_a_clock_was_ahead_on_sqlite() {
    run(async {
        let rig = Rig::new().await;
        let ledger = rig.sqlite("ledger.db");
        an_account_goes_on_after_a_clock_was_ahead(rig, ledger).await;
    });
}

#[test]
fn an_account_goes_on_after_a_clock_was_ahead_on_postgres() {
    run(async {
        let ledger = cluster().url(&cluster().create().await);
        an_account_goes_on_after_a_clock_was_ahead(Rig::new().await, ledger).await;
    });
}

/// What was planned by the wrong clock may have been put already, so it keeps its name.
#[test]
fn a_window_that_was_open_when_the_clock_was_ahead_is_delivered_once() {
    run(async {
        let rig = Rig::new().await;
        let here = rig.install(rig.sqlite("ledger.db"), rig.sqlite("source.db")).await;
        insert(&here.source, "a", "").await;
        rig.works(&here, "04:00").await;
        insert(&here.source, "b", "").await;
        let set_bucket = async |name: &str| {
            let admin = rig.admin(&here, "04:01").await;
            let mut destination = admin.ledger.destination(&acme()).await.unwrap().unwrap();
            if let super::Place::S3(place) = &mut destination.place {
                place.bucket = name.to_owned();
            }
            admin.set_destination(&by(), &acme(), &destination, &[], true).await.unwrap();
        };
        set_bucket("absent").await;
        assert_eq!(rig.work(&here, AHEAD).await.open_window, Some(2));
        set_bucket("acme").await;
        insert(&here.source, "c", "").await;
        rig.works(&here, "08:00").await;
        assert_eq!(rig.objects(), ["040000Z: a"]);

        // As after an object of it that was delivered by that clock.
        let mut served = |account: &mut auditferry::ledger::Account| {
            account.served_at = Some(at(AHEAD));
            Ok(())
        };
        rig.admin(&here, "08:30").await.ledger.edit_account(&by(), &acme(), &mut served).await.unwrap();
        assert_eq!(rig.rewind(&here, "09:00").await.open_window, Some(2));
        rig.works(&here, "09:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "20271226T040000Z: b"]);
        rig.works(&here, "12:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "120000Z_g0002: c", "20271226T040000Z: b"]);
    });
}

/// Held as well: one rewind is enough.
#[test]
fn a_held_account_whose_slots_lie_in_the_future_goes_on_from_now() {
    run(async {
        let rig = Rig::new().await;
        let here = rig.ahead(rig.sqlite("ledger.db")).await;
        let admin = rig.admin(&here, "08:00").await;
        let mut hold = |account: &mut auditferry::ledger::Account| {
            account.held = Some(Hold::SourceRewound);
            Ok(())
        };
        admin.ledger.edit_account(&by(), &acme(), &mut hold).await.unwrap();
        let account = rig.rewind(&here, "09:00").await;
        assert_eq!((account.held, account.generation, account.next_slot), (None, 2, Some(at("12:00"))));
        rig.works(&here, "12:00").await;
        assert_eq!(rig.objects(), ["040000Z: a", "120000Z_g0002: c", "20271226T040000Z: b"]);
    });
}
