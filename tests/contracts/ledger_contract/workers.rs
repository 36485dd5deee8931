//! Signs of life.

use std::time::Duration;

use auditferry_core::model::worker::{ChoreReport, Presence, SignOfLife, WaitsFor, WorkerMode, WorkerReport};

use super::bed::{Bed, at};

fn sign(id: &str, mode: WorkerMode) -> SignOfLife {
    SignOfLife {
        id: id.to_owned(),
        host: "host".to_owned(),
        version: "1.2.3".to_owned(),
        since: at("04:00"),
        report: WorkerReport {
            mode,
            exports: 7,
            accounts: vec!["acme".to_owned()],
            planning: true,
            waits_for: WaitsFor::Slot { until: at("08:00") },
            problem: Some("disk full".to_owned()),
            clock_ahead_seconds: -3,
            chores: vec![ChoreReport {
                name: "remove old marks".to_owned(),
                period_seconds: 3600,
                last_run: Some(at("04:01")),
                last_success: None,
                failing_since: Some(at("04:01")),
                error: Some("denied".to_owned()),
            }],
        },
    }
}

pub(crate) async fn a_worker_reads_back_as_it_said(bed: Bed) {
    assert_eq!(bed.ledger.workers().await.unwrap(), []);
    let before = bed.ledger.now().await.unwrap();
    bed.ledger.sign_of_life(&sign("ana", WorkerMode::Forever)).await.unwrap();
    let known = bed.ledger.workers().await.unwrap().remove(0);
    assert_eq!(known.sign, sign("ana", WorkerMode::Forever));
    assert!(known.seen_at >= before && known.is_alive() && known.ended_at.is_none(), "{known:?}");

    let mut later = sign("ana", WorkerMode::Forever);
    later.report.exports = 8;
    tokio::time::sleep(Duration::from_millis(5)).await;
    bed.ledger.sign_of_life(&later).await.unwrap();
    let again = bed.ledger.workers().await.unwrap();
    assert_eq!((again.len(), again[0].sign.report.exports), (1, 8));
    assert!(again[0].seen_at > known.seen_at);
}

pub(crate) async fn one_that_is_silent_or_has_ended_is_told_from_one_that_runs(bed: Bed) {
    bed.ledger.sign_of_life(&sign("ana", WorkerMode::Forever)).await.unwrap();
    bed.ledger.sign_of_life(&sign("bo", WorkerMode::UntilIdle)).await.unwrap();
    let presence = async || Presence::of(&bed.ledger.workers().await.unwrap());
    assert_eq!(presence().await, Presence::Running(2));
    bed.ledger.sign_off("bo").await.unwrap();
    assert_eq!(presence().await, Presence::Running(1));
    let (minute, postgres) = (61_000_000, bed.is_postgres());
    let earlier =
        if postgres { "seen_at - interval '61 seconds'".to_owned() } else { format!("seen_at - {minute}") };
    bed.execute(&format!("UPDATE worker SET seen_at = {earlier} WHERE id = 'ana'")).await;
    assert!(matches!(presence().await, Presence::Visits { .. }), "the last one came from cron");
    bed.ledger.sign_of_life(&sign("ana", WorkerMode::Forever)).await.unwrap();
    assert_eq!(presence().await, Presence::Running(1), "it was only silent");
}

pub(crate) async fn those_that_are_gone_for_long_are_forgotten(bed: Bed) {
    for id in ["ana", "bo", "cy"] {
        bed.ledger.sign_of_life(&sign(id, WorkerMode::Forever)).await.unwrap();
    }
    let old = if bed.is_postgres() { "timestamptz 'epoch'" } else { "0" };
    bed.execute(&format!("UPDATE worker SET seen_at = {old} WHERE id <> 'cy'")).await;
    bed.ledger.forget_workers().await.unwrap();
    let left = async || -> Vec<String> {
        bed.ledger.workers().await.unwrap().into_iter().map(|known| known.sign.id).collect()
    };
    assert_eq!(left().await, ["cy"]);
    bed.execute(&format!("UPDATE worker SET seen_at = {old}")).await;
    bed.ledger.forget_workers().await.unwrap();
    assert_eq!(left().await, ["cy"], "the last one stays");
}
