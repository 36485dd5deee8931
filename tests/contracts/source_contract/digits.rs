//! Postgres: transaction ids are numbers, also where they get another digit.

use crate::source_contract::bed::{Bed, between, id, record};
use crate::support::postgres::Cluster;
use crate::support::run;

/// As texts, `1000` stands before `999`: pages in that order lose records and give
/// others twice.
#[test]
fn pages_keep_the_order_where_transaction_ids_get_a_digit_more() {
    run(async {
        // Its own, so that nobody else uses transaction ids up.
        let cluster = Cluster::start("digits", &[]);
        let bed = Bed::on(&cluster).await;
        let mut application = bed.application().await;
        let burn = "DO $$ DECLARE next numeric; BEGIN LOOP \
            next := pg_current_xact_id()::text::numeric; COMMIT; \
            EXIT WHEN next + 10 > power(10, length(next::text)); \
            END LOOP; END $$";
        application.execute(burn).await.unwrap();
        let names: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        for name in &names {
            application.insert("acme", &record(name)).await.unwrap();
        }
        let set = between(&bed.source.beginning(), &bed.capture().await);
        for size in [1, 3, 1000] {
            let records = bed.read_in_pages(&id("acme"), &set, size).await;
            let read: Vec<String> = records.into_iter().map(|record| record.email).collect();
            assert_eq!(read, names, "in pages of {size}");
        }
        let digits =
            "DO $$ BEGIN ASSERT (SELECT count(DISTINCT length(tx::text)) = 2 FROM audit_log); END $$";
        application.execute(digits).await.expect("the ids got another digit");
    });
}
