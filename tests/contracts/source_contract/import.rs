//! Importing, all or nothing.

use auditferry_core::model::record::Record;

use crate::source_contract::bed::{Bed, at, id, record};
use crate::source_contract::counting::watermark;

pub(crate) async fn an_import_keeps_the_order_and_every_field(bed: Bed) {
    let records: Vec<_> = (0..50)
        .map(|number| Record {
            occurred_at: at(&format!("04:00:00.{:06}", (number * 7919) % 1_000_000)),
            action_id: (number % 2 == 0).then(|| number.to_string()),
            ip_address: (number % 3 == 0).then(|| format!("2001:db8::{number}")),
            description: format!("number {number}: '\"\\{{}},\u{2028}\n🦀"),
            ..record(&number.to_string())
        })
        .collect();
    let mut import = bed.source.import(&id("acme")).await.unwrap();
    for page in records.chunks(20) {
        import.append(page).await.unwrap();
    }
    import.append(&[]).await.unwrap();
    let waiting = bed.source.waiting(&id("acme"), &watermark(bed.source.beginning())).await.unwrap();
    assert_eq!(waiting.records, 0, "nothing before the end");
    import.commit().await.unwrap();
    assert_eq!(bed.everything().await, records);
}

pub(crate) async fn an_import_that_is_dropped_leaves_nothing(bed: Bed) {
    let mut import = bed.source.import(&id("acme")).await.unwrap();
    import.append(&[record("1"), record("2")]).await.unwrap();
    drop(import);
    // Nothing is left locked either.
    bed.insert(&[record("3")]).await;
    assert_eq!(bed.everything().await, [record("3")]);
}

pub(crate) async fn a_change_of_a_ledger_becomes_one_record(bed: Bed) {
    for (ledger, number, told) in [("a", 1, "1"), ("a", 2, "2"), ("a", 1, "again"), ("b", 1, "3")] {
        bed.source.publish_change(ledger, number, &id("acme"), &record(told)).await.unwrap();
    }
    assert_eq!(bed.everything().await, [record("1"), record("2"), record("3")]);
    // What is refused is not remembered either.
    let bad = Record { occurred_at: jiff::Timestamp::MAX, ..record("bad") };
    bed.source.publish_change("a", 3, &id("acme"), &bad).await.unwrap_err();
    bed.source.publish_change("a", 3, &id("acme"), &record("4")).await.unwrap();
    assert_eq!(bed.everything().await.len(), 4);
}

pub(crate) async fn an_import_with_a_bad_record_leaves_nothing(bed: Bed) {
    let too_late = Record { occurred_at: jiff::Timestamp::MAX, ..record("bad") };
    let mut import = bed.source.import(&id("acme")).await.unwrap();
    import.append(&[record("1")]).await.unwrap();
    import.append(&[record("2"), too_late, record("3")]).await.unwrap_err();
    drop(import);
    bed.insert(&[record("4")]).await;
    assert_eq!(bed.everything().await, [record("4")]);
}
