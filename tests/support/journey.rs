//! Journeys in Chromium: scripts of `tests/browser`, which look at each page with axe, too.

use std::process::Command;

use serde_json::Value;

/// Runs a script with what the test has made ready; it must end with the word `sound`.
pub fn journey(script: &str, ready: &Value) {
    let tools = std::env::var("AUDITFERRY_TEST_TOOLS").expect("AUDITFERRY_TEST_TOOLS: run ./scripts/test");
    let done = Command::new("node")
        .arg(format!("{}/tests/browser/{script}", env!("CARGO_MANIFEST_DIR")))
        .env("AUDITFERRY_TEST_TOOLS", tools)
        .env("AUDITFERRY_JOURNEY", ready.to_string())
        .output()
        .expect("node; ./scripts/test installs it");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && out.ends_with("sound\n"), "{out}\n{err}");
}
