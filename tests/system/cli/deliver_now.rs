//! `auditferry account deliver-now`, where it is refused.

use super::timeline::execute;
use crate::support::bench::Bench;
use crate::support::run;

#[test]
fn what_cannot_be_delivered_is_refused_with_the_way_on() {
    run(async {
        let bench = Bench::with_acme();
        let refuses =
            |says: &[&str]| bench.refuses("account deliver-now acme", &[&["account acme: "], says].concat());
        refuses(&["its add-on is disabled", "auditferry addon enable acme"]);
        bench.does("addon enable acme");
        refuses(&["it has no destination", "auditferry destination set acme"]);
        bench.file("secret", "HUSH");
        bench.does(&format!("destination set acme {} --bucket acme-siem", crate::support::bench::S3));
        bench.does("account pause acme");
        refuses(&["it is paused", "auditferry account resume acme"]);
        bench.does("account resume acme");
        execute(&bench, "UPDATE account SET last_slot = last_slot + 3600000000").await;
        refuses(&["its newest slot is", "names of objects go in order", "ask again once it has passed"]);
        execute(&bench, "UPDATE account SET last_slot = last_slot - 7200000000, addon_until = last_slot")
            .await;
        execute(&bench, "UPDATE account SET denied_since = 1, suspended_at = 1, addon_until = NULL").await;
        refuses(&["it is only probed", "auditferry account resume acme"]);
        bench.does("account resume acme");
        bench.does("account deliver-now acme --reason trial");
        bench.refuses("account deliver-now nobody", &["account nobody", "auditferry account ls"]);
    });
}

/// A slot that somebody has asked for is not lost when the account is changed before a worker comes.
#[test]
fn an_asked_slot_outlives_other_changes() {
    let bench = Bench::with_destination();
    bench.does("addon enable acme");
    // Names of objects go in order: not in the second of the enablement.
    run(execute(&bench, "UPDATE account SET last_slot = last_slot - 7200000000"));
    let next = || bench.json("account show acme")["next_slot"].clone();
    let scheduled = next();
    bench.does("account deliver-now acme");
    let asked = next();
    assert_ne!(asked, scheduled);
    bench.does("account set acme --schedule '0 1 1 1 *'");
    assert_eq!(next(), asked, "another schedule");
    bench.does("addon enable acme --until 2090-01-01T00:00:00Z");
    assert_eq!(next(), asked, "another end");
    bench.does("addon disable acme");
    bench.does("addon enable acme");
    assert_eq!(next(), asked, "off and on");
}
