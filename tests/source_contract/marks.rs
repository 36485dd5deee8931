//! Marks: how a source that has gone back is recognised.

use auditferry::source::SourceError;
use auditferry::window::{Bound, Mark};

use crate::bed::{Bed, at, id};

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
    bed.source.forget_marks("ours", at("00:00")).await.unwrap();
    bed.source.recognise(&id("acme"), &bound).await.unwrap();
    let later = "2999-01-01T00:00:00Z".parse().unwrap();
    bed.source.forget_marks("ours", later).await.unwrap();
    bed.source.recognise(&id("acme"), &bound).await.unwrap_err();
    bed.source.recognise(&id("acme"), &theirs).await.unwrap();
}
