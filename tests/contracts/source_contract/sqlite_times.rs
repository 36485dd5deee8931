//! SQLite has no type for instants: the table takes only texts that compare as they do.

use crate::source_contract::bed::{Bed, between};
use crate::support::run;

fn insert(time: &str) -> String {
    format!(
        "INSERT INTO audit_log (account_id, occurred_at, email, action) VALUES ('acme', {time}, 'x', 'x')"
    )
}

#[test]
fn a_time_that_is_none_is_refused() {
    run(async {
        let bed = Bed::sqlite().await;
        let mut application = bed.application().await;
        let bad = [
            "'now'",
            "''",
            "NULL",
            "0",
            "1763697600",
            "'2026-11-21'",
            "'2026-11-21T04:00:00'",
            "'2026-11-21T04:00Z'",
            "'2026-11-21 04:00:00Z'",
            "'2026-11-21t04:00:00z'",
            "'2026-11-21T04:00:00+00:00'",
            "'2026-11-21T04:00:00.Z'",
            "'2026-11-21T04:00:00.1234567890Z'",
            "'2026-11-21T04:00:00.12a4Z'",
            "'2026-11-21T04:00:00,123Z'",
            "'2026-11-21T04:00:00ZZ'",
            "' 2026-11-21T04:00:00Z'",
            "'2026-11-21T04:00:00Z '",
            "'2026-02-31T04:00:00Z'",
            "'2026-02-29T04:00:00Z'",
            "'2026-04-31T04:00:00Z'",
            "'2026-13-01T04:00:00Z'",
            "'2026-00-10T04:00:00Z'",
            "'2026-01-00T04:00:00Z'",
            "'2026-01-32T04:00:00Z'",
            "'2026-01-39T04:00:00Z'",
            "'2026-11-21T24:00:00Z'",
            "'2026-11-21T25:00:00Z'",
            "'2026-11-21T29:59:59Z'",
            "'2026-11-21T04:60:00Z'",
            "'2026-11-21T04:00:60Z'",
            "'-026-11-21T04:00:00Z'",
            "'0000-01-01T00:00:00Z'",
            "'0001-01-01T00:00:00Z'",
            "'9999-12-31T00:00:00Z'",
            "'٢٠٢٦-11-21T04:00:00Z'",
            "'2026-11-21T04:00:00Z' || char(0) || 'x'",
        ];
        let mut taken = Vec::new();
        for time in bad {
            if application.execute(&insert(time)).await.is_ok() {
                taken.push(time);
            }
        }
        assert_eq!(taken, [] as [&str; 0]);
    });
}

#[test]
fn every_time_that_is_taken_can_be_read() {
    run(async {
        let bed = Bed::sqlite().await;
        let mut application = bed.application().await;
        let good = [
            "2026-11-21T04:00:00Z",
            "2026-11-21T23:59:59.999999999Z",
            "2028-02-29T00:00:00.1Z",
            "2000-02-29T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
            "0001-01-03T00:00:00Z",
            "9999-12-28T23:59:59.999999999Z",
        ];
        for time in good {
            application
                .execute(&insert(&format!("'{time}'")))
                .await
                .unwrap_or_else(|error| panic!("{time}: {error}"));
        }
        let all = between(&bed.source.beginning(), &bed.capture().await);
        let read: Vec<_> = bed.read(&all).await.iter().map(|record| record.occurred_at.to_string()).collect();
        assert_eq!(read, good);
    });
}
