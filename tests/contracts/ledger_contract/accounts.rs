//! Accounts: added, listed, edited, removed.

use crate::support::by;
use std::sync::Arc;

use auditferry::ledger::{DeliveryFilter, LedgerError};
use auditferry_core::model::account::AddOn;
use auditferry_core::model::bound::{Ahead, Bound, Watermark};
use auditferry_core::model::format::{
    Absent, Container, EmptyWindows, Format, Layout, PathLayout, RecordFormat, Siem,
};
use auditferry_core::protocol::Hold;
use auditferry_core::refusal::{Refusal, RefusalCode};

use crate::ledger_contract::bed::{Bed, LONG, account, at, bucket, gap, id, open, trouble};

pub(crate) async fn an_account_reads_back_as_it_was_added(bed: Bed) {
    let plain = account("plain");
    let mut full = account("Zürich \"1\"");
    full.zone = "Asia/Kolkata".to_owned();
    full.schedule = "0 0 0 * * *".to_owned();
    full.format = Format {
        container: Container::Gzip,
        layout: Layout::Array,
        empty_windows: EmptyWindows::Object,
        max_records: 7,
        max_bytes: 1 << 40,
        compression: 9,
        record_format: RecordFormat::SnakeCase,
        envelope: true,
        absent: Absent::Omit,
        max_field_bytes: 1 << 40,
        path: PathLayout::Dates,
        siem: Siem::Wazuh,
        source: "Acme Dashboard".to_owned(),
    };
    full.addon = AddOn { enabled: true, until: Some(at("20:00")), reason: Some("a 'trial'\n".to_owned()) };
    full.watermark = Watermark {
        bound: Bound("10:20:11,12".to_owned()),
        at: "2026-11-21T01:02:03.123456Z".parse().unwrap(),
        ahead: Some(Ahead { bound: Bound("30:30:".to_owned()), before: at("03:00") }),
        since: Some("1969-12-31T23:59:59.999999Z".parse().unwrap()),
    };
    full.windows = 4_000_000_000;
    full.failures = 3;
    full.retry_at = Some(at("05:00"));
    full.trouble = Some(trouble("denied"));
    full.held = Some(Hold::ContentChanged);
    full.starts_when_enabled = true;
    for account in [plain, full] {
        bed.ledger.add_account(&by(), &account).await.unwrap();
        assert_eq!(bed.ledger.account(&account.id).await.unwrap(), account);
    }
}

pub(crate) async fn a_second_account_of_one_id_is_refused(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let mut second = account("acme");
    second.zone = "Asia/Kolkata".to_owned();
    let error = bed.ledger.add_account(&by(), &second).await.unwrap_err();
    assert!(matches!(error, LedgerError::AccountExists(known) if known == id("acme")));
    assert_eq!(bed.account("acme").await, account("acme"));
}

pub(crate) async fn accounts_come_in_the_order_of_ids_page_by_page(bed: Bed) {
    let mut ids: Vec<_> = ["b", "B", "a-1", "a_1", "a1", "A 2", "é", "~", "10", "9", "Z"].map(id).into();
    for id in &ids {
        bed.ledger.add_account(&by(), &account(id.as_str())).await.unwrap();
    }
    ids.sort();
    for size in [1, 3, 100] {
        let mut listed = Vec::new();
        loop {
            let page = bed.ledger.accounts(listed.last(), size).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= size as usize);
            listed.extend(page.into_iter().map(|account| account.id));
        }
        assert_eq!(listed, ids, "in pages of {size}");
    }
}

pub(crate) async fn an_edit_is_stored(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let edited = bed
        .ledger
        .edit_account(&by(), &id("acme"), &mut |account| {
            account.zone = "Asia/Kolkata".to_owned();
            account.addon.enabled = false;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!((edited.zone.as_str(), edited.addon.enabled), ("Asia/Kolkata", false));
    assert_eq!(bed.account("acme").await, edited);
}

pub(crate) async fn a_refused_edit_stores_nothing(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let error = bed
        .ledger
        .edit_account(&by(), &id("acme"), &mut |account| {
            account.zone = "Asia/Kolkata".to_owned();
            Err(Refusal::new(RefusalCode::InvalidValue, "not today").into())
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "not today");
    assert_eq!(bed.account("acme").await, account("acme"));
}

pub(crate) async fn edits_of_one_account_wait_for_each_other(bed: Bed) {
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    let edits = (0..20).map(|_| {
        let ledger = Arc::clone(&bed.ledger);
        tokio::spawn(async move {
            let mut count_up = |account: &mut auditferry::ledger::Account| {
                account.failures += 1;
                Ok(())
            };
            ledger.edit_account(&by(), &id("acme"), &mut count_up).await.map(drop)
        })
    });
    for edit in edits.collect::<Vec<_>>() {
        edit.await.unwrap().unwrap();
    }
    assert_eq!(bed.account("acme").await.failures, 20);
}

pub(crate) async fn a_removed_account_takes_its_history_with_it(bed: Bed) {
    let (lease, facts) = bed.sealed("acme", true).await;
    bed.deliver(&lease, &facts).await;
    bed.ledger.release(&lease).await.unwrap();
    bed.ledger.add_account(&by(), &account("other")).await.unwrap();

    bed.ledger.remove_account(&by(), &id("acme")).await.unwrap();

    assert!(matches!(bed.ledger.account(&id("acme")).await, Err(LedgerError::NoAccount(_))));
    let all = DeliveryFilter { limit: 10, ..DeliveryFilter::default() };
    assert_eq!(bed.ledger.deliveries(&all).await.unwrap(), []);
    assert_eq!(bed.ledger.attempts(&id("acme"), facts.key.as_str()).await.unwrap(), []);
    assert_eq!(bed.account("other").await, account("other"));
    // Added again, it begins again: versions and windows count from 1.
    bed.ledger.add_account(&by(), &account("acme")).await.unwrap();
    assert_eq!(bed.ledger.destination(&id("acme")).await.unwrap(), None);
    assert_eq!(bed.ledger.set_destination(&by(), &id("acme"), &bucket("new"), &[]).await.unwrap(), 1);
    bed.ledger.plan(&bed.take().await, &crate::ledger_contract::bed::window("04:00", "20")).await.unwrap();
}

pub(crate) async fn an_unknown_account_is_named(bed: Bed) {
    let other = open(&bed.url).await;
    let nobody = id("nobody");
    let mut edit = |_: &mut auditferry::ledger::Account| Ok(());
    let watermark = account("x").watermark;
    let errors = [
        other.account(&nobody).await.map(drop).unwrap_err(),
        other.edit_account(&by(), &nobody, &mut edit).await.map(drop).unwrap_err(),
        other.remove_account(&by(), &nobody).await.unwrap_err(),
        other.set_destination(&by(), &nobody, &bucket("x"), &[]).await.map(drop).unwrap_err(),
        other.destination(&nobody).await.map(drop).unwrap_err(),
        other.skip_to(&by(), &nobody, &watermark, gap(at("04:00")), &mut edit).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, LedgerError::NoAccount(name) if name == "nobody"), "{error}");
    }
    assert!(other.open_window(&nobody).await.unwrap().is_none());
    assert!(other.claim("ana", at("23:00"), LONG, 10, &[]).await.unwrap().is_empty());
}
