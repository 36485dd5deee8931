//! The real program with the project's own roles, whose rights change while it runs.

use crate::daemon::app::{App, EVERY_SECOND, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{insert_on, rows};
use crate::support::{eventually, postgres, run};

#[test]
fn a_policy_that_hides_records_stops_the_export_and_loses_none() {
    run(async {
        let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
        let database = app.url.rsplit('/').next().unwrap().to_owned();
        let worker_url = postgres::cluster().with_roles(&database).await;
        let app = app.with("SOURCE__URL", &worker_url).with("LEDGER__MIGRATE", "false");
        assert!(app.cli(&["check"]).contains("ok      source"));
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let worker = app.start().await;
        let mut owner = postgres::cluster().connect(&database).await;
        let records = rows("acme", "one", 3);
        insert_on(&mut owner, &records[..1]).await;
        app.delivered(&bucket, "acme", 1).await;

        let policy = "ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY; \
            CREATE POLICY application ON audit_log TO auditferry_app USING (true) WITH CHECK (true)";
        sqlx::raw_sql(policy).execute(&mut owner).await.unwrap();
        insert_on(&mut owner, &records[1..]).await;
        let failures = "auditferry_failures_total{kind=\"source_settings\"}";
        eventually("the export fails", async || (worker.metric(failures).await >= 1.0).then_some(())).await;
        let hidden = "row-level security hides rows of audit_log from our role auditferry_worker";
        let (status, ready) = worker.get("/readyz").await.unwrap();
        assert!(status == 503 && ready.contains(hidden), "{ready}");
        worker.stop().await;
        let check = app.try_cli(&["check"]);
        assert!(check.status.code() == Some(1) && said(&check).contains(hidden), "{}", said(&check));
        for args in [&["run", "--until-idle"][..], &["run"]] {
            let refused = app.try_cli(args);
            assert!(
                refused.status.code() == Some(2) && said(&refused).contains(hidden),
                "{}",
                said(&refused)
            );
        }

        sqlx::raw_sql("ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY").execute(&mut owner).await.unwrap();
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 3).await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &records).await;
        worker.stop().await;
    });
}
