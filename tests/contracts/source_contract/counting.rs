//! What a person sees waiting.

use auditferry::source::{WAITING_LIMIT, Waiting};
use auditferry_core::model::bound::{Ahead, Bound, Watermark};

use crate::source_contract::bed::{Bed, at, id, record};

pub(crate) fn watermark(bound: Bound) -> Watermark {
    Watermark { bound, at: at("00:00"), ahead: None, since: None }
}

impl Bed {
    async fn waiting(&self, watermark: &Watermark) -> Waiting {
        self.source.waiting(&id("acme"), watermark).await.unwrap()
    }
}

pub(crate) async fn what_waits_is_counted(bed: Bed) {
    let beginning = watermark(bed.source.beginning());
    assert_eq!(bed.waiting(&beginning).await, Waiting { records: 0, oldest: None });
    bed.insert_at(&["01:00"]).await;
    bed.application().await.insert("other", &record("other")).await.unwrap();
    let delivered = watermark(bed.capture().await);
    bed.insert_at(&["05:00", "03:00"]).await;
    assert_eq!(bed.waiting(&beginning).await, Waiting { records: 3, oldest: Some(at("01:00")) });
    assert_eq!(bed.waiting(&delivered).await, Waiting { records: 2, oldest: Some(at("03:00")) });
    let since = Watermark { since: Some(at("04:00")), ..beginning };
    assert_eq!(bed.waiting(&since).await, Waiting { records: 1, oldest: Some(at("05:00")) });
}

pub(crate) async fn the_oldest_is_the_earliest_instant(bed: Bed) {
    bed.insert_at(&["04:00:00.55", "04:00:00.5", "04:00:00", "04:00:01"]).await;
    let waiting = bed.waiting(&watermark(bed.source.beginning())).await;
    assert_eq!(waiting, Waiting { records: 4, oldest: Some(at("04:00")) });
}

pub(crate) async fn what_was_delivered_ahead_does_not_wait(bed: Bed) {
    bed.insert_at(&["01:00", "03:00"]).await;
    let ahead = Ahead { bound: bed.capture().await, before: at("02:00") };
    let watermark = Watermark { ahead: Some(ahead), ..watermark(bed.source.beginning()) };
    assert_eq!(bed.waiting(&watermark).await, Waiting { records: 1, oldest: Some(at("03:00")) });
}

pub(crate) async fn counting_stops_at_a_limit(bed: Bed) {
    let mut import = bed.source.import(&id("acme")).await.unwrap();
    for _ in 0..11 {
        import.append(&vec![record("many"); 1_000]).await.unwrap();
    }
    import.commit().await.unwrap();
    let waiting = bed.waiting(&watermark(bed.source.beginning())).await;
    assert_eq!(waiting.records, u64::from(WAITING_LIMIT));
}
