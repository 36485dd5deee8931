//! Reading closed sets.

use auditferry::source::{SourceError, Taken, Taker};
use auditferry_core::model::bound::{Ahead, RecordSet};
use auditferry_core::model::record::{Record, RecordKey, RecordRef};

use crate::source_contract::bed::{Bed, at, between, id, record};
use crate::source_contract::counting::watermark;
use crate::support::run;

pub(crate) async fn records_come_in_commit_order_with_all_fields(bed: Bed) {
    // Neither by time nor by any text.
    let records = [
        Record { occurred_at: at("09:00:00.123456"), ..record("b") },
        Record { occurred_at: at("01:00"), action_id: None, ..record("a") },
        Record { occurred_at: at("05:00"), ip_address: None, description: String::new(), ..record("c") },
        Record { occurred_at: "0001-01-03T00:00:00Z".parse().unwrap(), ..record("earliest") },
        Record { occurred_at: "9999-12-28T23:59:59.999999Z".parse().unwrap(), ..record("latest") },
        Record {
            action_id: Some(String::new()),
            ip_address: Some(String::new()),
            ..record("empty, not absent")
        },
    ];
    bed.insert(&records).await;
    assert_eq!(bed.everything().await, records);
}

/// Collects what records are known by.
struct Keys(Vec<String>);

#[async_trait::async_trait]
impl Taker for Keys {
    fn take(&mut self, record: &RecordRef<'_>) -> Taken {
        self.0.push(text_of(record.key));
        Taken::Yes
    }

    async fn pause(&mut self) {}
}

fn text_of(key: RecordKey<'_>) -> String {
    match key {
        RecordKey::Unknown => panic!("a record without a key"),
        RecordKey::Number(number) => number.to_string(),
        RecordKey::Text(text) => text.to_owned(),
    }
}

/// Its id is made of it: in the first delivery, which streams, as in a replay, which reads pages.
pub(crate) async fn a_record_has_one_key_however_it_is_read(bed: Bed) {
    let lo = bed.source.beginning();
    bed.insert(&["a", "b", "c", "d", "e"].map(record)).await;
    let set = between(&lo, &bed.capture().await);
    let pages = bed.source.read(&id("acme"), &set, None, 100).await.unwrap();
    let paged: Vec<String> = pages.iter().map(|(cursor, _)| text_of(cursor.key())).collect();
    let mut taken = Keys(Vec::new());
    let progress = bed.source.hand_over(&id("acme"), &set, None, 100, &mut taken).await.unwrap();
    assert!(progress.exhausted);
    assert_eq!(taken.0, paged);
    let mut different = paged.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 5, "{paged:?}");
}

pub(crate) async fn texts_come_back_byte_for_byte(bed: Bed) {
    let controls: String = (1_u8..=0x1f).map(char::from).chain(['\u{7f}', '\u{85}']).collect();
    let texts = [
        "'; DROP TABLE audit_log; -- \"quoted\" `ticks` \\ \\n \\u0041 $1 %s {}",
        "one\ntwo\r\nthree\ttab",
        &controls,
        "\u{2028}\u{2029}\u{feff}\u{202e}",
        "🦀👩‍👩‍👧é é",
        "NULL",
        "  spaces around  ",
        &"ü".repeat(512 * 1024),
    ];
    let records: Vec<_> = texts
        .iter()
        .map(|text| Record {
            description: (*text).to_owned(),
            action: text.chars().take(50).collect(),
            action_id: Some(text.chars().take(50).collect()),
            ..record("ana@acme.example")
        })
        .collect();
    bed.insert(&records).await;
    let read = bed.everything().await;
    assert_eq!(read.len(), records.len());
    for (read, written) in read.iter().zip(&records) {
        assert!(read == written, "{:.200?}", read.description);
    }
}

pub(crate) async fn what_an_application_leaves_out_has_a_default(bed: Bed) {
    let sql = "INSERT INTO audit_log (account_id, email, action) VALUES ('acme', 'ana', 'login')";
    bed.application().await.execute(sql).await.unwrap();
    let read = bed.everything().await.remove(0);
    assert_eq!((read.email.as_str(), read.action.as_str(), read.description.as_str()), ("ana", "login", ""));
    assert_eq!((read.action_id, read.ip_address), (None, None));
    assert!(auditferry_core::model::record::allowed_instants().contains(&read.occurred_at));
}

