//! The real program under SIGKILL: replicas on one Postgres ledger, and one worker on
//! SQLite, are killed at random moments and started again while transactions insert
//! records, some of them long, some rolled back. In the end an independent checker
//! finds every committed record once.
//!
//! AUDITFERRY_KILLS and AUDITFERRY_SEED choose how many kills and which moments:
//! `AUDITFERRY_KILLS=5000 cargo test --test system -- --nocapture replicas_on_postgres`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::checker::{Database, Objects};
use crate::support::program::{Export, Installation, PATIENCE, Running, StoreKind, insert_sql};
use crate::support::run;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const EXPORTS: [Export; 5] = [
    Export { account: "acme", zone: "Asia/Kolkata", max_records: 20, every: 1 },
    Export { account: "globex", zone: "America/New_York", max_records: 1000, every: 1 },
    Export { account: "initech", zone: "UTC", max_records: 50, every: 1 },
    Export { account: "umbrella", zone: "Europe/Berlin", max_records: 1000, every: 1 },
    Export { account: "hooli", zone: "Australia/Lord_Howe", max_records: 10, every: 1 },
];

const WRITERS: u64 = 6;

/// Random numbers from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ (stream + 1).wrapping_mul(0xD134_2543_DE82_EF95))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    async fn wait(&mut self, from: u64, to: u64) {
        tokio::time::sleep(Duration::from_millis(from + self.below(to - from))).await;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// What the tasks of one loop share.
struct Loop {
    installation: Installation,
    seed: u64,
    /// How many kills are still to come.
    kills: AtomicU32,
    /// Ids of records, each given once.
    ids: AtomicU32,
    rolled_back: AtomicU32,
    done: AtomicBool,
}

impl Loop {
    /// One replica: started, killed after a random life, started again. The last one lives on.
    async fn replica(self: Arc<Self>, number: u64) -> (Running, u32, u32) {
        let mut chance = Chance::new(self.seed, number);
        let (mut killed, mut ended) = (0, 0);
        loop {
            let mut running = self.installation.start(&format!("replica-{number}"), &["run"], &[]);
            let last = self
                .kills
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_err();
            if last {
                return (running, killed, ended);
            }
            // Some while they start, most while they work.
            chance.wait(20, 900).await;
            if running.kill() {
                killed += 1;
            } else {
                ended += 1;
                println!("replica {number} ended by itself: {}", running.log());
            }
        }
    }

    /// Transactions of one connection: most short, some long, some rolled back.
    async fn writer(self: Arc<Self>, number: u64) {
        let mut chance = Chance::new(self.seed, 1000 + number);
        let mut connection = match &self.installation.database {
            Database::Postgres(url) => Some(PgConnection::connect(url).await.unwrap()),
            Database::Sqlite(_) => None,
        };
        while !self.done.load(Ordering::SeqCst) {
            let mut statements = Vec::new();
            for _ in 0..=chance.below(3) {
                let export = &EXPORTS[usize::try_from(chance.below(5)).unwrap()];
                let rows = u32::try_from(1 + chance.below(4)).unwrap();
                let first = self.ids.fetch_add(rows, Ordering::SeqCst);
                statements.push(insert_sql(export.account, first..first + rows));
            }
            let roll_back = chance.below(5) == 0;
            let long = chance.below(6) == 0;
            let end = if roll_back { "ROLLBACK" } else { "COMMIT" };
            self.rolled_back.fetch_add(u32::from(roll_back), Ordering::SeqCst);
            if let Some(connection) = &mut connection {
                sqlx::raw_sql("BEGIN").execute(&mut *connection).await.unwrap();
                for sql in statements {
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
                    if long {
                        chance.wait(200, 1500).await;
                    }
                }
                sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut *connection).await.unwrap();
            } else {
                // SQLite has one writer: a long transaction would only stop the worker.
                let sql = format!("BEGIN IMMEDIATE; {}; {end}", statements.join("; "));
                self.installation.database.execute(&sql).await;
            }
            chance.wait(20, 200).await;
        }
    }
}

