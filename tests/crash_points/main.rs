//! Crash points: the real program dies, fails or pauses before and after each effect of
//! a delivery; another run follows, and an independent checker finds every record once.
//! Needs the feature `failpoints`: `cargo test --features failpoints --test crash_points`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "the figures are what a reader wants to see")]

mod stories;
#[path = "../support/mod.rs"]
mod support;

use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use stories::Story;
use support::program::{Export, Installation, StoreKind};
use support::run;

/// The effects of the shell, each with a point before and one after it.
const EFFECTS: [&str; 17] = [
    "claim",
    "mark.count",
    "mark.leave",
    "plan",
    "confirm.count",
    "confirm.leave",
    "seal",
    "journal",
    "put",
    "fail",
    "commit",
    "close",
    "release",
    "repoint",
    "resume",
    "postpone",
    "hold",
];

/// Those that come once for each object.
const PER_OBJECT: [&str; 4] = ["seal", "journal", "put", "commit"];

/// Longer than the lease of two seconds.
const PAUSE_MS: &str = "2600";
const SHORT_PAUSE_MS: &str = "150";

const SIGABRT: i32 = 6;

/// Paused workers that another worker has taken over from.
static TAKEN_OVER: AtomicUsize = AtomicUsize::new(0);

/// Seconds between two slots. With one each second, a worker that has to share a busy machine is never
/// idle, and does not end.
const SLOTS: u32 = 3;

/// How many cases run at the same time: they wait for slots and leases as much as they work.
const TOGETHER: usize = 6;

/// Several objects, one object, and a window without records.
const EXPORTS: [Export; 3] = [
    Export { account: "acme", zone: "Asia/Kolkata", max_records: 3, every: SLOTS },
    Export { account: "globex", zone: "America/New_York", max_records: 1000, every: SLOTS },
    Export { account: "initech", zone: "UTC", max_records: 1000, every: SLOTS },
];

#[derive(Debug, Clone)]
struct Case {
    point: String,
    action: String,
    /// Which time the point is reached.
    time: u32,
}

impl Case {
    fn failpoints(&self) -> String {
        let Self { point, action, time } = self;
        let skip = if *time > 1 { format!("{}*off->", time - 1) } else { String::new() };
        // A failure is stored only when there is one: an answer that was lost.
        let needed = if point.starts_with("fail.") { "put.after=1*return(error);" } else { "" };
        format!("{needed}{point}={skip}1*return({action})")
    }
}

fn cases(effects: &[&str], actions: &[&str]) -> Vec<Case> {
    let mut cases = Vec::new();
    for effect in effects {
        for place in ["before", "after"] {
            for action in actions {
                let last = if PER_OBJECT.contains(effect) && !action.starts_with("delay") { 2 } else { 1 };
                for time in 1..=last {
                    let (point, action) = (format!("{effect}.{place}"), (*action).to_owned());
                    cases.push(Case { point, action, time });
                }
            }
        }
    }
    cases
}

/// Waits until a slot has come that is after now.
async fn the_next_slot() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let slots = Duration::from_secs(SLOTS.into());
    let past = Duration::from_nanos((now.as_nanos() % slots.as_nanos()).try_into().unwrap());
    tokio::time::sleep(slots - past + Duration::from_millis(50)).await;
}

