//! A disk that fills up under a running worker, and is free again: it goes on by itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::{App, EVERY_SECOND};
use crate::bucket::Bucket;
use crate::rows::rows;
use crate::support::{eventually, folder, run};

/// A file system of its own, of a few megabytes; unmounted when dropped. Needs root, as the
/// container of CI has it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(name: &str) -> Self {
        let path = folder(name);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "auditferry-test"])
            .arg(&path)
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "a small file system needs root: run the tests as root"
        );
        Self(path)
    }

    /// Takes every byte that is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let filled = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096"])
            .arg(format!("of={}", ballast.display()))
            .output();
        assert!(!filled.expect("dd").status.success(), "the disk is full");
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn goes_on_after_a_full_disk(app: App, disk: &Path, small: &SmallDisk) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, EVERY_SECOND, &[]);
    let mut expected = rows("acme", "before", 3);
    app.insert(&expected).await;
    let worker = app.start().await;
    app.delivered(&bucket, "acme", 3).await;
    let ballast = small.fill();
    assert!(ballast.starts_with(disk));
    let (status, page) =
        eventually("not ready", async || worker.get("/readyz").await.filter(|(status, _)| *status == 503))
            .await;
    assert!(page.contains("full"), "{status}: {page}");
    std::fs::remove_file(&ballast).unwrap();
    eventually("ready", async || (worker.get("/readyz").await?.0 == 200).then_some(())).await;
    let after = rows("acme", "after", 3);
    app.insert(&after).await;
    expected.extend(after);
    app.delivered(&bucket, "acme", 6).await;
    app.settle("acme").await;
    worker.stop().await;
    app.verify(&bucket, "acme", &expected).await;
}

#[test]
fn sqlite_ledger_and_source_on_a_full_disk() {
    run(async {
        let small = SmallDisk::new("full-both");
        let url = format!("sqlite:{}", small.0.join("auditferry.db").display());
        goes_on_after_a_full_disk(App::at(folder("full-both-app"), url), &small.0, &small).await;
    });
}

#[test]
fn sqlite_ledger_alone_on_a_full_disk() {
    run(async {
        let small = SmallDisk::new("full-ledger");
        let url = format!("sqlite:{}", small.0.join("ledger.db").display());
        let home = folder("full-ledger-app");
        let source = format!("sqlite:{}", home.join("source.db").display());
        let app = App::at(home, source.clone()).with("SOURCE__URL", &source).with("LEDGER__URL", &url);
        app.cli(&["migrate"]);
        goes_on_after_a_full_disk(app, &small.0, &small).await;
    });
}

#[test]
fn sqlite_source_alone_on_a_full_disk() {
    run(async {
        let small = SmallDisk::new("full-source");
        let home = folder("full-source-app");
        let url = format!("sqlite:{}", home.join("ledger.db").display());
        let source = format!("sqlite:{}", small.0.join("source.db").display());
        let app = App::at(home, source.clone()).with("SOURCE__URL", &source).with("LEDGER__URL", &url);
        app.cli(&["migrate"]);
        goes_on_after_a_full_disk(app, &small.0, &small).await;
    });
}
