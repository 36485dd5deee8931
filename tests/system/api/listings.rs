//! Pages: stable while others write.

use crate::support::api::{Served, token};
use crate::support::bench::Bench;
use crate::support::run;

#[test]
fn pages_miss_nothing_while_accounts_come_and_go() {
    run(async {
        let bench = Bench::new();
        for number in 0..25 {
            bench.does(&format!("account add acct-{number:02} --zone UTC"));
        }
        let served = Served::start(&bench, &[]);
        let client = served.client().with(&token(&bench, "operator", &[]));
        let mut seen: Vec<String> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let more = cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let reply = client.get(&format!("/accounts?limit=7{more}")).await;
            seen.extend(reply.accounts());
            if seen.len() == 7 {
                bench.does("account rm acct-03");
                bench.does("account add acct-00-late --zone UTC");
                bench.does("account rm acct-06");
            }
            match reply.json()["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let right: Vec<String> = (0..25).map(|number| format!("acct-{number:02}")).collect();
        assert_eq!(seen, right, "each that was there all the time comes once");

        let all = client.get("/changes?limit=200").await.is(200)["items"].as_array().unwrap().len();
        let (mut numbers, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/changes?limit=4{cursor}")).await.is(200);
            numbers
                .extend(page["items"].as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(numbers.len(), all);
        assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    });
}

#[test]
fn accounts_are_found_by_health_and_text() {
    run(async {
        let bench = Bench::with_destination();
        bench.does("addon enable acme");
        bench.does("account add beta --zone UTC");
        let served = Served::start(&bench, &[]);
        let client = served.client().with(&token(&bench, "operator", &[]));
        let ids =
            async |query: &str| -> Vec<String> { client.get(&format!("/accounts?{query}")).await.accounts() };
        assert_eq!(ids("health=failing").await, ["acme"], "no worker runs");
        assert_eq!(ids("health=disabled,running").await, ["beta"]);
        assert_eq!(ids("text=BET&order=oldest").await, ["beta"]);
        assert_eq!(ids("ending_within_days=30").await, [""; 0]);
        let status = client.get("/status").await.is(200);
        assert!(status["no_worker"].as_str().unwrap().contains("none has run"), "{status}");
    });
}
