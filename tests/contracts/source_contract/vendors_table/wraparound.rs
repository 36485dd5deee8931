//! A row has 32 bits of its transaction's id, and a busy server has them all in days.

use std::time::Duration;

use super::commits::{NONE, pinned};
use crate::source_contract::bed::{Bed, between, record};
use crate::source_contract::counting::watermark;
use crate::support::postgres::Cluster;
use crate::support::run;

#[test]
fn windows_meet_where_the_ids_wrap_round() {
    run(async {
        // The 32 bits begin again at 3 after 4294967295.
        let mut cluster = Cluster::start("wraparound", &[]);
        for id in [2_000_000_000_u32, 4_000_000_000, 4_294_967_270] {
            cluster = cluster.with_next_id("wraparound", id).await;
        }
        let bed = Bed::table_on(&cluster, Duration::from_secs(100 * 365 * 86_400)).await;
        let mut watch = cluster.connect("postgres").await;
        let mut epoch = async || -> i64 {
            sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint >> 32")
                .fetch_one(&mut watch)
                .await
                .unwrap()
        };
        let before = epoch().await;
        let start = bed.source.beginning();
        let (mut at, mut windows) = (watermark(start.clone()), Vec::new());
        for round in 0..30 {
            let name = format!("{round:02}");
            bed.insert(&[record(&name)]).await;
            let hi = pinned(&bed, Some(&at)).await;
            let set = between(&at.bound, &hi);
            assert_eq!(bed.names(&set).await, [name.as_str()]);
            windows.push((set, name));
            at = watermark(hi);
        }
        assert_eq!(epoch().await, before + 1, "the ids wrapped round");
        for (set, name) in &windows {
            assert_eq!(bed.names(set).await, [name.as_str()], "the window is closed");
        }
        let all: Vec<&String> = windows.iter().map(|(_, name)| name).collect();
        let end = bed.capture_now().await;
        assert_eq!(bed.names(&between(&start, &end)).await.iter().collect::<Vec<_>>(), all);
        assert_eq!(bed.names(&between(&at.bound, &end)).await, NONE);
    });
}
