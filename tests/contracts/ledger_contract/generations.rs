//! Marks, and what happens when the ledger or the source has gone back.

use crate::support::by;
use auditferry::ledger::{Account, LedgerError};
use auditferry_core::model::bound::{Bound, Watermark};
use auditferry_core::protocol::Hold;
use auditferry_core::refusal::{Refusal, RefusalCode};

use crate::ledger_contract::bed::{Bed, at, bucket, id, object, trouble, window};

pub(crate) async fn marks_are_counted(bed: Bed) {
    let ledger = bed.ledger.id().await.unwrap();
    assert!(!ledger.is_empty());
    for number in [1, 2, 3] {
        let mark = bed.ledger.next_mark().await.unwrap();
        assert_eq!((mark.ledger.as_str(), mark.number), (ledger.as_str(), number));
    }
}

pub(crate) async fn a_ledger_that_went_back_holds_every_account(bed: Bed) {
    bed.ready("acme").await;
    bed.ready("beta").await;
    bed.ledger.mark_ledger_rewound(70, &trouble("ledger_rewound")).await.unwrap();
    for name in ["acme", "beta"] {
        assert_eq!(bed.account(name).await.held, Some(Hold::LedgerRewound));
        assert_eq!(bed.account(name).await.trouble.unwrap().message, "a sentence");
    }
    assert_eq!(bed.due("23:00").await, [] as [&str; 0]);
    assert_eq!(bed.ledger.next_mark().await.unwrap().number, 71);
}

pub(crate) async fn the_watermark_of_each_window_is_known(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.close(&lease, 1, at("04:01")).await.unwrap();
    bed.ledger.plan(&lease, &window("08:00", "30")).await.unwrap();
    let bounds = |watermarks: Vec<Watermark>| watermarks.into_iter().map(|w| w.bound.0).collect::<Vec<_>>();
    let all = bed.ledger.watermarks(&id("acme"), 10).await.unwrap();
    assert_eq!(bounds(all), ["20", "20", "10"]);
    assert_eq!(bounds(bed.ledger.watermarks(&id("acme"), 1).await.unwrap()), ["20", "20"]);
}

pub(crate) async fn a_rewound_account_begins_a_new_generation(bed: Bed) {
    let lease = bed.planned("acme").await;
    bed.ledger.hold(&lease, Hold::SourceRewound, trouble("source_rewound")).await.unwrap();
    let earlier = Watermark { bound: Bound("5".to_owned()), at: at("00:00"), ahead: None, since: None };
    let account = bed.ledger.rewind(&by(), &id("acme"), &earlier, &mut |_| Ok(())).await.unwrap();
    assert_eq!((account.generation, account.held, account.open_window), (2, None, None));
    assert_eq!(bed.account("acme").await, account);

    assert!(bed.ledger.open_window(&id("acme")).await.unwrap().is_none(), "the window is given up");
    let facts = object("acme", 1, true);
    let sealed = bed.ledger.plan(&lease, &window("08:00", "20")).await;
    assert!(matches!(sealed, Err(LedgerError::Changed(_))), "decided before the rewind");
    bed.ledger.release(&lease).await.unwrap();
    let lease = bed.take().await;
    bed.ledger.plan(&lease, &window("08:00", "20")).await.unwrap();
    let open = bed.open(&id("acme")).await;
    assert_eq!((open.window.number, open.window.generation, open.window.set.lo.0.as_str()), (2, 2, "5"));
    assert!(open.window.key(1).as_str().ends_with("T080000Z_g0002.zip"));
    assert_ne!(open.window.key(1), facts.key);
    assert_eq!(open.destination, bucket("first"));
}

pub(crate) async fn a_refused_rewind_stores_nothing(bed: Bed) {
    bed.planned("acme").await;
    let before = bed.account("acme").await;
    let mut refuse = |_: &mut Account| Err(Refusal::new(RefusalCode::InvalidValue, "no").into());
    bed.ledger.rewind(&by(), &id("acme"), &before.watermark, &mut refuse).await.unwrap_err();
    assert_eq!(bed.account("acme").await, before);
    assert!(bed.ledger.open_window(&id("acme")).await.unwrap().is_some());
}
