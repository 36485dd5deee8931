//! A customer who refuses for days, and support that pauses.

use crate::support::by;
use std::path::PathBuf;

use auditferry::ledger::Pause;
use auditferry_core::model::destination::{Place, S3Credentials, SecretRef};
use jiff::{SignedDuration, ToSpan as _};

use super::{Rig, acme, at, holding};
use crate::support::{run, secret};

impl Rig {
    /// A slot so many days after the first one.
    async fn run_on_day(&self, day: i64) -> Vec<String> {
        self.clock.set(at("04:00") + SignedDuration::from_hours(24 * day));
        self.run_now().await
    }

    /// The bucket with another secret key; returns the file that the key is in.
    async fn set_secret(&self, key: &str) -> PathBuf {
        let mut destination = self.destination(&self.server, "first");
        let SecretRef::File(file) = secret(key) else { unreachable!("the tests' secrets are files") };
        if let Place::S3(place) = &mut destination.place
            && let S3Credentials::AccessKey(access) = &mut place.credentials
        {
            access.secret = SecretRef::File(file.clone());
        }
        self.ledger.set_destination(&by(), &acme(), &destination, &[]).await.unwrap();
        file
    }

    /// Attempts for the one object, and the probes that were created.
    async fn puts(&self) -> (u32, usize) {
        let filter = auditferry::ledger::DeliveryFilter { limit: 10, ..Default::default() };
        let attempts = self.ledger.deliveries(&filter).await.unwrap().iter().map(|row| row.attempts).sum();
        let probes = std::fs::read_dir(self.folder.join("s3/first/auditferry-probe"));
        (attempts, probes.map_or(0, Iterator::count))
    }
}

#[test]
fn a_destination_that_refuses_for_a_week_is_only_probed_until_that_succeeds() {
    run(async {
        let rig = Rig::new(Default::default()).await;
        let key = rig.set_secret("deleted").await;
        rig.insert(&["01:00"]).await;
        for day in 0..7 {
            assert_eq!(rig.run_on_day(day).await, ["acme"]);
            assert!(!rig.account().await.is_suspended(), "on day {day}");
        }
        assert_eq!(rig.run_on_day(7).await, ["acme"]);
        let account = rig.account().await;
        let denied = account.denied.unwrap();
        assert_eq!(denied.since, at("04:00"));
        assert_eq!(denied.suspended_at, Some(at("04:00") + 168.hours()));
        assert_eq!(rig.puts().await, (8, 0));
        // Slot after slot, a probe and nothing else.
        for day in 8..11 {
            assert_eq!(rig.run_on_day(day).await, ["acme"]);
            let account = rig.account().await;
            let told = account.trouble.unwrap();
            assert_eq!((told.kind.as_str(), told.at), ("invalid_credentials", rig.now()));
            assert_eq!(account.retry_at, Some(rig.now() + 4.hours()), "not before the next slot");
        }
        assert_eq!(rig.puts().await, (8, 0));
        std::fs::write(key, super::SECRET).unwrap();
        assert_eq!(rig.run_on_day(11).await, [""; 0], "{:?}", rig.account().await.trouble);
        assert_eq!(rig.puts().await, (9, 1), "the probe, and the object in the same slot");
        let account = rig.account().await;
        assert_eq!((account.denied, account.trouble), (None, None));
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"])]));
    });
}

#[test]
fn a_person_ends_a_suspension_at_once() {
    run(async {
        let rig = Rig::new(Default::default()).await;
        rig.set_bucket("missing").await;
        rig.insert(&["01:00"]).await;
        for day in [0, 7] {
            rig.run_on_day(day).await;
        }
        assert!(rig.account().await.is_suspended());
        rig.set_bucket("first").await;
        assert_eq!(rig.run_on_day(7).await, [""; 0]);
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"])]));
    });
}

#[test]
fn a_paused_account_delivers_nothing_and_goes_on_from_its_watermark() {
    run(async {
        let rig = Rig::new(Default::default()).await;
        rig.insert(&["01:00"]).await;
        rig.edit(|account| account.paused = Some(Pause { at: at("03:00"), reason: None })).await;
        rig.deliver_at("04:00").await;
        rig.insert(&["05:00"]).await;
        rig.deliver_at("08:00").await;
        assert_eq!(rig.objects(), holding(&[]));
        assert_eq!(rig.ledger.next_due(&[]).await.unwrap(), None);
        rig.edit(|account| account.paused = None).await;
        rig.deliver_at("08:30").await;
        assert_eq!(rig.objects(), holding(&[("080000Z", &["01:00", "05:00"])]));
        assert_eq!(rig.ledger.account(&acme()).await.unwrap().windows, 1);
    });
}