/// Kills replicas until there were enough kills, lets everything settle, and checks.
fn kill_loop(name: &str, on_postgres: bool, replicas: u64, kills: u32) {
    let kills = number("AUDITFERRY_KILLS").map_or(kills, |kills| u32::try_from(kills).unwrap());
    let seed = number("AUDITFERRY_SEED").unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    });
    println!("kill loop, {name}: AUDITFERRY_SEED={seed}");
    run(async {
        let start = Instant::now();
        let installation = Installation::new(name, on_postgres, StoreKind::Embedded, &EXPORTS).await;
        let shared = Arc::new(Loop {
            installation,
            seed,
            kills: AtomicU32::new(kills),
            ids: AtomicU32::new(0),
            rolled_back: AtomicU32::new(0),
            done: AtomicBool::new(false),
        });
        let writers = if on_postgres { WRITERS } else { 1 };
        let writers: Vec<_> = (0..writers).map(|n| tokio::spawn(Arc::clone(&shared).writer(n))).collect();
        let workers: Vec<_> = (0..replicas).map(|n| tokio::spawn(Arc::clone(&shared).replica(n))).collect();

        // What was once in the bucket must stay as it was.
        let mut before = Objects::new();
        let mut problems = Vec::new();
        while !workers.iter().all(tokio::task::JoinHandle::is_finished) {
            let pause = if kills > 100 { 15 } else { 2 };
            tokio::time::sleep(Duration::from_secs(pause)).await;
            let now = shared.installation.bucket.objects().await;
            problems.extend(crate::support::checker::changed(&before, &now));
            before = now;
        }
        shared.done.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.await.unwrap();
        }
        let (mut killed, mut ended, mut last) = (0, 0, Vec::new());
        for worker in workers {
            let (running, kills, ends) = worker.await.unwrap();
            killed += kills;
            ended += ends;
            last.push(running);
        }
        let (mut deadline, mut so_far) = (Instant::now() + PATIENCE, 0);
        loop {
            let (source, delivered, open) = shared.installation.database.progress().await;
            if delivered > so_far {
                (deadline, so_far) = (Instant::now() + PATIENCE, delivered);
            }
            if source == delivered && open == 0 {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "seed {seed}: {source} records, {delivered} delivered, {open} windows open; {}",
                last.iter().map(Running::log).collect::<String>()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for running in &mut last {
            running.terminate();
            let status = running.end().await;
            assert!(status.success(), "seed {seed}: after SIGTERM: {status}: {}", running.log());
        }
        // A window may have been planned just before; nothing else is left to do.
        let left = shared.installation.settle().await;
        assert!(left.is_ok(), "seed {seed}: {left:?}");
        let report = shared.installation.check(&before, !on_postgres).await;
        problems.extend(report.problems);
        println!(
            "kill loop, {name}: seed {seed}, {killed} kills, {} records committed ({} transactions rolled \
             back), {} objects, {} windows, {} attempts, {} problems, {:.1} s",
            report.records,
            shared.rolled_back.load(Ordering::SeqCst),
            report.objects,
            report.windows,
            report.attempts,
            problems.len(),
            start.elapsed().as_secs_f64()
        );
        assert!(problems.is_empty(), "seed {seed}:\n{}", problems.join("\n"));
        assert_eq!((killed, ended), (kills, 0), "seed {seed}: a worker ended by itself");
        assert!(report.objects > 0 && report.attempts >= report.objects);
    });
}

#[test]
fn two_replicas_on_postgres() {
    kill_loop("two-replicas", true, 2, 35);
}

#[test]
fn three_replicas_on_postgres() {
    kill_loop("three-replicas", true, 3, 45);
}

#[test]
fn one_worker_on_sqlite() {
    kill_loop("one-on-sqlite", false, 1, 20);
}

/// Whoever builds as for a release has a program without failpoints; that they would be
/// found is what `this_program_holds_the_failpoints` in tests/crash_points shows.
#[cfg(not(feature = "failpoints"))]
#[test]
fn a_release_holds_no_failpoint() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_auditferry")).unwrap();
    for name in ["commit.before", "put.after", "mark.count.before", "FAILPOINTS"] {
        assert!(!program.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
    }
}
