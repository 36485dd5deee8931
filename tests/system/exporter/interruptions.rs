//! Exports that break off: a reading, a panic, a stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auditferry::delivery::worker::Mode;
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::{Rig, at, holding, record};
use crate::support::run;
use crate::support::source::Watched;
use auditferry_core::model::format::Format;

impl Rig {
    /// 1500 records in objects of 600, by a worker that is stopped between the first and
    /// the second. Returns the names of all.
    pub(super) async fn stopped_after_the_first_object(&self) -> Vec<String> {
        let names: Vec<String> = (0..1500).map(|number| number.to_string()).collect();
        let records: Vec<_> = names.iter().map(|name| record(name, at("01:00"))).collect();
        self.insert_all(&records).await;
        self.clock.set(at("04:00"));
        let draining = CancellationToken::new();
        let pages = AtomicUsize::new(0);
        let stops_at_the_second_page = {
            let draining = draining.clone();
            move || {
                if pages.fetch_add(1, Ordering::SeqCst) == 1 {
                    draining.cancel();
                }
                futures::future::ready(()).boxed()
            }
        };
        let source = Arc::new(Watched {
            source: Arc::clone(&self.source),
            before_page: stops_at_the_second_page,
            broken: false,
        });
        // With the worker stopped too, it does not take the account up again.
        let stop = draining.clone();
        // Without reading ahead, the second page is asked for after the first object.
        let failed = self.worker(source, draining, 0).run(Mode::Forever, stop).await.unwrap();
        assert!(failed.is_empty(), "stopping is no failure");
        let objects = self.objects();
        assert_eq!(objects.keys().collect::<Vec<_>>(), ["040000Z"]);
        assert_eq!(objects["040000Z"], names[..600]);
        assert_eq!(self.account().await.open_window, Some(1));
        names
    }
}

#[test]
fn a_reading_that_breaks_off_never_closes_the_window() {
    run(async {
        let rig = Rig::new(Format { max_records: 600, ..Format::default() }).await;
        let names: Vec<String> = (0..1500).map(|number| number.to_string()).collect();
        let records: Vec<_> = names.iter().map(|name| record(name, at("01:00"))).collect();
        rig.insert_all(&records).await;
        rig.clock.set(at("04:00"));
        let pages = AtomicUsize::new(0);
        let before_page = move || {
            assert!(pages.fetch_add(1, Ordering::SeqCst) != 1, "the task that reads ends here");
            futures::future::ready(()).boxed()
        };
        let source = Arc::new(Watched { source: Arc::clone(&rig.source), before_page, broken: false });
        let worker = rig.worker(source, CancellationToken::new(), Format::default().max_bytes);
        let failed = worker.run(Mode::UntilIdle, CancellationToken::new()).await.unwrap();
        assert_eq!(failed.len(), 1);
        let account = rig.account().await;
        assert_eq!((account.open_window, account.trouble.unwrap().kind.as_str()), (Some(1), "internal"));
        rig.deliver_at("04:10").await;
        let delivered: Vec<String> = rig.objects().into_values().flatten().collect();
        assert_eq!(delivered, names);
    });
}

#[test]
fn an_export_that_panics_is_a_failure_and_gives_its_lease_back() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.insert(&["01:00"]).await;
        rig.clock.set(at("04:00"));
        let before_page = || futures::future::ready(()).boxed();
        let source = Arc::new(Watched { source: Arc::clone(&rig.source), before_page, broken: true });
        // Its account stays due, so the run would go on for ever: it is stopped once it has failed.
        let stop = CancellationToken::new();
        let worker = rig.worker(source, CancellationToken::new(), 0);
        let run = tokio::spawn(worker.run(Mode::Forever, stop.clone()));
        crate::support::eventually("a lease that is free again", async || {
            let planned = rig.account().await.open_window.is_some();
            let free = rig.ledger.claim("other", at("04:00"), Duration::ZERO, 1, &[]).await.unwrap();
            (planned && !free.is_empty()).then_some(())
        })
        .await;
        stop.cancel();
        let failed = run.await.unwrap().unwrap();
        assert_eq!(failed.len(), 1, "its account has failed");
        rig.deliver_at("04:10").await;
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"])]));
    });
}

#[test]
fn a_worker_that_was_stopped_in_the_middle_is_followed_by_one_that_goes_on() {
    run(async {
        let rig = Rig::new(Format { max_records: 600, ..Format::default() }).await;
        let names = rig.stopped_after_the_first_object().await;
        // What comes after the stop belongs to the next window.
        rig.insert(&["05:00"]).await;
        rig.deliver_at("04:30").await;
        let objects = rig.objects();
        assert_eq!(objects.keys().collect::<Vec<_>>(), ["040000Z", "040000Z_0002", "040000Z_0003"]);
        assert_eq!(objects.into_values().flatten().collect::<Vec<_>>(), names);
        rig.deliver_at("08:00").await;
        assert_eq!(rig.objects()["080000Z"], ["05:00"]);
    });
}
