//! A hot standby does not know which transactions run on its primary: the list in its
//! snapshots is empty.

use sqlx::PgConnection;

use crate::source_contract::bed::{Bed, between, open, record};
use crate::support::postgres::Cluster;
use crate::support::{eventually, run};

async fn arrived(standby: &mut PgConnection, name: &str) {
    eventually("the standby has it", async || {
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM audit_log WHERE email = $1)")
            .bind(name)
            .fetch_one(&mut *standby)
            .await
            .unwrap();
        there.then_some(())
    })
    .await;
}

#[test]
fn a_standby_loses_nothing_while_a_transaction_is_open_on_its_primary() {
    run(async {
        let primary = Cluster::start("primary", &[]);
        let bed = Bed::on(&primary).await;
        let database = bed.url.rsplit('/').next().unwrap().to_owned();
        let standby = primary.standby("standby");
        let mut watch = standby.connect(&database).await;
        let source = open(&standby.url(&database)).await;
        let reader = Bed { source, url: standby.url(&database), vendor: false, reader: None };
        reader.source.check().await.unwrap();
        let refused = reader.source.migrate().await.unwrap_err().to_string();
        assert!(refused.contains("is a standby") && refused.contains("ledger.migrate = false"), "{refused}");

        let mut late = bed.application().await;
        late.execute("BEGIN").await.unwrap();
        late.insert("acme", &record("late")).await.unwrap();
        bed.insert(&[record("1")]).await;
        arrived(&mut watch, "1").await;
        let first = reader.capture().await;
        // Nothing can be left on a standby: the bound carries its cluster alone.
        let (bound, _) = first.0.split_once("#@").unwrap();
        let parts: Vec<&str> = bound.split(':').collect();
        assert!(parts.len() == 3 && parts[0] == parts[1] && parts[2].is_empty(), "{first}");
        let window = between(&reader.source.beginning(), &first);
        assert_eq!(reader.names(&window).await, [] as [&str; 0], "what lies above an open transaction waits");
        // Which it is, only its primary can tell; and there nothing waits for it.
        assert_eq!(bed.source.holder().await.unwrap(), None);
        let holder = reader.source.holder().await.unwrap().expect("an open transaction");
        assert!(holder.who.ends_with(" of the primary") && holder.since.is_none(), "{holder:?}");
        assert_eq!(holder.who.split(' ').nth(2), Some(parts[0]), "the one below which the bound lies");

        late.execute("COMMIT").await.unwrap();
        bed.insert(&[record("2")]).await;
        arrived(&mut watch, "2").await;
        let second = reader.capture().await;
        reader.source.check_order(&first, &second).unwrap();
        assert_eq!(reader.names(&window).await, [] as [&str; 0], "the window is closed");
        assert_eq!(reader.names(&between(&first, &second)).await, ["late", "1", "2"]);
        assert_eq!(reader.source.holder().await.unwrap(), None);
    });
}
