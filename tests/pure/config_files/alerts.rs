//! `deploy/prometheus-rules.yaml`

use std::collections::BTreeSet;

use auditferry::destinations::fix::fix;
use auditferry::ledger::TroubleKind;
use auditferry::ledger::{Gauges, StateGauge};
use auditferry::observe::telemetry::Metrics;

use super::{between, help, read};
use auditferry_core::model::expiry::Ending;

#[test]
fn every_alert_says_what_to_do() {
    let text = read("deploy/prometheus-rules.yaml");
    let alerts: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 8, "{} alerts", alerts.len());
    for alert in alerts {
        for part in ["\n        expr: ", "\n        for: ", " severity: "] {
            assert!(alert.contains(part), "no {part:?} in {alert}");
        }
        for part in ["summary", "description", "action"] {
            let value = between(alert, &format!("\n          {part}: "), &['\n']);
            assert!(value.first().is_some_and(|value| value.len() > 20), "no {part} in {alert}");
        }
        for command in between(alert, "`auditferry ", &['`']) {
            let words =
                command.split(' ').take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            help(&words.collect::<Vec<_>>().join(" "));
        }
    }
}

#[test]
fn the_alerts_ask_for_metrics_that_a_worker_serves() {
    let text = read("deploy/prometheus-rules.yaml");
    let expressions = between(&text, "expr: ", &['\n']);
    let states = include_str!("../../../src/ledger/sql/history.rs");
    let states: BTreeSet<&str> =
        between(states, "THEN '", &['\'']).into_iter().chain(between(states, "ELSE '", &['\''])).collect();
    let metrics = Metrics::default();
    metrics.failed("ledger");
    let of = |state: &&str| StateGauge {
        state: (*state).to_owned(),
        accounts: 1,
        oldest_watermark: None,
        oldest_undelivered: None,
    };
    let gauges = Gauges {
        states: states.iter().map(of).collect(),
        credentials: Ending::ALL.map(|ending| (ending, 0)).to_vec(),
    };
    let served = metrics.text(&gauges, jiff::Timestamp::UNIX_EPOCH);
    let of_nobody = fix(&TroubleKind::stored("of_nobody"));
    let mut found = 0;
    for expression in expressions {
        for rest in expression.split("auditferry_").skip(1) {
            let name = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap();
            let line = format!("\nauditferry_{name}");
            let known =
                served.match_indices(&line).any(|(at, _)| served[at + line.len()..].starts_with(['{', ' ']));
            assert!(known, "no worker serves auditferry_{name}:\n{served}");
            found += 1;
        }
        for label in ["state", "within"] {
            for value in between(expression, &format!("{label}="), &['}', ',']) {
                assert!(
                    served.contains(&format!("{label}={value}")),
                    "nothing has {label}={value}: {expression}"
                );
            }
        }
        for kind in between(expression, "kind=~\"", &['"']).iter().flat_map(|kinds| kinds.split('|')) {
            assert_ne!(fix(&TroubleKind::stored(kind)), of_nobody, "{kind} is the kind of no failure");
        }
    }
    assert!(found >= 9, "{found} metrics");
}
