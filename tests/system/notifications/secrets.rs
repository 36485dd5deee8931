//! No secret of a channel in anything that the program writes.

use super::Scene;
use crate::support::bench::Bench;
use crate::support::receiver::{Receiver, Reply};
use crate::support::run;

#[test]
fn no_secret_of_a_channel_is_written() {
    run(async {
        let level = "trace,hyper=trace,reqwest=trace";
        let scene = Scene::of(Bench::new().env("AUDITFERRY__LOG__LEVEL", level).env("RUST_BACKTRACE", "1"));
        let receiver = Receiver::start().await;
        let slack = receiver.url().replace("/hook", "/services/T0/B0/CANARYofSlack");
        let mut written = Vec::new();
        let (webhook, secret) = scene.add(&format!("webhook --url {}", receiver.url()));
        let added = scene.bench.run_with_input("notification add slack --json", &slack);
        assert_eq!(added.code, Some(0), "{added}");
        written.extend([added.out, added.err]);
        scene.refuses("acme").await;
        receiver.answers(&[Reply::Status(500), Reply::Status(403)]);
        scene.execute("DELETE FROM turn").await;
        let ran = scene.bench.run("run --until-idle");
        written.extend([ran.out, ran.err]);
        let paths: Vec<String> = receiver.take().into_iter().map(|told| told.path).collect();
        assert_eq!(paths.len(), 2);
        assert!(paths.iter().any(|path| path.ends_with("CANARYofSlack")), "{paths:?}");
        for line in ["notification ls", "notification log --json", "changes ls --json", "check", "keys ls"] {
            let answer = scene.bench.run(line);
            written.extend([answer.out, answer.err]);
        }
        for id in scene.bench.json("notification ls").as_array().unwrap() {
            let answer = scene.bench.run(&format!("notification test {}", id["id"].as_str().unwrap()));
            written.extend([answer.out, answer.err]);
        }
        let nobody = slack.replace("127.0.0.1", "127.0.0.9");
        let away = scene.bench.run_with_input("notification add slack", &nobody);
        away.is_refusal(2, &["not a public one"]);
        written.extend([away.out, away.err]);
        assert!(written.iter().any(|text| text.contains(&webhook)), "nothing was written");
        for file in ["auditferry.db", "auditferry.db-wal"] {
            let bytes = std::fs::read(scene.bench.path(file)).unwrap_or_default();
            written.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        let key = secret.strip_prefix("whsec_").unwrap().trim_end_matches('=');
        for text in &written {
            for part in [key, "CANARYofSlack"] {
                assert!(!text.contains(part), "{part} in {text}");
            }
        }
    });
}
