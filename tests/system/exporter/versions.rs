//! Windows that another version of auditferry has begun.

use auditferry_core::model::format::Format;
use sqlx::Connection as _;

use super::{Rig, acme, at, holding};
use crate::support::run;

impl Rig {
    async fn sql(&self, sql: &'static str) {
        let url = format!("sqlite:{}", self.folder.join("ledger.db").display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A window in which every put is refused.
    async fn refused_at(&self, clock: &str) {
        self.set_bucket("absent").await;
        assert_eq!(self.run_at(clock).await, ["acme"]);
    }
}

#[test]
fn a_window_of_a_newer_version_waits_for_it_and_is_told() {
    run(async {
        let rig = Rig::new(Format::default()).await;
        rig.insert(&["01:00"]).await;
        rig.refused_at("04:00").await;
        rig.sql("UPDATE export_window SET content_version = content_version + 2").await;
        rig.set_bucket("first").await;
        assert_eq!(rig.run_at("04:30").await, ["acme"]);
        let account = rig.account().await;
        assert_eq!((account.held, account.is_suspended(), account.open_window), (None, false, Some(1)));
        assert!(account.retry_at.is_some_and(|at| at > rig.now()), "{:?}", account.retry_at);
        let trouble = account.trouble.unwrap();
        assert_eq!(trouble.kind.as_str(), "content_version");
        assert!(trouble.message.contains("was written by a newer auditferry"), "{}", trouble.message);
        assert!(auditferry::destinations::fix::fix(&trouble.kind).contains("run the version"));
        assert_eq!(rig.objects(), holding(&[]));

        rig.sql("UPDATE export_window SET content_version = content_version - 2").await;
        rig.deliver_at("04:31").await;
        assert_eq!(rig.objects(), holding(&[("040000Z", &["01:00"])]));
    });
}

/// From the 10,000th object of a window on, names once were `_10000`, and sorted before `_9999`. An
/// object that was attempted under such a name may be there, so it keeps it.
#[test]
fn an_object_keeps_the_name_under_which_it_was_attempted() {
    run(async {
        let rig = Rig::new(Format { max_records: 1, ..Format::default() }).await;
        rig.insert(&["01:00", "02:00"]).await;
        rig.refused_at("04:00").await;
        rig.sql(
            "UPDATE delivery SET ordinal = 10000, key = replace(key, '.zip', '_10000.zip'); \
             UPDATE attempt SET ordinal = 10000, key = replace(key, '.zip', '_10000.zip'); \
             INSERT INTO delivery (account, number, ordinal, key, state, records, content_sha256, content_bytes, \
             object_sha256, object_bytes, cursor, ends_window, sealed_at, delivered_at) \
             VALUES ('acme', 1, 9999, 'audit/acme/audit_acme_20261121T040000Z_9999.zip', 'delivered', 1, '', 1, '', \
             1, '0', 0, 0, 0)",
        )
        .await;
        let open = rig.ledger.open_window(&acme()).await.unwrap().unwrap();
        assert_eq!((open.ordinal, open.attempted), (10_000, true));
        assert!(open.key.unwrap().as_str().ends_with("T040000Z_10000.zip"));

        rig.set_bucket("first").await;
        rig.deliver_at("04:30").await;
        assert_eq!(
            rig.objects(),
            holding(&[("040000Z_10000", &["01:00"]), ("040000Z_A0000010001", &["02:00"])])
        );
        assert_eq!(rig.account().await.watermark.at, at("04:00"));
    });
}
