//! What each preset asks for, kept for ever: the same exports file must give the same objects after an upgrade.
//! `AUDITFERRY_WRITE_GOLDEN=1` adds presets that the file does not have yet.

use std::path::Path;

use auditferry_core::model::format::{Format, Siem};
use serde_json::{Map, Value, json};

#[test]
fn every_preset_asks_for_what_it_always_did() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/golden/presets.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut kept: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
    let mut missing = false;
    for siem in Siem::all() {
        let format = json!(siem.over(&Format::default()));
        let Some(before) = kept.get(siem.as_str()) else {
            kept.insert(siem.as_str().to_owned(), format);
            missing = true;
            continue;
        };
        // An option that came later has the default of what was done before.
        for (option, value) in before.as_object().expect("options") {
            assert_eq!(format[option], *value, "{siem}, {option}: a preset never changes: make a successor");
        }
    }
    if missing && std::env::var_os("AUDITFERRY_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&kept).expect("JSON") + "\n")
            .expect("the golden file");
    }
    assert!(
        !missing || std::env::var_os("AUDITFERRY_WRITE_GOLDEN").is_some(),
        "{} lacks a preset",
        path.display()
    );
    assert!(kept.keys().all(|name| Siem::all().any(|siem| siem.as_str() == name)), "a preset is gone");
}
