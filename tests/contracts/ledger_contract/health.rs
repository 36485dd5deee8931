//! The health of accounts: SQL judges as the code does.

use auditferry::ledger::{
    Account, AccountCursor, AccountFilter, AccountOrder, AccountPage, Circumstances, Health, Pause, health,
    since,
};
use auditferry_core::model::account::AddOn;
use auditferry_core::protocol::{Denied, Hold};
use jiff::{SignedDuration, Timestamp};

use super::bed::{Bed, at, bucket, id, trouble};
use crate::support::by;

/// What may be wrong with an account.
const WRONGS: [fn(&mut Account); 11] = [
    |account| account.addon.enabled = false,
    |account| account.held = Some(Hold::BadRecord),
    |account| account.trouble = Some(trouble("source")),
    |account| account.paused = Some(Pause { at: at("04:05"), reason: None }),
    |account| account.last_slot = at("23:30"),
    |account| account.next_slot = Some(at("05:00")),
    |account| account.next_slot = None,
    |account| account.denied = Some(Denied { since: at("04:01"), suspended_at: None }),
    |account| account.denied = Some(Denied { since: at("04:02"), suspended_at: Some(at("04:07")) }),
    |account| account.failures = 3,
    |account| account.addon = AddOn { enabled: true, until: Some(at("21:00")), reason: None },
];

/// Every pair of them, with and without a destination.
async fn patients(bed: &Bed) -> Vec<String> {
    let mut names = Vec::new();
    for (one, first) in WRONGS.iter().enumerate() {
        for (two, second) in WRONGS.iter().enumerate() {
            for placed in [true, false] {
                let name = format!("a{one:02}-{two:02}-{placed}");
                let mut account = super::bed::account(&name);
                account.next_slot = Some(at("22:00"));
                bed.ledger.add_account(&by(), &account).await.unwrap();
                if placed {
                    bed.ledger.set_destination(&by(), &id(&name), &bucket("b"), &[]).await.unwrap();
                }
                bed.ledger
                    .edit_account(&by(), &id(&name), &mut |account| {
                        first(account);
                        second(account);
                        Ok(())
                    })
                    .await
                    .unwrap();
                names.push(name);
            }
        }
    }
    names
}

async fn read(
    bed: &Bed,
    around: Circumstances,
    filter: &AccountFilter,
    limit: u32,
) -> Vec<(String, Health, Option<Timestamp>)> {
    let mut page = AccountPage { filter: filter.clone(), after: None, limit };
    let mut all = Vec::new();
    loop {
        let got = bed.ledger.judged_accounts(around, &page).await.unwrap();
        assert!(got.len() <= limit as usize);
        let Some(last) = got.last() else { return all };
        page.after = Some(AccountCursor { account: last.account.id.clone(), since: last.since });
        all.extend(
            got.into_iter().map(|judged| (judged.account.id.to_string(), judged.health, judged.since)),
        );
    }
}

pub(crate) async fn sql_judges_as_the_code_does(bed: Bed) {
    let names = patients(&bed).await;
    // Some are attended: a worker has them, or a person has just changed them. The changes above are
    // of today, and the day of the tests lies before.
    let now = at("22:05");
    for no_worker in [false, true] {
        for changed_lately in [true, false] {
            if !changed_lately {
                forget_changes(&bed).await;
            }
            let around = Circumstances { now, no_worker };
            let found = read(&bed, around, &AccountFilter::default(), 100).await;
            assert_eq!(found.len(), names.len());
            let mut seen = Vec::new();
            for (name, judged, judged_since) in &found {
                let account = bed.account(name).await;
                let right = health(&account, around, changed_lately);
                assert_eq!(*judged, right, "{name} {around:?} {changed_lately}: {account:?}");
                assert_eq!(*judged_since, since(&account, right), "{name}: {account:?}");
                seen.push(right);
            }
            let counts = bed.ledger.health_counts(around).await.unwrap();
            for (health, count) in counts {
                let right = seen.iter().filter(|seen| **seen == health).count() as u64;
                assert_eq!(count, right, "{health:?}");
                let filter = AccountFilter { health: vec![health], ..AccountFilter::default() };
                assert_eq!(bed.ledger.count_accounts(around, &filter).await.unwrap(), right);
            }
        }
    }
    // Each state is there, or the test would show less than it says.
    let around = Circumstances { now, no_worker: false };
    let states = bed.ledger.health_counts(around).await.unwrap();
    let missing: Vec<_> =
        Health::ALL.iter().filter(|health| !states.iter().any(|(state, _)| state == *health)).collect();
    assert_eq!(missing, [&Health::NoWorker]);
}

