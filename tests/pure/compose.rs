//! The commands in the head of deploy/compose.yaml work with the environment of its worker.

use std::collections::HashMap;

use auditferry::settings::Settings;

fn compose() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/compose.yaml")).expect("the file")
}

/// The environment of the worker, as Compose gives it.
fn environment(text: &str) -> HashMap<String, String> {
    let (_, worker) = text.split_once("\n  worker:\n").expect("a worker");
    let lines = worker.lines().filter_map(|line| line.trim().split_once(": "));
    lines
        .filter(|(name, _)| name.starts_with("AUDITFERRY__"))
        .map(|(name, value)| {
            (name.to_owned(), value.replace("${AUDITFERRY_POSTGRES_PASSWORD:-trial-only-postgres}", "p"))
        })
        .collect()
}

#[test]
fn the_store_of_the_trial_may_be_a_destination() {
    let text = compose();
    let environment = environment(&text);
    assert!(environment.len() >= 3, "{environment:?}");
    let settings = Settings::load_with(None, environment.into_iter().collect()).expect("settings");
    let endpoint =
        text.split("--endpoint ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a command");
    let url = url::Url::parse(endpoint).expect("a URL");
    let host = url.host_str().expect("a host");
    assert!(text.contains(&format!("\n  {host}:\n")), "{host} is a service");
    assert!(settings.network.allow.names(&url), "network.allow lacks {host}");
    let private = "172.18.0.3".parse().expect("an address");
    assert!(settings.network.allow.admit(host, &[private]).is_ok(), "its address is refused");
    assert!(settings.keys.ring.iter().any(|key| key.id == "trial"));
}
