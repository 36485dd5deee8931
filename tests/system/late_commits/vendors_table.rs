//! The same on a vendor's own table, read by `xmin` on its primary and on a streaming
//! standby, beside two ways to read by `xmin` without a horizon.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use auditferry::source;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{Delivered, Ours, POLL, WRITERS, compare, insert, print, sql, write, writing_time};
use crate::support::postgres::Cluster;
use crate::support::{eventually, run, vendor};

/// Rows between two snapshots, by the id that a row has.
struct ByXmin {
    method: &'static str,
    /// Whether an id lies up to a snapshot.
    reached: fn(id: &str, snapshot: &str) -> String,
    lo: String,
    delivered: Delivered,
    /// A transaction that wrote behind a savepoint and commits once the bound has passed its row.
    late: Option<(PgConnection, String)>,
}

impl ByXmin {
    async fn new(url: &str, method: &'static str, reached: fn(&str, &str) -> String) -> Self {
        let mut late = PgConnection::connect(url).await.unwrap();
        sql(&mut late, "BEGIN; SAVEPOINT a").await;
        insert(&mut late, &format!("late for {method}")).await;
        let id = format!("SELECT xmin::text FROM audit_log WHERE email = 'late for {method}'");
        let id: String = sqlx::query_scalar(AssertSqlSafe(id)).fetch_one(&mut late).await.unwrap();
        let passed = format!("SELECT {}", reached(&format!("'{id}'::xid8"), "$1::pg_snapshot"));
        Self {
            method,
            reached,
            lo: "1:1:".to_owned(),
            delivered: Delivered::new(),
            late: Some((late, passed)),
        }
    }

    async fn poll(&mut self, connection: &mut PgConnection) {
        let hi: String = sqlx::query_scalar("SELECT pg_current_snapshot()::text")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let up_to = |snapshot| (self.reached)("xmin::text::xid8", snapshot);
        let rows = format!(
            "SELECT email FROM audit_log WHERE account_id = 'acme' AND NOT {} AND {}",
            up_to("$1::pg_snapshot"),
            up_to("$2::pg_snapshot")
        );
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows))
            .bind(&self.lo)
            .bind(&hi)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for name in rows {
            *self.delivered.entry(name).or_default() += 1;
        }
        if let Some((mut late, passed)) = self.late.take() {
            let passed_it: bool = sqlx::query_scalar(AssertSqlSafe(passed.clone()))
                .bind(&hi)
                .fetch_one(connection)
                .await
                .unwrap();
            if passed_it {
                sql(&mut late, "COMMIT").await;
            } else {
                self.late = Some((late, passed));
            }
        }
        self.lo = hi;
    }
}

#[test]
fn late_commits_on_a_vendors_table_are_lost_without_the_horizon() {
    run(async {
        let primary = Cluster::start("torture-primary", &[]);
        let database = primary.create().await;
        vendor::make(&primary, &database).await;
        let standby = primary.standby("torture-standby");
        let url = primary.url(&database);
        let reading = |cluster| {
            let settings = vendor::settings(Duration::from_secs(3_600));
            Ours::new(source::open_table(&vendor::reader(cluster, &database), 4, settings).unwrap())
        };
        let (mut ours, mut on_standby) = (reading(&primary), reading(&standby));
        eventually("the standby has the table", async || on_standby.source.check().await.ok()).await;
        let mut others = [
            ByXmin::new(&url, "xmin by snapshot", |id, at| format!("pg_visible_in_snapshot({id}, {at})"))
                .await,
            ByXmin::new(&url, "xmin below the newest", |id, at| format!("({id} < pg_snapshot_xmax({at}))"))
                .await,
        ];
        let time = writing_time();
        let until = Instant::now() + time;
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| tokio::spawn(write(url.clone(), writer, until))).collect();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let mut rounds = 0;
        while rounds < 4 {
            // A few rounds after the longest transaction has ended.
            rounds += u32::from(writers.iter().all(tokio::task::JoinHandle::is_finished));
            let next = tokio::time::Instant::now() + POLL;
            ours.poll().await;
            on_standby.poll().await;
            for method in &mut others {
                method.poll(&mut connection).await;
            }
            tokio::time::sleep_until(next).await;
        }
        let mut committed = BTreeSet::new();
        for writer in writers {
            committed.extend(writer.await.expect("no writer failed"));
        }
        for method in &others {
            assert!(method.late.is_none(), "the bound of {:?} never passed its row", method.method);
            committed.insert(format!("late for {}", method.method));
        }
        // A standby hears every 15 s at the latest what has ended without a word.
        let mut far = on_standby.windows.iter().map(|(_, names)| names.len()).sum::<usize>();
        eventually("the standby has all", async || {
            on_standby.poll().await;
            far += on_standby.windows.last().map_or(0, |(_, names)| names.len());
            (far >= committed.len()).then_some(())
        })
        .await;
        ours.poll().await;
        eventually("the standby is as far", async || {
            on_standby.source.recognise(&ours.account, &ours.lo).await.ok()
        })
        .await;
        // Whichever server reads a window, it holds the same.
        let mut all = vec![
            compare("auditferry, primary", &committed, &ours.delivered(&on_standby).await),
            compare("auditferry, standby", &committed, &on_standby.delivered(&ours).await),
        ];
        all.extend(others.iter().map(|other| compare(other.method, &committed, &other.delivered)));
        print(&all, time.as_secs(), ours.windows.len());
        assert!(committed.len() > 1_000, "only {} records", committed.len());
        for of in &all[..2] {
            assert_eq!((of.lost, of.twice), (0, 0), "{}", of.method);
        }
        for of in &all[2..] {
            assert!(of.lost >= 1, "{} lost nothing: the test sees no loss", of.method);
        }
    });
}
