//! Marks: how a source that has gone back is recognised.

use async_trait::async_trait;
use auditferry::source::{SourceError, Taken, Taker};
use auditferry_core::model::bound::{Ahead, Bound, Mark, RecordSet};
use auditferry_core::model::record::RecordRef;
use jiff::SignedDuration;

use crate::source_contract::bed::{Bed, at, between, id};

fn mark(ledger: &str, number: u64) -> Mark {
    Mark { ledger: ledger.to_owned(), number }
}

pub(crate) async fn a_bound_is_recognised_by_its_mark(bed: Bed) {
    let bound = bed.source.capture(&mark("ours", 7)).await.unwrap();
    bed.source.recognise(&id("acme"), &bound).await.unwrap();
    bed.source.recognise(&id("acme"), &bed.source.beginning()).await.unwrap();
}

pub(crate) async fn a_source_without_the_mark_has_gone_back(bed: Bed) {
    let bound = bed.source.capture(&mark("ours", 7)).await.unwrap();
    let lost = Bound(bound.0.replace("ours/7", "ours/8"));
    let error = bed.source.recognise(&id("acme"), &lost).await.unwrap_err();
    assert!(matches!(&error, SourceError::Rewound(why) if why.contains("ours/8")), "{error}");
}

/// Counts the records of a window.
#[derive(Default)]
struct Counting(u32);

#[async_trait]
impl Taker for Counting {
    fn take(&mut self, _: &RecordRef<'_>) -> Taken {
        self.0 += 1;
        Taken::Yes
    }

    async fn pause(&mut self) {}
}

/// As a worker reads a window.
async fn exported(bed: &Bed, set: &RecordSet) -> Result<u32, SourceError> {
    let mut counting = Counting::default();
    bed.source.recognise_set(&id("acme"), set).await?;
    bed.source.hand_over(&id("acme"), set, None, 10, &mut counting).await?;
    Ok(counting.0)
}

pub(crate) async fn no_window_is_exported_when_a_mark_of_it_is_gone(bed: Bed) {
    let lo = bed.source.capture(&mark("ours", 1)).await.unwrap();
    bed.insert_at(&["01:00"]).await;
    let hi = bed.source.capture(&mark("ours", 2)).await.unwrap();
    let gone = |bound: &Bound, number: u64| Bound(bound.0.replace(&format!("ours/{number}"), "ours/9"));
    let ahead = |bound: Bound| Some(Ahead { bound, before: at("00:00") });
    let whole = RecordSet { ahead: ahead(lo.clone()), ..between(&lo, &hi) };
    assert_eq!(exported(&bed, &whole).await.unwrap(), 1);
    for set in [
        RecordSet { lo: gone(&lo, 1), ..whole.clone() },
        RecordSet { hi: gone(&hi, 2), ..whole.clone() },
        RecordSet { ahead: ahead(gone(&lo, 1)), ..whole.clone() },
    ] {
        let error = exported(&bed, &set).await.unwrap_err();
        assert!(matches!(&error, SourceError::Rewound(why) if why.contains("ours/9")), "{error}");
    }
    // What was delivered once is read again long after its marks are forgotten.
    let again = RecordSet { hi: gone(&hi, 2), ..whole };
    assert_eq!(bed.read(&again).await.len(), 1);
}

pub(crate) async fn the_newest_mark_of_each_ledger_is_known(bed: Bed) {
    assert_eq!(bed.source.newest_mark("ours").await.unwrap(), 0);
    for (ledger, number) in [("ours", 1), ("theirs", 9), ("ours", 3), ("ours", 2)] {
        bed.source.capture(&mark(ledger, number)).await.unwrap();
    }
    assert_eq!(bed.source.newest_mark("ours").await.unwrap(), 3);
    assert_eq!(bed.source.newest_mark("theirs").await.unwrap(), 9);
}

pub(crate) async fn a_mark_is_left_once(bed: Bed) {
    bed.source.capture(&mark("ours", 1)).await.unwrap();
    bed.source.capture(&mark("ours", 1)).await.unwrap_err();
}

pub(crate) async fn old_marks_are_forgotten(bed: Bed) {
    let bound = bed.source.capture(&mark("ours", 1)).await.unwrap();
    let theirs = bed.source.capture(&mark("theirs", 1)).await.unwrap();
    let none = SignedDuration::ZERO;
    bed.source.forget_marks("ours", at("00:00"), none).await.unwrap();
    bed.source.recognise(&id("acme"), &bound).await.unwrap();
    let later = "2999-01-01T00:00:00Z".parse().unwrap();
    // By the source's clock it is young, whatever a worker takes for the time.
    bed.source.forget_marks("ours", later, SignedDuration::from_hours(1)).await.unwrap();
    bed.source.recognise(&id("acme"), &bound).await.unwrap();
    bed.source.forget_marks("ours", later, SignedDuration::from_secs(-60)).await.unwrap();
    bed.source.recognise(&id("acme"), &bound).await.unwrap_err();
    bed.source.recognise(&id("acme"), &theirs).await.unwrap();
}
