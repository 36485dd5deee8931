//! A disk that fills up under a running worker, and is free again: it goes on by itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{Connection as _, PgConnection};

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::postgres::{self, Cluster};
use crate::support::{eventually, folder, run};

/// A file system of its own, of a few megabytes; unmounted when dropped. Needs root, as the
/// container of CI has it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(name: &str) -> Self {
        Self::at(folder(name), "size=4m")
    }

    /// For PostgreSQL's data: what it needs by itself, and little more.
    fn for_postgres(name: &str) -> Self {
        let id = |option: &str| {
            let id = Command::new("id").args([option, "postgres"]).output().expect("id").stdout;
            String::from_utf8(id).expect("UTF-8").trim().to_owned()
        };
        let options = format!("size=120m,mode=700,uid={},gid={}", id("-u"), id("-g"));
        Self::at(postgres::data_folder(name), &options)
    }

    fn at(path: PathBuf, options: &str) -> Self {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "auditferry-test"]).arg(&path).status();
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
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// `leave_no_room`: a source in which pages that are not full are filled too.
async fn goes_on_after_a_full_disk(
    app: App,
    disk: &Path,
    small: &SmallDisk,
    said: &str,
    leave_no_room: Option<&str>,
) {
    let bucket = Bucket::embedded().await;
    app.add("acme", &bucket, EVERY_SECOND, &[]);
    let mut expected = rows("acme", "before", 3);
    app.insert(&expected).await;
    let worker = app.start().await;
    app.delivered(&bucket, "acme", 3).await;
    let ballast = small.fill();
    assert!(ballast.starts_with(disk));
    if let Some(source) = leave_no_room {
        let mut source = PgConnection::connect(source).await.unwrap();
        let mark = "INSERT INTO auditferry_mark (ledger, number) SELECT 'filler', coalesce(max(number), 0) + 1 \
            FROM auditferry_mark WHERE ledger = 'filler'";
        while sqlx::raw_sql(mark).execute(&mut source).await.is_ok() {}
    }
    let (status, page) =
        eventually("not ready", async || worker.get("/readyz").await.filter(|(status, _)| *status == 503))
            .await;
    assert!(page.contains(said), "{status}: {page}");
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
        goes_on_after_a_full_disk(App::at(folder("full-both-app"), url), &small.0, &small, "full", None)
            .await;
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
        goes_on_after_a_full_disk(app, &small.0, &small, "full", None).await;
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
        goes_on_after_a_full_disk(app, &small.0, &small, "full", None).await;
    });
}

/// What PostgreSQL says of a file that it cannot make longer.
const NO_SPACE: &str = "No space left on device";

#[test]
fn postgres_ledger_and_source_on_a_full_disk() {
    run(async {
        let small = SmallDisk::for_postgres("full-postgres");
        let cluster = Cluster::start_in("full-postgres", &small.0, &[]);
        let app = App::at(folder("full-postgres-app"), cluster.url(&cluster.create().await));
        goes_on_after_a_full_disk(app, &small.0, &small, NO_SPACE, None).await;
    });
}

#[test]
fn postgres_ledger_alone_on_a_full_disk() {
    run(async {
        let small = SmallDisk::for_postgres("full-postgres-ledger");
        let cluster = Cluster::start_in("full-postgres-ledger", &small.0, &[]);
        let source = postgres::cluster().url(&postgres::cluster().create().await);
        let app = App::at(folder("full-postgres-ledger-app"), source.clone())
            .with("SOURCE__URL", &source)
            .with("LEDGER__URL", &cluster.url(&cluster.create().await));
        app.cli(&["migrate"]);
        goes_on_after_a_full_disk(app, &small.0, &small, NO_SPACE, None).await;
    });
}

#[test]
fn postgres_source_alone_on_a_full_disk() {
    run(async {
        let small = SmallDisk::for_postgres("full-postgres-source");
        let cluster = Cluster::start_in("full-postgres-source", &small.0, &[]);
        let source = cluster.url(&cluster.create().await);
        let ledger = postgres::cluster().url(&postgres::cluster().create().await);
        let app = App::at(folder("full-postgres-source-app"), source.clone())
            .with("SOURCE__URL", &source)
            .with("LEDGER__URL", &ledger);
        app.cli(&["migrate"]);
        goes_on_after_a_full_disk(app, &small.0, &small, NO_SPACE, Some(&source)).await;
    });
}
