//! When credentials end, and that somebody is warned once.

use crate::support::by;
use auditferry::ledger::CredentialsEnd;
use auditferry_core::model::destination::Destination;
use auditferry_core::model::expiry::Ending;
use jiff::{SignedDuration, Timestamp};

use crate::ledger_contract::bed::{Bed, at, bucket, id, open};

impl Bed {
    async fn ending(&self, before: Timestamp) -> Vec<CredentialsEnd> {
        self.ledger.credentials_ending(before, None, 10).await.unwrap()
    }

    async fn end(&self, name: &str) -> Option<Timestamp> {
        self.ledger.credentials_end(&id(name)).await.unwrap()
    }
}

fn days(days: i64) -> Timestamp {
    at("04:00") + SignedDuration::from_hours(24 * days)
}

pub(crate) async fn the_earlier_of_two_ends_counts(bed: Bed) {
    bed.ready("acme").await;
    assert_eq!(bed.end("acme").await, None);
    bed.ledger.note_credentials_end(&id("acme"), 1, Some(days(9))).await.unwrap();
    assert_eq!(bed.end("acme").await, Some(days(9)));
    bed.ledger.note_credentials_end(&id("acme"), 1, None).await.unwrap();
    assert_eq!(bed.end("acme").await, None);

    let told = Destination { expires: Some(days(5)), ..bucket("second") };
    bed.ledger.set_destination(&by(), &id("acme"), &told, &[]).await.unwrap();
    assert_eq!(bed.end("acme").await, Some(days(5)));
    for (learned, counts) in [(Some(days(9)), days(5)), (Some(days(2)), days(2)), (None, days(5))] {
        bed.ledger.note_credentials_end(&id("acme"), 2, learned).await.unwrap();
        assert_eq!(bed.end("acme").await, Some(counts));
    }
}

pub(crate) async fn an_end_is_warned_of_once_at_each_threshold(bed: Bed) {
    bed.ready("acme").await;
    bed.ledger.note_credentials_end(&id("acme"), 1, Some(days(9))).await.unwrap();
    let ends = bed.ending(days(14)).await.swap_remove(0);
    let another = open(&bed.url).await;
    assert!(bed.ledger.note_warned(&ends, 14).await.unwrap());
    assert!(!another.note_warned(&ends, 14).await.unwrap());
    assert!(another.note_warned(&ends, 7).await.unwrap());
    assert!(!bed.ledger.note_warned(&ends, 14).await.unwrap());
    assert_eq!(bed.ending(days(14)).await[0].warned, Some(7));

    // The same end again changes nothing; another is warned of anew.
    bed.ledger.note_credentials_end(&id("acme"), 1, Some(days(9))).await.unwrap();
    assert!(!bed.ledger.note_warned(&ends, 7).await.unwrap());
    bed.ledger.note_credentials_end(&id("acme"), 1, Some(days(10))).await.unwrap();
    assert!(!bed.ledger.note_warned(&ends, 1).await.unwrap());
    assert_eq!(bed.ending(days(14)).await[0].warned, None);
}

pub(crate) async fn ends_of_what_is_not_used_do_not_count(bed: Bed) {
    for (name, end) in [("acme", 9), ("globex", 3), ("hooli", 30)] {
        bed.ready(name).await;
        bed.ledger.note_credentials_end(&id(name), 1, Some(days(end))).await.unwrap();
    }
    let names = async || -> Vec<String> {
        bed.ending(days(14)).await.into_iter().map(|ends| ends.account.to_string()).collect()
    };
    let counts = async || bed.ledger.gauges(at("04:00")).await.unwrap().credentials;
    assert_eq!(names().await, ["acme", "globex"]);
    let after = bed.ledger.credentials_ending(days(14), Some(&id("acme")), 10).await.unwrap();
    assert_eq!(after.len(), 1);
    let counted = |ended, day, week, fortnight| {
        Ending::ALL.into_iter().zip([ended, day, week, fortnight]).collect::<Vec<_>>()
    };
    assert_eq!(counts().await, counted(0, 0, 1, 2));
    assert_eq!(bed.ledger.gauges(days(3)).await.unwrap().credentials, counted(1, 1, 2, 2));

    // A replaced destination's, and a disabled add-on's.
    bed.ledger.set_destination(&by(), &id("globex"), &bucket("second"), &[]).await.unwrap();
    assert_eq!(names().await, ["acme"]);
    bed.edit("acme", |account| account.addon.enabled = false).await;
    assert!(names().await.is_empty());
    assert_eq!(counts().await, counted(0, 0, 0, 0));
}
