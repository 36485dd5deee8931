//! The order of bounds.

use auditferry::source::SourceError;
use auditferry_core::model::bound::Bound;

use crate::source_contract::bed::{Bed, record};

pub(crate) async fn a_bound_is_not_behind_itself_or_an_earlier_one(bed: Bed) {
    let mut bounds = vec![bed.source.beginning(), bed.capture().await];
    for name in ["1", "2", "3"] {
        bed.insert(&[record(name)]).await;
        bounds.push(bed.capture().await);
    }
    for (place, hi) in bounds.iter().enumerate() {
        for lo in &bounds[..=place] {
            bed.source.check_order(lo, hi).unwrap();
        }
    }
}

/// A source that was restored stands at a bound that it gave long ago.
pub(crate) async fn a_source_that_went_back_is_noticed(bed: Bed) {
    let mut bounds = vec![bed.source.beginning()];
    for name in ["1", "2", "3"] {
        bed.insert(&[record(name)]).await;
        bounds.push(bed.capture().await);
    }
    for (place, stored) in bounds.iter().enumerate() {
        for now in &bounds[..place] {
            let error = bed.source.check_order(stored, now).unwrap_err();
            assert!(matches!(error, SourceError::Rewound(_)), "{error}");
        }
    }
}

pub(crate) async fn a_bound_of_another_source_is_refused(bed: Bed) {
    let ours = bed.capture().await;
    for text in ["", "x", if bed.is_postgres() { "42" } else { "10:20:" }] {
        let theirs = Bound(text.to_owned());
        for (lo, hi) in [(&theirs, &ours), (&ours, &theirs)] {
            let error = bed.source.check_order(lo, hi).unwrap_err();
            assert!(matches!(&error, SourceError::Foreign(found) if found == text), "{text:?}: {error}");
        }
    }
}