/// Runs one case; what it found wrong, and how much it checked.
async fn run_case(name: String, on_postgres: bool, store: StoreKind, case: &Case) -> Result<usize, String> {
    let installation = Installation::new(&name, on_postgres, store, &EXPORTS).await;
    installation.insert("acme", 0..8).await;
    installation.insert("globex", 0..2).await;
    the_next_slot().await;
    let story = Story::begin(&case.point, &installation).await;
    let failpoints = case.failpoints();
    let mut worker =
        installation.start("broken", &["run", "--until-idle"], &[("FAILPOINTS", failpoints.as_str())]);
    let reached = format!("failpoint {}: {}", case.point, case.action);
    if case.action.starts_with("delay") {
        let start = Instant::now();
        while !worker.log().contains(&reached) {
            if start.elapsed() > Duration::from_secs(30) {
                return Err(format!("{reached} was not reached; it said: {}", worker.log()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    } else {
        let status = worker.end().await;
        if !worker.log().contains(&reached) {
            return Err(format!("{reached} was not reached; {status}; it said: {}", worker.log()));
        }
        if case.action == "abort" && status.signal() != Some(SIGABRT) {
            return Err(format!("it did not abort but ended with {status}"));
        }
    }
    let mut before = installation.bucket.objects().await;
    // What is recorded after the crash belongs to the next window.
    installation.insert("acme", 8..10).await;
    installation.insert("initech", 0..1).await;
    if on_postgres {
        // While the paused worker still pauses, another takes its accounts over.
        story.end(&installation, &mut before).await?;
        worker.end().await;
        if worker.log().contains("another worker has taken the account over") {
            TAKEN_OVER.fetch_add(1, Ordering::SeqCst);
        }
    } else {
        worker.end().await;
        story.end(&installation, &mut before).await?;
    }
    let report = installation.check(&before, true).await;
    if report.records != 13 {
        return Err(format!("{} records were checked instead of 13", report.records));
    }
    let _ = std::fs::remove_dir_all(installation.folder());
    if report.problems.is_empty() { Ok(report.objects) } else { Err(report.problems.join("\n  ")) }
}

/// Runs cases, a few at the same time.
fn all(label: &str, on_postgres: bool, store: StoreKind, cases: &[Case]) {
    let only = std::env::var("CRASH_POINT").unwrap_or_default();
    let cases: Vec<&Case> = cases.iter().filter(|case| case.point.contains(&only)).collect();
    let start = Instant::now();
    let results: Vec<_> = run(async {
        futures::stream::iter(cases.iter().enumerate())
            .map(|(number, case)| async move {
                (case, run_case(format!("{label}-{number}"), on_postgres, store, case).await)
            })
            .buffer_unordered(TOGETHER)
            .collect()
            .await
    });
    let objects: usize = results.iter().filter_map(|(_, result)| result.as_ref().ok()).sum();
    let problems: Vec<String> = results
        .iter()
        .filter_map(|(case, result)| {
            let problem = result.as_ref().err()?;
            Some(format!("{} (FAILPOINTS='{}'):\n  {problem}", case.point, case.failpoints()))
        })
        .collect();
    println!(
        "crash points, {label}: {} cases, {objects} objects checked, {} failed, {:.1} s",
        cases.len(),
        problems.len(),
        start.elapsed().as_secs_f64()
    );
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    if on_postgres && only.is_empty() {
        assert!(TAKEN_OVER.load(Ordering::SeqCst) > 0, "no paused worker lost its leases");
    }
}

#[test]
fn sqlite_and_the_embedded_s3_server() {
    let delay = format!("delay {SHORT_PAUSE_MS}");
    all("sqlite-embedded", false, StoreKind::Embedded, &cases(&EFFECTS, &["abort", "error", &delay]));
}

#[test]
fn postgres_and_moto() {
    let delay = format!("delay {PAUSE_MS}");
    all("postgres-moto", true, StoreKind::Moto, &cases(&EFFECTS, &["abort", "error", &delay]));
}

#[test]
fn sqlite_and_azurite() {
    let delay = format!("delay {SHORT_PAUSE_MS}");
    let effects = ["journal", "put", "fail", "commit"];
    all("sqlite-azurite", false, StoreKind::Azurite, &cases(&effects, &["abort", "error", &delay]));
}

#[test]
fn postgres_and_google() {
    let delay = format!("delay {PAUSE_MS}");
    let effects = ["journal", "put", "fail", "commit"];
    all("postgres-gcs", true, StoreKind::Google, &cases(&effects, &["abort", "error", &delay]));
}

/// The counterpart of `a_release_holds_no_failpoint` in tests/system/kill_loop.rs: what it looks
/// for is in this program.
#[test]
fn this_program_holds_the_failpoints() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_auditferry")).unwrap();
    for name in EFFECTS.iter().flat_map(|effect| [format!("{effect}.before"), format!("{effect}.after")]) {
        assert!(program.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
    }
}
