//! Every line that is logged during an export is found by its account, window and slot.

use serde_json::Value;

use crate::daemon::app::{App, EVERY_SECOND};
use crate::daemon::bucket::Bucket;
use crate::daemon::rows::rows;
use crate::support::run;

#[test]
fn lines_of_an_export_carry_its_account_window_slot_and_attempt() {
    run(async {
        let app = App::sqlite()
            .with_variable("AUDITFERRY__LOG__LEVEL", "auditferry=debug")
            .with_variable("AUDITFERRY__LOG__FORMAT", "json");
        let bucket = Bucket::embedded().await;
        app.add("acme", &bucket, EVERY_SECOND, &[]);
        let records = rows("acme", "spans", 3);
        app.insert(&records).await;
        let worker = app.start().await;
        app.settle("acme").await;
        app.verify(&bucket, "acme", &records).await;
        let log = worker.log();
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let found = |wanted: &dyn Fn(&Value) -> bool| {
            let line =
                lines.iter().find(|line| wanted(line)).unwrap_or_else(|| panic!("no such line\n{log}"));
            line["span"].clone()
        };
        for span in [
            found(&|line| line["step"] == "commit" && line["seconds"].is_f64()),
            found(&|line| line["request"] == "put"),
        ] {
            assert_eq!((&span["name"], &span["account"]), (&"export".into(), &"acme".into()), "{span}");
            assert!(span["window"].is_u64() && span["attempt"] == 1, "{span}");
            assert!(span["slot"].as_str().is_some_and(|slot| slot.ends_with('Z')), "{span}");
        }
        // What operators read at level info has no spans beside its own fields.
        let delivered = lines.iter().find(|line| line["message"] == "delivered").expect("delivered");
        assert_eq!(delivered["account"], "acme");
    });
}
