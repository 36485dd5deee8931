use jiff::SignedDuration;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use super::*;
use crate::base::clock::ManualClock;

/// The spans that are queued of what is done.
fn traced(sample: f64, done: impl FnOnce(&ManualClock)) -> (Vec<Ended>, u64) {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(5));
    let (layer, mut receive, dropped) = queue(sample, Arc::new(clock.clone()));
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter_fn(TraceLayer::takes)));
    tracing::subscriber::with_default(subscriber, || done(&clock));
    let mut all = Vec::new();
    while let Ok(EndedSpan(ended)) = receive.try_recv() {
        all.push(ended);
    }
    (all, dropped.get())
}

fn windows(sample: f64, count: i64) -> Vec<[u8; 16]> {
    let (spans, _) = traced(sample, |_| {
        for number in 0..count {
            let account = format!("account-{}", number % 7).parse().expect("id");
            let slot = Timestamp::from_second(number).expect("instant");
            let window = window(&account, slot, 1);
            drop((plan(&account, slot), read(&window, 1), commit(&window)));
        }
    });
    // All of a window's spans are there, or none, and all in one trace.
    let mut traces: Vec<[u8; 16]> = spans.iter().map(|span| span.trace).collect();
    traces.sort_unstable();
    assert!(traces.chunk_by(|a, b| a == b).all(|trace| trace.len() == 4), "{spans:?}");
    traces.dedup();
    traces
}

#[test]
fn who_samples_alike_chooses_the_same_windows() {
    assert_eq!((windows(0.0, 500).len(), windows(1.0, 500).len()), (0, 500));
    let some = windows(0.3, 1_000);
    assert!((200..400).contains(&some.len()), "{}", some.len());
    assert_eq!(windows(0.3, 1_000), some);
    let more = windows(0.6, 1_000);
    assert!(some.iter().all(|trace| more.contains(trace)), "a larger share holds the smaller one");
}

#[test]
fn what_may_not_be_told_stays_here() {
    let (spans, _) = traced(1.0, |clock| {
        let span = tracing::info_span!(target: TARGET, parent: None, "request", http.route = "/x", secret = "HUSH",
            outcome = Empty);
        span.record("outcome", "x".repeat(1_000));
        drop(tracing::info_span!(target: "auditferry::other", parent: &span, "HUSH", account = "HUSH"));
        clock.set(clock.now() + SignedDuration::from_secs(3));
    });
    let told = format!("{spans:?}");
    assert!(spans.len() == 1 && !told.contains("HUSH"), "{told}");
    assert_eq!(spans[0].ended.duration_since(spans[0].began), SignedDuration::from_secs(3));
    assert!(told.contains(&"x".repeat(250)) && !told.contains(&"x".repeat(251)), "{told}");
    let sent = wire::request(&spans, "host");
    assert!(!String::from_utf8_lossy(&sent).contains("HUSH"));
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (spans, dropped) = traced(1.0, |_| {
        for _ in 0..QUEUE + 7 {
            drop(request("/x", "GET"));
        }
    });
    assert_eq!((spans.len(), dropped), (QUEUE, 7));
}