pub(crate) async fn an_account_gets_its_own_records_only(bed: Bed) {
    let mut application = bed.application().await;
    for account in ["acme", "Acme", "acme ", "acm", "acme2", "a%", "_cme"] {
        application.insert(account, &record(account)).await.unwrap();
    }
    let all = between(&bed.source.beginning(), &bed.capture().await);
    for account in ["acme", "Acme", "a%", "acme "] {
        let read = bed.read_in_pages(&id(account), &all, 1000).await;
        assert_eq!(read, [record(account)]);
    }
    assert_eq!(bed.read_in_pages(&id("nobody"), &all, 1000).await, []);
}

pub(crate) async fn a_window_is_closed(bed: Bed) {
    bed.insert(&[record("before")]).await;
    let lo = bed.capture().await;
    bed.insert(&[record("1"), record("2")]).await;
    let hi = bed.capture().await;
    let window = between(&lo, &hi);
    assert_eq!(bed.names(&window).await, ["1", "2"]);
    bed.insert(&[record("after")]).await;
    assert_eq!(bed.names(&window).await, ["1", "2"]);
    assert_eq!(bed.names(&between(&bed.source.beginning(), &lo)).await, ["before"]);
    assert_eq!(bed.names(&between(&lo, &lo)).await, [] as [&str; 0]);
}

pub(crate) async fn windows_meet_without_gap_or_overlap(bed: Bed) {
    let mut lo = bed.source.beginning();
    let mut read = Vec::new();
    for round in 0..5 {
        for number in 0..round {
            bed.insert(&[record(&format!("{round}.{number}"))]).await;
        }
        let hi = bed.capture().await;
        read.extend(bed.names(&between(&lo, &hi)).await);
        lo = hi;
    }
    let expected: Vec<_> =
        (0..5).flat_map(|round| (0..round).map(move |number| format!("{round}.{number}"))).collect();
    assert_eq!(read, expected);
}

pub(crate) async fn pages_of_any_size_give_the_same_list(bed: Bed) {
    let names: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let mut application = bed.application().await;
    for chunk in names.chunks(7) {
        // Several of one transaction, with others' between them.
        application.execute("BEGIN").await.unwrap();
        for name in chunk {
            application.insert("acme", &record(name)).await.unwrap();
            application.insert("other", &record("other")).await.unwrap();
        }
        application.execute("COMMIT").await.unwrap();
    }
    let all = between(&bed.source.beginning(), &bed.capture().await);
    for size in [1, 3, 30, 1000] {
        let read = bed.read_in_pages(&id("acme"), &all, size).await;
        let read: Vec<_> = read.into_iter().map(|record| record.email).collect();
        assert_eq!(read, names, "in pages of {size}");
    }
}

pub(crate) async fn since_and_until_cut_at_the_instant(bed: Bed) {
    bed.insert_at(&["05:00", "03:59", "04:00", "04:30"]).await;
    let all = between(&bed.source.beginning(), &bed.capture().await);
    let since = RecordSet { since: Some(at("04:00")), ..all.clone() };
    assert_eq!(bed.names(&since).await, bed.in_order(&["05:00", "04:00", "04:30"]));
    let until = RecordSet { until: Some(at("05:00")), ..all.clone() };
    assert_eq!(bed.names(&until).await, ["03:59", "04:00", "04:30"]);
    let both = RecordSet { since: Some(at("04:00")), until: Some(at("04:30")), ..all };
    assert_eq!(bed.names(&both).await, ["04:00"]);
}

