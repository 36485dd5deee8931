//! A populated ledger of every past schema is upgraded, read and goes on delivering; what was sealed
//! by the release that wrote it comes out the same.

mod bucket;
mod ledger;

use std::collections::BTreeMap;

use crate::support::bench::Bench;
use crate::support::run;
use auditferry_core::model::format::Format;
use bucket::Bucket;
use ledger::{Kind, Past};
use serde_json::Value;

/// One installation with the ledger of a past schema.
struct Upgrade {
    bench: Bench,
    past: Past,
    bucket: Bucket,
    /// Which it is, for messages.
    name: String,
}

impl Upgrade {
    async fn new(kind: Kind, version: usize) -> Self {
        let bucket = Bucket::new().await;
        let past = Past::new(kind, version, &bucket.endpoint()).await;
        let bench = Bench::new();
        let source = format!("sqlite:{}", bench.path("source.db").display());
        let key = format!("2026-11=file:{}", ledger::folder().join("sealing.key").display());
        let bench = bench
            .env("AUDITFERRY__LEDGER__URL", past.url())
            .env("AUDITFERRY__SOURCE__URL", &source)
            .env("AUDITFERRY__KEYS__RING", &key)
            .env("AUDITFERRY__AWS__PRINCIPAL", "arn:aws:iam::111122223333:role/worker")
            .env("ACME_SECRET", "HUSH")
            .env("NOT_SET", "HUSH")
            .env("AUDITFERRY__HTTP__LISTEN", "");
        bench.does("migrate");
        ledger::fill_source(&source).await;
        Self { bench, past, bucket, name: format!("{kind:?} {version}") }
    }

    /// Everything that a person may look at can be looked at.
    fn can_be_read(&self) {
        let Self { bench, past, name, .. } = self;
        let shown = bench.json("account ls");
        let shown: Vec<&str> =
            shown.as_array().unwrap().iter().map(|line| line["account"].as_str().unwrap()).collect();
        assert_eq!(shown, past.accounts(), "{name}");
        for account in past.accounts() {
            let stored = past.account(account);
            let facts = bench.json(&format!("account show {account}"));
            assert_eq!(facts["zone"], stored["zone"], "{name} {account}");
            assert_eq!(facts["open_window"], stored["open_window"], "{name} {account}");
            // Options that were added since are as they were before there was a choice.
            let shown: Format = serde_json::from_value(facts["format"].clone()).unwrap();
            let format: Format = serde_json::from_str(stored["format"].as_str().unwrap()).unwrap();
            assert_eq!(shown, format, "{name} {account}");
            let destination = bench.run(&format!("destination show {account} --json"));
            assert_eq!(destination.code == Some(0), past.has_destination(account), "{name} {destination}");
            let windows = bench.json(&format!("deliveries ls {account} --windows"));
            assert_eq!(windows.as_array().unwrap().len(), past.windows(account), "{name} {account}");
        }
        assert_eq!(bench.json("deliveries ls").as_array().unwrap().len(), past.rows("delivery").len());
        assert_eq!(
            bench.json("deliveries ls --replays").as_array().unwrap().len(),
            past.rows("replayed_object").len(),
            "{name}"
        );
        let changes = bench.json("changes ls --limit 1000").as_array().unwrap().len();
        assert_eq!(changes, past.rows("change_log").len(), "{name}");
        let health = |account: &str| bench.json(&format!("account show {account}"))["health"].clone();
        assert_eq!(health("held"), "held", "{name}");
        if past.knows("paused") {
            assert_eq!(health("paused"), "paused", "{name}");
            let suspended = &bench.json("account show suspended")["suspended_at"];
            assert!(suspended.is_string(), "{name}");
        }
        if past.knows("vault") {
            assert!(bench.does("check").contains("1 sealed secret opens"), "{name}");
        }
        if past.knows("role") {
            let role = past.account("role");
            let stored = role["external_id"].as_str().unwrap();
            let trust = bench.does("destination trust role --bucket acme-siem");
            assert!(trust.contains(stored), "{name} {trust}");
        }
        if past.knows("proof") {
            let awaited = &bench.json("account show proof")["awaits_proof"];
            assert!(awaited["key"].as_str().unwrap().contains("ownership-"), "{name} {awaited}");
        }
    }

    /// Every window that was open is delivered as it was sealed, and later ones after it.
    async fn goes_on(&self) {
        let Self { bench, past, bucket, name } = self;
        bucket.hold_what_the_old_release_put().await;
        if past.knows("vault") {
            // Its secret is bound to the server of that time.
            bench.file("secret", "HUSH");
            bench.does(&format!(
                "destination set vault --kind s3 --region us-east-1 --bucket acme --endpoint {} --allow-http \
                 --access-key-id AKIAIOSFODNN7EXAMPLE --secret-access-key-file secret --replace --yes",
                bucket.endpoint()
            ));
        }
        bench.does("run --until-idle");
        let delivered = bench.json("deliveries ls --limit 1000");
        let delivered: BTreeMap<&str, &Value> = delivered
            .as_array()
            .unwrap()
            .iter()
            .map(|delivery| (delivery["key"].as_str().unwrap(), delivery))
            .collect();
        let mut rebuilt = 0;
        for sealed in past.rows("delivery") {
            let key = sealed["key"].as_str().unwrap();
            let now = delivered.get(key).unwrap_or_else(|| panic!("{name}: {key} is not there any more"));
            assert_eq!(now["content_sha256"], sealed["content_sha256"], "{name} {key}");
            if sealed["account"] == "held" {
                assert_eq!(now["state"], "sealed", "{name} {key}");
                continue;
            }
            assert_eq!(now["state"], "delivered", "{name} {key}");
            if sealed["state"] == "sealed" {
                rebuilt += 1;
                assert_eq!(bucket.content_sha256(key), sealed["content_sha256"], "{name} {key}");
            }
        }
        assert_eq!(rebuilt, past.open_windows(), "{name}");
        // Every record once, those before the upgrade and after it.
        let emails = |account: &str| bucket.emails(account);
        let numbered = |numbers: std::ops::Range<u32>| {
            numbers.map(|number| format!("é{number}@x.example")).collect::<Vec<_>>()
        };
        assert_eq!(emails("acme"), numbered(0..13), "{name}");
        assert_eq!(emails("gzip"), numbered(300..305), "{name}");
        assert_eq!(emails("sealed-only"), numbered(400..402), "{name}");
        let mut left = vec!["later@x.example".to_owned()];
        left.extend(numbered(260..262));
        assert_eq!(emails("cut"), left, "{name}: what an ended add-on left behind");
        // Its window was planned with version 1 of the content, in which an empty text is no `null`.
        assert_eq!(bucket.descriptions("cut")[0], "", "{name}");
        for account in ["acme", "gzip", "cut", "plain"] {
            let shown = bench.json(&format!("account show {account}"));
            assert_eq!(
                (&shown["health"], &shown["error"]),
                (&"running".into(), &Value::Null),
                "{name} {shown}"
            );
            assert_eq!(shown["open_window"], Value::Null, "{name} {shown}");
        }
    }
}

async fn every_past_ledger_goes_on(kind: Kind) {
    for version in 1..=kind.migrations().len() {
        let upgrade = Upgrade::new(kind, version).await;
        upgrade.can_be_read();
        upgrade.goes_on().await;
    }
}

#[test]
fn every_past_ledger_on_sqlite_goes_on() {
    run(every_past_ledger_goes_on(Kind::Sqlite));
}

#[test]
fn every_past_ledger_on_postgres_goes_on() {
    run(every_past_ledger_goes_on(Kind::Postgres));
}
