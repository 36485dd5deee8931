//! A worker that finds an empty ledger where there was a full one: it remembers nothing itself.

use sqlx::{Connection as _, PgConnection};

use crate::daemon::app::{App, EVERY_SECOND, said};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::{folder, run};

/// `CREATE SCHEMA AUTHORIZATION` comes first in the default search_path, and it is empty.
#[test]
fn a_new_schema_in_front_of_the_ledgers_is_no_reason_for_a_new_ledger() {
    run(async {
        let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let mut database = PgConnection::connect(&app.url).await.unwrap();
        sqlx::raw_sql("CREATE SCHEMA AUTHORIZATION CURRENT_USER").execute(&mut database).await.unwrap();
        // The default path finds the tables behind the new schema; migrations must, too.
        app.insert(&rows("acme", "one", 2)).await;
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 2).await;
        worker.stop().await;
        // Without public in its path the role does not see the tables that are there.
        let only_own = format!("{}?options=-csearch_path%3D%22%24user%22", app.url);
        let app = app.with("LEDGER__URL", &only_own);
        for command in [&["account", "ls"][..], &["migrate"], &["run", "--until-idle"]] {
            let refused = app.try_cli(command);
            let told = said(&refused);
            assert!(!refused.status.success(), "{command:?}: {told}");
            assert!(
                told.contains("its tables are in the schema public") && told.contains("search_path"),
                "{told}"
            );
        }
        let made: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = current_user")
            .fetch_one(&mut database)
            .await
            .unwrap();
        assert_eq!(made, 0, "nothing was made");
    });
}

#[test]
fn an_empty_ledger_beside_the_marks_of_another_is_refused() {
    run(async {
        let home = folder("replaced-ledger");
        let path = |name: &str| format!("sqlite:{}", home.join(name).display());
        let app = App::at(home.clone(), path("source.db")).with("SOURCE__URL", &path("source.db"));
        let app = app.with("LEDGER__URL", &path("ledger.db"));
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        app.insert(&rows("acme", "one", 2)).await;
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 2).await;
        worker.stop().await;

        let app = app.with("LEDGER__URL", &path("another.db"));
        let refused = app.try_cli(&["run", "--until-idle"]);
        let told = said(&refused);
        assert!(refused.status.code() == Some(1) && told.contains("this ledger is empty"), "{told}");
        // Whoever means it adds the accounts first.
        app.cli(&["account", "add", "--zone", "UTC", "beta"]);
        app.cli(&["run", "--until-idle"]);
    });
}
