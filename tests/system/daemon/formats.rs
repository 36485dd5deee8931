//! Containers, layouts, empty windows and windows of several objects.

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::{keys_of, rows, slot_of};
use crate::support::run;

#[test]
fn containers_and_layouts_as_the_store_reports_them() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::azurite_with_connection_string().await);
        let formats = [
            ("gzip", "lines", ".jsonl.gz", "application/x-gzip"),
            ("gzip", "array", ".json.gz", "application/x-gzip"),
            ("zstd", "lines", ".jsonl.zst", "application/zstd"),
            ("zstd", "array", ".json.zst", "application/zstd"),
            ("none", "lines", ".jsonl", "application/x-ndjson"),
            ("none", "array", ".json", "application/json"),
        ];
        let mut expected = Vec::new();
        for (container, layout, ..) in formats {
            let account = format!("{container}-{layout}");
            let options = ["--container", container, "--layout", layout, "--max-records", "4"];
            app.add(&account, &bucket, EVERY_SECOND, &options);
            let rows = rows(&account, "formatted", 6);
            app.insert(&rows).await;
            expected.push((account, rows));
        }
        let worker = app.start().await;
        for ((account, rows), (_, layout, extension, content_type)) in expected.iter().zip(formats) {
            app.delivered(&bucket, account, rows.len()).await;
            app.settle(account).await;
            let objects = app.verify(&bucket, account, rows).await;
            assert_eq!(objects.len(), 2, "{account}");
            for unpacked in objects {
                assert!(unpacked.key.ends_with(extension), "{}", unpacked.key);
                assert_eq!(unpacked.object.content_type, content_type, "{}", unpacked.key);
                // Still a record on each line.
                let lines =
                    unpacked.content.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{"));
                assert_eq!(lines.count(), unpacked.records.len(), "{}", unpacked.key);
                assert_eq!(unpacked.content.starts_with(b"["), layout == "array", "{}", unpacked.key);
            }
        }
        worker.stop().await;
    });
}

#[test]
fn an_empty_window_puts_nothing() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        app.add("quiet", &bucket, EVERY_SECOND, &[]);
        let worker = app.start().await;
        app.settle("quiet").await;
        assert_eq!(bucket.keys().await, [""; 0]);
        assert!(worker.metric("auditferry_windows_total").await >= 1.0, "windows are closed all the same");
        let expected = rows("quiet", "at-last", 1);
        app.insert(&expected).await;
        app.delivered(&bucket, "quiet", 1).await;
        worker.stop().await;
        app.verify(&bucket, "quiet", &expected).await;
    });
}

#[test]
fn an_empty_window_puts_an_object_with_an_empty_entry_when_asked_to() {
    run(async {
        let (app, bucket) = (App::sqlite(), Bucket::embedded().await);
        app.add("quiet", &bucket, EVERY_SECOND, &["--empty-windows", "object"]);
        let worker = app.start().await;
        app.settle("quiet").await;
        worker.stop().await;
        let objects = app.verify(&bucket, "quiet", &[]).await;
        assert!(!objects.is_empty());
        for unpacked in objects {
            assert_eq!(unpacked.content, b"", "{}", unpacked.key);
        }
    });
}

#[test]
fn a_window_of_several_objects_in_the_order_of_keys() {
    run(async {
        let (app, bucket) = (App::postgres().await, Bucket::embedded().await);
        app.add("acme", &bucket, EVERY_SECOND, &["--max-records", "3"]);
        let mut expected = rows("acme", "many", 32);
        app.insert(&expected).await;
        let worker = app.start().await;
        app.delivered(&bucket, "acme", 32).await;
        let next = rows("acme", "next", 4);
        app.insert(&next).await;
        expected.extend(next);
        app.delivered(&bucket, "acme", 36).await;
        worker.stop().await;
        let objects = app.verify(&bucket, "acme", &expected).await;
        let counts: Vec<usize> = objects.iter().map(|object| object.records.len()).collect();
        assert_eq!(counts, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 1]);
        let first = slot_of(&objects[0].key);
        for (ordinal, key) in (1..).zip(keys_of(&bucket, "acme").await.iter().take(11)) {
            let end = if ordinal == 1 { format!("{first}.zip") } else { format!("{first}_{ordinal:04}.zip") };
            assert!(key.ends_with(&end), "{key} is not number {ordinal} of {first}");
        }
    });
}