pub(crate) async fn instants_are_compared_to_the_microsecond(bed: Bed) {
    let times = [
        "03:59:59.999999Z",
        "04:00:00Z",
        "04:00:00.0Z",
        "04:00:00.000000Z",
        "04:00:00.499999Z",
        "04:00:00.5Z",
        "04:00:00.50Z",
        "04:00:00.500001Z",
        "04:00:01Z",
    ];
    let mut application = bed.application().await;
    for time in times {
        let sql = format!(
            "INSERT INTO audit_log (account_id, occurred_at, email, action) \
             VALUES ('acme', '2026-11-21T{time}', '{time}', 'login')"
        );
        application.execute(&sql).await.unwrap();
    }
    let all = between(&bed.source.beginning(), &bed.capture().await);
    let cut = |since, until| RecordSet { since: Some(at(since)), until: Some(at(until)), ..all.clone() };
    assert_eq!(bed.names(&cut("04:00:00", "04:00:00.5")).await, times[1..5]);
    assert_eq!(bed.names(&cut("04:00:00.5", "04:00:01")).await, times[5..8]);
    assert_eq!(bed.names(&cut("04:00:00.500001", "05:00")).await, times[7..]);
    assert_eq!(bed.names(&cut("03:00", "04:00:00.000001")).await, times[..4]);
}

pub(crate) async fn what_was_delivered_ahead_is_left_out(bed: Bed) {
    bed.insert_at(&["01:00", "02:30", "03:00"]).await;
    let ahead = Ahead { bound: bed.capture().await, before: at("02:30") };
    // It occurred before, but nobody could know of it then.
    bed.insert_at(&["02:00"]).await;
    let hi = bed.capture().await;
    let cut = RecordSet { until: Some(at("02:30")), ..between(&bed.source.beginning(), &ahead.bound) };
    let rest = RecordSet { ahead: Some(ahead), ..between(&bed.source.beginning(), &hi) };
    assert_eq!(bed.names(&cut).await, ["01:00"]);
    assert_eq!(bed.names(&rest).await, bed.in_order(&["02:30", "03:00", "02:00"]));
    let rest = RecordSet { since: Some(at("02:15")), until: Some(at("03:00")), ..rest };
    assert_eq!(bed.names(&rest).await, ["02:30"]);
}

pub(crate) async fn what_is_skipped_is_left_out(bed: Bed) {
    bed.insert(&["1", "2", "3", "4", "5"].map(record)).await;
    let all = between(&bed.source.beginning(), &bed.capture().await);
    let places = bed.source.read(&id("acme"), &all, None, 10).await.unwrap();
    // A cursor ends with the key of its record.
    let key = |place: usize| places[place].0.0.rsplit(':').next().unwrap().to_owned();
    let set = RecordSet { skipped: vec![key(1), key(4)], ..all };
    for size in [1, 2, 10] {
        let read = bed.read_in_pages(&id("acme"), &set, size).await;
        let read: Vec<_> = read.into_iter().map(|record| record.email).collect();
        assert_eq!(read, ["1", "3", "4"], "in pages of {size}");
    }
}

/// SQLite takes any bytes for a text; which row and which column is told.
#[test]
fn a_text_that_is_not_utf8_is_told_with_its_row_on_sqlite() {
    run(async {
        for column in ["occurred_at", "email", "action", "action_id", "description", "ip_address"] {
            let bed = Bed::sqlite().await;
            bed.insert(&[record("1")]).await;
            let mut values = ["'2026-11-21T04:00:00Z'", "'2'", "'login'", "'7'", "''", "NULL"];
            let columns = ["occurred_at", "email", "action", "action_id", "description", "ip_address"];
            let place = columns.iter().position(|name| *name == column).unwrap();
            values[place] = "CAST(X'ff41' AS TEXT)";
            // Bytes in a time pass the table's CHECK only where somebody has switched it off.
            let sql = format!(
                "PRAGMA ignore_check_constraints = ON; INSERT INTO audit_log (account_id, {}) VALUES ('acme', {})",
                columns.join(", "),
                values.join(", ")
            );
            bed.application().await.execute(&sql).await.unwrap();
            let set = between(&bed.source.beginning(), &bed.capture().await);
            let error = bed.source.read(&id("acme"), &set, None, 10).await.unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, SourceError::BadRecord { .. }), "{text}");
            assert!(text.contains(&format!("record 2 of the source: {column} is not UTF-8")), "{text}");
            let waiting = bed.source.waiting(&id("acme"), &watermark(set.lo)).await.unwrap();
            assert_eq!(waiting.records, 2, "{column}");
        }
    });
}
