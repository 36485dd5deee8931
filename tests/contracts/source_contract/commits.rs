//! Postgres gives numbers and times before it commits. No record may be lost to that,
//! and none may come twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::source_contract::bed::{Application, Bed, between, id, record};
use crate::support::run;

#[test]
fn a_late_commit_is_in_the_next_window_once() {
    run(async {
        let bed = Bed::postgres().await;
        let mut late = bed.application().await;
        late.execute("BEGIN").await.unwrap();
        late.insert("acme", &record("late")).await.unwrap();
        bed.insert(&[record("1")]).await;
        let first = bed.capture().await;
        bed.insert(&[record("2")]).await;
        let (window, none) = (between(&bed.source.beginning(), &first), [] as [&str; 0]);
        assert_eq!(bed.names(&window).await, ["1"]);
        late.execute("COMMIT").await.unwrap();
        assert_eq!(bed.names(&window).await, ["1"], "the window is closed");
        let second = bed.capture().await;
        // In the order of transactions; each window has its own records.
        assert_eq!(bed.names(&between(&first, &second)).await, ["late", "2"]);
        assert_eq!(bed.names(&between(&second, &bed.capture().await)).await, none);
    });
}

#[test]
fn a_transaction_that_is_open_over_several_windows_comes_once() {
    run(async {
        let bed = Bed::postgres().await;
        let mut long = bed.application().await;
        long.execute("BEGIN").await.unwrap();
        long.insert("acme", &record("long 1")).await.unwrap();
        let mut lo = bed.source.beginning();
        for name in ["1", "2", "3"] {
            bed.insert(&[record(name)]).await;
            let hi = bed.capture().await;
            assert_eq!(bed.names(&between(&lo, &hi)).await, [name]);
            lo = hi;
        }
        long.insert("acme", &record("long 2")).await.unwrap();
        long.execute("COMMIT").await.unwrap();
        let hi = bed.capture().await;
        assert_eq!(bed.names(&between(&lo, &hi)).await, ["long 1", "long 2"]);
    });
}

#[test]
fn savepoints_count_as_their_transaction() {
    run(async {
        let bed = Bed::postgres().await;
        let mut late = bed.application().await;
        late.execute("BEGIN").await.unwrap();
        late.insert("acme", &record("outer")).await.unwrap();
        late.execute("SAVEPOINT a").await.unwrap();
        late.insert("acme", &record("kept")).await.unwrap();
        late.execute("RELEASE a; SAVEPOINT b").await.unwrap();
        late.insert("acme", &record("given up")).await.unwrap();
        late.execute("SAVEPOINT c").await.unwrap();
        late.insert("acme", &record("given up with it")).await.unwrap();
        late.execute("ROLLBACK TO b").await.unwrap();
        let mut gone = bed.application().await;
        gone.execute("BEGIN").await.unwrap();
        gone.insert("acme", &record("rolled back")).await.unwrap();
        bed.insert(&[record("1")]).await;
        let first = bed.capture().await;
        gone.execute("ROLLBACK").await.unwrap();
        late.insert("acme", &record("last")).await.unwrap();
        late.execute("COMMIT").await.unwrap();
        let second = bed.capture().await;
        assert_eq!(bed.names(&between(&bed.source.beginning(), &first)).await, ["1"]);
        assert_eq!(bed.names(&between(&first, &second)).await, ["outer", "kept", "last"]);
    });
}

/// Its first statement was in a subtransaction, whose id is higher than its own.
#[test]
fn a_transaction_that_begins_in_a_savepoint_comes_once() {
    run(async {
        let bed = Bed::postgres().await;
        let mut late = bed.application().await;
        late.execute("BEGIN; SAVEPOINT a; SAVEPOINT b").await.unwrap();
        late.insert("acme", &record("late")).await.unwrap();
        late.execute("RELEASE a").await.unwrap();
        let first = bed.capture().await;
        late.execute("COMMIT").await.unwrap();
        let second = bed.capture().await;
        assert_eq!(bed.names(&between(&bed.source.beginning(), &first)).await, [] as [&str; 0]);
        assert_eq!(bed.names(&between(&first, &second)).await, ["late"]);
    });
}

/// Numbers are given in another order than transactions; a page must end in neither's middle.
#[test]
fn interleaved_transactions_are_read_one_after_the_other_in_pages_of_any_size() {
    run(async {
        let bed = Bed::postgres().await;
        let (mut a, mut b) = (bed.application().await, bed.application().await);
        for application in [&mut a, &mut b] {
            application.execute("BEGIN").await.unwrap();
        }
        for round in 1..=3 {
            a.insert("acme", &record(&format!("a{round}"))).await.unwrap();
            b.insert("acme", &record(&format!("b{round}"))).await.unwrap();
        }
        b.execute("COMMIT").await.unwrap();
        a.execute("COMMIT").await.unwrap();
        let all = between(&bed.source.beginning(), &bed.capture().await);
        for size in [1, 2, 4, 1000] {
            let read = bed.read_in_pages(&id("acme"), &all, size).await;
            let names: Vec<_> = read.iter().map(|record| record.email.as_str()).collect();
            assert_eq!(names, ["a1", "a2", "a3", "b1", "b2", "b3"], "in pages of {size}");
        }
    });
}

const WRITERS: usize = 16;
const TRANSACTIONS: u64 = 25;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Writes transactions of one to three records that take their time; returns what it committed.
async fn write(mut application: Application, writer: usize) -> Vec<String> {
    let mut dice = Dice(writer as u64);
    let mut committed = Vec::new();
    for transaction in 0..TRANSACTIONS {
        let mut names = Vec::new();
        application.execute("BEGIN").await.unwrap();
        for place in 0..=dice.below(3) {
            let name = format!("{writer}.{transaction}.{place}");
            application.insert("acme", &record(&name)).await.unwrap();
            names.push(name);
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
        }
        if dice.below(5) == 0 {
            application.execute("ROLLBACK").await.unwrap();
        } else {
            application.execute("COMMIT").await.unwrap();
            committed.extend(names);
        }
    }
    committed
}

#[test]
fn windows_under_load_hold_every_committed_record_once() {
    run(async {
        let bed = Bed::postgres().await;
        let writing = Arc::new(AtomicUsize::new(WRITERS));
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let (application, writing) = (bed.application().await, Arc::clone(&writing));
            writers.push(tokio::spawn(async move {
                let committed = write(application, writer).await;
                writing.fetch_sub(1, Ordering::SeqCst);
                committed
            }));
        }
        let mut windows = Vec::new();
        let mut lo = bed.source.beginning();
        let mut done = false;
        while !done {
            done = writing.load(Ordering::SeqCst) == 0;
            let hi = bed.capture().await;
            bed.source.check_order(&lo, &hi).unwrap();
            let window = between(&lo, &hi);
            windows.push((bed.names(&window).await, window));
            lo = hi;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut committed = BTreeSet::new();
        for writer in writers {
            committed.extend(writer.await.expect("no writer failed"));
        }
        let mut delivered = BTreeSet::new();
        for (names, window) in &windows {
            assert_eq!(&bed.names(window).await, names, "a window is closed");
            for name in names {
                assert!(delivered.insert(name.clone()), "{name} came twice");
            }
        }
        assert!(windows.len() > 10, "only {} windows", windows.len());
        let lost: Vec<_> = committed.difference(&delivered).collect();
        let invented: Vec<_> = delivered.difference(&committed).collect();
        assert!(lost.is_empty() && invented.is_empty(), "lost {lost:?}, invented {invented:?}");
    });
}
