//! The console in Chromium: `tests/browser/console.mjs`, on what `auditferry demo --serve` shows.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::api::free_port;
use crate::support::journey::journey;

/// The demo, until it is dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_browser_looks_at_every_page_and_does_what_support_does() {
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let child = Command::new(env!("CARGO_BIN_EXE_auditferry"))
        .args(["demo", "--serve", "--listen", &listen, "--dir"])
        .arg(folder.path().join("demo"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut demo = Demo(child);
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let token =
        lines.find_map(|line| line.trim().strip_prefix("token ").map(str::to_owned)).expect("a token");
    let portal = lines.find(|line| line.contains("/portal/enter#"));
    assert!(portal.is_some(), "the demo prints two links");
    let ready = json!({ "base": format!("http://{listen}"), "token": token });
    journey("console.mjs", &ready);
}
