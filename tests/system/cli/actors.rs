//! Who made a change, and why: `--as`, `AUDITFERRY_ACTOR` and `--reason`.

use crate::support::bench::Bench;

#[test]
fn every_change_tells_who_made_it_and_why() {
    let bench = Bench::new();
    bench.does("--as 'Ana Lima' account add acme --zone Asia/Kolkata --reason 'ticket 4711'");
    bench.does("account set acme --zone Europe/Rome");
    let changes = bench.json("changes ls");
    let [set, added] = changes.as_array().unwrap().as_slice() else { panic!("{changes}") };
    let me = auditferry::base::actor::os_user(None);
    assert_eq!(added["by"], format!("Ana Lima, as {}", me.name));
    assert_eq!((&added["actor_kind"], &added["actor_id"]), (&"os_user".into(), &me.id.clone().into()));
    assert_eq!((&added["channel"], &added["reason"]), (&"cli".into(), &"ticket 4711".into()));
    assert_eq!((&set["by"], &set["reason"]), (&me.name.into(), &serde_json::Value::Null));
    let shown = bench.does("changes ls");
    assert!(shown.contains("REASON") && shown.contains("ticket 4711"), "{shown}");
}

#[test]
fn the_environment_names_a_person_too() {
    let bench = Bench::new().env("AUDITFERRY_ACTOR", "Ana Lima");
    bench.does("account add acme --zone Asia/Kolkata");
    let by = bench.json("changes ls")[0]["by"].as_str().unwrap().to_owned();
    assert!(by.starts_with("Ana Lima, as "), "{by}");
}

#[test]
fn a_name_and_a_reason_are_one_line_of_text() {
    let bench = Bench::new();
    for (command, option) in [
        ("--as '' account add acme --zone UTC", "--as <NAME>"),
        ("account add acme --zone UTC --reason ' '", "--reason <REASON>"),
    ] {
        let answer = bench.run(command);
        assert_eq!(answer.code, Some(2), "{}", answer.err);
        assert!(
            answer.err.contains(option) && answer.err.contains("it is empty; write some words"),
            "{}",
            answer.err
        );
    }
    let lines = bench.run(&format!("account add acme --zone UTC --reason '{}'", "a\tb"));
    assert!(lines.err.contains("line breaks or control characters"), "{}", lines.err);
}
