//! The tests' PostgreSQL, for this program too.
#![allow(dead_code, reason = "a part of it is used")]
#![allow(unreachable_pub, reason = "as above: it is shared with the tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on fails")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

#[path = "../../tests/support/child.rs"]
pub mod child;
#[path = "../../tests/support/postgres.rs"]
pub mod postgres;

/// A folder of this run.
pub fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("auditferry-load-{}-files", std::process::id())).join(name);
    std::fs::create_dir_all(&path).expect("folder");
    path
}

/// Removes what [`folder`] made.
pub fn remove_folders() {
    if let Some(all) = folder("any").parent() {
        let _ = std::fs::remove_dir_all(all);
    }
}

/// Asks again until there is an answer; fails when there is none for a minute.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