pub(crate) async fn an_account_that_somebody_has_or_has_changed_is_attended(bed: Bed) {
    bed.ready("acme").await;
    let around = Circumstances { now: at("22:05"), no_worker: false };
    let unattended = AccountFilter { health: vec![Health::Unattended], ..AccountFilter::default() };
    let count = async || bed.ledger.count_accounts(around, &unattended).await.unwrap();
    assert_eq!(count().await, 0, "it was just added");
    forget_changes(&bed).await;
    assert_eq!(count().await, 1);
    let lease = bed.take().await;
    assert_eq!(count().await, 0, "a worker has it");
    bed.ledger.release(&lease).await.unwrap();
    assert_eq!(count().await, 1);
}

/// All changes were made long ago.
async fn forget_changes(bed: &Bed) {
    let old = if bed.is_postgres() {
        "ALTER TABLE change_log DISABLE TRIGGER ALL; UPDATE change_log SET at = timestamptz 'epoch'"
    } else {
        "DROP TRIGGER IF EXISTS change_log_no_update; UPDATE change_log SET at = 0"
    };
    bed.execute(old).await;
}

pub(crate) async fn pages_go_on_where_the_last_one_ended(bed: Bed) {
    patients(&bed).await;
    let around = Circumstances { now: at("22:05"), no_worker: false };
    for order in [AccountOrder::Id, AccountOrder::Oldest] {
        let filter = AccountFilter { order, ..AccountFilter::failing() };
        let whole = read(&bed, around, &filter, 1_000).await;
        assert_eq!(read(&bed, around, &filter, 7).await, whole);
        assert!(whole.iter().all(|(_, health, _)| health.is_failing()) && whole.len() > 20);
        let mut sorted = whole.clone();
        match order {
            AccountOrder::Id => sorted.sort_by_key(|(name, _, _)| name.clone()),
            AccountOrder::Oldest => {
                sorted.sort_by_key(|(name, _, since)| (since.unwrap_or(Timestamp::MAX), name.clone()));
            }
        }
        assert_eq!(whole, sorted);
    }
}

pub(crate) async fn accounts_can_be_filtered(bed: Bed) {
    patients(&bed).await;
    let around = Circumstances { now: at("20:30"), no_worker: false };
    let names = async |filter: AccountFilter| -> Vec<String> {
        read(&bed, around, &filter, 100).await.into_iter().map(|(name, _, _)| name).collect()
    };
    let text = |text: &str| AccountFilter { text: Some(text.to_owned()), ..AccountFilter::default() };
    assert_eq!(names(text("A03-04-T")).await, ["a03-04-true"]);
    assert_eq!(names(text("%")).await, [""; 0]);
    let only = AccountFilter { only: Some(vec![id("a00-00-true")]), ..AccountFilter::default() };
    assert_eq!(names(only).await, ["a00-00-true"]);
    assert_eq!(names(AccountFilter { only: Some(Vec::new()), ..AccountFilter::default() }).await, [""; 0]);
    let ending = |minutes| AccountFilter {
        ending_within: Some(SignedDuration::from_mins(minutes)),
        ..AccountFilter::default()
    };
    assert_eq!(names(ending(29)).await, [""; 0]);
    assert!(names(ending(30)).await.iter().all(|name| name.contains("10")));
    assert!(!names(ending(30)).await.is_empty());
}

pub(crate) async fn what_is_due_next_and_what_waits_is_known(bed: Bed) {
    bed.ready("acme").await;
    bed.ready("beta").await;
    let slots = bed.ledger.next_slots(at("03:00"), 5).await.unwrap();
    assert_eq!(slots, [(at("04:00"), 2)]);
    assert_eq!(bed.ledger.oldest_undelivered(at("03:59")).await.unwrap(), None);
    let waits = bed.ledger.oldest_undelivered(at("04:00")).await.unwrap();
    assert_eq!(waits, Some((id("acme"), at("04:00"))));
    assert_eq!(bed.ledger.leases().await.unwrap(), []);
    bed.ledger.claim("ana", at("23:00"), super::bed::LONG, 10, &[]).await.unwrap();
    assert_eq!(bed.ledger.leases().await.unwrap(), [("ana".to_owned(), 2)]);
}
